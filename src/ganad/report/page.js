"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const el = id => document.getElementById(id);
const n = data.scores.length, [low, high] = extremes();
const sorted = Float64Array.from(data.scores).sort();
let threshold = data.threshold, page = 60, order = [], open = -1;

function extremes() {
  let a = Infinity, b = -Infinity;
  for (const s of data.scores) { if (s < a) a = s; if (s > b) b = s; }
  return [a, b];
}
const short = x => Number(x.toPrecision(5)).toString();
const flagged = i => data.scores[i] > threshold;
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "line", "text", "polyline", "title"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// -- charts ------------------------------------------------------------------------------------------------
const W = 800, H = 220, BINS = 60;
const place = s => high > low ? 30 + (s - low) / (high - low) * (W - 40) : W / 2;
function drawHistogram() {
  const bins = [new Array(BINS).fill(0), new Array(BINS).fill(0)];
  data.scores.forEach((s, i) => {
    const b = high > low ? Math.min(BINS - 1, Math.floor((s - low) / (high - low) * BINS)) : 0;
    bins[data.labels ? data.labels[i] : 0][b]++;
  });
  const top = Math.max(1, ...bins[0].map((c, b) => c + bins[1][b]));
  const label = data.labels ? "Histogram of scores, normal and anomalous samples stacked" : "Histogram of scores";
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label });
  const step = (W - 40) / BINS, tall = c => c ? Math.max(1, Math.sqrt(c / top) * (H - 40)) : 0;
  for (let b = 0; b < BINS; b++) {
    const all = tall(bins[0][b] + bins[1][b]), share = bins[1][b] / (bins[0][b] + bins[1][b] || 1);
    const parts = [["n", all * (1 - share), 0], ["a", all * share, all * (1 - share)]];
    for (const [kind, h, below] of parts) if (h) svg.append(make("rect",
      { class: kind, x: 30 + b * step, width: Math.max(1, step - 1), y: H - 22 - below - h, height: h }));
  }
  svg.append(make("line", { class: "axis", x1: 30, x2: W - 10, y1: H - 22, y2: H - 22 }),
    make("text", { x: 30, y: H - 6 }, short(low)), make("text", { x: W - 10, y: H - 6, "text-anchor": "end" }, short(high)),
    make("line", { class: "cut", id: "cut", y1: 8, y2: H - 22, x1: 0, x2: 0 }));
  el("histogram").append(svg);
  if (data.labels) el("histogram").append(legend([["normal", "n"], ["anomaly", "a"]], "rect"));
  el("histogram").append(make("p", { class: "legend" }, "Heights are square roots of counts, so that single samples stay visible."));
}
function legend(entries, kind) {
  const box = make("div", { class: "legend" });
  for (const [text, style] of entries) {
    const mark = kind === "rect" ? make("rect", { class: style, width: 14, height: 7 })
      : make("line", { class: "curve " + style, x1: 0, x2: 14, y1: 4, y2: 4 });
    box.append(make("span", {}, make("svg", { viewBox: "0 0 14 7", "aria-hidden": "true" }, mark), " " + text));
  }
  return box;
}
function lines(series, xs, ys, label, scale = v => v, w = 400, h = 260) {
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label }), [y0, y1] = ys.map(scale);
  const X = v => 52 + (v - xs[0]) / (xs[1] - xs[0] || 1) * (w - 67), Y = v => h - 25 - (scale(v) - y0) / (y1 - y0 || 1) * (h - 40);
  const tick = v => Number(v.toPrecision(3)).toString();
  svg.append(make("path", { class: "axis", d: `M52 10V${h - 25}H${w - 15}` }), make("text", { x: 52, y: h - 8 }, tick(xs[0])),
    make("text", { x: w - 15, y: h - 8, "text-anchor": "end" }, tick(xs[1])),
    make("text", { x: 48, y: h - 25, "text-anchor": "end" }, tick(ys[0])), make("text", { x: 48, y: 18, "text-anchor": "end" }, tick(ys[1])));
  series.forEach((points, k) => svg.append(make("polyline",
    { class: `curve c${k % 6}`, points: points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" ") })));
  return svg;
}
function drawCurves() {
  if (!data.curves.roc) return;
  el("curves").hidden = false;
  el("roc").append(lines([data.curves.roc], [0, 1], [0, 1], `ROC curve, area ${data.figures.auroc.toFixed(4)}`));
  el("pr").append(lines([data.curves.pr], [0, 1], [0, 1], `Precision-recall curve, average precision ${data.figures.average_precision.toFixed(4)}`));
}
function drawTraining() {
  for (const panel of data.training) {
    el("training").hidden = false;
    const terms = Object.entries(panel.terms), epochs = panel.epochs, all = terms.flatMap(([, v]) => v);
    const series = terms.map(([, values]) => values.map((v, i) => [epochs[i], v]));
    const range = [Math.min(...all), Math.max(...all)], log = range[0] > 0 && range[1] > 50 * range[0];
    const chart = lines(series, [epochs[0], epochs[epochs.length - 1]], range, `Loss terms of ${panel.stage} over epochs`, log ? Math.log : undefined);
    el("panels").append(make("figure", {}, chart, legend(terms.map(([name], k) => [name, `c${k % 6}`]), "line"),
      make("figcaption", {}, `${panel.stage}: loss terms over epochs${log ? ", logarithmic" : ""}`)));
  }
}

function drawMaps() {
  for (const [id, map] of Object.entries(data.maps || {})) {
    const svg = make("svg", { viewBox: "-20 -20 1040 1040", role: "img", "aria-label": `Map of codes, ${id}` });
    const odd = i => data.labels ? data.labels[i] === 1 : data.scores[i] > data.threshold;
    for (const [kind, wanted] of [["n", false], ["a", true]]) {
      const points = map.at.filter((_, k) => odd(map.index[k]) === wanted);
      svg.append(make("path", { class: "dots " + kind, d: points.map(([x, y]) => `M${x} ${1000 - y}h0`).join("") }));
    }
    el(id).append(svg);
  }
}

// -- gallery -----------------------------------------------------------------------------------------------
function picture(i) { return make("img", { src: data.thumbnails[i], alt: "", loading: "lazy" }); }
function describe(i) {
  const body = [];
  if (data.rows[i]) for (const [name, value, z] of data.rows[i].slice(0, 3)) body.push(make("span", {}, `${name} = ${short(value)} (${z > 0 ? "+" : ""}${z} σ)`));
  return body;
}
function card(i) {
  const button = make("button", { type: "button", class: flagged(i) ? "flagged" : "", "data-i": i });
  if (data.thumbnails[i]) button.append(picture(i));
  const label = data.labels ? (data.labels[i] ? ", is an anomaly" : ", is normal") : "";
  button.append(make("span", {}, data.names[i]), make("span", {}, `score ${short(data.scores[i])}`),
    make("span", { class: "verdict" }, (flagged(i) ? "flagged" : "passed") + label), ...describe(i));
  return make("li", {}, button);
}
function choose() {
  const words = el("search").value.toLowerCase(), filter = el("filter").value, by = el("sort").value;
  order = [...data.scores.keys()].filter(i => (filter === "all" || flagged(i) === (filter === "flagged")) && data.names[i].toLowerCase().includes(words));
  if (by === "name") order.sort((a, b) => data.names[a] < data.names[b] ? -1 : 1);
  else order.sort((a, b) => (by === "high" ? -1 : 1) * (data.scores[a] - data.scores[b]) || a - b);
}
function fill() {
  choose();
  el("gallery").className = Object.keys(data.thumbnails).length ? "" : "rows";
  el("gallery").replaceChildren(...order.slice(0, page).map(card));
  el("more").hidden = order.length <= page;
}
function update(redraw = true) {
  let k = 0, tp = 0, positives = 0;
  data.scores.forEach((s, i) => { const f = s > threshold; k += f; if (data.labels && data.labels[i]) { positives++; tp += f; } });
  el("summary").textContent = `${n.toLocaleString("en")} samples, ${k.toLocaleString("en")} flagged, ${(n - k).toLocaleString("en")} passed`;
  if (data.labels) {
    el("confusion").hidden = false;
    for (const [id, v] of [["tp", tp], ["fn", positives - tp], ["fp", k - tp], ["tn", n - positives - k + tp]]) el(id).textContent = v;
  }
  const x = Math.max(20, Math.min(W - 5, place(threshold)));
  el("cut").setAttribute("x1", x); el("cut").setAttribute("x2", x);
  if (redraw) fill();
}
function setThreshold(value) {
  threshold = value;
  el("number").value = short(value);
  el("slider").value = high > low ? Math.round((value - low) / (high - low) * 1000) : 500;
  update();
}

// -- one sample --------------------------------------------------------------------------------------------
function rank(s) { let a = 0, b = n; while (a < b) { const m = (a + b) >> 1; if (sorted[m] < s) a = m + 1; else b = m; } return a; }
function show(position) {
  if (position < 0 || position >= order.length) return;
  open = position;
  const i = order[position], body = [];
  el("d-name").textContent = data.names[i];
  const pictures = make("div", { class: "pictures" });
  if (data.thumbnails[i]) pictures.append(make("figure", {}, picture(i), make("figcaption", {}, "sample")));
  if (data.heatmaps[i]) pictures.append(make("figure", {}, make("img", { src: data.heatmaps[i], alt: "heat map" }), make("figcaption", {}, "where: bright is unusual")));
  body.push(pictures, make("p", {}, `Score ${data.scores[i]}, ${flagged(i) ? "flagged" : "passed"} at ${short(threshold)}; higher than ${(100 * rank(data.scores[i]) / n).toFixed(1)} % of all samples.`));
  if (data.p_values) body.push(make("p", {}, `p-value ${short(data.p_values[i])}: the share of normal samples expected to score as high.`));
  if (data.rows[i]) {
    const table = make("table", {}, make("tr", {}, make("th", {}, "column"), make("th", {}, "value"), make("th", {}, "from the median")));
    for (const [name, value, z] of data.rows[i]) table.append(make("tr", {}, make("td", {}, name), make("td", {}, short(value)), make("td", {}, `${z} σ`)));
    body.push(table);
  }
  el("d-body").replaceChildren(...body);
  el("d-prev").disabled = position === 0; el("d-next").disabled = position === order.length - 1;
  if (!el("detail").open) el("detail").showModal();
}
el("gallery").addEventListener("click", e => { const b = e.target.closest("button"); if (b) show(order.indexOf(Number(b.dataset.i))); });
el("gallery").addEventListener("keydown", e => {
  const buttons = [...el("gallery").querySelectorAll("button")], at = buttons.indexOf(document.activeElement);
  const columns = getComputedStyle(el("gallery")).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: buttons.length - 1 - at }[e.key];
  if (step === undefined || at < 0) return;
  e.preventDefault();
  buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
});
el("detail").addEventListener("keydown", e => { if (e.key === "ArrowRight") show(open + 1); if (e.key === "ArrowLeft") show(open - 1); });
el("detail").addEventListener("close", () => { const b = el("gallery").querySelector(`[data-i="${order[open]}"]`); if (b) b.focus(); });
el("d-prev").addEventListener("click", () => show(open - 1));
el("d-next").addEventListener("click", () => show(open + 1));
el("d-close").addEventListener("click", () => el("detail").close());
el("slider").addEventListener("input", () => { const v = low + el("slider").value / 1000 * (high - low); threshold = v; el("number").value = short(v); update(); });
el("number").addEventListener("change", () => { const v = Number(el("number").value); if (Number.isFinite(v)) setThreshold(v); });
el("reset").addEventListener("click", () => setThreshold(data.threshold));
for (const id of ["sort", "filter"]) el(id).addEventListener("change", () => { page = 60; fill(); });
el("search").addEventListener("input", () => { page = 60; fill(); });
el("more").addEventListener("click", () => { page += 60; fill(); });
el("export").addEventListener("click", () => {
  // a leading = + - @ would be run as a formula by a spreadsheet
  const cell = t => `"${(/^[=+\-@\t\r]/.test(t) ? "'" : "") + t.replaceAll('"', '""')}"`;
  const rows = [...data.scores.keys()].filter(flagged).sort((a, b) => data.scores[b] - data.scores[a]);
  const text = "name,score\r\n" + rows.map(i => `${cell(data.names[i])},${data.scores[i]}\r\n`).join("");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "flagged.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
});

drawHistogram(); drawCurves(); drawTraining(); drawMaps(); setThreshold(threshold);
