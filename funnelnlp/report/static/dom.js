/* Elements are made here and only here; every text goes through textContent. */

const byId = (id) => document.getElementById(id);

/** Make an element: attributes, `on…` listeners and styles from `options`, then its children (elements or texts). */
function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || (value === false && !name.includes("-"))) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, setting] of Object.entries(value)) element.style.setProperty(key, setting);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true && !name.includes("-") ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") element.append(child);
  }
  return element;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
