// Round numbers and times for the axes of plots.

/** The least of 1, 2 and 5 times a power of ten that isn't below the value. */
export function niceLimit(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((limit) => limit >= value * 0.999);
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps = [
  10_000, 30_000, minute, 2 * minute, 5 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
  day, 2 * day, 7 * day,
];
const formats = {
  seconds: new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }),
  minutes: new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  days: new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' }),
};

/** Round local times between two, `room` of them at most: [{ at, text }]. */
export function timeTicks(from, to, room) {
  const step = timeSteps.find((candidate) => (to - from) / candidate <= room) ?? timeSteps.at(-1);
  const zone = new Date(from).getTimezoneOffset() * minute;
  const format = step < minute ? formats.seconds : step < day ? formats.minutes : formats.days;
  const ticks = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) {
    ticks.push({ at, text: format.format(at) });
  }
  return ticks;
}
