// The list of messages, newest first, of which the page keeps the last ones.

import { preview } from "./bytes.js";
import { element, formatCount, formatMs, formatSize, formatTime } from "./format.js";

const MAX_ROWS = 100;

const RESULTS = {
  waiting: ["…", "Waiting"],
  equal: ["✓", "Same bytes"],
  different: ["✗", "Different"],
  lost: ["✗", "No echo"],
  goodbye: ["✓", "Goodbye"],
  unexpected: ["!", "Not sent from here"],
};

/** One line that explains a result, where the previews do not. */
const NOTES = {
  lost: "The connection ended before the echo arrived.",
  goodbye: "“exit” ends the session: the server answers Goodbye! and closes the connection.",
  unexpected: "The server sent this message, and no message waited for an echo.",
};

export class MessageList {
  constructor(list, emptyState) {
    this.list = list;
    this.emptyState = emptyState;
    this.rows = new Map();
  }

  /** Adds a message that was sent. */
  add(message) {
    const { number, kind, size, time } = message;
    const record = { number, kind, size, time, sent: preview(kind, message.bytes), echo: null };
    Object.assign(record, { result: message.result, roundTripMs: null, difference: null });
    this.insert(message, record);
  }

  /** Shows the result of a message that was added. */
  settle(message, echo) {
    const row = this.rows.get(message);
    if (!row) return;
    const { result, roundTripMs, difference } = message;
    Object.assign(row.record, { result, roundTripMs, difference });
    row.record.echo = echo ? preview(echo.kind, echo.bytes) : null;
    fill(row);
  }

  addUnexpected(echo) {
    const record = { number: null, kind: echo.kind, size: echo.bytes.length, time: echo.time, sent: null };
    Object.assign(record, { echo: preview(echo.kind, echo.bytes), result: "unexpected", roundTripMs: null, difference: null });
    this.insert(echo, record);
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren();
    this.emptyState.hidden = false;
  }

  /** Returns the messages for an export, oldest first. */
  records() {
    return Array.from(this.rows.values(), ({ record }) => record);
  }

  insert(key, record) {
    const row = { record, item: element("li", { class: "message" }) };
    fill(row);
    this.rows.set(key, row);
    this.list.prepend(row.item);
    this.emptyState.hidden = true;
    if (this.rows.size > MAX_ROWS) this.rows.delete(this.rows.keys().next().value);
    if (this.list.childElementCount > MAX_ROWS) this.list.lastElementChild.remove();
  }
}

function fill({ record, item }) {
  item.dataset.result = record.result;
  item.replaceChildren(head(record), previews(record));
  if (NOTES[record.result]) item.append(element("p", { class: "note" }, NOTES[record.result]));
  if (record.difference) item.append(differenceOf(record.difference));
}

function head(record) {
  const [sign, words] = RESULTS[record.result];
  const number = record.number === null ? "" : `#${formatCount(record.number)} `;
  return element(
    "div",
    { class: "message-head" },
    element("span", { class: "result" }, element("span", { "aria-hidden": "true" }, sign), ` ${words}`),
    element("span", { class: "what" }, `${number}${record.kind}, ${formatSize(record.size)}`),
    element("time", { datetime: record.time.toISOString() }, formatTime(record.time)),
    element("span", { class: "round-trip" }, record.roundTripMs === null ? "" : formatMs(record.roundTripMs)),
  );
}

function previews({ sent, echo }) {
  const list = element("dl", { class: "previews" });
  const lines = [["Sent", sent], ["Echo", echo]].filter(([, text]) => text !== null);
  for (const [name, text] of lines) {
    list.append(element("dt", {}, name), element("dd", { dir: "auto" }, text));
  }
  return list;
}

function differenceOf({ text, rows }) {
  const block = element("div", { class: "difference" }, element("p", {}, text));
  if (rows.length > 0) block.append(comparison(rows));
  return block;
}

function comparison(rows) {
  const headings = ["Offset", "", "Bytes", "Text"].map((name) =>
    name ? element("th", { scope: "col" }, name) : element("td"),
  );
  const body = element("tbody");
  for (const row of rows) {
    const offset = element("th", { scope: "rowgroup", rowspan: "2" }, row.start.toString(16).padStart(4, "0"));
    body.append(
      element("tr", {}, offset, element("th", { scope: "row" }, "sent"), ...cells(row.sent)),
      element("tr", { class: "echo" }, element("th", { scope: "row" }, "echo"), ...cells(row.echo)),
    );
  }
  const caption = element("caption", {}, "Bytes around the difference, in hexadecimal");
  return element("table", {}, caption, element("thead", {}, element("tr", {}, ...headings)), body);
}

function cells(bytes) {
  const hex = element("td", { class: "hex" });
  const text = element("td", { class: "text" });
  bytes.forEach((byte, index) => {
    hex.append(index > 0 ? " " : "", marked(byte, byte.hex));
    text.append(marked(byte, byte.text));
  });
  if (bytes.length === 0) hex.append("–");
  return [hex, text];
}

function marked(byte, text) {
  return byte.isDifferent ? element("mark", {}, text) : text;
}
