import { fetchMFAPreference, setUpTOTP, updateMFAPreference, verifyTOTPSetup } from '/auth/sdk/index.js';
import { el, setText } from '../dom.js';
import { Row } from '../row.js';
import { displayName } from '../state.js';
import { digits } from '../words.js';

/** The row of the authenticator app, whose codes are time-based one-time passwords (RFC 6238). @returns {import('../views/account.js').Part} */
export function appPart() {
  const row = new Row('Authenticator app');
  const setUp = row.button('Set up', 'Set up an authenticator app', async () => {
    const { sharedSecret, getSetupUri } = await setUpTOTP();
    const { href } = getSetupUri('Gatehouse demo', displayName());
    await row.ask({
      form: 'app',
      contents: {
        secret: sharedSecret.replace(/.{4}(?=.)/g, '$& '),
        link: [el('a', { href }, 'Add it to an app on this device')],
      },
      submit: async ({ code }) => {
        await verifyTOTPSetup({ code: digits(code) });
        await updateMFAPreference({ totp: 'PREFERRED' });
        await load();
      },
      faults: { EnableSoftwareTokenMFAException: ['code'], CodeMismatchException: ['code'] },
    });
    return 'Switched on.';
  });
  const switchOff = row.button('Switch off', 'Switch off the authenticator app', async () => {
    await updateMFAPreference({ totp: 'DISABLED' });
    await load();
    return 'Switched off.';
  });
  row.buttons.append(setUp, switchOff);

  async function load() {
    const { enabled } = await fetchMFAPreference();
    const isOn = enabled?.includes('TOTP') ?? false;
    setText(row.value, isOn ? 'On: you are asked for a code at each sign-in' : 'Off');
    setUp.hidden = isOn;
    switchOff.hidden = !isOn;
  }
  return { row, load };
}
