import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// --spa names this port: where it is taken, Vite says so instead of going on to the next.
export default defineConfig({ plugins: [react()], server: { strictPort: true } });
