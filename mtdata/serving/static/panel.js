// A picture that is zoomed and moved together with others, with the pixel that is pointed at.

export const LARGEST = 64;

// What all panels of an image share: how far in, which part, and which pixel.
export class Camera {
  constructor(height, width) {
    this.height = height;
    this.width = width;
    this.panels = new Set();
    this.pixel = null;
    this.onPixel = () => {};
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.x = this.width / 2;
    this.y = this.height / 2;
    this.draw();
  }

  // Zoom by a factor; what is at this pixel stays where it is.
  by(factor, x = this.x, y = this.y) {
    const zoom = Math.min(LARGEST, Math.max(1, this.zoom * factor));
    const kept = this.zoom / zoom;
    this.x = x + (this.x - x) * kept;
    this.y = y + (this.y - y) * kept;
    this.zoom = zoom;
    this.clamp();
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.clamp();
  }

  clamp() {
    const half = [this.width / 2 / this.zoom, this.height / 2 / this.zoom];
    this.x = Math.min(this.width - half[0], Math.max(half[0], this.x));
    this.y = Math.min(this.height - half[1], Math.max(half[1], this.y));
    this.draw();
  }

  point(x, y) {
    const inside = x >= 0 && y >= 0 && x < this.width && y < this.height;
    this.pixel = inside ? [Math.floor(x), Math.floor(y)] : null;
    this.onPixel(this.pixel);
    this.draw();
  }

  step(dx, dy) {
    const [x, y] = this.pixel ?? [Math.floor(this.x) - dx, Math.floor(this.y) - dy];
    const next = [
      Math.min(this.width - 1, Math.max(0, x + dx)), Math.min(this.height - 1, Math.max(0, y + dy)),
    ];
    this.point(next[0] + 0.5, next[1] + 0.5);
  }

  // What keys do; false for one that does nothing here.
  press({ key, shiftKey }) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (key in steps && shiftKey) this.step(...steps[key]);
    else if (key === "+" || key === "=") this.by(1.5);
    else if (key === "-") this.by(1 / 1.5);
    else if (key === "f") this.fit();
    else return false;
    return true;
  }

  draw() {
    for (const panel of this.panels) panel.later();
  }
}

export class Panel {
  // `canvas` is drawn on; layers are bitmaps with their opacity, the lowest first.
  constructor(canvas, camera) {
    this.canvas = canvas;
    this.camera = camera;
    this.layers = [];
    this.waiting = false;
    canvas.style.aspectRatio = `${camera.width} / ${camera.height}`;
    camera.panels.add(this);
    this.observer = new ResizeObserver(() => this.later());
    this.observer.observe(canvas);
    this.listen();
  }

  close() {
    this.camera.panels.delete(this);
    this.observer.disconnect();
  }

  set(layers) {
    this.layers = layers;
    this.later();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  // CSS pixels for one of the image.
  get scale() {
    return (this.canvas.clientWidth / this.camera.width) * this.camera.zoom;
  }

  draw() {
    const { canvas, camera } = this;
    const density = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * density));
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    canvas.style.touchAction = camera.zoom === 1 ? "pan-y" : "none";
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const scale = this.scale * density;
    context.setTransform(scale, 0, 0, scale, width / 2 - camera.x * scale, height / 2 - camera.y * scale);
    context.imageSmoothingEnabled = scale < 1;
    for (const { bitmap, opacity } of this.layers) {
      context.globalAlpha = opacity;
      context.drawImage(bitmap, 0, 0, camera.width, camera.height);
    }
    context.globalAlpha = 1;
    if (camera.pixel) this.outline(context, scale, density);
  }

  outline(context, scale, density) {
    const [x, y] = this.camera.pixel;
    const least = Math.max(1, (7 * density) / scale);
    const start = [x + 0.5 - least / 2, y + 0.5 - least / 2];
    for (const [colour, wide] of [["#000", 3], ["#fff", 1.2]]) {
      context.strokeStyle = colour;
      context.lineWidth = (wide * density) / scale;
      context.strokeRect(start[0], start[1], least, least);
    }
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { camera, scale } = this;
    return [
      camera.x + (event.clientX - box.left - box.width / 2) / scale,
      camera.y + (event.clientY - box.top - box.height / 2) / scale,
    ];
  }

  listen() {
    const { canvas, camera } = this;
    const down = new Map();
    canvas.addEventListener("pointermove", (event) => {
      const last = down.get(event.pointerId);
      if (last && down.size === 2) this.pinch(down, event);
      else if (last) camera.move((last[0] - event.clientX) / this.scale, (last[1] - event.clientY) / this.scale);
      if (last) down.set(event.pointerId, [event.clientX, event.clientY]);
      camera.point(...this.place(event));
    });
    canvas.addEventListener("pointerdown", (event) => {
      down.set(event.pointerId, [event.clientX, event.clientY]);
      canvas.setPointerCapture(event.pointerId);
      camera.point(...this.place(event));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => down.delete(event.pointerId));
    }
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") camera.point(-1, -1);
    });
    canvas.addEventListener("wheel", (event) => {
      // Without Ctrl, a page that is not zoomed scrolls.
      if (!event.ctrlKey && camera.zoom === 1) return;
      event.preventDefault();
      camera.by(Math.exp(-event.deltaY / 300), ...this.place(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => camera.by(2, ...this.place(event)));
  }

  pinch(down, event) {
    const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const last = down.get(event.pointerId);
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
    this.camera.by(apart([event.clientX, event.clientY]) / Math.max(apart(last), 1), ...this.place(event));
  }
}
