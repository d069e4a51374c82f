// Numbers as a person reads them.

// The shortest decimal that is this very float32.
export function exact(value) {
  for (let digits = 1; digits < 9; digits += 1) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

export const round = (number) => String(Number(number.toPrecision(3)));

// The value of a photo (`task` is null) or of a task at one pixel, from its channels.
export function told(task, found, number = exact) {
  if (!task) return `red ${found[0]}, green ${found[1]}, blue ${found[2]}`;
  if (task.kind === "classes") return `${found[0]} ${task.names[found[0]]}`;
  if (task.kind === "depth") return `${number(found[0])} ${task.units}`;
  if (task.kind === "normals") return ["x", "y", "z"].map((axis, i) => `${axis} ${number(found[i])}`).join(", ");
  return found.map(number).join(", ");
}
