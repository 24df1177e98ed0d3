Amplify.configure({
  Auth: {
    Cognito: {
      ...cognitoConfig,
      loginWith: { oauth: { ...oauthConfig, responseType: 'code' } },
    },
  },
});
