// A run of messages at a rate.

import { Histogram } from "./histogram.js";

/** Maximum of the messages of a run that wait for their echoes. */
const MAX_IN_FLIGHT = 1000;
const MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;
/** A timer of a browser fires up to some milliseconds late; a message that is later than this counts as late. */
const LATE_MS = 50;
const MIN_TIMER_MS = 4;
const RANDOM_BYTES_PER_CALL = 65_536;
const DIGITS = "0123456789";

/**
 * One run. `options` have `rate` in messages per second (0: the next message follows the echo of the one before), `size`
 * in bytes, `count` (0: until it is stopped) and `kind`. `observer` has the methods `onProgress(run)` and `onEnd(run)`.
 */
export class Run {
  constructor(connection, options, observer) {
    Object.assign(this, { connection, options, observer });
    this.histogram = new Histogram();
    Object.assign(this, { sent: 0, echoed: 0, different: 0, lost: 0, late: 0 });
    this.target = options.count || Infinity;
    this.template = createTemplate(options);
    this.startedAt = performance.now();
    this.endedAt = null;
    this.end = null;
    this.send();
  }

  get inFlight() {
    return this.sent - this.echoed - this.lost;
  }

  get errors() {
    return this.different + this.lost;
  }

  get elapsedMs() {
    return (this.endedAt ?? performance.now()) - this.startedAt;
  }

  /** Sends no more, and ends when the last echo is here. */
  stop(reason) {
    clearTimeout(this.timer);
    this.end ??= reason;
    this.finishIfDone();
  }

  /** Takes the result of a message that this run has sent. */
  settled(message) {
    if (message.result === "lost") {
      this.lost += 1;
      this.end ??= "the connection ended";
    } else {
      this.echoed += 1;
      this.different += message.result === "equal" ? 0 : 1;
      this.histogram.add(message.roundTripMs);
    }
    this.observer.onProgress(this);
    if (this.options.rate === 0 && this.end === null) this.send();
    this.finishIfDone();
  }

  /** Sends what is due, and sets the timer for the rest. */
  send() {
    clearTimeout(this.timer);
    const now = performance.now();
    try {
      while (this.isDue(now)) this.sendOne(now);
    } catch (error) {
      this.stop(error.message);
      return;
    }
    if (this.sent < this.target && this.options.rate > 0) {
      this.timer = setTimeout(() => this.send(), Math.max(MIN_TIMER_MS, this.dueAt(this.sent) - now));
    }
    this.observer.onProgress(this);
  }

  isDue(now) {
    const hasRoom = this.inFlight < MAX_IN_FLIGHT && this.connection.pendingBytes < MAX_IN_FLIGHT_BYTES;
    if (this.end !== null || this.sent >= this.target || !hasRoom) return false;
    return this.options.rate === 0 ? this.inFlight === 0 : this.dueAt(this.sent) <= now;
  }

  dueAt(index) {
    return this.startedAt + (index * 1000) / this.options.rate;
  }

  sendOne(now) {
    if (this.options.rate > 0 && now - this.dueAt(this.sent) > LATE_MS) this.late += 1;
    const payload = numbered(this.template, this.sent);
    this.connection.send(payload, this);
    this.sent += 1;
  }

  finishIfDone() {
    const isComplete = this.sent >= this.target || this.end !== null;
    if (!isComplete || this.inFlight > 0 || this.endedAt !== null) return;
    this.endedAt = performance.now();
    this.observer.onEnd(this);
  }
}

function createTemplate({ kind, size }) {
  if (kind === "text") return DIGITS.repeat(Math.ceil(size / DIGITS.length)).slice(0, size);
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += RANDOM_BYTES_PER_CALL) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_PER_CALL));
  }
  return bytes;
}

/** Returns the payload with its number at the beginning, if there is room: no two are equal, so swapped echoes are found. */
function numbered(template, number) {
  if (typeof template === "string") {
    const digits = String(number).padStart(8, "0");
    return template.length < digits.length ? template : digits + template.slice(digits.length);
  }
  const bytes = template.slice();
  if (bytes.length >= 4) new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}
