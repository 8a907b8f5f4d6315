// The console: connects the controls of the page with the connection, the list, the charts and the run.

import { parseHex } from "./bytes.js";
import { drawHistogram, drawTimeline } from "./charts.js";
import { Connection, MAX_IN_FLIGHT_BYTES } from "./connection.js";
import { element, escapeInvisible, formatCount, formatMs, formatSize, plural } from "./format.js";
import { Histogram } from "./histogram.js";
import { MessageList } from "./messages.js";
import { Run } from "./repeat.js";

const RECENT = 240;
const MAX_EVENTS = 100;
/** Wrong echoes of a run that the list shows. */
const MAX_WRONG_SHOWN = 20;
const DRAW_INTERVAL_MS = 100;
const PROGRESS_INTERVAL_MS = 100;
/** Least time between two announcements to a screen reader. */
const ANNOUNCE_INTERVAL_MS = 1500;

const find = (id) => document.getElementById(id);
const messages = new MessageList(find("messages"), find("empty"));
const connection = new Connection({
  onState: showState,
  onSent: (message) => message.source ?? messages.add(message),
  onSettled: showResult,
  onUnexpected: (echo) => messages.addUnexpected(echo),
});
const results = emptyResults();
const events = [];
let run = null;

function emptyResults() {
  return { histogram: new Histogram(), recent: [], equal: 0, different: 0, lost: 0 };
}

// Connection

function showState(state, text) {
  const shown = escapeInvisible(text);
  find("state").dataset.state = state;
  find("state-text").textContent = shown;
  const labels = { connecting: "Cancel", open: "Disconnect", closing: "Disconnecting" };
  find("connect").textContent = labels[state] ?? "Connect";
  find("connect").classList.toggle("primary", !(state in labels));
  find("url").readOnly = state in labels;
  setUsable(find("send"), state === "open");
  setUsable(find("repeat"), state === "open" || isRunning());
  if (state === "open") ["send-error", "repeat-error"].forEach((id) => showError(id, ""));
  events.push({ time: new Date().toISOString(), state, text: shown });
  if (events.length > MAX_EVENTS) events.shift();
}

/** A button that cannot work now keeps the focus and explains itself, so it is not `disabled`. */
function setUsable(button, isUsable) {
  button.setAttribute("aria-disabled", String(!isUsable));
}

function toggleConnection(event) {
  event.preventDefault();
  if (["connecting", "open"].includes(connection.state)) connection.disconnect();
  else if (connection.state !== "closing") connection.connect(find("url").value.trim());
}

// Send

function selectedContent() {
  return document.querySelector("input[name=content]:checked").value;
}

function showContent() {
  for (const part of document.querySelectorAll("[data-content]")) {
    part.hidden = part.dataset.content !== selectedContent();
  }
  showError("send-error", "");
}

async function send(event) {
  event.preventDefault();
  showError("send-error", "");
  try {
    if (!connection.isOpen) throw new Error("Not connected. Connect first.");
    const content = selectedContent();
    if (content === "file") await sendFile();
    else connection.send(content === "hex" ? parseHex(find("hex").value) : find("text").value);
    if (content !== "file") find(content).select();
  } catch (error) {
    showError("send-error", error.message);
  }
}

async function sendFile() {
  const file = find("file").files[0];
  if (!file) throw new Error("Choose a file first.");
  if (file.size > MAX_IN_FLIGHT_BYTES) {
    const limit = formatSize(MAX_IN_FLIGHT_BYTES);
    throw new Error(`The file has ${formatSize(file.size)}, and this page sends up to ${limit}. Use echo-client for it.`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  transfer = connection.send(bytes);
  showProgress(transfer);
}

let transfer = null;

/** Shows how much of a message has left, until its echo is here. */
function showProgress(message) {
  if (transfer !== message) return;
  const isWaiting = message.result === "waiting";
  const out = isWaiting ? connection.bytesOut(message) : message.size;
  find("transfer").hidden = false;
  find("progress").hidden = message.result === "lost";
  find("progress").value = message.size === 0 ? 1 : out / message.size;
  const waiting = out < message.size ? "" : "; waiting for the echo";
  const text = `Sent ${formatSize(out)} of ${formatSize(message.size)}${waiting}`;
  find("progress-text").textContent = isWaiting ? text : describeResult(message);
  if (isWaiting) setTimeout(() => showProgress(message), PROGRESS_INTERVAL_MS);
}

function sendWithEnter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  find("send-form").requestSubmit();
}

function showError(id, text) {
  find(id).textContent = text;
}

// Results

function showResult(message, echo) {
  count(message);
  if (message.source) showResultOfRun(message, echo);
  else {
    messages.settle(message, echo);
    announce(describeResult(message));
  }
  scheduleDraw();
}

function count(message) {
  const { result, roundTripMs, number } = message;
  if (result === "lost") {
    results.lost += 1;
    return;
  }
  results[result === "different" ? "different" : "equal"] += 1;
  results.histogram.add(roundTripMs);
  results.recent.push({ number, ms: roundTripMs, isWrong: result === "different" });
  if (results.recent.length > RECENT) results.recent.shift();
}

function showResultOfRun(message, echo) {
  const isWrong = message.result !== "equal";
  if (isWrong && message.source.errors < MAX_WRONG_SHOWN) {
    messages.add(message);
    messages.settle(message, echo);
  }
  message.source.settled(message);
}

function describeResult({ number, result, roundTripMs, difference }) {
  if (result === "lost") return `Message ${number}: no echo, the connection ended.`;
  const words = { equal: "same bytes", goodbye: "the server said Goodbye!" }[result] ?? `different. ${difference.text}`;
  return `Message ${number}: echo after ${formatMs(roundTripMs)}, ${words}`;
}

let lastAnnouncement = 0;
let announceTimer = null;

/** Tells a screen reader the latest result, and leaves out those that follow too closely. */
function announce(text) {
  clearTimeout(announceTimer);
  const wait = Math.max(0, lastAnnouncement + ANNOUNCE_INTERVAL_MS - performance.now());
  announceTimer = setTimeout(() => {
    lastAnnouncement = performance.now();
    find("announcer").textContent = text;
  }, wait);
}

let isDrawScheduled = false;

function scheduleDraw() {
  if (isDrawScheduled) return;
  isDrawScheduled = true;
  setTimeout(() => {
    isDrawScheduled = false;
    draw();
  }, DRAW_INTERVAL_MS);
}

function draw() {
  const { histogram, recent } = results;
  showFigures("figures", [
    ["Echoes", formatCount(results.equal + results.different)],
    ["Different", formatCount(results.different), results.different > 0],
    ["No echo", formatCount(results.lost), results.lost > 0],
    ["Minimum", formatMs(histogram.minMs)],
    ["p50", formatMs(histogram.percentile(0.5))],
    ["p99", formatMs(histogram.percentile(0.99))],
    ["Maximum", formatMs(histogram.maxMs)],
  ]);
  drawTimeline(find("timeline"), recent);
  drawHistogram(find("histogram"), histogram);
  if (find("table-details").open) fillTable(histogram);
}

function showFigures(id, figures) {
  const groups = figures.map(([name, value, isWrong]) =>
    element("div", isWrong ? { class: "wrong" } : {}, element("dt", {}, name), element("dd", {}, value)),
  );
  find(id).replaceChildren(...groups);
}

function fillTable(histogram) {
  const rows = histogram.bars().filter((bar) => bar.count > 0);
  const cells = (values) => values.map((value) => element("td", {}, value));
  const filled = rows.map(({ fromMs, toMs, count }) =>
    element("tr", {}, ...cells([formatMs(fromMs), formatMs(toMs), formatCount(count)])),
  );
  const empty = element("tr", {}, element("td", { colspan: "3" }, "No round trips yet"));
  find("histogram-rows").replaceChildren(...(filled.length > 0 ? filled : [empty]));
}

function clearResults() {
  Object.assign(results, emptyResults());
  messages.clear();
  draw();
  announce("The results are cleared.");
}

// Repeat

function isRunning() {
  return run !== null && run.endedAt === null;
}

function toggleRun(event) {
  event.preventDefault();
  showError("repeat-error", "");
  if (isRunning()) {
    run.stop("stopped");
    return;
  }
  try {
    if (!connection.isOpen) throw new Error("Not connected. Connect first.");
    const options = readOptions();
    find("run").hidden = false;
    find("repeat").textContent = "Stop";
    announce("The run has started.");
    run = new Run(connection, options, { onProgress: scheduleRun, onEnd: endRun });
  } catch (error) {
    showError("repeat-error", error.message);
  }
}

function readOptions() {
  return { rate: readNumber("rate"), count: readNumber("count"), size: readNumber("size"), kind: find("kind").value };
}

function readNumber(id) {
  const input = find(id);
  const label = document.querySelector(`label[for=${id}]`).textContent;
  input.setAttribute("aria-invalid", String(!input.validity.valid));
  if (input.validity.valid) return input.valueAsNumber;
  input.focus();
  const kind = input.step === "any" ? "a number" : "a whole number";
  throw new Error(`${label}: write ${kind} from ${formatCount(Number(input.min))} to ${formatCount(Number(input.max))}.`);
}

let isRunScheduled = false;

function scheduleRun() {
  if (isRunScheduled) return;
  isRunScheduled = true;
  setTimeout(() => {
    isRunScheduled = false;
    showRun();
  }, DRAW_INTERVAL_MS);
}

function showRun() {
  const { histogram, sent, echoed, different, lost, late, elapsedMs } = run;
  find("run-state").textContent = describeRun();
  showFigures("run-figures", [
    ["Sent", formatCount(sent)],
    ["Echoes", formatCount(echoed)],
    ["Different", formatCount(different), different > 0],
    ["No echo", formatCount(lost), lost > 0],
    ["Late", formatCount(late), late > 0],
    ["Echoes/s", elapsedMs > 0 ? formatCount(Math.round((echoed * 1000) / elapsedMs)) : "–"],
    ["p50", formatMs(histogram.percentile(0.5))],
    ["p99", formatMs(histogram.percentile(0.99))],
    ["Maximum", formatMs(histogram.maxMs)],
  ]);
}

function describeRun() {
  if (run.endedAt === null) {
    return run.end === null ? "Running" : `Stopping: ${plural(run.inFlight, "message")} outstanding`;
  }
  const seconds = `${(run.elapsedMs / 1000).toFixed(1)} s`;
  return run.end === null ? `Complete after ${seconds}` : `Ended after ${seconds}: ${run.end}`;
}

function endRun(ended) {
  run = ended;
  find("repeat").textContent = "Start";
  setUsable(find("repeat"), connection.isOpen);
  showRun();
  const { histogram, errors } = ended;
  const percentiles = `p50 ${formatMs(histogram.percentile(0.5))}, p99 ${formatMs(histogram.percentile(0.99))}`;
  announce(`Run: ${describeRun()}. ${plural(ended.echoed, "message")} returned, ${plural(errors, "error")}, ${percentiles}.`);
}

// Export

function exportJson() {
  const text = JSON.stringify(report(), null, 2);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", { href: url, download: "echo-console.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function report() {
  const { histogram, recent, equal, different, lost } = results;
  return {
    format: "echo-console",
    version: 1,
    exported: new Date().toISOString(),
    url: find("url").value,
    connection: events,
    round_trips: { equal, different, lost, ...durations(histogram), histogram: bars(histogram), recent_ms: recent.map(({ ms }) => ms) },
    run: run && reportRun(),
    messages: messages.records().map(reportMessage),
  };
}

function durations(histogram) {
  const { minMs: min_ms, maxMs: max_ms } = histogram;
  return { min_ms, p50_ms: histogram.percentile(0.5), p99_ms: histogram.percentile(0.99), max_ms };
}

function bars(histogram) {
  return histogram.bars().map(({ fromMs: from_ms, toMs: to_ms, count }) => ({ from_ms, to_ms, count }));
}

function reportRun() {
  const { options, sent, echoed, different, lost, late, histogram, elapsedMs } = run;
  return { ...options, state: describeRun(), sent, echoed, different, lost, late, elapsed_ms: elapsedMs, ...durations(histogram) };
}

function reportMessage({ number, time, kind, size, result, roundTripMs, sent, echo, difference }) {
  const differs = difference && { offset: difference.offset, text: difference.text };
  return { number, time: time.toISOString(), type: kind, size, result, round_trip_ms: roundTripMs, sent, echo, difference: differs };
}

// Start

function showClock() {
  // Without isolation a browser rounds its clock to 100 microseconds.
  const resolution = window.crossOriginIsolated ? "5\u00a0µs" : "100\u00a0µs";
  find("clock").textContent = `A round trip includes the delays of the browser, whose clock has steps of at least ${resolution}. Both charts have a logarithmic axis of time.`;
}

function start() {
  const base = new URL(".", location.href);
  find("url").value = base.href.replace(/^http/, "ws");
  find("server").textContent = location.host;
  find("connect-form").addEventListener("submit", toggleConnection);
  find("send-form").addEventListener("submit", send);
  // Only the choice of the content: the blur of a field must not move the button away from under the mouse.
  find("content").addEventListener("change", showContent);
  find("text").addEventListener("keydown", sendWithEnter);
  find("hex").addEventListener("keydown", sendWithEnter);
  find("repeat-form").addEventListener("submit", toggleRun);
  find("export").addEventListener("click", exportJson);
  find("clear").addEventListener("click", clearResults);
  find("table-details").addEventListener("toggle", draw);
  new ResizeObserver(scheduleDraw).observe(find("timeline").parentElement);
  setUsable(find("send"), false);
  setUsable(find("repeat"), false);
  showContent();
  showClock();
  draw();
}

start();
