import { Amplify } from 'aws-amplify';
import outputs from '../amplify_outputs.json';
import { show } from './show.tsx';

Amplify.configure(outputs);
show();
