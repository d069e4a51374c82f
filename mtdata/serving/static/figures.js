// Pictures of one image, side by side or over each other, zoomed together: each with its value and legend.

import { make } from "./making.js";
import { Panel } from "./panel.js";
import { round } from "./reading.js";

export class Figure {
  // `label` is for those who do not see it; `after` stands below the value.
  constructor(camera, { title, note = "", label = title, kind = "", after = [] }) {
    this.camera = camera;
    this.bitmaps = [];
    this.opacity = 1;
    this.canvas = make("canvas", { tabindex: 0, role: "img", "aria-label": label });
    this.value = make("output", { class: "value" });
    this.note = make("span", {}, note);
    const caption = make("figcaption", {}, make("b", {}, title), " ", this.note);
    this.element = make("figure", { class: kind }, caption, this.canvas, this.value, ...after);
  }

  // Draw pictures that are promised, the lowest first.
  async load(pictures) {
    this.panel = new Panel(this.canvas, this.camera);
    try {
      this.bitmaps = await Promise.all(pictures);
      this.blend(this.opacity);
    } catch (error) {
      this.fail(error);
    }
  }

  // How much of what lies over the lowest picture is seen, from 0 to 1.
  blend(opacity) {
    this.opacity = opacity;
    this.panel?.set(this.bitmaps.map((bitmap, i) => ({ bitmap, opacity: i ? opacity : 1 })));
  }

  say(note) {
    this.note.textContent = note;
  }

  tell(text) {
    this.value.textContent = text;
  }

  fail(error) {
    if (error.name !== "AbortError") this.tell(error.message);
  }

  close() {
    this.panel?.close();
  }
}

export function row(figures) {
  return make("div", { class: figures.length > 1 ? "figures" : "figures single" }, ...figures.map((figure) => figure.element));
}

// The classes that occur: pairs of an id and its share.
export function legend(task, classes) {
  const list = make("ul", { class: "legend" });
  for (const [id, share] of classes) {
    const chip = make("i");
    chip.style.backgroundColor = `rgb(${task.palette[id].join(" ")})`;
    list.append(make("li", {}, chip, `${task.names[id]} `, make("small", {}, `${round(100 * share)} %`)));
  }
  return list;
}

export function zoomButtons(camera) {
  const zoom = (text, label, act) => make("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
  return [
    zoom("−", "zoom out", () => camera.by(1 / 1.5)), zoom("+", "zoom in", () => camera.by(1.5)),
    zoom("Fit", "Fit: show all of it", () => camera.fit()),
  ];
}
