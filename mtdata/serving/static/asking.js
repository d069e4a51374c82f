// Asking the server, and telling what it refuses.

export class Problem extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

const banner = document.getElementById("banner");

// A problem stays until it is hidden, or the page is made anew.
export function show(problem) {
  document.getElementById("problem").textContent = problem.message;
  banner.hidden = false;
}

export function hide() {
  banner.hidden = true;
}

// The answer to a request; a Problem where there is none, or the server refuses: `status` is 0 or that of the refusal.
export async function ask(where, options = {}) {
  let answer;
  try {
    answer = await fetch(where, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const command = document.body.dataset.command;
    throw new Problem(`The server does not answer: it was ended, or is busy. Start it again with ${command}.`, 0);
  }
  if (answer.ok) return answer;
  let text = `The server answers ${answer.status}.`;
  try {
    text = (await answer.json()).problem ?? text;
  } catch {
    // not our answer: the status says enough
  }
  throw new Problem(text, answer.status);
}
