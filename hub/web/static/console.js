// Keeps the page current: asks /api/overview every two seconds and puts newer values where the server wrote the first ones.
// Text goes in through textContent only. What the formats look like is said a second time in hub/web/formats.py; the two must agree.
"use strict";

const POLL_MS = 2000;
const POLL_MS_MAX = 30000;
const HEAT_MAX = 5;

const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");

// Fen are integers below 2^53; they are cut as text, never divided.
function yuan(fen) {
  const digits = String(Math.abs(fen)).padStart(3, "0");
  return `${fen < 0 ? "-" : ""}${grouped(digits.slice(0, -2))}.${digits.slice(-2)}`;
}

function age(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "medium" });
const time = (value) => clock.format(new Date(value));

function fact({ name, value }) {
  const words = (text) => text.replaceAll("_", " ");
  if (name.endsWith("_fen")) return `${words(name.slice(0, -4))} ${yuan(value)}`;
  if (name.endsWith("_bp")) return `${words(name.slice(0, -3))} ${yuan(value)}%`;
  return `${words(name)} ${count(value)}`;
}

const count = (value) => (value < 0 ? "-" : "") + grouped(String(Math.abs(value)));
const flow = (fen) => (fen === 0 ? "—" : yuan(fen));
const formats = { yuan, flow, count, age, time, fact };

const look = (item, path) => (path === "" ? item : path.split(".").reduce((part, name) => part[name], item));

// The elements of `root` that are filled from its own record: not those in a list, whose items have records of their own.
function* own(root, selector) {
  if (root.matches(selector)) yield root;
  for (const element of root.querySelectorAll(selector)) {
    const list = element.parentElement.closest("[data-list]");
    if (list === null || list === root || !root.contains(list)) yield element;
  }
}

function fill(root, item) {
  for (const element of own(root, "[data-f]")) {
    const value = look(item, element.dataset.f);
    const format = formats[element.dataset.fmt];
    const text = format ? format(value) : String(value);
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of own(root, "[data-a]")) element.dataset.v = look(item, element.dataset.a);
  for (const list of own(root, "[data-list]")) {
    if (list !== root) fillList(list, look(item, list.dataset.list));
  }
}

// Rows with a key keep their element, and with it what the reader has opened; rows without are made anew where they changed.
function fillList(list, items) {
  const template = document.getElementById(list.dataset.template).content.firstElementChild;
  const key = list.dataset.key;
  const known = new Map([...list.children].map((row, index) => [key ? row.dataset.key : String(index), row]));
  const rows = items.map((item, index) => {
    const name = key ? look(item, key) : String(index);
    const row = known.get(name) ?? template.cloneNode(true);
    if (key) row.dataset.key = name;
    fill(row, item);
    return row;
  });
  const same = rows.length === list.children.length && rows.every((row, index) => row === list.children[index]);
  if (!same) list.replaceChildren(...rows);
}

function showMatrix(matrix) {
  const most = Math.max(0, ...matrix.cells.map((cell) => cell.cleared_fen));
  const pairs = [...matrix.cells.map((cell) => [cell, most]), ...matrix.totals.map((cell) => [cell, 0])];
  for (const [cell, scale] of pairs) {
    const element = document.querySelector(`[data-cell="${cell.issuer}-${cell.acquirer}"]`);
    const before = element.textContent;
    fill(element, cell);
    element.dataset.heat = scale ? Math.ceil((cell.cleared_fen * HEAT_MAX) / scale) : 0;
    element.dataset.none = cell.cleared_count ? 0 : 1;
    element.dataset.busy = cell.pending_count ? 1 : 0;
    if (element.textContent !== before) flash(element);
  }
}

function flash(element) {
  element.classList.remove("changed");
  void element.offsetWidth; // Starts the animation over.
  element.classList.add("changed");
}

function show(overview) {
  const regions = overview.matrix.regions.map((region) => region.code).join(" ");
  if (regions !== document.body.dataset.regions) {
    // A region joined: the matrix has another shape, which the server draws.
    window.location.reload();
    return;
  }
  showMatrix(overview.matrix);
  const everything = overview.matrix.totals[overview.matrix.totals.length - 1];
  for (const tile of document.querySelectorAll("[data-at]")) fill(tile, look({ ...overview, everything }, tile.dataset.at));
  for (const list of document.querySelectorAll("main [data-list][data-key]")) fillList(list, look(overview, list.dataset.list));
}

const status = document.getElementById("status");
let etag = document.body.dataset.etag;
let wait = POLL_MS;
let timer = 0;

async function poll() {
  window.clearTimeout(timer);
  try {
    const headers = { "If-None-Match": etag };
    const response = await fetch("/api/overview", { headers, cache: "no-store", signal: AbortSignal.timeout(POLL_MS_MAX) });
    if (response.status === 200) {
      show(await response.json());
      etag = response.headers.get("ETag");
    } else if (response.status !== 304) {
      throw new Error(`status ${response.status}`);
    }
    status.dataset.status = "live";
    document.getElementById("updated").textContent = time(response.headers.get("Date") ?? Date.now());
    wait = POLL_MS;
  } catch (error) {
    console.warn("overview:", error);
    status.dataset.status = "lost";
    wait = Math.min(2 * wait, POLL_MS_MAX);
  }
  if (!document.hidden) timer = window.setTimeout(poll, wait);
}

// A page nobody looks at asks for nothing.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});

poll();
