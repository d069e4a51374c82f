// The exact values of a photo, label, prediction or error, and how they read.

import { ask } from "./api.js";
import { exact, told } from "./reading.js";

const VOID = 255;

export async function load(given, signal) {
  const answer = await ask("/values", given, signal);
  if (answer.status === 204) return null;
  const number = (name) => Number(answer.headers.get(`x-${name}`));
  const whole = answer.headers.get("x-type") === "uint8";
  const buffer = await answer.arrayBuffer();
  return {
    height: number("height"),
    width: number("width"),
    channels: number("channels"),
    whole,
    data: whole ? new Uint8Array(buffer) : new Float32Array(buffer),
  };
}

export function at(values, x, y) {
  const start = (y * values.width + x) * values.channels;
  return Array.from(values.data.subarray(start, start + values.channels));
}

// What a value means: `task` is null for the photo.
export function read(values, x, y, task, part = "label") {
  const found = at(values, x, y);
  if (task && (values.whole ? found[0] === VOID : found.some(Number.isNaN))) return "void";
  if (part === "error") {
    if (!task.distance) return found[0] ? "wrong" : "right";
    return `${exact(found[0])} ${task.distance} off`;
  }
  return told(task, found);
}
