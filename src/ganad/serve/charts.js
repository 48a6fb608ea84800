// Two small charts as SVG; each says in its label what it shows.
"use strict";
const LEFT = 38, RIGHT = 394, TOP = 10, BOTTOM = 146;

function drawn(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function scale(from, to, low, high) {
  return (value) => low + (value - from) / (to - from || 1) * (high - low);
}

function line(x1, y1, x2, y2, kind) {
  return drawn("line", { x1, y1, x2, y2, class: kind });
}

function label(x, y, text, anchor) {
  return drawn("text", { x, y, "text-anchor": anchor || "middle" }, text);
}

function time(at) {
  const then = new Date(at * 1000), today = then.toDateString() === new Date().toDateString();
  return then.toLocaleString([], today ? { hour: "2-digit", minute: "2-digit" }
    : { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}

function power(value) {
  return Math.abs(value) < 4 ? String(Number((10 ** value).toPrecision(2))) : `10 to the ${Math.round(value)}`;
}

// Ticks of an axis in powers of ten, from the most wanted to the least; those too close to an earlier one are left out.
function ticks(values, y) {
  const places = [];
  return values.filter((value) => {
    const free = places.every((place) => Math.abs(place - y(value)) > 14);
    if (free) places.push(y(value));
    return free;
  });
}

function tick(value, y) {
  const node = label(LEFT - 4, y + 4, value > 3 ? "10" : String(Math.round(10 ** value)), "end");
  if (value > 3) node.append(drawn("tspan", { dy: -5, "font-size": 9 }, String(Math.round(value))));
  return node;
}

function drawCurve(svg, state) {
  const points = state.curve, last = points[points.length - 1];
  const highest = Math.max(state.alarm, ...points.map((p) => p[1])), lowest = Math.min(-1, ...points.map((p) => p[1]));
  const x = scale(points[0][0], last[0], LEFT, RIGHT), y = scale(lowest, highest * 1.08, BOTTOM, TOP);
  const parts = [line(LEFT, y(0), RIGHT, y(0), "axis"), line(LEFT, y(state.alarm), RIGHT, y(state.alarm), "limit")];
  for (const value of ticks([state.alarm, Math.floor(highest), 0], y)) parts.push(tick(value, y(value)));
  const line_ = points.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ");
  parts.push(drawn("polyline", { points: line_, class: "line" }));
  parts.push(label(LEFT, 164, time(points[0][0]), "start"), label(RIGHT, 164, time(last[0]), "end"));
  svg.replaceChildren(...parts);
  svg.setAttribute("aria-label", `The martingale is at ${power(state.evidence)}; drift is said at 100.`);
}

function drawHistogram(svg, counts) {
  const sum = counts.reduce((a, b) => a + b, 0), even = sum / counts.length;
  const x = scale(0, counts.length, LEFT, RIGHT), y = scale(0, Math.max(even * 1.6, ...counts) * 1.05, BOTTOM, TOP);
  const parts = counts.map((n, i) => drawn("rect", {
    x: x(i) + 1, y: y(n), width: x(1) - x(0) - 2, height: BOTTOM - y(n), class: "bar",
  }));
  parts.push(line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"), line(LEFT, y(even), RIGHT, y(even), "level"));
  parts.push(label(LEFT - 4, y(even) + 4, String(Math.round(even)), "end"));
  for (const [at, text] of [[0, "0: unusual"], [counts.length, "1: usual"]]) {
    parts.push(label(x(at), 164, text, at ? "end" : "start"));
  }
  svg.replaceChildren(...parts);
  const shares = counts.map((n, i) => `${i / counts.length} to ${(i + 1) / counts.length}: ${n}`).join(", ");
  svg.setAttribute("aria-label", `Of ${sum} p-values, about ${even.toFixed(0)} are expected in each tenth. ${shares}.`);
}
