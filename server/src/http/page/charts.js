// Charts of round trips, drawn as SVG at the size that the page gives them. Both have a logarithmic axis of time.

import { formatCount, formatMs, plural } from "./format.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 172;
const MARGIN = { top: 14, right: 12, bottom: 26, left: 58 };
const STEPS = [1, 2, 5];
/** The least that the axis shows, in milliseconds: below, a browser's clock tells nothing apart. */
const FLOOR_MS = 0.005;

/** Draws the last round trips, one point each, in their order. `points` have `number`, `ms` and `isWrong`. */
export function drawTimeline(svg, points) {
  const frame = begin(svg);
  if (points.length === 0) {
    drawEmpty(svg, frame, "No round trips yet");
    return;
  }
  const values = points.map(({ ms }) => Math.max(ms, FLOOR_MS));
  const y = timeScale(values, frame.bottom, frame.top);
  const x = (index) => frame.left + ((index + 0.5) * (frame.right - frame.left)) / Math.max(points.length, 30);
  for (const tick of y.ticks(20)) drawRow(svg, frame, y(tick), formatTick(tick));
  const line = values.map((ms, index) => `${x(index).toFixed(1)},${y(ms).toFixed(1)}`);
  add(svg, "polyline", { class: "line", points: line.join(" ") });
  points.forEach(({ isWrong }, index) => drawPoint(svg, x(index), y(values[index]), isWrong, points.length));
  drawNumber(svg, frame, x(0), points[0].number);
  if (points.length > 15) drawNumber(svg, frame, x(points.length - 1), points.at(-1).number);
  svg.setAttribute("aria-label", describeTimeline(points));
}

/** Draws how many round trips lasted how long, with the 50th and the 99th percentile. */
export function drawHistogram(svg, histogram) {
  const frame = begin(svg);
  const bars = histogram.bars();
  if (bars.length === 0) {
    drawEmpty(svg, frame, "No round trips yet");
    return;
  }
  const most = Math.max(...bars.map(({ count }) => count));
  const x = timeScale([bars[0].fromMs, bars.at(-1).toMs], frame.left, frame.right);
  const y = (count) => frame.bottom - (count / roundUp(most)) * (frame.bottom - frame.top);
  for (const count of countTicks(most)) drawRow(svg, frame, y(count), formatCount(count));
  for (const bar of bars) drawBar(svg, frame, x, y, bar);
  for (const tick of x.ticks(60)) drawColumn(svg, frame, x(tick), formatTick(tick));
  drawPercentiles(svg, frame, x, histogram);
  svg.setAttribute("aria-label", describeHistogram(histogram));
}

function begin(svg) {
  const width = Math.max(240, svg.parentElement.clientWidth);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  svg.replaceChildren();
  return { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: HEIGHT - MARGIN.bottom };
}

function drawEmpty(svg, frame, text) {
  add(svg, "line", { class: "axis", x1: frame.left, x2: frame.right, y1: frame.bottom, y2: frame.bottom });
  add(svg, "line", { class: "axis", x1: frame.left, x2: frame.left, y1: frame.top, y2: frame.bottom });
  drawText(svg, (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2, "middle", text);
  svg.setAttribute("aria-label", text);
}

/** Returns the function from milliseconds to a coordinate. Its method `ticks` returns values that many pixels apart. */
function timeScale(values, from, to) {
  const low = stepBelow(Math.max(Math.min(...values), FLOOR_MS));
  const high = Math.max(stepAbove(Math.max(...values)), stepAbove(low * 1.01));
  const [start, length] = [Math.log(low), Math.log(high / low)];
  const scale = (ms) => from + ((Math.log(Math.max(ms, low)) - start) / length) * (to - from);
  scale.ticks = (gap) => chooseTicks(allSteps().filter((step) => step >= low * 0.999 && step <= high * 1.001), scale, gap);
  return scale;
}

function allSteps() {
  const steps = [];
  for (let exponent = -3; exponent <= 7; exponent += 1) {
    for (const step of STEPS) steps.push(Number(`${step}e${exponent}`));
  }
  return steps;
}

function stepBelow(ms) {
  return allSteps().findLast((step) => step <= ms * 1.001) ?? 0.001;
}

function stepAbove(ms) {
  return allSteps().find((step) => step >= ms * 0.999) ?? 1e7;
}

function roundUp(count) {
  const power = 10 ** Math.floor(Math.log10(count));
  return Math.max(2, [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= count));
}

function countTicks(most) {
  const top = roundUp(most);
  return [0, top / 2, top];
}

/** Returns the steps for which there is room: powers of ten before the ends of the axis, and these before the rest. */
function chooseTicks(steps, scale, gap) {
  const isPower = (step) => Math.abs(Math.log10(step) - Math.round(Math.log10(step))) < 1e-6;
  const ticks = [];
  for (const step of [...steps.filter(isPower), steps[0], steps.at(-1), ...steps]) {
    if (ticks.every((tick) => Math.abs(scale(tick) - scale(step)) >= gap)) ticks.push(step);
  }
  return ticks;
}

function formatTick(ms) {
  return ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`;
}

function drawRow(svg, frame, y, label) {
  add(svg, "line", { class: "grid", x1: frame.left, x2: frame.right, y1: y, y2: y });
  drawText(svg, frame.left - 8, y + 4, "end", label);
}

function drawColumn(svg, frame, x, label) {
  add(svg, "line", { class: "axis", x1: x, x2: x, y1: frame.bottom, y2: frame.bottom + 4 });
  const anchor = x > frame.right - 20 ? "end" : x < frame.left + 20 ? "start" : "middle";
  drawText(svg, x, frame.bottom + 17, anchor, label);
}

function drawNumber(svg, frame, x, number) {
  drawText(svg, x, frame.bottom + 17, "middle", `#${formatCount(number)}`, frame);
}

function drawPoint(svg, x, y, isWrong, count) {
  if (isWrong) {
    add(svg, "path", { class: "wrong", d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` });
  } else if (count <= 120) {
    add(svg, "circle", { class: "point", cx: x.toFixed(1), cy: y.toFixed(1), r: 2 });
  }
}

function drawBar(svg, frame, x, y, { fromMs, toMs, count }) {
  if (count === 0) return;
  const [left, right] = [x(fromMs), x(toMs)];
  const width = Math.max(1, right - left - 1);
  // A single round trip beside thousands is still visible.
  const height = Math.max(1.5, frame.bottom - y(count));
  add(svg, "rect", { class: "bar", x: left.toFixed(1), y: (frame.bottom - height).toFixed(1), width: width.toFixed(1), height: height.toFixed(1) });
}

function drawPercentiles(svg, frame, x, histogram) {
  for (const [share, name] of [[0.5, "p50"], [0.99, "p99"]]) {
    const at = Math.min(frame.right, x(histogram.percentile(share)));
    add(svg, "line", { class: "percentile", x1: at, x2: at, y1: frame.top, y2: frame.bottom });
    drawText(svg, at, frame.top - 3, share === 0.5 ? "end" : "start", name, frame);
  }
}

function drawText(svg, x, y, anchor, text, frame) {
  // A label at the edge of the chart turns inwards.
  const turned = frame && x > frame.right - 24 ? "end" : frame && x < frame.left + 24 ? "start" : anchor;
  add(svg, "text", { x, y, "text-anchor": turned }).textContent = text;
}

function add(svg, name, attributes) {
  const shape = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
  return svg.appendChild(shape);
}

function describeTimeline(points) {
  const values = points.map(({ ms }) => ms).sort((a, b) => a - b);
  const wrong = points.filter(({ isWrong }) => isWrong).length;
  const median = values[Math.floor((values.length - 1) / 2)];
  const range = `from ${formatMs(values[0])} to ${formatMs(values.at(-1))}, median ${formatMs(median)}`;
  return `Round trips of the last ${plural(points.length, "message")}: ${range}; ${formatCount(wrong)} with different bytes.`;
}

function describeHistogram(histogram) {
  const [p50, p99] = [histogram.percentile(0.5), histogram.percentile(0.99)].map(formatMs);
  return `Histogram of ${plural(histogram.count, "round trip")}: p50 ${p50}, p99 ${p99}, maximum ${formatMs(histogram.maxMs)}.`;
}
