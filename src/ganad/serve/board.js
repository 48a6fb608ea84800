// Shows the service's events and sends what a person says; names and messages are only ever set as text.
"use strict";
const at = (id) => document.getElementById(id);
const done = [];  // what was said in this tab, the latest last
const said = new Map();  // by id, until the service has said so as well

function element(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

const percent = (share) => share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`;
const number = (value) => value === null ? "–" : String(Number(value.toPrecision(3)));
const WORDS = { anomaly: "an anomaly", normal: "normal" };

const share = (value) => `${100 * Math.min(1, Math.max(0, Number(value) || 0))}%`;

function picture(row) {
  const box = element("div", undefined, "picture");
  if (!row.picture) return box;
  const frame = element("div", undefined, "frame"), image = element("img");
  image.src = `/board/${row.id}.jpg`;
  image.alt = "";
  image.addEventListener("load", () => {
    const wide = image.naturalWidth >= image.naturalHeight;
    frame.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    frame.style[wide ? "width" : "height"] = "100%";
  });
  frame.append(image);
  for (const place of row.boxes || []) {
    const mark = element("div", undefined, "mark");
    for (const [side, value] of [["left", "x"], ["top", "y"], ["width", "width"], ["height", "height"]]) {
      mark.style[side] = share(place[value]);
    }
    frame.append(mark);
  }
  box.append(frame);
  return box;
}

function tag(row) {
  if (row.feedback) return element("p", `a person says: ${WORDS[row.feedback]}`, "tag");
  if (row.is_anomaly) return element("p", "flagged", "tag anomalous");
  return row.spot_check ? element("p", "spot check", "tag check") : element("p", "passed", "tag normal");
}

function facts(row) {
  const box = element("p", undefined, "facts"), p = row.p_value === null ? "" : `, p\u00a0${number(row.p_value)}`;
  box.append(element("span", time(row.seen_at)), element("span", ` score\u00a0${number(row.score)}${p}`));
  return box;
}

function tile(row) {
  const item = element("li", undefined, row.is_anomaly ? "flagged" : "");
  item.dataset.id = row.id;
  const name = element("p", row.name.split("/").pop(), "name");
  name.title = row.name;
  item.append(picture(row), name, tag(row), facts(row));
  return item;
}

function question(row) {
  const item = element("li"), about = element("div", undefined, "about"), buttons = element("div", undefined, "buttons");
  item.dataset.id = row.id;
  item.tabIndex = -1;
  const name = element("p", row.name, "name");
  name.id = `name-${row.id}`;
  item.setAttribute("aria-labelledby", name.id);
  about.append(name, tag(row), facts(row));
  for (const [feedback, text] of [["anomaly", "Anomaly"], ["normal", "Normal"]]) {
    const button = element("button", text);
    button.type = "button";
    button.setAttribute("aria-label", `${row.name}: ${text.toLowerCase()}`);
    button.addEventListener("click", () => say(row, feedback));
    buttons.append(button);
  }
  item.append(picture(row), about, buttons);
  item.row = row;
  return item;
}

// Keeps the nodes that stay, so that focus and a click under way are not lost.
function fill(list, rows, make) {
  const known = new Map([...list.children].map((node) => [node.dataset.id, node]));
  const wanted = rows.map((row) => {
    const old = known.get(String(row.id));
    return old && old.dataset.feedback === String(row.feedback) ? old : make(row);
  });
  rows.forEach((row, i) => { wanted[i].dataset.feedback = String(row.feedback); });
  for (const node of [...list.children]) if (!wanted.includes(node)) node.remove();
  wanted.forEach((node, i) => { if (list.children[i] !== node) list.insertBefore(node, list.children[i] || null); });
}

const items = () => [...at("queue").children];

// One sample of the queue is reached by Tab; the arrows go on from there.
function roving(focused) {
  const all = items(), chosen = focused || all.find((item) => item.tabIndex === 0) || all[0];
  for (const item of all) item.tabIndex = item === chosen ? 0 : -1;
}

function fillQueue(rows) {
  const waiting = rows.filter((row) => !said.has(row.id));
  const within = document.activeElement && document.activeElement.closest("#queue li");
  const place = within ? items().indexOf(within) : -1;
  fill(at("queue"), waiting, question);
  if (within && !within.isConnected) (items()[Math.min(place, items().length - 1)] || at("review-title")).focus();
  roving(items().find((item) => item.contains(document.activeElement)));
  at("none").hidden = waiting.length > 0;
}

async function send(id, feedback) {
  const answer = await fetch("/feedback", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id, feedback }),
  });
  if (!answer.ok) throw new Error((await answer.json()).error || answer.statusText);
}

async function say(row, feedback) {
  said.set(row.id, feedback);
  fillQueue(latestQueue);
  try {
    await send(row.id, feedback);
    done.push(row);
    at("said").textContent = `${row.name} is ${WORDS[feedback]}.`;
  } catch (error) {
    said.delete(row.id);
    fillQueue(latestQueue);
    at("said").textContent = `${row.name} was not marked: ${error.message}`;
  }
  at("undo").disabled = !done.length;
}

async function undo() {
  const row = done.pop();
  if (!row) return;
  try {
    await send(row.id, null);
    said.delete(row.id);
    at("said").textContent = `${row.name} waits again.`;
  } catch (error) {
    done.push(row);
    at("said").textContent = `${row.name} is still marked: ${error.message}`;
  }
  at("undo").disabled = !done.length;
}

at("undo").addEventListener("click", undo);
at("queue").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const item = event.target.closest("li"), all = items(), i = all.indexOf(item), key = event.key.toLowerCase();
  const next = { arrowdown: i + 1, arrowright: i + 1, arrowup: i - 1, arrowleft: i - 1, home: 0, end: all.length - 1 }[key];
  if (next !== undefined && all[next]) {
    all[next].focus();
    roving(all[next]);
  } else if (key === "a" || key === "n") {
    say(item.row, key === "a" ? "anomaly" : "normal");
  } else if (key === "u") {
    undo();
  } else {
    return;
  }
  event.preventDefault();
});

let latestQueue = [];

function text(id, value) {
  if (at(id).textContent !== value) at(id).textContent = value;  // so that it is not read aloud again
}

function show(state) {
  at("problem").hidden = !state.problem && !state.dropped && !state.behind;
  const lost = state.dropped ? `${state.dropped} samples are missing from the history. ` : "";
  const late = state.behind > 1000 ? `The history falls behind: ${state.behind} samples wait.` : "";
  text("problem", state.problem || lost + late);
  if (!state.model) return;
  text("model", `${state.model.method}, ${state.model.sha256}`);
  text("sentence", state.sentence);
  at("verdict").className = state.drifting ? "drifting" : state.rate && state.rate.n ? "" : "unknown";
  text("waiting", state.waiting.toLocaleString("en"));
  if (at("changes").textContent !== state.changes.join("")) {
    at("changes").replaceChildren(...state.changes.map((change) => element("li", change)));
  }
  if (state.rate) {
    text("scored", state.scored.toLocaleString("en"));
    text("share", percent(state.rate.share));
    text("interval", state.rate.n ? `${(100 * state.rate.low).toFixed(1)} to ${percent(state.rate.high)}` : "–");
    text("promised", percent(state.rate.promised));
    if (state.curve.length) drawCurve(at("curve"), state);
    if (state.scored) drawHistogram(at("histogram"), state.histogram);
  }
  at("drift").hidden = !state.rate;
  fill(at("latest"), state.latest, tile);
  latestQueue = state.queue;
  const there = new Set(latestQueue.map((row) => row.id));
  for (const id of said.keys()) if (!there.has(id)) said.delete(id);
  fillQueue(latestQueue);
  const more = state.waiting - latestQueue.length;
  at("more").hidden = more <= 0;
  text("more", `${more.toLocaleString("en")} older ones wait behind these.`);
}

const events = new EventSource("/events");
events.addEventListener("message", (event) => show(JSON.parse(event.data)));
events.addEventListener("error", () => {
  at("problem").hidden = false;
  text("problem", "The service does not answer; this page tries again by itself.");
});
