// Asks for a token, and tries it before it is kept.
import { ask, get, Refusal } from './api.js';
import { element, uniqueID } from './dom.js';
import { session } from './session.js';

/** Whether the token may write: a plan of nothing is harmless, and refused to those who may only read. */
async function mayWrite(token) {
  try {
    await ask('POST', '/v1/apply', { token, body: { tunnels: [], dry_run: true } });
    return true;
  } catch (error) {
    return !(error instanceof Refusal && error.status === 403);
  }
}

/** Finds out again what a token may do that was kept over a reload. */
export async function rediscover() {
  const token = session.token;
  const may = await mayWrite(token);
  if (session.token === token) session.learn(may);
}

function words(error) {
  if (!(error instanceof Refusal)) return error.message;
  if (error.status === 401) return 'This token isn’t known here, or it was revoked. Look whether all of it was copied.';
  if (error.status === 403) return `This token doesn’t permit it: ${error.message}`;
  return error.message;
}

export function signInView(reason) {
  const [inputID, hintID, faultID] = ['token', 'hint', 'fault'].map(uniqueID);
  const input = element('input', {
    id: inputID, type: 'password', name: 'token', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none',
    'aria-describedby': `${hintID} ${faultID}`,
  });
  const fault = element('p', { id: faultID, class: 'fault', role: 'alert' }, reason);
  const button = element('button', { class: 'primary' }, 'Open');

  async function submit(event) {
    event.preventDefault();
    const token = input.value.trim();
    if (!token) return refuse('Enter a token first.');
    // A header can't carry anything else, and no token of tunneld's has it.
    if (!/^[\x21-\x7e]+$/.test(token)) return refuse('A token has letters, digits, - and _ only. Copy it again.');
    button.disabled = true;
    try {
      await get('/v1/version', { token });
      session.begin(token, await mayWrite(token));
    } catch (error) {
      refuse(words(error));
    } finally {
      button.disabled = false;
    }
  }

  function refuse(text) {
    fault.textContent = text;
    input.setAttribute('aria-invalid', 'true');
    input.focus();
    input.select();
  }

  const node = element('form', { class: 'signin card', novalidate: true, on: { submit } },
    element('h1', {}, 'Tunnels of this host'),
    element('label', { for: inputID }, 'Token'), input, fault,
    element('p', { id: hintID, class: 'hint' },
      'As root on this host: ', element('code', {}, 'tunneld token create --scope write'),
      ' shows one; with ', element('code', {}, '--scope read'), ' it may only look. It is kept until this tab is closed.'),
    button);
  return { node, title: 'Sign in', enter: () => input.focus() };
}
