// Where the reader is, in the address's fragment: so that back, forward and bookmarks work. No token is ever in it.

/** `#/tunnels/tun_a/edit` is { view: 'edit', name: 'tun_a' }. */
export function place() {
  const parts = location.hash.replace(/^#\/?/, '').split('/').filter(Boolean);
  try {
    const [first, name, what] = parts.map(decodeURIComponent);
    if (first === 'tunnels' && name) return { view: what === 'edit' ? 'edit' : 'tunnel', name };
    if (first === 'new' || first === 'apply') return { view: first };
  } catch {
    // Not well formed: as if there were none.
  }
  return { view: 'list' };
}

export const tunnelPlace = (name) => `#/tunnels/${encodeURIComponent(name)}`;
export const editPlace = (name) => `${tunnelPlace(name)}/edit`;

export function go(hash) {
  location.hash = hash;
}
