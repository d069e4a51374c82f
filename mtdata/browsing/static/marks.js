// Images that somebody ticked. They stay in this browser; the store is never written.

import { store } from "./api.js";

export const KINDS = { look: "to look at again", out: "to leave out", next: "to label next" };

const listeners = new Set();
let kept = new Map();

function place() {
  return `marks ${store.path}`;
}

export function load() {
  try {
    kept = new Map(JSON.parse(localStorage.getItem(place()) ?? "[]"));
  } catch {
    kept = new Map();
  }
}

function changed() {
  try {
    localStorage.setItem(place(), JSON.stringify([...kept]));
  } catch {
    // a browser that keeps nothing: they last as long as the page
  }
  for (const listener of listeners) listener();
}

export const name = (image) => `${image.split}/${image.key}`;
export const of = (image) => kept.get(name(image)) ?? "";
export const count = () => kept.size;
export const onChange = (listener) => listeners.add(listener);

export function set(image, kind) {
  if (kind) kept.set(name(image), kind);
  else kept.delete(name(image));
  changed();
}

export function clear() {
  kept.clear();
  changed();
}

const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function csv() {
  const lines = ["split,key,mark"];
  for (const [image, kind] of kept) {
    const slash = image.indexOf("/");
    lines.push([image.slice(0, slash), image.slice(slash + 1), KINDS[kind]].map(cell).join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

export function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = `${store.name.replace(/\.h5$/, "")}-marks.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// What a tick means was chosen anew: boxes say so.
export function touch() {
  for (const listener of listeners) listener();
}
