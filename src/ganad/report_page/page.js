"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const el = id => document.getElementById(id);
const unpack = (text, Kind) => text && new Kind(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
const scores = unpack(data.scores, Float64Array), pValues = unpack(data.p_values, Float32Array);
// the distinct listed scores, rising, and how many of all samples lie above each: every threshold there is to tell apart
const cuts = scores.slice().sort().filter((s, k, all) => k === 0 || s !== all[k - 1]);
const above = unpack(data.above, Uint32Array), oddAbove = unpack(data.odd_above, Uint32Array);
const n = data.n, thinned = scores.length < n;
let threshold, page = 60, order = [], open = -1;

const short = x => Number(x.toPrecision(5)).toString();
const tick = x => x && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5) ? x.toExponential(1) : Number(x.toPrecision(3)).toString();
const count = k => k.toLocaleString("en");
const percent = (k, of) => of ? `${(100 * k / of).toFixed(1)} %` : "none";
const flagged = i => scores[i] > threshold;
function upTo(rising, s) { let a = 0, b = rising.length; while (a < b) { const m = (a + b) >> 1; if (rising[m] <= s) a = m + 1; else b = m; } return a; }
function over(s) { const k = upTo(cuts, s) - 1; return k < 0 ? [n, data.n_odd] : [above[k], oddAbove && oddAbove[k]]; }
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "line", "text", "polyline", "circle"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// -- charts ------------------------------------------------------------------------------------------------
const edges = data.histogram.edges, BINS = edges.length - 1;
/** Bars over the bins, and over what lies below the first and above the last; a line marks a score. */
function bars(stack, label, width, height) {
  const left = 6, step = (width - 2 * left) / (BINS + 2), foot = height - 22, x = slot => left + slot * step;
  const place = s => {
    if (s < edges[0]) return x(.5);
    if (s > edges[BINS]) return x(BINS + 1.5);
    const b = Math.min(BINS, Math.max(1, upTo(edges, s))) - 1;
    return x(1 + b + (s - edges[b]) / (edges[b + 1] - edges[b] || 1));
  };
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const sums = stack[0][1].map((_, b) => stack.reduce((sum, [, counts]) => sum + counts[b], 0)), top = Math.max(1, ...sums);
  sums.forEach((sum, b) => {
    const all = sum ? Math.max(2, Math.sqrt(sum / top) * (foot - 20)) : 0;
    let y = foot;
    for (const [kind, counts] of stack) {
      const h = sum ? all * counts[b] / sum : 0;
      if (h) svg.append(make("rect", { class: kind, x: x(b), width: Math.max(1, step - 1), y: y -= h, height: h }));
    }
  });
  svg.append(make("line", { class: "axis", x1: left, x2: width - left, y1: foot, y2: foot }));
  const parts = width < 560 ? 2 : 4;
  for (let k = 0; k <= parts; k++) svg.append(make("text",
    { x: x(1 + k * BINS / parts), y: height - 6, "text-anchor": ["start", "middle", "end"][k === 0 ? 0 : k === parts ? 2 : 1] },
    tick(edges[k * BINS / parts])));
  if (sums[0]) svg.append(make("text", { x: left, y: 12 }, `${count(sums[0])} lower`));
  if (sums[BINS + 1]) svg.append(make("text", { x: width - left, y: 12, "text-anchor": "end" }, `${count(sums[BINS + 1])} higher`));
  const cut = make("line", { class: "cut", y1: 16, y2: foot });
  svg.append(cut);
  return { svg, mark: s => { cut.setAttribute("x1", place(s)); cut.setAttribute("x2", place(s)); } };
}
let histogram;
function drawHistogram() {
  const { normal, anomaly } = data.histogram;
  const label = `Histogram of ${count(n)} scores, most between ${short(edges[0])} and ${short(edges[BINS])}${anomaly ? "; normal and anomalous samples stacked" : ""}`;
  histogram = bars(anomaly ? [["n", normal], ["a", anomaly]] : [["n", normal]], label, Math.max(280, el("histogram").clientWidth), 220);
  histogram.svg.querySelector(".cut").id = "cut";
  el("histogram").replaceChildren(histogram.svg);
  if (anomaly) el("histogram").append(legend([["normal", "n"], ["anomaly", "a"]].map(([text, kind]) => [text, make("rect", { class: kind, x: -7, y: -7, width: 14, height: 14 })])));
  el("histogram").append(make("p", { class: "legend" }, "Heights are square roots of counts, so that single samples stay visible."));
}
function legend(entries) {
  const box = make("div", { class: "legend" });
  for (const [text, mark] of entries)
    box.append(make("span", {}, make("svg", { viewBox: "-12 -12 24 24", "aria-hidden": "true" }, mark), " " + text));
  return box;
}
function lines(series, xs, ys, label, scale = v => v, w = 400, h = 260) {
  const svg = make("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label }), [y0, y1] = ys.map(scale);
  const X = v => 60 + (v - xs[0]) / (xs[1] - xs[0] || 1) * (w - 75), Y = v => h - 25 - (scale(v) - y0) / (y1 - y0 || 1) * (h - 40);
  svg.append(make("path", { class: "axis", d: `M60 10V${h - 25}H${w - 15}` }), make("text", { x: 60, y: h - 8 }, tick(xs[0])),
    make("text", { x: w - 15, y: h - 8, "text-anchor": "end" }, tick(xs[1])),
    make("text", { x: 56, y: h - 25, "text-anchor": "end" }, tick(ys[0])), make("text", { x: 56, y: 18, "text-anchor": "end" }, tick(ys[1])));
  series.forEach((points, k) => svg.append(make("polyline",
    { class: `curve c${k % 6}`, points: points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" ") })));
  return { svg, at: (x, y) => ({ cx: X(x), cy: Y(y) }) };
}
const spots = {};
function drawCurves() {
  if (!data.curves.roc) return;
  el("curves").hidden = false;
  const labels = { roc: `ROC curve, area ${data.figures.auroc.toFixed(4)}`, pr: `Precision-recall curve, average precision ${data.figures.average_precision.toFixed(4)}` };
  for (const [id, label] of Object.entries(labels)) {
    const { svg, at } = lines([data.curves[id]], [0, 1], [0, 1], label), spot = make("circle", { class: "spot", r: 6 });
    svg.append(spot);
    el(id).append(svg);
    spots[id] = (x, y) => {
      spot.setAttribute("visibility", Number.isFinite(y) ? "visible" : "hidden");
      if (Number.isFinite(y)) for (const [key, value] of Object.entries(at(x, y))) spot.setAttribute(key, value);
    };
  }
}
function drawTraining() {
  for (const { stage, terms } of data.training) {
    el("training").hidden = false;
    const series = Object.values(terms), all = series.flat(), values = all.map(([, v]) => v), epochs = all.map(([e]) => e);
    const range = [Math.min(...values), Math.max(...values)], log = range[0] > 0 && range[1] > 50 * range[0];
    const { svg } = lines(series, [Math.min(...epochs), Math.max(...epochs)], range, `Loss terms of ${stage} over epochs`, log ? Math.log : undefined);
    const key = k => make("line", { class: `curve c${k % 6}`, x1: -12, x2: 12, y1: 0, y2: 0 });
    el("panels").append(make("figure", {}, svg, legend(Object.keys(terms).map((name, k) => [name, key(k)])),
      make("figcaption", {}, `${stage}: loss terms over epochs${log ? ", logarithmic" : ""}`)));
  }
}
/** Marks of the maps' groups, told apart by shape as well as colour: six clusters, the smaller ones, what is odd. */
const MARKS = [
  (x, y) => `M${x - 9} ${y}a9 9 0 1 0 18 0a9 9 0 1 0-18 0`, (x, y) => `M${x - 8} ${y - 8}h16v16h-16z`,
  (x, y) => `M${x} ${y - 10}l10 17h-20z`, (x, y) => `M${x} ${y - 11}l11 11l-11 11l-11-11z`,
  (x, y) => `M${x - 10} ${y}h20m-10-10v20`, (x, y) => `M${x} ${y + 10}l10-17h-20z`,
  (x, y) => `M${x} ${y}h0`, (x, y) => `M${x - 10} ${y - 10}l20 20m0-20l-20 20`,
];
const style = g => "dots " + (g < 6 ? `c${g}` : g === 6 ? "small" : "odd");
function drawMaps() {
  const oddName = data.labels ? "labelled anomaly" : "above the model's threshold";
  const groupName = g => g < 6 ? `cluster ${g + 1}` : g === 6 ? "smaller clusters" : oddName;
  for (const id of data.maps ? ["pca", "tsne"] : []) {
    const { at, group } = data.maps[id];
    const svg = make("svg", { viewBox: "-20 -20 1040 1040", role: "img", "aria-label": `Map of codes, ${id}` });
    const present = MARKS.map((_, g) => g).filter(g => group.includes(g));
    for (const g of present) svg.append(make("path", { class: style(g), d: at.filter((_, k) => group[k] === g).map(([x, y]) => MARKS[g](x, 1000 - y)).join("") }));
    el(id).append(svg, legend(present.map(g => [groupName(g), make("path", { class: style(g), d: MARKS[g](0, 0) })])));
  }
}

// -- gallery -----------------------------------------------------------------------------------------------
function picture(address, alt = "") { return make("img", { src: address, alt }); }
function describe(i) {
  return (data.rows[i] || []).slice(0, 3).map(([name, value, z]) => make("span", {}, `${name} = ${short(value)} (${z > 0 ? "+" : ""}${z} σ)`));
}
function card(i) {
  const button = make("button", { type: "button", class: flagged(i) ? "flagged" : "", "data-i": i });
  if (data.pictures[i]) button.append(picture(data.pictures[i].image));
  const label = data.labels ? (data.labels[i] ? ", is an anomaly" : ", is normal") : "";
  button.append(make("span", {}, data.names[i]), make("span", {}, `score ${short(scores[i])}`),
    make("span", { class: "verdict" }, (flagged(i) ? "flagged" : "passed") + label), ...describe(i));
  return make("li", {}, button);
}
const BY = { high: (i, j) => scores[j] - scores[i] || i - j, low: (i, j) => scores[i] - scores[j] || i - j, name: (i, j) => data.names[i] < data.names[j] ? -1 : 1 };
const sorted = {};
function choose() {
  const words = el("search").value.toLowerCase(), filter = el("filter").value, by = el("sort").value;
  sorted[by] = sorted[by] || [...scores.keys()].sort(BY[by]);
  order = sorted[by].filter(i => (filter === "all" || flagged(i) === (filter === "flagged")) && (!words || data.names[i].toLowerCase().includes(words)));
}
function fill() {
  choose();
  el("gallery").className = Object.keys(data.pictures).length ? "" : "rows";
  el("gallery").replaceChildren(...order.slice(0, page).map(card));
  el("more").hidden = order.length <= page;
}
let waiting = false;
function fillSoon() {  // a slider moves faster than a screen shows
  if (!waiting) requestAnimationFrame(() => { waiting = false; fill(); });
  waiting = true;
}

// -- threshold ---------------------------------------------------------------------------------------------
function setThreshold(value) {
  // between two listed scores lie samples that this page does not know
  threshold = thinned ? cuts[Math.max(0, upTo(cuts, value) - 1)] : value;
  const [k, tp] = over(threshold);
  el("number").value = short(threshold);
  el("slider").value = upTo(cuts, threshold) - 1;
  el("slider").setAttribute("aria-valuetext", `${short(threshold)}, ${count(k)} of ${count(n)} flagged`);
  el("summary").textContent = `${count(n)} samples, ${count(k)} flagged, ${count(n - k)} passed`;
  histogram.mark(threshold);
  if (!data.labels) return;
  const odd = data.n_odd, fp = k - tp;
  for (const [id, v] of [["tp", tp], ["fn", odd - tp], ["fp", fp], ["tn", n - odd - fp]]) el(id).textContent = count(v);
  if (!spots.roc) return;
  spots.roc(fp / (n - odd), tp / odd);
  spots.pr(tp / odd, tp / k);
  el("point").textContent = `The dots are this page's threshold: ${percent(tp, odd)} of the anomalies flagged, ${percent(fp, n - odd)} of the normal samples (false alarms), precision ${percent(tp, k)}.`;
}
const own = data.threshold === null ? cuts[cuts.length - 1] : data.threshold;
el("slider").max = cuts.length - 1;
el("slider").addEventListener("input", () => { setThreshold(cuts[el("slider").value]); fillSoon(); });
el("number").addEventListener("change", () => { const v = Number(el("number").value); if (el("number").value && Number.isFinite(v)) { setThreshold(v); fill(); } });
el("reset").addEventListener("click", () => { setThreshold(own); fill(); });

// -- pictures of one sample --------------------------------------------------------------------------------
let overlaid = false;
/** The pictures side by side, which zoom together; the boxes of what stands out, and a switch for the map above it. */
function views({ image, large, redrawn, heat, mask, boxes }) {
  const shown = [[image, "sample"], [redrawn, "as the model redraws it"], [heat, "where: bright raises the score"], [mask, "mask: where the defect is"]].filter(([address]) => address);
  if (!shown.length) return [];
  const frames = shown.map(([address, words], k) => {
    const sheet = make("div", { class: "sheet" }, picture(k ? address : large || address, words));
    if (!k && heat) sheet.append(make("img", { src: heat, alt: "", class: "over" }));
    if (!k && boxes && boxes.length) sheet.append(make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" },
      ...boxes.map(([, , , , , x, y, width, height]) => make("rect", { x, y, width, height }))));
    return make("div", { class: `lens${!k && large ? " photo" : ""}`, tabindex: 0, role: "group", "aria-label": `${words}; plus and minus zoom, arrows move` }, sheet);
  });
  const pictures = make("div", { class: "pictures" }, ...frames.map((frame, k) => make("figure", {}, frame, make("figcaption", {}, shown[k][1]))));
  const { zoom, whole } = lens(frames), bar = make("p", { class: "controls" });
  for (const [words, act] of [["Zoom in", () => zoom(1.5)], ["Zoom out", () => zoom(1 / 1.5)], ["Whole picture", whole]]) {
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", act);
    bar.append(button);
  }
  if (heat) {
    const tick = make("input", { type: "checkbox", id: "d-over" });
    const lay = () => { overlaid = tick.checked; frames[0].classList.toggle("overlaid", overlaid); };
    tick.checked = overlaid; lay();
    tick.addEventListener("change", lay);
    bar.append(make("label", {}, tick, "Map over the photo"));
  }
  const list = (boxes || []).map(([x, y, w, h, area]) => make("li", {}, `${w} × ${h} pixels at ${x}, ${y}; area ${count(area)}`));
  const found = boxes ? [make("p", {}, list.length ? "Regions above the map's threshold, the highest first:" : "No region lies above the map's threshold."), make("ol", { id: "d-regions" }, ...list)] : [];
  return [pictures, bar, ...found];
}

// -- one sample --------------------------------------------------------------------------------------------
function show(position) {
  if (position < 0 || position >= order.length) return;
  open = position;
  if (!el("detail").open) el("detail").showModal();
  const i = order[position], body = [];
  el("d-name").textContent = data.names[i];
  body.push(...views(data.pictures[i] || {}));
  body.push(make("p", {}, `Score ${scores[i]}, ${flagged(i) ? "flagged" : "passed"} at ${short(threshold)}; ${count(over(scores[i])[0])} of ${count(n)} samples score higher.`));
  if (pValues) body.push(make("p", {}, `p-value ${short(pValues[i])}: the share of normal samples expected to score as high.`));
  const { what, n: m, counts } = data.reference, words = `Its place among ${count(m)} ${what}`;
  const place = bars([["n", counts]], words, Math.max(260, el("d-body").clientWidth), 120);
  place.mark(scores[i]);
  body.push(make("figure", { id: "d-place" }, place.svg, make("figcaption", {}, words)));
  if (data.rows[i]) {
    const table = make("table", {}, make("tr", {}, ...["column", "value", "from the median"].map(t => make("th", { scope: "col" }, t))));
    for (const [name, value, z] of data.rows[i]) table.append(make("tr", {}, make("td", {}, name), make("td", {}, short(value)), make("td", {}, `${z} σ`)));
    body.push(table);
  }
  const held = el("d-body").contains(document.activeElement);
  el("d-body").replaceChildren(...body);
  if (held) (el("d-body").querySelector(".lens") || el("d-close")).focus();  // or the arrow keys would be lost
  // disabled they would lose the focus, and with it the arrow keys
  el("d-prev").ariaDisabled = position === 0; el("d-next").ariaDisabled = position === order.length - 1;
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
for (const id of ["sort", "filter"]) el(id).addEventListener("change", () => { page = 60; fill(); });
el("search").addEventListener("input", () => { page = 60; fill(); });
el("more").addEventListener("click", () => { page += 60; fill(); });
el("export").addEventListener("click", () => {
  // a leading = + - @ would be run as a formula by a spreadsheet
  const cell = t => `"${(/^[=+\-@\t\r]/.test(t) ? "'" : "") + t.replaceAll('"', '""')}"`;
  const rows = [...scores.keys()].filter(flagged).sort(BY.high);
  const text = "name,score\r\n" + rows.map(i => `${cell(data.names[i])},${scores[i]}\r\n`).join("");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "flagged.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
});

drawHistogram(); drawCurves(); drawTraining(); drawMaps(); setThreshold(own); fill();
window.addEventListener("resize", () => { drawHistogram(); histogram.mark(threshold); });
