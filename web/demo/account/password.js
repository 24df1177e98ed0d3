import { fetchUserAttributes, updatePassword } from '/auth/sdk/index.js';
import { Row } from '../row.js';

/** The row of the password. @returns {import('../views/account.js').Part} */
export function passwordPart() {
  const row = new Row('Password');
  row.value.textContent = 'Kept by the user pool';
  const change = async () => {
    const { email = '' } = await fetchUserAttributes();
    await row.ask({
      form: 'password',
      fields: { username: { value: email } }, // tells password managers whose it is
      submit: ({ oldPassword, newPassword }) => updatePassword({ oldPassword, newPassword }),
      faults: {
        NotAuthorizedException: ['oldPassword', 'This is not your current password.'],
        InvalidPasswordException: ['newPassword'],
        InvalidParameterException: ['newPassword'],
        PasswordHistoryPolicyViolationException: ['newPassword'],
      },
    });
    return 'Changed. It is asked for at the next sign-in.';
  };
  row.buttons.append(row.button('Change', 'Change password', change));
  return { row };
}
