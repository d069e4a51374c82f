// The page: what stands in the address is shown, and keys and controls change the address.

import { open, store } from "./api.js";
import * as detail from "./detail.js";
import * as filters from "./filters.js";
import * as grid from "./grid.js";
import * as marks from "./marks.js";
import { current, go, leave, onChange, tell } from "./state.js";

const KEYS = [
  ["arrows", "grid: another image; image: the previous or next one"],
  ["Enter", "open the image"],
  ["Esc", "back to all images"],
  ["0", "grid: thumbnails of photos; image: all labels side by side"],
  ["1 to 9", "grid: thumbnails of that task; image: that task over the photo"],
  ["b", "labels over the photo, or side by side"],
  ["+ and -", "zoom; as do Ctrl and the wheel, a double click and two fingers"],
  ["f", "fit the whole image"],
  ["Shift and arrows", "point at another pixel for its values"],
  ["h", "show hidden labels too"],
  ["m", "mark, or remove the mark"],
  ["/", "search by key"],
  ["?", "this help"],
];
const help = document.getElementById("help");
const element = (id) => document.getElementById(id);

function render(state) {
  filters.show(state);
  const one = Boolean(state.image);
  document.body.classList.toggle("one", one);
  const before = element("grid").hidden;
  element("grid").hidden = one;
  document.title = one ? `${state.image} – ${store.name}` : store.name;
  if (one) {
    detail.show(state);
    return;
  }
  detail.close();
  grid.update(state).then(() => before && grid.focus());
}

function counted(answer) {
  const images = answer.total === 1 ? "1 image" : `${answer.total.toLocaleString("en")} images`;
  element("count").textContent = images;
  const scanning = answer.done < answer.of;
  element("scanning").hidden = !scanning;
  element("scanned").max = answer.of || 1;
  element("scanned").value = answer.done;
  element("scanning-text").textContent = `Reading labels: ${answer.done.toLocaleString("en")} of ${answer.of.toLocaleString("en")}`;
  element("unread").hidden = !answer.problem;
  element("unread").textContent = `Some labels cannot be read and come last: ${answer.problem}`;
  element("empty").hidden = answer.total > 0 || scanning;
}

function press(event) {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.altKey || event.metaKey || help.open) return;
  if (event.key === "Escape") {
    if (document.body.classList.contains("filters-open")) element("filter-button").click();
    else if (typing && !current().image) event.target.blur();
    else if (current().image) leave();
    return;
  }
  if (typing) return;
  if (event.key === "?") help.showModal();
  else if (event.key === "/" && !current().image) element("filters").elements.text.focus();
  else if (current().image ? !detail.press(event) : !pressInGrid(event.key)) return;
  event.preventDefault();
}

function pressInGrid(key) {
  if (key === "m") grid.toggleMark();
  else if (key === "h") go({ reveal: current().reveal ? "" : "1" });
  else if (key === "0") go({ show: "" });
  else if (/^[1-9]$/.test(key) && store.tasks[key - 1]) go({ show: store.tasks[key - 1].name });
  else return grid.press(key);
  return true;
}

async function start() {
  for (const [key, text] of KEYS) {
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = key;
    told.textContent = text;
    element("keys").append(term, told);
  }
  element("help-button").addEventListener("click", () => help.showModal());
  addEventListener("keydown", press);
  try {
    await open();
  } catch {
    return; // the banner tells why
  }
  marks.load();
  filters.fill();
  filters.start();
  grid.start(counted);
  // A link inside of the page is a new entry of the history, and no new page.
  addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(Object.fromEntries(new URLSearchParams(new URL(link.href).search)));
  });
  onChange(render);
  tell();
}

start();
