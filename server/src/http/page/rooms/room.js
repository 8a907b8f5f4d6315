// A member of a room, without the page: its name, the others, the numbers, and the entries that an event makes.

import { formatCount, plural } from "../format.js";
import { Members } from "./members.js";
import { Sequence } from "./sequence.js";

export class Room {
  constructor() {
    /** Name of the room; `null`: the member is in none. */
    this.room = null;
    this.name = "";
    this.isRecorded = false;
    this.members = new Members();
    this.sequence = new Sequence();
    /** Own messages that have not returned. */
    this.pending = [];
    this.previous = null;
  }

  get isUser() {
    return this.name.startsWith("@");
  }

  /**
   * Takes an event. Returns the entries that show it: objects with `kind` ("message", "notice" or "fault") and `text`, and those
   * that have them `name`, `number`, `time` in milliseconds, and `isReplayed`.
   */
  receive(event) {
    switch (event.type) {
      case "welcome":
        return this.enter(event);
      case "message":
        return this.message(event);
      case "joined":
        if (event.name === this.name && !this.hasJoined) this.hasJoined = true;
        else this.members.join(event.name);
        return this.numbered(event, `${event.name} joined`);
      case "left":
        this.members.leave(event.name);
        return this.numbered(event, `${event.name} left`);
      case "renamed":
        return this.rename(event);
      case "relay-gap":
        return this.numbered(event, lost(event.count, ` of server ${event.server}`), "fault");
      case "gap":
        return this.gap(event);
      case "members":
        if (event.room === this.room) this.members.list(event.count, event.names);
        return [];
      case "info":
        return this.inform(event.text);
      default:
        return [];
    }
  }

  enter({ room, name, seq, members, recorded }) {
    const entries = this.missed(room, seq);
    Object.assign(this, { room, name, isRecorded: recorded, hasJoined: false });
    this.members.start(members);
    this.sequence.start(seq);
    const others = members === 1 ? "nobody else" : members === 2 ? "1 other" : `${formatCount(members - 1)} others`;
    entries.push({ kind: "notice", text: `You are ${name} in ${room}, with ${others}` });
    if (recorded) entries.push({ kind: "notice", text: "Messages in this room are recorded" });
    return entries;
  }

  /** Returns an entry about the events between the last one of the previous connection and the present one. */
  missed(room, seq) {
    const previous = this.previous;
    this.previous = null;
    if (previous?.room !== room || seq === previous.last) return [];
    if (seq < previous.last) return [{ kind: "fault", text: "The numbers of this room begin again: the server has restarted" }];
    const count = seq - previous.last;
    const range = `${formatCount(previous.last + 1)} to ${formatCount(seq)}`;
    return [{ kind: "fault", text: `${plural(count, "event")} happened while you were not connected (${range})` }];
  }

  message({ name, text, seq, time, replayed }) {
    const fault = replayed ? [] : this.check(seq);
    if (!replayed && name === this.name && text === this.pending[0]) this.pending.shift();
    return [...fault, { kind: "message", name, text, number: seq, time, isReplayed: Boolean(replayed) }];
  }

  rename(event) {
    const { name, to } = event;
    this.members.rename(name, to);
    if (name === this.name) this.name = to;
    return this.numbered(event, `${name} is now ${to}`);
  }

  gap({ seq, count }) {
    const fault = this.sequence.drop(seq, count);
    const range = `${formatCount(seq)} to ${formatCount(seq + count - 1)}`;
    const text = `${lost(count, "")} (${range}): this connection is too slow`;
    return [...(fault ? [{ kind: "fault", text: fault }] : []), { kind: "fault", text }];
  }

  /** A room of many members does not announce a new name, so the server tells it to the member alone. */
  inform(text) {
    const [, name] = /^You are now (\S+)$/.exec(text) ?? [];
    if (name) this.name = name;
    if (text === `You have left ${this.room}`) this.leave();
    return [{ kind: "notice", text }];
  }

  leave() {
    this.room = null;
    this.isRecorded = false;
    this.members.start(null);
    this.sequence.start(null);
  }

  /** Ends the connection. Returns the entries about messages that did not return. */
  end() {
    if (this.room !== null) this.previous = { room: this.room, last: this.sequence.last };
    this.leave();
    const count = this.pending.splice(0).length;
    if (count === 0) return [];
    const [which, them] = count === 1 ? ["message", "it"] : [`${formatCount(count)} messages`, "them"];
    return [{ kind: "fault", text: `Your last ${which} did not return: the room may not have received ${them}` }];
  }

  numbered({ seq }, text, kind = "notice") {
    return [...this.check(seq), { kind, text, number: seq }];
  }

  check(number) {
    const fault = this.sequence.check(number);
    return fault ? [{ kind: "fault", text: fault }] : [];
  }
}

function lost(count, which) {
  return `${plural(count, "message")}${which} ${count === 1 ? "was" : "were"} lost`;
}
