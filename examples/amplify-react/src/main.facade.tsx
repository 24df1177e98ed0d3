import { Amplify } from 'aws-amplify';
import { parseAmplifyConfig } from 'aws-amplify/utils';
import outputs from '../amplify_outputs.json';
import { show } from './show.tsx';

// Without the adapter: two addresses of the gateway in the place of the user pool's.
const config = parseAmplifyConfig(outputs);
const pool = config.Auth!.Cognito;
pool.userPoolEndpoint = `${location.origin}/auth/amplify/idp/`;
pool.loginWith!.oauth!.domain = `${location.host}/auth/amplify`;
Amplify.configure(config);
show();
