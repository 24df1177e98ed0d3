import { Amplify, type ResourcesConfig } from 'aws-amplify';
import { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
import { KeyValueStorageInterface } from 'aws-amplify/utils';

class Shelf implements KeyValueStorageInterface {
  items: Record<string, string> = {};

  async getItem(key: string): Promise<string | null> {
    return this.items[key] ?? null;
  }

  async setItem(key: string, value: string): Promise<void> {
    this.items[key] = value;
  }

  async removeItem(key: string): Promise<void> {
    delete this.items[key];
  }

  async clear(): Promise<void> {
    this.items = {};
  }
}

const Auth: ResourcesConfig['Auth'] = {
  Cognito: { userPoolId: 'eu-west-1_AbCdEf123', userPoolClientId: '1h57kf5cpq17m0eml12EXAMPLE' },
};

Amplify.configure({ Auth });

cognitoUserPoolsTokenProvider.setKeyValueStorage(new Shelf());
