import { svelte } from '@sveltejs/vite-plugin-svelte';
import vue from '@vitejs/plugin-vue';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [vue(), svelte()],
  oxc: { decorator: { legacy: true } }, // Angular's
  resolve: { alias: { '@gatehouse/client': fileURLToPath(new URL('client/index.js', import.meta.url)) } },
  build: { rolldownOptions: { input: ['vue.html', 'svelte.html', 'angular.html'] } },
});
