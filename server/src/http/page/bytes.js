// Bytes of messages: input, comparison, and how they are shown.

import { escapeInvisible, formatCount, formatSize, plural } from "./format.js";

const PREVIEW_CHARACTERS = 300;
const PREVIEW_BYTES = 48;
/** Bytes in a row of a comparison. */
const ROW = 8;

const encoder = new TextEncoder();

export function encodeText(text) {
  return encoder.encode(text);
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
}

/** Parses bytes such as "de ad be ef", "0xde, 0xad" or "de:ad". Throws an error that names the place. */
export function parseHex(text) {
  const bytes = [];
  const words = /[^\s,:;]+/g;
  for (let word = words.exec(text); word; word = words.exec(text)) {
    const hasPrefix = /^0x/i.test(word[0]);
    const digits = hasPrefix ? word[0].slice(2) : word[0];
    const wrong = digits.search(/[^0-9a-f]/i);
    if (wrong >= 0) {
      const place = word.index + wrong + (hasPrefix ? 3 : 1);
      throw new Error(`“${digits[wrong]}” at character ${place} is not a hexadecimal digit.`);
    }
    if (digits.length % 2 === 1 || digits.length === 0) {
      throw new Error(`“${word[0].slice(0, 20)}” has ${plural(digits.length, "digit")}; a byte has two.`);
    }
    for (let at = 0; at < digits.length; at += 2) bytes.push(parseInt(digits.slice(at, at + 2), 16));
  }
  return Uint8Array.from(bytes);
}

/** Returns the beginning of a message as text to show. */
export function preview(kind, bytes) {
  if (bytes.length === 0) return "(empty)";
  return kind === "text" ? previewText(bytes) : previewHex(bytes);
}

function previewText(bytes) {
  // A character has at most four bytes; the last one of the slice may be cut off.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const text = decoder.decode(bytes.subarray(0, PREVIEW_CHARACTERS * 4), { stream: true });
  const characters = Array.from(text);
  const shown = characters.slice(0, PREVIEW_CHARACTERS).join("");
  return escapeInvisible(shown) + rest(bytes.length - encodeText(shown).length);
}

function previewHex(bytes) {
  return toHex(bytes.subarray(0, PREVIEW_BYTES)).join(" ") + rest(bytes.length - PREVIEW_BYTES);
}

function rest(bytes) {
  return bytes > 0 ? ` … and ${bytes < 10_000 ? plural(bytes, "byte") : formatSize(bytes)} more` : "";
}

/**
 * Compares an echo with the bytes that were sent. Returns `null` if they are the same; else the first offset at which
 * they differ, the difference in words, and the bytes around it.
 */
export function compare(sent, echo) {
  const shorter = Math.min(sent.length, echo.length);
  let offset = 0;
  while (offset < shorter && sent[offset] === echo[offset]) offset += 1;
  if (offset === sent.length && offset === echo.length) return null;
  let suffix = 0;
  while (suffix < shorter - offset && sent.at(-1 - suffix) === echo.at(-1 - suffix)) suffix += 1;
  const difference = { offset, sentEnd: sent.length - suffix, echoEnd: echo.length - suffix };
  return { offset, text: describe(sent, echo, difference), rows: rowsAround(sent, echo, difference) };
}

function describe(sent, echo, { offset, sentEnd, echoEnd }) {
  const at = `offset ${formatCount(offset)} (0x${offset.toString(16)})`;
  const [before, after] = [sentEnd - offset, echoEnd - offset];
  if (after === 0) return `The echo lacks ${plural(before, "byte")} at ${at}.`;
  if (before === 0) return `The echo has ${plural(after, "byte")} too many at ${at}.`;
  if (before !== after) return `At ${at}, ${plural(before, "byte")} came back as ${plural(after, "other byte")}.`;
  const count = countDifferent(sent, echo, offset, sentEnd);
  return count === 1 ? `One byte differs, at ${at}.` : `${plural(count, "byte")} differ, the first at ${at}.`;
}

function countDifferent(sent, echo, start, end) {
  let count = 0;
  for (let at = start; at < end; at += 1) count += sent[at] === echo[at] ? 0 : 1;
  return count;
}

/** Returns copies of the bytes around the difference, in rows: the row before it, its own, and the one after. */
function rowsAround(sent, echo, { offset, sentEnd, echoEnd }) {
  const own = offset - (offset % ROW);
  const longer = Math.max(sent.length, echo.length);
  const starts = [own - ROW, own, own + ROW].filter((start) => start >= 0 && start < longer);
  return starts.map((start) => ({
    start,
    sent: rowOf(sent, start, offset, sentEnd),
    echo: rowOf(echo, start, offset, echoEnd),
  }));
}

function rowOf(bytes, start, offset, end) {
  const row = bytes.slice(start, start + ROW);
  return Array.from(row, (byte, index) => ({
    hex: byte.toString(16).padStart(2, "0"),
    text: byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·",
    isDifferent: start + index >= offset && start + index < end,
  }));
}
