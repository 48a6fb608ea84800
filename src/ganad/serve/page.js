// Sends dropped files to /score and shows the answers.
"use strict";
const TYPES = { csv: "text/csv", json: "application/json", parquet: "application/vnd.apache.parquet" };
const SHOWN = 100;
let turn = 0;  // of the latest drop: what an earlier one still waits for is no longer shown
let pictures = [], kind = "";

const height = ({ score }) => score ?? Number.MAX_VALUE;  // JSON has no infinity, which is the highest score

async function score(file) {
  const type = TYPES[file.name.split(".").pop().toLowerCase()] || file.type || "application/octet-stream";
  const query = new URLSearchParams({ explain: true, name: file.name.slice(0, 500) });
  const answer = await fetch(`/score?${query}`, { method: "POST", headers: { "Content-Type": type }, body: file });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error || answer.statusText);
  return found.results.sort((a, b) => height(b) - height(a));
}

/** What the page keeps of an answer: the highest rows of a file, each with what it needs to be shown. */
function entriesOf(file, rows) {
  const name = shown(file.name), time = new Date(), drawn = kind ? kind !== "table" : file.type.startsWith("image/");
  return rows.slice(0, SHOWN).map((result) => (
    { name: rows.length > 1 ? `${name}, row ${result.name}` : name, result, time, file: drawn ? file : null, spare: "" }));
}

function card(name, ...body) {
  const box = element("article");
  box.append(element("h2", name), ...body);
  at("results").append(box);
}

function show(entry) {
  const source = entry.file ? URL.createObjectURL(entry.file) : "";
  if (source) pictures.push(source);
  card(entry.name, details(entry, source));
  at("hint").hidden = !pictures.length;
}

function clearShown() {
  at("results").replaceChildren();
  at("hint").hidden = true;
  pictures.forEach((url) => URL.revokeObjectURL(url));
  pictures = [];
}

async function take(files) {
  if (!files.length) return;
  const mine = ++turn;
  let done = 0, unusual = 0, cut = "";
  clearShown();
  for (const file of files) {
    at("status").textContent = `Scoring ${shown(file.name)}…`;
    try {
      const rows = await score(file), entries = entriesOf(file, rows);
      if (mine === turn) entries.forEach(show);
      for (const entry of entries) if (entry.file) entry.spare = await smallCopy(entry.file);
      remember(entries);
      unusual += rows.filter((row) => row.is_anomaly).length;
      done += rows.length;
      if (rows.length > SHOWN) cut = ` Of each file the ${SHOWN} highest rows are shown and listed.`;
    } catch (error) {
      if (mine === turn) card(shown(file.name), element("p", error.message, "anomalous"));
    }
    if (mine !== turn) return;
  }
  at("status").textContent = `${done} scored, ${unusual} unusual.${cut}`;
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
  kind = model.kind;
  const what = kind !== "table" ? kind : "tables as CSV, JSON or Parquet";
  at("board").hidden = at("elsewhere").hidden = !model.board;
  at("model").textContent = `${model.method}; it scores ${what}. Above ${round(model.threshold)} it says unusual.`;
  if (kind !== "table") offerCamera();
}).catch(() => {
  at("model").textContent = "The service does not answer; reload the page later.";
});
