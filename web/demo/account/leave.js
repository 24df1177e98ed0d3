import { deleteUser } from '/auth/sdk/index.js';
import { say } from '../actions.js';
import { Row } from '../row.js';
import { look, state } from '../state.js';

/** The row of the account as a whole, which can be deleted. @returns {import('../views/account.js').Part} */
export function leavePart() {
  const row = new Row('Your account');
  row.value.textContent = 'Can be deleted, with all that the user pool knows of you';
  const leave = async () => {
    state.leaving = true; // it signs out, which is no news here
    try {
      await deleteUser();
    } finally {
      state.leaving = false;
    }
    await look();
    say('Your account is deleted.');
  };
  const ask = async () => {
    await row.ask({ form: 'leave', submit: leave });
    return '';
  };
  row.buttons.append(row.button('Delete', 'Delete your account', ask, 'danger'));
  return { row };
}
