// The switch between the system's theme, light and dark; and the colors that a canvas needs as values.
import { element, drawing } from './dom.js';

const order = ['system', 'light', 'dark'];
const pictures = {
  system: 'M3 4h18v12H3z M8 20h8 M12 16v4',
  light: 'M12 7.5a4.5 4.5 0 1 0 .01 0z M12 2v2 M12 20v2 M2 12h2 M20 12h2 M5 5l1.4 1.4 M17.6 17.6 19 19 M5 19l1.4-1.4 M17.6 6.4 19 5',
  dark: 'M20 14.5A8.5 8.5 0 1 1 9.5 4 7 7 0 0 0 20 14.5z',
};
const listeners = new Set();
let colors = null;

function chosen() {
  return document.documentElement.dataset.theme ?? 'system';
}

function choose(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem('tunneld.theme');
    else localStorage.setItem('tunneld.theme', theme);
  } catch {
    // Kept for this page alone, then.
  }
  forget();
}

function forget() {
  colors = null;
  for (const listener of listeners) listener();
}

/** The value of a color as the theme has it now. */
export function color(name) {
  if (!colors) {
    const style = getComputedStyle(document.documentElement);
    colors = {};
    for (const key of ['rx', 'tx', 'line']) colors[key] = style.getPropertyValue(`--${key}`).trim();
  }
  return colors[name];
}

/** Calls the function when the colors have changed; returns what stops that. */
export function onColors(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function themeSwitch(button) {
  const picture = drawing('path', { d: '', fill: 'none', stroke: 'currentColor', 'stroke-width': '2' });
  const label = element('span', { class: 'unseen' });
  button.append(drawing('svg', { viewBox: '0 0 24 24', width: '18', height: '18', 'aria-hidden': 'true' }, picture), label);
  const show = () => {
    picture.setAttribute('d', pictures[chosen()]);
    label.textContent = `Theme: ${chosen()}`;
    button.title = `Theme: ${chosen()}; click for ${order[(order.indexOf(chosen()) + 1) % 3]}`;
  };
  button.addEventListener('click', () => {
    choose(order[(order.indexOf(chosen()) + 1) % order.length]);
    show();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', forget);
  show();
}
