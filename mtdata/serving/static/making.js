// Elements of a page, made from their names, attributes and children.

export function make(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// A choice with its label; `options` are pairs of a value and its name, `act` is told what was chosen.
export function choice(text, options, chosen, act) {
  const select = make("select", { onchange: () => act(select.value) }, ...options.map(([value, name]) => make("option", { value }, name)));
  select.value = chosen;
  return make("label", {}, `${text} `, select);
}

// A slider from 0 to 100 with its label; `act` is told where it is.
export function slider(text, place, act) {
  const input = make("input", { type: "range", min: 0, max: 100, step: 1, oninput: () => act(input.value) });
  input.value = place;
  return make("label", {}, `${text} `, input);
}
