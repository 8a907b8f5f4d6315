// Shows the values of a chart below the pointer. The page is complete without it.
"use strict";

const charts = JSON.parse(document.getElementById("data").textContent);

const formats = {
  count: (value) => value.toLocaleString("en-US"),
  rate: (value) => `${(value < 100 ? Number(value.toPrecision(3)) : Math.round(value)).toLocaleString("en-US")}/s`,
  // As many digits as tell a percentile from the next one.
  percent: (value) => {
    const digits = value < 100 ? Math.max(1, 1 - Math.floor(Math.log10(100 - value))) : 0;
    return `${Number(value.toFixed(digits))} %`;
  },
  seconds: (value) => {
    const [whole, two] = [Math.round(value), (part) => String(part % 60).padStart(2, "0")];
    if (whole < 120) return `${whole} s`;
    const minutes = Math.floor(whole / 60);
    return whole < 3600 ? `${minutes}:${two(whole)}` : `${Math.floor(minutes / 60)}:${two(minutes)}:${two(whole)}`;
  },
  time: (ns) => {
    const digits = (value) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
    if (ns < 1000) return `${ns} ns`;
    const unit = [["µs", 1e3], ["ms", 1e6]].find(([, size]) => Number(digits(ns / size)) < 1000);
    return unit ? `${digits(ns / unit[1])} ${unit[0]}` : `${digits(ns / 1e9)} s`;
  },
};

/** Returns the index of the point that is nearest to a place from 0 to 1. */
function nearest(chart, place) {
  const count = chart.x.length;
  if (!chart.at) return Math.min(count - 1, Math.max(0, Math.floor(place * count)));
  let best = 0;
  chart.at.forEach((at, index) => {
    if (Math.abs(at - place) < Math.abs(chart.at[best] - place)) best = index;
  });
  return best;
}

/** Fills the box with the values of a point. */
function fill(tip, chart, index) {
  const table = document.createElement("table");
  const add = (name, value) => {
    const row = table.insertRow();
    row.append(Object.assign(document.createElement("th"), { textContent: name }));
    row.insertCell().textContent = value;
  };
  add(chart.name, formats[chart.unit](chart.x[index]));
  for (const { name, unit, values } of chart.lines) {
    if (values[index] !== null) add(name, formats[unit](values[index]));
  }
  tip.replaceChildren(table);
}

function observe(key, boxes) {
  const chart = charts[key];
  if (!chart?.x.length) return;
  const cursors = boxes.map((box) => {
    const cursor = box.querySelector(".axis").cloneNode();
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y1", "0");
    cursor.setAttribute("y2", "100%");
    cursor.style.display = "none";
    box.querySelector("svg").append(cursor);
    return cursor;
  });
  for (const box of boxes) {
    const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    const hover = Object.assign(document.createElement("div"), { className: "hover" });
    const show = (event) => {
      const place = event.offsetX / hover.clientWidth;
      const index = nearest(chart, place);
      const at = chart.at ? chart.at[index] : (index + 0.5) / chart.x.length;
      fill(tip, chart, index);
      tip.hidden = false;
      const left = at * hover.clientWidth;
      tip.style.left = `${at < 0.5 ? left + 12 : left - 12 - tip.offsetWidth}px`;
      for (const cursor of cursors) {
        cursor.setAttribute("x1", `${100 * at}%`);
        cursor.setAttribute("x2", `${100 * at}%`);
        cursor.style.display = "";
      }
    };
    const hide = () => {
      tip.hidden = true;
      for (const cursor of cursors) cursor.style.display = "none";
    };
    hover.addEventListener("pointermove", show);
    hover.addEventListener("pointerdown", show);
    hover.addEventListener("pointerleave", hide);
    box.append(hover, tip);
  }
}

const groups = new Map();
for (const box of document.querySelectorAll("[data-chart]")) {
  const key = box.dataset.chart;
  groups.set(key, [...(groups.get(key) ?? []), box]);
}
groups.forEach((boxes, key) => observe(key, boxes));
