// A photo and its predictions: side by side, or one over the photo, with the values of a pixel.

import { ask } from "./asking.js";
import { Figure, legend, row, zoomButtons } from "./figures.js";
import { choice, make, slider } from "./making.js";
import { Camera } from "./panel.js";
import { round, told } from "./reading.js";

const POINT = "Point at a pixel for its values.";
const PHOTO = "photo";
const four = (number) => String(Number(number.toPrecision(4)));

export class Shown {
  // `look` is how the user wants to see it; it lasts from photo to photo.
  constructor(section, run, answer, look) {
    Object.assign(this, { section, run, answer, look });
    this.stop = new AbortController();
    this.camera = new Camera(answer.height, answer.width);
    this.camera.onPixel = (pixel) => this.point(pixel);
    this.pictures = new Map();
    this.figures = [];
    section.hidden = false;
    this.draw();
  }

  close() {
    this.stop.abort();
    this.figures.forEach(({ figure }) => figure.close());
  }

  get task() {
    return this.run.tasks.find((task) => task.name === this.look.task) ?? this.run.tasks[0];
  }

  draw() {
    this.figures.forEach(({ figure }) => figure.close());
    const blended = this.look.mode === "blend";
    const tasks = blended ? [this.task] : this.run.tasks;
    this.figures = blended ? [] : [{ task: null, figure: new Figure(this.camera, { title: PHOTO, note: this.answer.name }) }];
    for (const task of tasks) this.figures.push({ task, figure: this.figure(task) });
    this.where = make("output", { class: "where" }, POINT);
    this.section.replaceChildren(this.bar(), row(this.figures.map(({ figure }) => figure)));
    for (const { task, figure } of this.figures) {
      const name = task?.name ?? PHOTO;
      figure.opacity = this.look.opacity / 100;
      figure.load((blended ? [PHOTO, name] : [name]).map((what) => this.picture(what)));
    }
    this.values = null;
    this.point(this.camera.pixel);
  }

  // What changes how it is seen leaves the focus where it is.
  change(look) {
    const name = document.activeElement?.name;
    Object.assign(this.look, look);
    this.draw();
    if (name) this.section.querySelector(`[name=${name}]`)?.focus();
  }

  bar() {
    const modes = [["", "side by side"], ["blend", "over the photo"]];
    const bar = make("div", { class: "bar" }, named("mode", choice("Predictions", modes, this.look.mode, (mode) => this.change({ mode }))));
    if (this.look.mode === "blend") {
      const names = this.run.tasks.map(({ name }) => [name, name]);
      bar.append(
        named("task", choice("Task", names, this.task.name, (task) => this.change({ task }))),
        slider("Opacity", this.look.opacity, (opacity) => {
          this.look.opacity = Number(opacity);
          for (const { figure } of this.figures) figure.blend(opacity / 100);
        }),
      );
    }
    bar.append(...zoomButtons(this.camera), this.where);
    return bar;
  }

  figure(task) {
    const note = this.note(task);
    const facts = this.answer.tasks[task.name];
    const after = facts.classes ? [legend(task, facts.classes)] : [];
    return new Figure(this.camera, {
      title: task.name, note, label: `${task.name}, predicted${note && `: ${note}`}`,
      after: [...after, this.files(task)],
    });
  }

  note(task) {
    const { range } = this.answer.tasks[task.name];
    if (range) return `${round(range[0])} to ${round(range[1])} ${task.units}, near is bright`;
    return { binary: "probability, white is 1", normals: "x right, y up, z to the camera" }[task.kind] ?? "";
  }

  files(task) {
    const stem = this.answer.name.replace(/\.[^.]*$/, "") || PHOTO;
    const links = ["npy", "png"].map((form) => make("a", {
      href: this.address("/file", { what: task.name, form }), download: `${stem}-${task.name}.${form}`,
      "aria-label": `Save ${task.name} as .${form}`,
    }, `.${form}`));
    return make("p", { class: "files" }, "Save as ", links[0], " or ", links[1]);
  }

  address(where, given) {
    return `${where}?${new URLSearchParams({ of: this.answer.of, ...given })}`;
  }

  picture(what) {
    if (!this.pictures.has(what)) {
      const load = async () => {
        const answer = await ask(this.address("/picture", { what }), { signal: this.stop.signal });
        return createImageBitmap(await answer.blob());
      };
      this.pictures.set(what, load());
    }
    return this.pictures.get(what);
  }

  // The values of one pixel at a time are asked for; of all that were pointed at meanwhile, the last.
  async point(pixel) {
    this.wanted = pixel;
    this.where.textContent = pixel ? `x ${pixel[0]}, y ${pixel[1]}` : POINT;
    if (!pixel) this.figures.forEach(({ figure }) => figure.tell(""));
    if (this.asking) return;
    this.asking = true;
    try {
      for (let done = null; this.wanted && this.wanted !== done;) {
        done = this.wanted;
        const [x, y] = done;
        const values = await (await ask(this.address("/value", { x, y }), { signal: this.stop.signal })).json();
        if (this.wanted) for (const { task, figure } of this.figures) figure.tell(read(task, values));
      }
    } catch (error) {
      this.figures[0].figure.fail(error);
    } finally {
      this.asking = false;
    }
  }

  press(event) {
    if (this.camera.press(event)) return true;
    const { key } = event;
    const task = /^[1-9]$/.test(key) && this.run.tasks[key - 1];
    if (task) this.change({ mode: "blend", task: task.name });
    else if (key === "b") this.change({ mode: this.look.mode ? "" : "blend" });
    else if (key === "0") this.change({ mode: "" });
    else return false;
    return true;
  }
}

function named(name, label) {
  label.querySelector("select").name = name;
  return label;
}

// What a pixel of the photo (`task` is null) or of a task says.
function read(task, values) {
  if (!task) return told(null, values[PHOTO]);
  const found = values[task.name];
  if (task.kind === "classes") return `${told(task, found)}, probability ${four(found[1])}`;
  if (task.kind === "binary") return `probability ${four(found[0])}`;
  return told(task, found, four);
}
