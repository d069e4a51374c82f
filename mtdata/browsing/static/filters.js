// The controls: from the store to what can be chosen, from what is chosen to the address.

import { store } from "./api.js";
import * as marks from "./marks.js";
import { current, FILTERS, go } from "./state.js";

const form = document.getElementById("filters");
const field = (name) => form.elements[name];

function option(value, text, parent) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  parent.append(made);
}

function group(label, parent) {
  const made = document.createElement("optgroup");
  made.label = label;
  parent.append(made);
  return made;
}

export function fill() {
  for (const split of store.splits) {
    option(split.name, `${split.name} (${split.images.toLocaleString("en")})`, field("split"));
  }
  for (const regime of store.regimes) {
    const note = regime === store.default_regime ? " (default of training)" : "";
    option(regime, regime + note, field("regime"));
  }
  for (const origin of store.origins) tick(`with ${origin} labels`, `origin-${origin}`);
  for (const task of store.tasks) taskFilter(task);
  option("photo", "photo", field("show"));
  option("key", "key", field("sort"));
  for (const task of store.tasks) {
    option(task.name, task.name, field("show"));
    sorts(task);
    if (task.kind !== "classes") continue;
    const classes = group(task.name, field("present"));
    task.names.forEach((name, id) => option(`${task.name}:${id}`, name, classes));
  }
  for (const run of store.runs) {
    const errors = group(`error of ${run.name}`, field("sort"));
    for (const task of run.tasks) option(`error:${run.name}:${task}`, task, errors);
  }
  for (const [kind, text] of Object.entries(marks.KINDS)) option(kind, text, field("mark"));
}

function tick(text, name) {
  const label = document.createElement("label");
  label.className = "tick";
  const box = document.createElement("input");
  box.type = "checkbox";
  box.name = name;
  label.append(box, ` ${text}`);
  document.getElementById("origins").append(label);
}

function taskFilter(task) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.name = `task-${task.name}`;
  for (const [value, text] of [["", "any"], ["labelled", "labelled"], ["hidden", "hidden"], ["missing", "no label"]]) {
    option(value, text, select);
  }
  label.append(`${task.name} `, select);
  document.getElementById("tasks").append(label);
}

function sorts(task) {
  const of = group(task.name, field("sort"));
  option(`valid:${task.name}`, "share of valid pixels", of);
  if (task.kind === "depth") {
    option(`near:${task.name}`, "smallest value", of);
    option(`far:${task.name}`, "largest value", of);
    option(`range:${task.name}`, "range of values", of);
  }
  if (task.kind === "classes") {
    task.names.forEach((name, id) => option(`share:${task.name}:${id}`, `share of ${name}`, of));
  }
}

// A regime and what is shown with it, `filled:0.8` say; the name of a regime may have a plus of its own.
function parts(text) {
  const known = store.regimes.filter((name) => text === name || text.startsWith(`${name}+`));
  const regime = known.sort((a, b) => b.length - a.length)[0] ?? text.split("+")[0];
  return [regime, ...text.slice(regime.length).split("+").filter(Boolean)];
}

// From the controls to the address.
function chosen() {
  const state = Object.fromEntries(FILTERS.map((name) => [name, ""]));
  for (const name of ["split", "text", "present", "sort"]) state[name] = field(name).value;
  const [, ...before] = parts(current().regime);
  const origins = store.origins
    .filter((origin) => field(`origin-${origin}`).checked)
    .map((origin) => before.find((each) => each.startsWith(`${origin}:`)) ?? origin);
  // Without a regime all that was added is shown anyway.
  const regime = field("regime").value;
  state.regime = regime && [regime, ...origins].join("+");
  for (const what of ["labelled", "hidden", "missing"]) {
    const of = store.tasks.filter((task) => field(`task-${task.name}`).value === what);
    state[what] = of.map((task) => task.name).join(",");
  }
  state.down = field("down").checked ? "1" : "";
  state.reveal = field("reveal").checked ? "1" : "";
  state.show = field("show").value === "photo" ? "" : field("show").value;
  return state;
}

// From the address to the controls.
export function show(state) {
  const [regime, ...origins] = parts(state.regime);
  for (const name of ["split", "text", "present", "sort"]) {
    if (field(name).value !== state[name]) field(name).value = state[name];
  }
  field("regime").value = regime;
  for (const origin of store.origins) {
    field(`origin-${origin}`).checked = !regime || origins.some((each) => each.startsWith(origin));
    field(`origin-${origin}`).disabled = !regime;
  }
  field("reveal").checked = Boolean(state.reveal);
  field("reveal").disabled = !regime || regime === "full";
  field("down").checked = Boolean(state.down);
  field("show").value = state.show || "photo";
  for (const task of store.tasks) {
    const is = ["labelled", "hidden", "missing"].find((what) => state[what].split(",").includes(task.name));
    field(`task-${task.name}`).value = is ?? "";
  }
  const count = FILTERS.filter((name) => state[name] && name !== "sort" && name !== "down").length;
  const text = count ? `Filters (${count})` : "Filters";
  const open = document.body.classList.contains("filters-open");
  document.getElementById("filter-button").textContent = open ? "Show images" : text;
}

export function clear() {
  go(Object.fromEntries([...FILTERS, "reveal"].map((name) => [name, ""])));
}

function showMarks() {
  const count = marks.count();
  document.getElementById("marked").textContent = count === 1 ? "1 image is marked." : `${count} images are marked.`;
  for (const id of ["save-marks", "clear-marks"]) document.getElementById(id).disabled = !count;
}

export function start() {
  let typing = 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target.name === "mark") marks.touch();
    else if (event.target.name !== "text") go(chosen());
  });
  field("text").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => go(chosen(), { replace: Boolean(current().text) }), 200);
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    clear();
  });
  document.getElementById("empty-clear").addEventListener("click", clear);
  document.getElementById("save-marks").addEventListener("click", marks.save);
  document.getElementById("clear-marks").addEventListener("click", () => {
    if (confirm(`Remove the marks of ${marks.count()} images?`)) marks.clear();
  });
  marks.onChange(showMarks);
  showMarks();
  const button = document.getElementById("filter-button");
  button.addEventListener("click", () => {
    const open = document.body.classList.toggle("filters-open");
    button.setAttribute("aria-expanded", String(open));
    show(current());
  });
}
