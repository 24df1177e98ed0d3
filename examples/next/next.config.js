import { join } from 'node:path';

/** @type {import('next').NextConfig} */
export default {
  // @gatehouse/client is linked from this checkout, which Turbopack must be allowed to leave the project for.
  turbopack: { root: join(import.meta.dirname, '../..') },
};
