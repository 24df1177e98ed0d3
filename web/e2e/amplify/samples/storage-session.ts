import { Amplify, type ResourcesConfig } from 'aws-amplify';
import { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
import { sessionStorage } from 'aws-amplify/utils';

const Auth: ResourcesConfig['Auth'] = {
  Cognito: { userPoolId: 'eu-west-1_AbCdEf123', userPoolClientId: '1h57kf5cpq17m0eml12EXAMPLE' },
};

Amplify.configure({ Auth });

cognitoUserPoolsTokenProvider.setKeyValueStorage(sessionStorage);
