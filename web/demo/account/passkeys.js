import { associateWebAuthnCredential, deleteWebAuthnCredential, listWebAuthnCredentials } from '/auth/sdk/index.js';
import { el, setText } from '../dom.js';
import { Row } from '../row.js';
import { isOutage } from '../state.js';
import { errorWords, timeWords } from '../words.js';

/** @typedef {import('/auth/sdk/account.js').Passkey} Passkey */

const most = 20; // passkeys that a user can have, all on one page of the user pool's

/** The row of the passkeys. @returns {import('../views/account.js').Part} */
export function passkeysPart() {
  const row = new Row('Passkeys');
  const add = row.button('Add', 'Add a passkey', async () => {
    await associateWebAuthnCredential();
    await load();
    return 'Added.';
  });
  row.buttons.append(add);

  /** @param {Passkey} passkey */
  function item({ friendlyCredentialName: name = 'Passkey', createdAt, credentialId = '' }) {
    const remove = async () => {
      await deleteWebAuthnCredential({ credentialId });
      await load();
      return 'Deleted.';
    };
    const since = el('small', {}, `added ${createdAt ? timeWords(createdAt.getTime() / 1000) : ''}`);
    return el('li', {}, el('span', {}, name, ' ', since), row.button('Delete', `Delete ${name}`, remove));
  }

  async function load() {
    try {
      const { credentials } = await listWebAuthnCredentials({ pageSize: most });
      add.hidden = false;
      if (credentials.length) row.value.replaceChildren(el('ul', { class: 'passkeys' }, ...credentials.map(item)));
      else setText(row.value, 'None');
    } catch (err) {
      if (isOutage(err)) throw err;
      // Many user pools have no passkeys, and the rest of the account.
      add.hidden = true;
      setText(row.value, errorWords(err));
    }
  }
  return { row, load };
}
