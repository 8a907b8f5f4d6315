// Who is in the room, as far as it is known.

/** Names that are kept. */
const MAX_NAMES = 1024;

export class Members {
  constructor() {
    this.start(null);
  }

  /** Starts with a room of this many members, without their names. */
  start(count) {
    this.count = count;
    /** Names, and how often each is in the room: a user may be there more than once. */
    this.times = new Map();
  }

  /** Takes the server's list, which has the first names only. */
  list(count, names) {
    this.start(count);
    names.forEach((name) => this.add(name));
  }

  join(name) {
    this.add(name);
    if (this.count !== null) this.count += 1;
  }

  leave(name) {
    this.remove(name);
    if (this.count !== null) this.count = Math.max(0, this.count - 1);
  }

  rename(name, to) {
    this.remove(name);
    this.add(to);
  }

  add(name) {
    const times = this.times.get(name) ?? 0;
    if (times > 0 || this.times.size < MAX_NAMES) this.times.set(name, times + 1);
  }

  remove(name) {
    const times = this.times.get(name) ?? 0;
    if (times > 1) this.times.set(name, times - 1);
    else this.times.delete(name);
  }

  /** Returns the known names in order, each with its number of connections. */
  entries() {
    return Array.from(this.times).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Returns how many members have no known name. */
  get unnamed() {
    const named = Array.from(this.times.values()).reduce((sum, times) => sum + times, 0);
    return Math.max(0, (this.count ?? 0) - named);
  }
}
