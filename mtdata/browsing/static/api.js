// Asking the server, and telling what it refuses.

export const store = { token: "", tasks: [], splits: [], regimes: [], origins: [], runs: [] };

export class Problem extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

const banner = document.getElementById("banner");
document.getElementById("anew").addEventListener("click", () => location.reload());

// A problem that stays until the page is made anew, or something is answered again.
function show(problem) {
  document.getElementById("problem").textContent = problem.message;
  banner.hidden = false;
}

export function path(where, given = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...given, token: store.token })) {
    if (value !== "" && value !== undefined && value !== false) query.set(name, value);
  }
  return `${where}?${query}`;
}

export async function ask(where, given = {}, signal = undefined) {
  let answer;
  try {
    answer = await fetch(path(where, given), { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const problem = new Problem("The server does not answer: it was ended, or is busy. Start it again with mtdata browse.", 0);
    show(problem);
    throw problem;
  }
  if (answer.ok) {
    banner.hidden = true;
    return answer;
  }
  let text = `The server answers ${answer.status}.`;
  try {
    text = (await answer.json()).problem ?? text;
  } catch {
    // not our answer: the status says enough
  }
  const problem = new Problem(text, answer.status);
  // 409, 410, 503: the store was replaced, is gone, or cannot be read.
  if ([400, 409, 410, 503].includes(answer.status)) show(problem);
  throw problem;
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
