// The page: a photo is given, and what the network says of it is shown.

import { ask, hide, Problem, show } from "./asking.js";
import { make } from "./making.js";
import { Shown } from "./shown.js";

const element = (id) => document.getElementById(id);
const look = { mode: "", task: "", opacity: 50 };
let run = null;
let shown = null;
let stop = null;

function working(text) {
  element("said").textContent = text;
  element("working").hidden = !text.endsWith("…");
  element("page").setAttribute("aria-busy", text.endsWith("…"));
}

// Ask for a prediction; one that is still asked for is given up.
async function predict(name, query, body) {
  stop?.abort();
  const mine = new AbortController();
  stop = mine;
  hide();
  working(`Predicting ${name} …`);
  try {
    const where = `/predict?${new URLSearchParams(query)}`;
    const answer = await (await ask(where, { method: "POST", body, signal: mine.signal })).json();
    const at = answer.predicted_at.join(" x ");
    const [rows, columns] = answer.counted_at;
    const some = rows < answer.height || columns < answer.width;
    const counted = `Shares of classes and ranges of depth are those of the ${rows} x ${columns} pixels that are drawn.`;
    working(`${name}: predicted in ${answer.seconds.toPrecision(2)} s, at ${at} pixels.${some ? ` ${counted}` : ""}`);
    shown?.close();
    shown = new Shown(element("result"), run, answer, look);
    document.title = `${name} – ${run.name}`;
  } catch (error) {
    if (error.name === "AbortError") return;
    working(`${name} is not predicted.`);
    show(error);
  }
}

function give(file) {
  if (!run) return;
  if (!file) show(new Problem("A photo should be a file; what was dropped is none.", 0));
  else if (file.size > run.most_bytes) {
    show(new Problem(`${file.name}: a photo should have at most ${run.most_bytes / 2 ** 20} MiB; this one has more.`, 0));
  } else predict(file.name, { name: file.name.slice(-255) }, file);
}

function offer(names) {
  const buttons = names.map((name) => make("li", {},
    make("button", { type: "button", onclick: () => predict(name, { example: name }) },
      make("img", { alt: "", loading: "lazy", src: `/example?${new URLSearchParams({ name })}` }),
      make("span", {}, name))));
  element("examples").append(...buttons);
  element("examples").hidden = !names.length;
}

function listen() {
  element("dismiss").addEventListener("click", hide);
  element("file").addEventListener("change", (event) => {
    if (event.target.files.length) give(event.target.files[0]);
    event.target.value = ""; // the same file may be given again
  });
  const over = (is) => document.body.classList.toggle("over", is);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => over(Boolean(event.relatedTarget)));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    give(event.dataTransfer.files[0]);
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select");
    if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (shown?.press(event)) event.preventDefault();
  });
}

async function start() {
  listen();
  try {
    run = await (await ask("/api/run")).json();
  } catch (error) {
    show(error);
    return;
  }
  const names = run.tasks.map((task) => task.name).join(", ");
  element("about").textContent = `${names}; learnt from ${run.dataset}, computed on ${run.device}`;
  offer(run.examples);
}

start();
