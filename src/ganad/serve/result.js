// How one result looks: its picture with map and boxes, and its figures. Foreign text is only ever set as text.
"use strict";
const at = (id) => document.getElementById(id);
let mapped = true;  // whether maps lie over the pictures, as it was last said

function element(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function button(words, act, label) {
  const node = element("button", words);
  node.type = "button";
  if (label) {
    node.setAttribute("aria-label", label);
    node.title = label;
  }
  node.addEventListener("click", act);
  return node;
}

function round(value) {
  return value === null ? "–" : Number(value).toPrecision(5);
}

/** A name with what hides, reverses or controls text written out, as ganad.display does it; tabs stay. */
function shown(text) {
  return text.replace(/(?![\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (found) => {
    const code = found.codePointAt(0), [mark, digits] = code < 256 ? ["x", 2] : code < 65536 ? ["u", 4] : ["U", 8];
    return { "\n": "\\n", "\r": "\\r" }[found] || `\\${mark}${code.toString(16).padStart(digits, "0")}`;
  });
}

// the boxes of what stands out in a photo
function outlines({ width, height, regions }) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const one of regions) {
    const box = document.createElementNS(space, "rect");
    for (const side of ["x", "y", "width", "height"]) box.setAttribute(side, one[side]);
    svg.append(box);
  }
  return svg;
}

function layer(source, words, kind) {
  const image = element("img", undefined, kind);
  image.src = source;
  image.alt = words;
  return image;
}

/** A picture that zooms, with its map and boxes; `spare` is a small copy for a file that is no longer there. */
function picture(name, result, source, spare) {
  const frame = element("div", undefined, "lens"), sheet = element("div", undefined, "sheet"), note = element("p", undefined, "quiet");
  const map = typeof result.explanation === "string", sides = (width, height) => frame.style.setProperty("--ratio", width / height);
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", `${name}; plus and minus zoom, arrows move, zero shows the whole picture`);
  if (result.width) sides(result.width, result.height);  // known before the picture is there, so nothing jumps
  const image = layer(source || spare, name);
  const tell = (words) => { note.textContent = words; };
  if (!source) tell(`A small copy: the latest ${WHOLE} are kept whole.`);
  image.addEventListener("load", () => {
    sides(image.naturalWidth, image.naturalHeight);
    frame.classList.toggle("coarse", image.naturalWidth < SIDE);
  });
  image.addEventListener("error", () => {
    const again = spare && image.getAttribute("src") !== spare;
    frame.classList.toggle("blank", !again);
    tell(again ? "A small copy: the file is no longer there." : "This browser cannot draw the file.");
    if (again) image.src = spare;
  });
  sheet.append(image);
  if (map) sheet.append(layer(result.explanation, "where the score comes from", "over"));
  if (result.regions && result.regions.length) sheet.append(outlines(result));
  frame.append(sheet);
  const { zoom, whole } = lens([frame]), bar = element("p", undefined, "controls tools");
  bar.append(button("−", () => zoom(1 / 1.5), "Zoom out"), button("+", () => zoom(1.5), "Zoom in"), button("Whole", whole, "Whole picture"));
  if (map) bar.append(mapSwitch(frame));
  const box = element("div");
  box.append(frame, note, bar);
  return box;
}

function mapSwitch(frame) {
  const label = element("label"), tick = element("input");
  const lay = () => { mapped = tick.checked; frame.classList.toggle("mapped", mapped); };
  tick.type = "checkbox";
  tick.checked = mapped;
  tick.addEventListener("change", lay);
  lay();
  label.append(tick, "Map");
  label.title = "Where this picture is most unusual";
  return label;
}

function verdict(result) {
  return element("span", result.is_anomaly ? "unusual" : "normal", result.is_anomaly ? "anomalous" : "normal");
}

/** Verdict, picture and figures; `source` is the picture's address, "" where there is none. */
function details({ name, result, spare }, source) {
  const box = element("div", undefined, "result"), said = element("p"), figures = element("div"), facts = element("dl"), why = result.explanation;
  said.append(verdict(result));
  box.append(said);
  if (source || spare) box.append(picture(name, result, source, spare));
  facts.append(element("dt", "score"), element("dd", round(result.score)));
  if ("p_value" in result) facts.append(element("dt", "p-value"), element("dd", round(result.p_value)));
  if (result.regions) facts.append(element("dt", "regions"), element("dd", result.regions.length));
  figures.append(facts);
  for (const one of (result.regions || []).slice(0, 5))
    figures.append(element("p", `${one.width} × ${one.height} pixels at ${one.x}, ${one.y}`, "parts"));
  if (Array.isArray(why) && why.length) {
    const parts = element("dl");
    for (const part of why) parts.append(element("dt", part.column), element("dd", round(part.contribution)));
    figures.append(element("p", "What each column adds to the score", "parts"), parts);
  }
  box.append(figures);
  return box;
}
