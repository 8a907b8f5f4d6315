// Texts and names of members: what may be sent, and what is safe to show.

/** Limits of the server on what a member sends. */
const MAX_TEXT_BYTES = 8192;
const GUEST = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const ROOM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const RULE = "letters, digits, “.”, “_” or “-”, and begins with a letter or a digit";

const HUES = 12;
const COMMANDS = "/join ROOM, /leave, /name NAME, /who, /seq on, /seq off, exit";

const encoder = new TextEncoder();

/**
 * Characters that are invisible, or that reorder the text around them: those that the programs escape on a terminal.
 * Joiners and variation selectors are not among them: words and emoji need them.
 */
const HOSTILE =
  /[\p{Cc}\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e00ff}\u{e01f0}-\u{e0fff}]/gu;

const SHORT_ESCAPES = new Map([["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"]]);

/** Returns the text of somebody else with escapes in the place of hostile characters. */
export function escapeText(text) {
  return String(text).replace(HOSTILE, (character) => {
    const code = character.codePointAt(0);
    const escape = code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
    return SHORT_ESCAPES.get(character) ?? escape;
  });
}

/** Returns the number of the colour of a name. */
export function hueOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return hash % HUES;
}

/** Throws an error if no guest may have this name. */
export function checkName(name) {
  if (!GUEST.test(name)) throw new Error(`A name has 1 to 32 ${RULE}.`);
}

/** Throws an error if no room has this name. */
export function checkRoom(room) {
  if (!ROOM.test(room)) throw new Error(`A room has a name of 1 to 64 ${RULE}.`);
}

/**
 * Returns the object that a line means, as it is sent; or `{ type: "numbers", isOn }`, which the page does itself.
 * `null`: the line is empty. Throws an error that says what is wrong.
 */
export function parseLine(line) {
  if (line === "") return null;
  if (/^exit$/i.test(line.trim())) return { type: "exit" };
  if (line.startsWith("/") && !line.startsWith("//")) return parseCommand(line.slice(1));
  const text = (line.startsWith("//") ? line.slice(1) : line).toWellFormed();
  const { length } = encoder.encode(text);
  if (length > MAX_TEXT_BYTES) throw new Error(`A message has at most 8,192 bytes, this one has ${length.toLocaleString("en-US")}.`);
  return { type: "message", text };
}

function parseCommand(text) {
  const [word, argument, ...more] = text.trim().split(/\s+/);
  const isAlone = argument === undefined;
  if (more.length === 0) {
    if (word === "join" && isAlone) return { type: "join" };
    if (word === "join") {
      checkRoom(argument);
      return { type: "join", room: argument };
    }
    if (word === "name" && !isAlone) {
      checkName(argument);
      return { type: "name", name: argument };
    }
    if (word === "seq" && ["on", "off"].includes(argument)) return { type: "numbers", isOn: argument === "on" };
    if (["leave", "who"].includes(word) && isAlone) return { type: word };
  }
  throw new Error(`Commands: ${COMMANDS}. A message that begins with “/” is sent as “//”.`);
}
