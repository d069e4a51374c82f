// What is served, and asking for what is of it.

import * as asking from "./asking.js";

export const store = { token: "", tasks: [], splits: [], regimes: [], origins: [], runs: [] };

document.getElementById("anew").addEventListener("click", () => location.reload());

export function path(where, given = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...given, token: store.token })) {
    if (value !== "" && value !== undefined && value !== false) query.set(name, value);
  }
  return `${where}?${query}`;
}

export async function ask(where, given = {}, signal = undefined) {
  try {
    const answer = await asking.ask(path(where, given), { signal });
    asking.hide();
    return answer;
  } catch (error) {
    // 0: no answer; 409, 410, 503: the store was replaced, is gone, or cannot be read.
    if ([0, 400, 409, 410, 503].includes(error.status)) asking.show(error);
    throw error;
  }
}

export async function askJson(where, given = {}, signal = undefined) {
  return (await ask(where, given, signal)).json();
}

export async function open() {
  Object.assign(store, await (await ask("/api/store")).json());
}

export const STATES = {
  v: "labelled", h: "hidden", m: "no label", d: "derived", f: "filled",
};
