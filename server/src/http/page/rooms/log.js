// The entries of the conversation, oldest first, with a marker before those that the reader has not seen.

import { element, formatCount, formatTime, plural } from "../format.js";
import { escapeText, hueOf } from "./text.js";

const MAX_ENTRIES = 1000;
/** Entries that arrive within this time are shown together: each change of the page costs a layout. */
const SHOW_INTERVAL_MS = 50;
/** The reader is at the end if no more than this many pixels follow. */
const END_TOLERANCE = 24;

/** `onUnread(count)` tells how many messages the reader has not seen. */
export class Log {
  constructor(list, newest, onUnread) {
    Object.assign(this, { list, newest, onUnread });
    this.waiting = [];
    this.unread = 0;
    this.marker = null;
    /** The next unread entry is the first one. */
    this.needsMarker = false;
    this.isFollowing = true;
    /** The position of the list at the last look. */
    this.top = 0;
    this.timer = null;
    list.addEventListener("scroll", () => this.scrolled());
    newest.addEventListener("click", () => this.follow());
    for (const name of ["focus", "blur"]) window.addEventListener(name, () => this.attend());
    document.addEventListener("visibilitychange", () => this.attend());
    // A keyboard on the screen of a phone changes the height.
    new ResizeObserver(() => this.isFollowing && this.scrollToEnd()).observe(list);
  }

  /** Adds an entry. `isOwn`: the reader knows it. */
  add(entry, isOwn) {
    const isUnread = entry.kind === "message" && !entry.isReplayed && !isOwn && !this.isAttended;
    if (isUnread) {
      this.needsMarker ||= this.unread === 0;
      this.unread += 1;
    }
    this.waiting.push({ entry, isUnread, arrivedAt: new Date() });
    if (this.waiting.length > MAX_ENTRIES) this.waiting.shift();
    this.timer ??= setTimeout(() => this.show(), SHOW_INTERVAL_MS);
  }

  show() {
    this.timer = null;
    // The event of the last scroll may be still to come.
    this.scrolled();
    for (const { entry, isUnread, arrivedAt } of this.waiting.splice(0)) {
      if (isUnread && this.needsMarker) this.mark();
      this.list.append(paragraph(entry, arrivedAt));
    }
    while (this.list.childElementCount > MAX_ENTRIES) this.list.firstElementChild.remove();
    if (this.isFollowing) this.scrollToEnd();
    this.tell();
  }

  /** The reader sees what arrives. */
  get isAttended() {
    return this.isFollowing && !document.hidden && document.hasFocus();
  }

  mark() {
    this.unmark();
    this.needsMarker = false;
    this.marker = element("p", { class: "marker" }, "New messages");
    this.list.append(this.marker);
  }

  /** Removes the marker: the reader has seen what follows it. */
  unmark() {
    this.marker?.remove();
    this.marker = null;
  }

  /** Shows the newest entry, and those that arrive. */
  follow() {
    this.isFollowing = true;
    this.scrollToEnd();
    this.attend();
  }

  attend() {
    if (this.isAttended) this.unread = 0;
    this.tell();
  }

  /** The reader stops to follow by scrolling up. Another size of the window moves the end, not the reader. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    const isAtEnd = scrollHeight - scrollTop - clientHeight <= END_TOLERANCE;
    if (isAtEnd) this.isFollowing = true;
    else if (scrollTop < this.top) this.isFollowing = false;
    this.top = scrollTop;
    this.attend();
  }

  scrollToEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.top = this.list.scrollTop;
  }

  tell() {
    this.newest.hidden = this.isFollowing;
    this.newest.textContent = this.unread > 0 ? `${plural(this.unread, "new message")} ↓` : "Newest ↓";
    this.newest.classList.toggle("has-unread", this.unread > 0);
    this.onUnread(this.unread);
  }
}

/** Returns the coloured name of a member. */
export function nameOf(name) {
  return element("b", { class: "name", "data-hue": String(hueOf(name)) }, escapeText(name));
}

function paragraph({ kind, name, text, number, time, isReplayed }, arrivedAt) {
  const body = element("span", { class: "body" });
  if (number !== undefined) body.append(element("span", { class: "number" }, formatCount(number)));
  // The direction of a text is its own, and does not reorder what stands beside it.
  const shown = element("bdi", {}, escapeText(text));
  if (kind === "message") body.append(nameOf(name), ": ", shown);
  else body.append(shown);
  const attributes = { class: "entry", "data-kind": kind, "data-is-replayed": String(isReplayed ?? false) };
  return element("p", attributes, timeOf(time ? new Date(time) : arrivedAt, arrivedAt), body);
}

function timeOf(time, now) {
  const date = Number.isNaN(time.getTime()) ? now : time;
  const isToday = date.toDateString() === now.toDateString();
  const day = isToday ? "" : `${date.toISOString().slice(0, 10)} `;
  return element("time", { datetime: date.toISOString(), title: date.toString() }, day + formatTime(date));
}
