// The rooms page: connects its controls with the socket, the member, and the log.

import { element, formatCount, plural } from "../format.js";
import { Log, nameOf } from "./log.js";
import { Room } from "./room.js";
import { RoomSocket } from "./socket.js";
import { checkName, checkRoom, escapeText, parseLine } from "./text.js";

const NAME_KEY = "echo-room-name";
/** Names that the page lists; the server tells no more than a hundred at once. */
const MAX_LISTED = 200;
/** In a larger room, the server does not announce who joins and leaves. */
const MAX_ANNOUNCED = 256;
const DRAW_INTERVAL_MS = 100;

const find = (id) => document.getElementById(id);
const room = new Room();
const log = new Log(find("log"), find("newest"), showTitle);
const socket = new RoomSocket({ onState: showState, onEvent: receive });

/** The connection has joined its first room. */
let hasEntered = false;
/** Lists of members that the reader has asked for by a command, and that appear in the log. */
let askedLists = 0;
/** The page has asked for a list by itself, and the server has not answered. */
let isListAsked = false;

// Connection

function showState(state, text) {
  const labels = { connecting: "Join", open: "Change", closing: "Join", closed: "Join", drained: "Reconnect", failed: "Reconnect" };
  find("state").dataset.state = state;
  find("state-text").textContent = escapeText(text);
  find("join").textContent = labels[state];
  setUsable(find("join"), !["connecting", "closing"].includes(state));
  setUsable(find("disconnect"), ["connecting", "open", "closing"].includes(state));
  setUsable(find("send"), state === "open");
  if (["closed", "drained", "failed"].includes(state)) end(text);
}

/** A button that cannot work now keeps the focus and explains itself, so it is not `disabled`. */
function setUsable(button, isUsable) {
  button.setAttribute("aria-disabled", String(!isUsable));
}

function end(text) {
  if (hasEntered) show([...room.end(), { kind: "notice", text }]);
  hasEntered = false;
  askedLists = 0;
  isListAsked = false;
  find("name").readOnly = false;
  find("entry").open = true;
  scheduleDraw();
}

function disconnect() {
  if (["connecting", "open", "closing"].includes(socket.state)) socket.disconnect();
}

function enterRoom(event) {
  event.preventDefault();
  find("entry-error").textContent = "";
  const [name, chosen] = [find("name").value.trim(), find("room").value.trim()];
  try {
    if (name !== "" && !name.startsWith("@")) checkName(name);
    if (chosen !== "") checkRoom(chosen);
    if (socket.isOpen) change(name, chosen);
    else if (!["connecting", "closing"].includes(socket.state)) connect(chosen);
  } catch (error) {
    find("entry-error").textContent = error.message;
  }
}

/** The path of the WebSocket chooses the room; `/` is the first one of the listener. */
function connect(chosen) {
  const url = new URL(chosen, new URL(".", location.href)).href.replace(/^http/, "ws");
  socket.connect(url, chosen === "" ? "" : " If the listener has one room only, leave the field Room empty.");
}

function change(name, chosen) {
  if (chosen !== "" && chosen !== room.room) socket.send({ type: "join", room: chosen });
  if (name !== "" && name !== room.name) socket.send({ type: "name", name });
  find("text").focus();
}

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

/** The address names the room, so that a bookmark or a link leads to it. */
function followAddress() {
  const chosen = roomOfAddress();
  find("room").value = chosen;
  if (socket.isOpen && chosen !== "" && chosen !== room.room) find("entry-form").requestSubmit();
}

// Events

function receive(event) {
  if (event === null) {
    show([{ kind: "fault", text: "The server sent a message that is no event of a room" }]);
    return;
  }
  const previousName = room.name;
  show(room.receive(event));
  if (event.type === "welcome") welcome();
  else if (room.name !== previousName) showOwnName();
  if (event.type === "error") showRefusal(event.text);
  if (event.type === "members") listed(event);
  if (["gap", "relay-gap"].includes(event.type)) askForMembers();
  scheduleDraw();
}

function show(entries) {
  for (const entry of entries) log.add(entry, entry.name === room.name);
}

function welcome() {
  const wanted = find("name").value.trim();
  if (room.isUser) showOwnName();
  else if (!hasEntered && wanted !== "" && wanted !== room.name) socket.send({ type: "name", name: wanted });
  if (!hasEntered && isNarrow()) find("entry").open = false;
  if (!hasEntered) find("text").focus();
  hasEntered = true;
  find("room").value = room.room;
  history.replaceState(null, "", `#${room.room}`);
  isListAsked = false;
  askForMembers();
}

function isNarrow() {
  return matchMedia("(max-width: 60rem)").matches;
}

function showOwnName() {
  find("name").value = room.name;
  find("name").readOnly = room.isUser;
  if (!room.isUser) storeName(room.name);
}

/** A refusal belongs to the field that has asked, if it is known. */
function showRefusal(text) {
  const isOfEntry = find("entry-form").contains(document.activeElement);
  find(isOfEntry ? "entry-error" : "send-error").textContent = escapeText(text);
}

function askForMembers() {
  if (!socket.isOpen || room.room === null || isListAsked) return;
  isListAsked = true;
  socket.send({ type: "who" });
}

function refresh() {
  isListAsked = false;
  askForMembers();
}

function listed({ room: name, count, names }) {
  isListAsked = false;
  if (askedLists === 0) return;
  askedLists -= 1;
  const more = count > names.length ? `, and ${formatCount(count - names.length)} more` : "";
  show([{ kind: "notice", text: `In ${name} (${formatCount(count)}): ${names.join(", ")}${more}` }]);
}

// Messages

function send(event) {
  event.preventDefault();
  find("send-error").textContent = "";
  try {
    const object = parseLine(find("text").value);
    if (object?.type === "numbers") showNumbers(object.isOn);
    else if (object?.type === "exit") requireOpen(disconnect);
    else if (object !== null) pass(object);
    find("text").value = "";
  } catch (error) {
    find("send-error").textContent = error.message;
  }
}

function requireOpen(action) {
  if (!socket.isOpen) throw new Error("Not connected. Join a room first.");
  action();
}

function pass(object) {
  socket.send(object);
  if (object.type === "who" && room.room !== null) askedLists += 1;
  if (object.type === "message" && room.room !== null) room.pending.push(object.text);
  log.unmark();
  log.follow();
  scheduleDraw();
}

function showNumbers(isOn) {
  find("numbers").checked = isOn;
  find("log").classList.toggle("has-numbers", isOn);
}

// State of the room

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
  const { members, sequence, pending } = room;
  find("recorded").hidden = !room.isRecorded;
  find("conversation-title").textContent = room.room === null ? "No room" : `${escapeText(room.room)}: you are ${escapeText(room.name)}`;
  find("members-title").textContent = members.count === null ? "Members" : `Members (${formatCount(members.count)})`;
  drawMembers(members);
  find("sequence").textContent = sequence.events > 0 ? sequence.describe() : "";
  find("sequence").dataset.isFault = String(!sequence.isPerfect);
  find("pending").textContent = pending.length > 0 ? `${plural(pending.length, "message")} not yet returned.` : "";
  showTitle(log.unread);
}

function drawMembers(members) {
  const entries = members.entries();
  const items = entries.slice(0, MAX_LISTED).map(([name, times]) => {
    const notes = [...(name === room.name ? ["you"] : []), ...(times > 1 ? [`${formatCount(times)} connections`] : [])];
    const note = notes.length > 0 ? element("span", { class: "you" }, ` (${notes.join(", ")})`) : "";
    return element("li", {}, nameOf(name), note);
  });
  find("members").replaceChildren(...items);
  const more = members.unnamed + entries.length - items.length;
  const isLarge = members.count > MAX_ANNOUNCED;
  const advice = isLarge ? ". A room of this size does not announce who joins and leaves." : "";
  find("members-more").textContent = `and ${formatCount(more)} more${advice}`;
  find("members-more").hidden = more === 0 || items.length === 0;
}

function showTitle(unread) {
  const count = unread > 0 ? `(${formatCount(unread)}) ` : "";
  document.title = `${count}${room.room === null ? "Rooms" : `${escapeText(room.room)} – Rooms`}`;
}

// The name is kept in the browser, as the theme is.

function storedName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

function storeName(name) {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // A browser may forbid it; the name then lasts as long as the page.
  }
}

function start() {
  find("server").textContent = location.host;
  find("name").value = storedName();
  find("members-details").open = !isNarrow();
  followAddress();
  window.addEventListener("hashchange", followAddress);
  // A browser may keep a page that the reader has left, and its connection: the room would keep the member.
  window.addEventListener("pagehide", () => socket.abandon());
  find("entry-form").addEventListener("submit", enterRoom);
  find("disconnect").addEventListener("click", disconnect);
  find("refresh").addEventListener("click", refresh);
  find("numbers").addEventListener("change", () => showNumbers(find("numbers").checked));
  find("send-form").addEventListener("submit", send);
  draw();
}

start();
