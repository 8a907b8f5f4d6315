// Numbers and text as the page shows them.

const LIMIT = 0.001;

/** Returns a duration with three significant digits and its unit. */
export function formatMs(ms) {
  if (ms === null || !Number.isFinite(ms)) return "–";
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 100) return `${Math.round(ms)} ms`;
  return ms < LIMIT ? "0 ms" : `${ms.toFixed(ms >= 10 ? 1 : ms >= 1 ? 2 : 3)} ms`;
}

/** Returns a length in bytes with its unit, in powers of ten. */
export function formatSize(bytes) {
  if (bytes < 10_000) return `${formatCount(bytes)} B`;
  const [unit, size] = bytes < 1e6 ? ["kB", bytes / 1e3] : bytes < 1e9 ? ["MB", bytes / 1e6] : ["GB", bytes / 1e9];
  return `${size < 100 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

export function formatCount(count) {
  return count.toLocaleString("en-US");
}

/** Returns the count and the noun, as in "1 byte" and "2 bytes". */
export function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function formatTime(date) {
  return date.toTimeString().slice(0, 8);
}

/** Characters that are invisible, or that reorder the text around them. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Returns the text with escapes in the place of invisible characters. */
export function escapeInvisible(text) {
  return text.replace(INVISIBLE, (character) => {
    if (character === "\n") return "\\n";
    if (character === "\r") return "\\r";
    if (character === "\t") return "\\t";
    return `\\u{${character.codePointAt(0).toString(16)}}`;
  });
}

/** Creates an element. Strings become text, never HTML. */
export function element(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value);
  created.append(...children);
  return created;
}
