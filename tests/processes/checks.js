// What is wrong with the page for somebody who does not see it, or sees it badly.
(() => {
  const wrong = [];
  const seen = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const named = (e) =>
    e.getAttribute("aria-label") || (e.labels?.length && e.labels[0].textContent.trim()) ||
    (!e.matches("select, input") && e.textContent.trim()) || document.getElementById(e.getAttribute("aria-labelledby"));
  for (const e of document.querySelectorAll("a, button, select, input, canvas, progress, dialog")) {
    if (seen(e) && !named(e)) wrong.push(`without a name: ${e.outerHTML.slice(0, 80)}`);
  }
  for (const e of document.images) if (e.getAttribute("alt") === null) wrong.push("an image without alt");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size < ids.length) wrong.push("an id twice");
  if (!document.documentElement.lang || !document.title) wrong.push("no language or title");
  if (document.querySelectorAll("main").length !== 1 || !document.querySelector("h1")) wrong.push("no main or h1");
  if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} wide`);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const back = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !seen(e) || e.closest(":disabled, option, noscript")) continue;
    const [a, b] = [light(rgba(getComputedStyle(e).color)), light(back(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) wrong.push(`contrast ${ratio.toFixed(2)}: ${walker.currentNode.textContent.trim().slice(0, 30)}`);
  }
  return wrong;
})();
