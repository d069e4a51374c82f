// What the page shows, as it stands in the address: every view has a link.

export const FILTERS = [
  "split", "regime", "labelled", "hidden", "missing", "present", "text", "sort", "down",
];
const OTHERS = ["show", "reveal", "image", "at", "mode", "task", "opacity"];

const listeners = new Set();

export function current() {
  const given = new URLSearchParams(location.search);
  const state = {};
  for (const name of [...FILTERS, ...OTHERS]) state[name] = given.get(name) ?? "";
  return state;
}

export function address(state) {
  const given = new URLSearchParams();
  for (const name of [...FILTERS, ...OTHERS]) if (state[name]) given.set(name, state[name]);
  const text = given.toString();
  return text ? `/?${text}` : "/";
}

// Go to a view: a new entry of the history, or in the place of the present one.
export function go(change, { replace = false } = {}) {
  const next = address({ ...current(), ...change });
  if (next === location.pathname + location.search) return;
  const entry = { inside: replace ? Boolean(history.state?.inside) : true };
  if (replace) history.replaceState(entry, "", next);
  else history.pushState(entry, "", next);
  tell();
}

// Leave the view of an image: back, where it was opened from the grid.
export function leave() {
  if (history.state?.inside) history.back();
  else go({ image: "", at: "" });
}

export function onChange(listener) {
  listeners.add(listener);
}

export function tell() {
  const state = current();
  for (const listener of listeners) listener(state);
}

addEventListener("popstate", tell);
