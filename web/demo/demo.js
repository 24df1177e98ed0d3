// Starts the page. The client comes from the gateway, which may not be there: then the page says so.

import('./app.js').catch((err) => {
  console.error(err);
  const [heading, text] = document.querySelectorAll('#view h1, #view .lead');
  heading.textContent = 'No gateway in front of this page';
  text.textContent = 'Its client cannot be loaded from /auth/sdk/. Start “gateway dev”, and open the address that it prints.';
  document.querySelectorAll('#view .bone').forEach((bone) => bone.remove());
});
