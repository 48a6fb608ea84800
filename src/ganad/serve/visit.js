// The results of this visit, newest first: a bounded list in memory, which can be opened again and exported.
"use strict";
const KEPT = 300;  // results
const WHOLE = 20;  // of them with map and, of the camera, a picture that takes megabytes
const SIDE = 160;  // pixels of a small copy
let visit = [], dropped = 0;

/** A small copy of a picture as a data URL; "" of a file that the browser cannot draw. */
async function smallCopy(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return "";
  const canvas = element("canvas"), by = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height)), pen = canvas.getContext("2d");
  canvas.width = Math.max(1, Math.round(by * bitmap.width));
  canvas.height = Math.max(1, Math.round(by * bitmap.height));
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL();
}

/** Keep results, the first of them on top; what is too much goes. */
function remember(entries) {
  visit = [...entries, ...visit];
  at("earlier").prepend(...entries.map(line));
  for (const gone of visit.splice(KEPT)) {
    at("earlier").lastElementChild.remove();
    dropped += 1;
  }
  for (const old of visit.slice(WHOLE, WHOLE + entries.length)) {
    old.file = null;
    if (typeof old.result.explanation === "string") old.result = { ...old.result, explanation: null };
  }
  tally();
}

function line(entry) {
  const item = element("li"), open = button(undefined, () => again(entry)), about = element("span", undefined, "about");
  if (entry.spare) open.append(layer(entry.spare, ""));
  about.append(element("span", entry.name, "name"), verdict(entry.result),
    element("span", `score\u00a0${round(entry.result.score)}`, "quiet"), element("span", entry.time.toLocaleTimeString(), "quiet"));
  open.append(about);
  item.append(open);
  return item;
}

function tally() {
  const more = dropped ? ` The ${dropped} oldest were dropped: the list holds ${KEPT}.` : "";
  at("count").textContent = visit.length ? `${visit.length} result${visit.length > 1 ? "s" : ""}.${more}` : "Nothing yet.";
  at("export").disabled = at("clear").disabled = !visit.length;
}

let opened = "";
function again(entry) {
  opened = entry.file ? URL.createObjectURL(entry.file) : "";
  at("again-name").textContent = entry.name;
  at("again-body").replaceChildren(details(entry, opened));
  at("again").showModal();
  (at("again-body").querySelector(".lens") || at("close")).focus();
}

/** The list as CSV. A leading = + - @ would be run as a formula by a spreadsheet, so names get a quote before it. */
function csv() {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = visit.map(({ name, time, result }) => [
    quoted(name.replace(/^[=+\-@\t\r]/, "'$&")), time.toISOString(), result.score ?? "", result.p_value ?? "", result.is_anomaly,
    result.regions ? quoted(JSON.stringify(result.regions)) : "",
  ]);
  return [["name", "time", "score", "p_value", "is_anomaly", "regions"], ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

at("again").addEventListener("close", () => {
  at("again-body").replaceChildren();
  URL.revokeObjectURL(opened);
});
at("close").addEventListener("click", () => at("again").close());
at("export").addEventListener("click", () => {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "ganad-results.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);  // some browsers read it after the click
});
at("clear").addEventListener("click", () => {
  visit = [];
  dropped = 0;
  at("earlier").replaceChildren();
  tally();
  at("file").focus();  // the button can no longer hold the focus
});
