// Numbers and times for people.

const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** Three digits and a prefix of thousands: [ '1.24', 'M' ]. */
function scaled(value) {
  let step = 0;
  while (value >= 999.5 && step < prefixes.length - 1) {
    value /= 1000;
    step += 1;
  }
  if (step === 0) return [value < 9.95 ? String(Number(value.toPrecision(2))) : value.toFixed(0), ''];
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return [value.toFixed(digits), prefixes[step]];
}

function withUnit(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  const [digits, prefix] = scaled(value);
  return `${digits} ${prefix}${unit}`;
}

export const bitRate = (value) => withUnit(value, 'bit/s');
export const packetRate = (value) => withUnit(value, '/s').replace(/ \/s$/, '/s');
export const bytes = (value) => withUnit(value, 'B');

/** All digits, in groups. */
export const whole = (value) => (value === null || value === undefined ? '–' : value.toLocaleString('en').replaceAll(',', '\u202f'));

/** `42 s`, `3 min`, `2 h`, `5 d`. */
export function span(seconds) {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 100) return `${rounded} s`;
  if (rounded < 5400) return `${Math.round(rounded / 60)} min`;
  if (rounded < 48 * 3600) return `${Math.round(rounded / 3600)} h`;
  return `${Math.round(rounded / 86400)} d`;
}

const sameDay = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const otherDay = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
});

/** A time of the server in the reader's own; short where it is today's. */
export function time(text) {
  if (!text) return '–';
  const date = new Date(text);
  return (date.toDateString() === new Date().toDateString() ? sameDay : otherDay).format(date);
}

/** Orders names as people do: tun_2 before tun_10. */
export const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' }).compare;

export const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;
