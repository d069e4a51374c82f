// One image: all its labels side by side, or one blended over the photo; values under the pointer.

import { ask, askJson, STATES, store } from "./api.js";
import { Figure, legend, row, zoomButtons } from "./figures.js";
import { imageAt } from "./grid.js";
import { choice, make, slider } from "./making.js";
import * as marks from "./marks.js";
import { Camera } from "./panel.js";
import { round } from "./reading.js";
import { current, go, leave } from "./state.js";
import * as values from "./values.js";

const section = document.getElementById("detail");
let open = null;

const span = ([low, high], task) => `${round(low)} to ${round(high)} ${task.units}`;

export function close() {
  open?.close();
  open = null;
  section.hidden = true;
  section.replaceChildren();
}

export async function show(state) {
  const slash = state.image.indexOf("/");
  const given = {
    split: state.image.slice(0, slash), key: state.image.slice(slash + 1),
    regime: state.regime, reveal: state.reveal ? 1 : "",
  };
  const same = JSON.stringify([given, state.at, state.mode, state.task || null]);
  if (open?.same === same) {
    open.blend(state);
    return;
  }
  const kept = open && open.given.key === given.key && open.given.split === given.split ? open.camera : null;
  open?.close();
  const view = new Detail(given, state, same, kept);
  open = view;
  await view.load();
}

export const press = (event) => open?.press(event) ?? false;

class Detail {
  constructor(given, state, same, camera) {
    Object.assign(this, { given, state, same, camera });
    this.panels = [];
    this.stop = new AbortController();
    this.values = null;
  }

  close() {
    this.stop.abort();
    this.panels.forEach(({ figure }) => figure.close());
  }

  async load() {
    section.hidden = false;
    let told;
    try {
      told = await askJson("/api/image", this.given, this.stop.signal);
    } catch (error) {
      if (error.name !== "AbortError") {
        section.replaceChildren(this.head(), make("p", { class: "note" }, error.status === 404 ? "There is no such image in this store." : error.message));
      }
      return;
    }
    this.told = told;
    const kept = this.camera;
    this.camera = new Camera(told.height, told.width);
    if (kept) Object.assign(this.camera, { zoom: kept.zoom, x: kept.x, y: kept.y });
    this.camera.onPixel = (pixel) => this.readout(pixel);
    section.replaceChildren(this.head(), ...this.body(), this.facts());
    for (const each of this.panels) this.fill(each);
    this.neighbours();
    if (!section.contains(document.activeElement)) section.querySelector("#back").focus();
  }

  head() {
    const { split, key } = this.given;
    const kinds = [make("option", { value: "" }, "no mark")];
    for (const [kind, text] of Object.entries(marks.KINDS)) kinds.push(make("option", { value: kind }, text));
    const mark = make("select", { onchange: (event) => marks.set(this.given, event.target.value) }, ...kinds);
    mark.value = marks.of(this.given);
    this.markField = mark;
    const move = (text, id, step) => make("button", { id, type: "button", disabled: true, onclick: () => this.step(step) }, text);
    return make("div", { class: "bar" },
      make("button", { id: "back", type: "button", onclick: leave }, "← All images"),
      move("‹ Previous", "previous", -1), move("Next ›", "next", 1),
      make("h2", {}, key, " ", make("small", {}, split)),
      make("label", {}, "Mark ", mark));
  }

  body() {
    const blended = this.state.mode === "blend";
    const modes = [["", "side by side"], ["blend", "over the photo"]];
    const bar = make("div", { class: "bar" }, choice("Labels", modes, this.state.mode, (mode) => go({ mode }, { replace: true })));
    if (blended) bar.append(...this.blending());
    bar.append(...zoomButtons(this.camera));
    if (this.told.tasks.some((task) => task.state === "h")) {
      const box = make("input", { type: "checkbox", onchange: () => go({ reveal: box.checked ? "1" : "" }, { replace: true }) });
      box.checked = Boolean(this.state.reveal);
      bar.append(make("label", { class: "tick" }, box, " Show hidden labels too"));
    }
    this.where = make("output", { class: "where" }, "Point at a pixel for its values.");
    bar.append(this.where);
    return [bar, ...(blended ? [row([this.over()])] : this.sideBySide())];
  }

  get task() {
    const names = store.tasks.map((task) => task.name);
    return names.includes(this.state.task) ? this.state.task : names[0];
  }

  blending() {
    const names = store.tasks.map(({ name }) => [name, name]);
    this.slider = slider("Opacity", this.state.opacity || 50, (opacity) => go({ opacity }, { replace: true }));
    return [choice("Task", names, this.task, (task) => go({ task }, { replace: true })), this.slider];
  }

  // A slider that moved draws anew what is there.
  blend(state) {
    this.state = state;
    const input = this.slider?.querySelector("input");
    if (input && document.activeElement !== input) input.value = state.opacity || 50;
    for (const { figure } of this.panels) figure.blend(this.opacity);
  }

  get opacity() {
    return Number(this.state.opacity || 50) / 100;
  }

  over() {
    const told = this.told.tasks.find((task) => task.name === this.task);
    return this.figure(["photo", this.task], told);
  }

  sideBySide() {
    const figures = [this.figure(["photo"]), ...this.told.tasks.map((task) => this.figure([task.name], task))];
    const runs = store.runs.map((run) => {
      const known = this.told.tasks.filter((task) => run.tasks.includes(task.name));
      const pairs = known.flatMap((task) => ["prediction", "error"].map((part) => this.figure([task.name], task, part, run.name)));
      return make("section", { class: "run" }, make("h3", {}, `Run ${run.name}`), row(pairs));
    });
    return [row(figures), ...runs];
  }

  figure(what, told, part = "label", run = "") {
    const task = told && store.tasks.find((each) => each.name === told.name);
    const state = told?.state ?? "v";
    const figure = new Figure(this.camera, {
      title: what.at(-1), note: this.note(told, part), label: this.caption(told, part),
      kind: part === "label" && told ? `state-${told.seen && state === "h" ? "r" : state}` : "",
      after: told?.classes && part === "label" ? [legend(task, told.classes)] : [],
    });
    this.panels.push({ figure, what, told, task, part, run });
    return figure;
  }

  caption(told, part) {
    if (!told) return "photo";
    return `${told.name}: ${part === "label" ? "" : `${part}, `}${this.note(told, part)}`;
  }

  note(told, part) {
    if (!told) return "";
    if (part === "prediction") return "predicted";
    const task = store.tasks.find((each) => each.name === told.name);
    if (part === "error") {
      if (!told.seen) return "error: its label is not seen";
      return task.distance ? `error, bright from ${round(told.wrong)} ${task.distance}` : "error: bright where wrong";
    }
    if (told.state === "m") return "no label in the store";
    if (!told.seen) return "hidden by the regime";
    const notes = [];
    if (told.state === "h") notes.push("hidden by the regime, shown as you asked");
    if (told.state === "d" || told.state === "f") notes.push(STATES[told.state]);
    if (told.range) notes.push(`${span(told.range, task)}, near is bright`);
    if (told.valid < 1 || !notes.length) notes.push(`${round(100 * told.valid)} % valid`);
    return notes.join(", ");
  }

  request(each, what) {
    const given = { ...this.given, what };
    return what === "photo" || each.part === "label" ? given : { ...given, part: each.part, run: each.run };
  }

  fill(each) {
    const load = async (what) => {
      const answer = await ask("/picture", this.request(each, what), this.stop.signal);
      return createImageBitmap(await answer.blob());
    };
    each.figure.opacity = this.opacity;
    each.figure.load(each.what.map(load));
    if (each.part === "prediction") this.describe(each);
  }

  // What a prediction shows is known when it was made.
  async describe({ figure, what, task, run }) {
    const given = { ...this.given, what: what.at(-1), part: "prediction", run };
    try {
      const told = await askJson("/api/predicted", given, this.stop.signal);
      if (told.limits) figure.say(`predicted, ${span(told.limits, task)}`);
      if (told.classes) figure.element.append(legend(task, told.classes));
    } catch (error) {
      figure.fail(error);
    }
  }

  // The values of all panels come when a pixel is first pointed at.
  load_values() {
    const load = async (each) => {
      const what = each.what.at(-1);
      if (each.told && !each.told.seen && each.part !== "prediction") return;
      each.values = await values.load(this.request(each, what), this.stop.signal);
      if (this.camera.pixel) this.read(each, this.camera.pixel);
    };
    this.values = this.panels.map((each) => load(each).catch((error) => each.figure.fail(error)));
  }

  readout(pixel) {
    this.where.textContent = pixel ? `x ${pixel[0]}, y ${pixel[1]}` : "Point at a pixel for its values.";
    if (pixel && !this.values) this.load_values();
    for (const each of this.panels) {
      if (pixel) this.read(each, pixel);
      else each.figure.tell("");
    }
  }

  read(each, [x, y]) {
    if (each.values) each.figure.tell(values.read(each.values, x, y, each.task, each.part));
  }

  facts() {
    const { told } = this;
    const rows = [
      ["stored", `${told.height} x ${told.width}`], ["in the source", told.source.join(" x ")],
      ["kept of it", `from ${told.crop[0]}, ${told.crop[1]}: ${told.crop[2]} x ${told.crop[3]}`],
      ["camera", told.camera ? `fx, fy, cx, cy: ${told.camera.map(round).join(", ")}` : "unknown"],
    ];
    return make("dl", { class: "facts" }, ...rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  }

  async neighbours() {
    const at = Number(this.state.at) - 1;
    if (!(at >= 0)) return;
    try {
      const found = await Promise.all([imageAt(at - 1, this.state), imageAt(at, this.state), imageAt(at + 1, this.state)]);
      // A link of before, when the filters left other images.
      if (!found[1] || marks.name(found[1]) !== this.state.image) return;
      this.near = { "-1": found[0], 1: found[2] };
      section.querySelector("#previous").disabled = !found[0];
      section.querySelector("#next").disabled = !found[2];
    } catch {
      // told by the banner
    }
  }

  step(by) {
    const next = this.near?.[by];
    if (next) go({ image: marks.name(next), at: String(Number(this.state.at) + by) }, { replace: true });
  }

  press(event) {
    const { key } = event;
    if (this.camera?.press(event)) return true;
    if (key === "ArrowLeft") this.step(-1);
    else if (key === "ArrowRight") this.step(1);
    else if (key === "b") go({ mode: current().mode ? "" : "blend" }, { replace: true });
    else if (key === "h") go({ reveal: current().reveal ? "" : "1" }, { replace: true });
    else if (key === "0") go({ mode: "" }, { replace: true });
    else if (/^[1-9]$/.test(key) && store.tasks[key - 1]) go({ mode: "blend", task: store.tasks[key - 1].name }, { replace: true });
    else if (key === "m") {
      marks.set(this.given, marks.of(this.given) ? "" : document.querySelector("select[name=mark]").value);
      this.markField.value = marks.of(this.given);
    } else return false;
    return true;
  }
}
