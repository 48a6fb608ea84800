// Sends dropped files to /score and shows the answers; names and messages are only ever set as text.
"use strict";
const TYPES = { csv: "text/csv", json: "application/json", parquet: "application/vnd.apache.parquet" };
const SHOWN = 100;
let turn = 0;  // of the latest drop: what an earlier one still waits for is no longer shown
let pictures = [];
const at = (id) => document.getElementById(id);

function element(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function round(value) {
  return value === null ? "–" : Number(value).toPrecision(5);
}

// the boxes of what stands out in a photo
function outlines({ width, height, regions }) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  for (const one of regions) {
    const box = document.createElementNS(space, "rect");
    for (const side of ["x", "y", "width", "height"]) box.setAttribute(side, one[side]);
    svg.append(box);
  }
  return svg;
}

function card(name, result, file) {
  const box = element("article");
  box.append(element("h2", name));
  box.append(element("p", result.is_anomaly ? "unusual" : "normal", result.is_anomaly ? "anomalous" : "normal"));
  const why = result.explanation;
  if (typeof why === "string") {
    const picture = element("div", undefined, "picture");
    const image = element("img"), map = element("img");
    image.src = URL.createObjectURL(file);
    pictures.push(image.src);
    image.alt = name;
    map.src = why;
    map.alt = "where the score comes from";
    picture.append(image, map);
    if (result.regions && result.regions.length) picture.append(outlines(result));
    box.append(picture);
  }
  const facts = element("dl");
  facts.append(element("dt", "score"), element("dd", round(result.score)));
  if ("p_value" in result) facts.append(element("dt", "p-value"), element("dd", round(result.p_value)));
  if (result.regions) facts.append(element("dt", "regions"), element("dd", result.regions.length));
  box.append(facts);
  for (const one of (result.regions || []).slice(0, 5))
    box.append(element("p", `${one.width} × ${one.height} pixels at ${one.x}, ${one.y}`, "parts"));
  if (Array.isArray(why) && why.length) {
    const parts = element("dl");
    for (const part of why) parts.append(element("dt", part.column), element("dd", round(part.contribution)));
    box.append(element("p", "What each column adds to the score", "parts"), parts);
  }
  return box;
}

async function score(file) {
  const type = TYPES[file.name.split(".").pop().toLowerCase()] || file.type || "application/octet-stream";
  const query = new URLSearchParams({ explain: true, name: file.name.slice(0, 500) });
  const answer = await fetch(`/score?${query}`, { method: "POST", headers: { "Content-Type": type }, body: file });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error || answer.statusText);
  return found;
}

async function take(files) {
  if (!files.length) return;
  const mine = ++turn;
  at("results").replaceChildren();
  pictures.forEach((url) => URL.revokeObjectURL(url));
  pictures = [];
  let done = 0, unusual = 0;
  for (const file of files) {
    at("status").textContent = `Scoring ${file.name}…`;
    try {
      const found = await score(file);
      if (mine !== turn) return;
      const rows = found.results.slice().sort((a, b) => b.score - a.score);
      unusual += rows.filter((row) => row.is_anomaly).length;
      done += rows.length;
      for (const row of rows.slice(0, SHOWN)) {
        const name = rows.length > 1 ? `${file.name}, row ${row.name}` : file.name;
        at("results").append(card(name, row, file));
      }
    } catch (error) {
      if (mine !== turn) return;
      const box = element("article");
      box.append(element("h2", file.name), element("p", error.message, "anomalous"));
      at("results").append(box);
    }
  }
  at("status").textContent = `${done} scored, ${unusual} unusual.`;
}

at("file").addEventListener("change", (event) => {
  const files = [...event.target.files];
  event.target.value = "";  // so that the same file can be chosen again
  take(files);
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {  // a file dropped beside the box would replace the page
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") take([...event.dataTransfer.files]);
  });
}
fetch("/model").then((answer) => answer.json()).then((model) => {
  const what = model.kind !== "table" ? model.kind : "tables as CSV, JSON or Parquet";
  at("board").hidden = !model.board;
  at("model").textContent = `${model.method}; it scores ${what}. Above ${round(model.threshold)} it says unusual.`;
}).catch(() => {
  at("model").textContent = "The service does not answer; reload the page later.";
});
