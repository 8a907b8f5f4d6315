// The check of the numbers of a room's events: every number arrives once, and in order.

import { formatCount, plural } from "../format.js";

/** Ranges of missing numbers that are kept, to tell a late event from a duplicate. */
const MAX_MISSING = 64;

export class Sequence {
  constructor() {
    this.counts = { dropped: 0, missing: 0, duplicate: 0, late: 0 };
    this.events = 0;
    this.start(null);
  }

  /** Starts with the event after `last`, in another room; `null`: the next number is not known. */
  start(last) {
    this.last = last;
    this.missing = [];
  }

  /** Takes the number of an event. Returns what is wrong with it in words, or `null`. */
  check(number) {
    this.events += 1;
    if (this.last === null || number === this.last + 1) {
      this.last = number;
      return null;
    }
    if (number > this.last) {
      const fault = this.miss(this.last + 1, number - 1);
      this.last = number;
      return fault;
    }
    return this.checkEarlier(number);
  }

  checkEarlier(number) {
    const at = this.missing.findIndex(([first, last]) => first <= number && number <= last);
    if (at < 0) {
      this.counts.duplicate += 1;
      return `Event ${formatCount(number)} arrived twice`;
    }
    const [first, last] = this.missing[at];
    const rest = [[first, number - 1], [number + 1, last]].filter(([from, to]) => from <= to);
    this.missing.splice(at, 1, ...rest);
    this.counts.missing -= 1;
    this.counts.late += 1;
    return `Event ${formatCount(number)} arrived after later ones`;
  }

  miss(first, last) {
    const count = last - first + 1;
    this.counts.missing += count;
    this.missing.push([first, last]);
    if (this.missing.length > MAX_MISSING) this.missing.shift();
    if (count === 1) return `Event ${formatCount(first)} is missing`;
    return `Events ${formatCount(first)} to ${formatCount(last)} are missing (${formatCount(count)})`;
  }

  /** Takes a gap that the server tells: `count` events from `first` on. Returns what is missing besides, or `null`. */
  drop(first, count) {
    this.counts.dropped += count;
    if (count === 0) return null;
    const isAhead = this.last !== null && first > this.last + 1;
    const fault = isAhead ? this.miss(this.last + 1, first - 1) : null;
    this.last = Math.max(this.last ?? 0, first + count - 1);
    return fault;
  }

  get isPerfect() {
    return Object.values(this.counts).every((count) => count === 0);
  }

  describe() {
    if (this.isPerfect) return `${plural(this.events, "event")}, each once and in order.`;
    const counts = Object.entries(this.counts).filter(([, count]) => count > 0);
    const parts = counts.map(([what, count]) => `${formatCount(count)} ${what}`);
    return `${plural(this.events, "event")}; ${parts.join(", ")}.`;
  }
}
