// A grid of very many images, of which only those in sight are in the page.

import { askJson, path, STATES, store } from "./api.js";
import * as marks from "./marks.js";
import { address, current, FILTERS } from "./state.js";

const PAGE = 200;
const KEPT = 30;
const MARGIN = 2;
// Browsers draw no element of any height: above this one, the scroll bar moves by more than it shows.
const TALLEST = 8_000_000;
const POLL = 700;

const scroller = document.getElementById("scroller");
const tiles = document.getElementById("tiles");
const pages = new Map();
const shown = new Map();
let asked = {};
let version = 0;
let total = 0;
let columns = 1;
let row = 1;
let focused = 0;
let timer = 0;
let onTotal = () => {};

export function start(listener) {
  onTotal = listener;
  scroller.addEventListener("scroll", later, { passive: true });
  new ResizeObserver(measure).observe(scroller);
  marks.onChange(() => shown.forEach((tile) => tile.mark()));
  tiles.addEventListener("focusin", (event) => {
    const tile = event.target.closest("li");
    if (tile) focused = Number(tile.dataset.index);
  });
}

// Ask again where the filters are others; draw again where only the thumbnails are.
export async function update(state) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, state[name]]));
  const same = JSON.stringify(filters) === JSON.stringify(asked);
  asked = filters;
  if (same) {
    clearTiles();
    measure();
    return;
  }
  scroller.scrollTop = 0;
  focused = 0;
  await again();
}

async function again() {
  clearTimeout(timer);
  version += 1;
  pages.clear();
  const first = Math.max(0, Math.floor(firstRow() * columns / PAGE)) * PAGE;
  const answer = await fetchPage(first);
  if (answer) clearTiles();
  measure();
}

async function fetchPage(start) {
  const of = version;
  if (pages.has(start)) return null;
  pages.set(start, null);
  let answer;
  try {
    answer = await askJson("/api/images", { ...asked, start, count: PAGE });
  } catch {
    if (of === version) pages.delete(start);
    return null;
  }
  if (of !== version) return null;
  pages.delete(start);
  pages.set(start, answer.images);
  while (pages.size > KEPT) pages.delete(pages.keys().next().value);
  total = answer.total;
  onTotal(answer);
  if (answer.done < answer.of) timer = setTimeout(again, POLL);
  return answer;
}

export function image(index) {
  return pages.get(Math.floor(index / PAGE) * PAGE)?.[index % PAGE];
}

// The image at a place of the list that the address names, whether it was drawn or not.
export async function imageAt(index, state) {
  if (index < 0) return null;
  const filters = Object.fromEntries(FILTERS.map((name) => [name, state[name]]));
  const answer = await askJson("/api/images", { ...filters, start: index, count: 1 });
  return answer.images[0] ?? null;
}

function measure() {
  const style = getComputedStyle(tiles);
  const least = Number.parseFloat(style.getPropertyValue("--tile"));
  const text = Number.parseFloat(style.getPropertyValue("--tile-text"));
  const wide = scroller.clientWidth;
  if (!wide) return;
  columns = Math.max(2, Math.floor(wide / least));
  const split = store.splits[0] ?? { size: [3, 4] };
  row = Math.round((wide / columns - 16) * Math.min(1.25, split.size[0] / split.size[1])) + text;
  tiles.style.height = `${Math.min(TALLEST, rows() * row)}px`;
  draw();
}

const rows = () => Math.ceil(total / columns);

// Where the first row in sight begins, were the list as tall as its rows are together.
function top() {
  const [all, drawn] = [rows() * row, Math.min(TALLEST, rows() * row)];
  const room = Math.max(1, drawn - scroller.clientHeight);
  return scroller.scrollTop * (Math.max(1, all - scroller.clientHeight) / room);
}

const firstRow = () => (row > 1 ? Math.floor(top() / row) : 0);

let waiting = false;
function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  if (!scroller.clientHeight) return;
  const start = Math.max(0, firstRow() - MARGIN) * columns;
  const end = Math.min(total, (firstRow() + Math.ceil(scroller.clientHeight / row) + 1 + MARGIN) * columns);
  for (const [index, tile] of shown) {
    if (index < start || index >= end) {
      tile.element.remove();
      shown.delete(index);
    }
  }
  const shift = scroller.scrollTop - top();
  let before = null;
  for (let index = start; index < end; index += 1) {
    let tile = shown.get(index);
    if (!tile) {
      tile = new Tile(index);
      shown.set(index, tile);
      // In the order of the list: a press of Tab follows it.
      if (before) before.after(tile.element);
      else tiles.prepend(tile.element);
    }
    tile.move(shift);
    tile.fill();
    before = tile.element;
  }
  for (let page = Math.floor(start / PAGE) * PAGE; page < end; page += PAGE) {
    if (!pages.has(page)) fetchPage(page).then((answer) => answer && later());
  }
}

function clearTiles() {
  shown.forEach((tile) => tile.element.remove());
  shown.clear();
}

class Tile {
  constructor(index) {
    this.index = index;
    this.element = document.createElement("li");
    this.element.dataset.index = index;
    this.element.setAttribute("aria-posinset", index + 1);
    this.element.setAttribute("aria-setsize", total);
    this.image = null;
  }

  move(shift) {
    const wide = 100 / columns;
    this.element.style.width = `${wide}%`;
    this.element.style.height = `${row}px`;
    this.element.style.left = `${(this.index % columns) * wide}%`;
    this.element.style.top = `${Math.floor(this.index / columns) * row + shift}px`;
  }

  fill() {
    const found = image(this.index);
    if (!found || this.image) return;
    this.image = found;
    const state = current();
    const link = document.createElement("a");
    link.href = address({ ...state, image: `${found.split}/${found.key}`, at: String(this.index + 1) });
    link.title = `${found.key} (${found.split})`;
    const picture = document.createElement("img");
    const what = state.show || "photo";
    picture.alt = "";
    picture.decoding = "async";
    picture.addEventListener("error", () => link.classList.add("unread"));
    const key = document.createElement("span");
    key.className = "key";
    key.textContent = found.key;
    const given = { split: found.split, key: found.key, regime: state.regime, what, size: "small" };
    const source = path("/picture", state.reveal ? { ...given, reveal: 1 } : given);
    // What is only passed by is not asked for.
    setTimeout(() => this.element.isConnected && (picture.src = source), 60);
    link.append(picture, key);
    this.element.append(link, this.states(found), this.box(found));
    this.mark();
  }

  states(found) {
    const list = document.createElement("span");
    list.className = "states";
    const told = store.tasks.map((task, i) => `${task.name} ${STATES[found.state[i]]}`);
    list.setAttribute("role", "img");
    list.setAttribute("aria-label", told.join(", "));
    list.title = told.join("\n");
    for (const letter of found.state) {
      const dot = document.createElement("i");
      dot.className = `state-${letter}`;
      list.append(dot);
    }
    return list;
  }

  box(found) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.setAttribute("aria-label", `mark ${found.key}`);
    box.addEventListener("change", () => marks.set(found, box.checked ? markKind() : ""));
    return box;
  }

  mark() {
    const box = this.element.querySelector("input");
    if (!box) return;
    const kind = marks.of(this.image);
    box.checked = Boolean(kind);
    box.title = kind ? marks.KINDS[kind] : `mark as ${marks.KINDS[markKind()]}`;
    this.element.dataset.mark = kind;
  }
}

const markKind = () => document.querySelector("select[name=mark]").value;

export function toggleMark() {
  const found = image(focused);
  if (found) marks.set(found, marks.of(found) ? "" : markKind());
}

// Move the focus by keys; false where a key means nothing here.
export function press(key) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const inside = tiles.contains(document.activeElement);
  let next;
  if (key in steps) next = inside ? focused + steps[key] : focused;
  else if (key === "Home") next = 0;
  else if (key === "End") next = total - 1;
  else return false;
  if (next < 0 || next >= total) return true;
  focus(next);
  return true;
}

export function focus(index = focused) {
  focused = index;
  const place = Math.floor(index / columns) * row;
  const [from, to] = [top(), top() + scroller.clientHeight];
  if (place < from || place + row > to) {
    const all = Math.max(1, rows() * row - scroller.clientHeight);
    const room = Math.min(TALLEST, rows() * row) - scroller.clientHeight;
    const wanted = place < from ? place : place + row - scroller.clientHeight;
    scroller.scrollTop = wanted * (Math.max(1, room) / all);
  }
  draw();
  whenThere(index, 20);
}

function whenThere(index, tries) {
  const link = shown.get(index)?.element.querySelector("a");
  if (link) link.focus({ preventScroll: true });
  else if (tries && index === focused) setTimeout(() => whenThere(index, tries - 1), 50);
}
