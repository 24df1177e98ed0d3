import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// --spa names this port: where it is taken, Vite says so instead of going on to the next.
export default defineConfig({ plugins: [vue()], server: { strictPort: true } });
