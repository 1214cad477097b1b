// The text of a set, made into the body of an apply. YAML is read by the server alone; what is added here are lines.

/** The text can't be taken as it is. */
export class Misshapen extends Error {}

/** `{ type, body }` of a text with these members added; members that are null are left out. */
export function applyBody(text, members) {
  const added = Object.entries(members).filter(([, value]) => value !== null && value !== false);
  const trimmed = text.trim();
  if (!trimmed) throw new Misshapen('Paste a set of tunnels first.');
  return /^[[{]/.test(trimmed) ? fromJSON(trimmed, added) : fromYAML(text, added);
}

function fromJSON(text, added) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Misshapen(`It begins as JSON does, but isn’t JSON: ${error.message}.`);
  }
  const body = Array.isArray(value) ? { tunnels: value } : value;
  return { type: 'application/json', body: JSON.stringify({ ...body, ...Object.fromEntries(added) }) };
}

function fromYAML(text, added) {
  const lines = text.replace(/\r\n?/g, '\n').trimEnd().split('\n').filter((line) => !/^(---|\.\.\.)\s*$/.test(line));
  const first = lines.find((line) => line.trim() && !/^\s*#/.test(line)) ?? '';
  // A plain list of tunnels stands for a body that has only these.
  if (/^\s*-/.test(first)) lines.unshift('tunnels:');
  // JSON's scalars and maps are YAML's too.
  for (const [key, value] of added) lines.push(`${key}: ${JSON.stringify(value)}`);
  return { type: 'application/yaml', body: `${lines.join('\n')}\n` };
}
