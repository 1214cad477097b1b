// Makes elements. Data gets into the document as text only: nothing here, or anywhere else, parses HTML.

function fill(made, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else {
      made.setAttribute(name, value === true ? '' : String(value));
    }
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** An HTML element; `on` has listeners, all else is attributes; null and false leave one out. */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same of SVG. */
export function drawing(name, properties = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), properties, children);
}

/** Sets a text only where it is another one, so that nothing is laid out for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Tells users of screen readers, when what was said before has had its time. */
export const announce = (() => {
  let waiting = [];
  let timer = null;
  return (text) => {
    waiting.push(text);
    timer ??= setTimeout(() => {
      timer = null;
      const texts = waiting.length > 4 ? [`${waiting.length} changes; the last: ${waiting.at(-1)}`] : waiting;
      waiting = [];
      document.getElementById('announce').textContent = texts.join('. ');
    }, 400);
  };
})();

let count = 0;

/** An id that nothing else in the document has. */
export function uniqueID(what) {
  count += 1;
  return `${what}-${count}`;
}
