// The token: kept by the browser for as long as the tab is open, sent as a header, never in an address.

const key = 'tunneld.token';

class Session extends EventTarget {
  /** false where the token's scope is `read`; null while that isn't known. */
  mayWrite = null;

  get token() {
    return sessionStorage.getItem(key);
  }

  begin(token, mayWrite) {
    sessionStorage.setItem(key, token);
    this.mayWrite = mayWrite;
    this.dispatchEvent(new Event('begin'));
  }

  /** What a token may do is found out by trying, after a reload too. */
  learn(mayWrite) {
    this.mayWrite = mayWrite;
    this.dispatchEvent(new Event('scope'));
  }

  /** Ends the session; the reason is shown where the token is asked for. */
  end(reason = '') {
    if (!this.token) return;
    sessionStorage.removeItem(key);
    this.mayWrite = null;
    this.dispatchEvent(new CustomEvent('end', { detail: reason }));
  }

  /** To be called when the server took the token for none of its own. */
  expire(token) {
    if (token && token === this.token) this.end('The token isn’t valid any more: it was revoked. Enter another one.');
  }
}

export const session = new Session();
