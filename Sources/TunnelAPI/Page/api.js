// Asks the server, and makes errors of its refusals.
import { session } from './session.js';

/** The server refused; `problem` is its application/problem+json. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
    this.slug = String(problem.type ?? '').split('/').at(-1);
  }
}

/** No answer came, so nothing is known of what became of it. */
export class Unreachable extends Error {
  constructor() {
    super('tunneld doesn’t answer. Is it running, and is the network up?');
  }
}

/** Sends a request with the session's token, or the one given. 401 ends the session. */
export async function send(method, path, { body, type = 'application/json', headers = {}, token, signal } = {}) {
  const used = token ?? session.token;
  const all = { ...headers, Authorization: `Bearer ${used}` };
  if (body !== undefined) all['Content-Type'] = type;
  let response;
  try {
    response = await fetch(path, {
      method, body, headers: all, signal, credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
  if (response.ok || response.status === 304) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401) session.expire(used);
  throw new Refusal(response.status, problem);
}

/** The answer's body and its ETag. */
export async function ask(method, path, { body, ...options } = {}) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await send(method, path, { ...options, body: text });
  let answer;
  try {
    answer = response.status === 204 ? null : await response.json();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable();
  }
  return { status: response.status, etag: response.headers.get('ETag'), body: answer };
}

export const get = async (path, options) => (await ask('GET', path, options)).body;

/** The path of a tunnel by its name or id. */
export const tunnelPath = (key) => `/v1/tunnels/${encodeURIComponent(key)}`;

/** A name for a POST that may be sent again. */
export function requestKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
