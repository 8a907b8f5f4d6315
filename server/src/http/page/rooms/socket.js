// The WebSocket of a member of rooms. Each message is a JSON object.

import { closeText, endState, explainFailure } from "../connection.js";

const SUBPROTOCOL = "rooms.v1.json";
/** Bytes that the browser may hold back before the page sends no more. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/**
 * One connection after the other. `observer` has the methods `onState(state, text)`, with a state of "closed", "connecting", "open",
 * "closing", "drained" and "failed", and `onEvent(event)`.
 */
export class RoomSocket {
  constructor(observer) {
    this.observer = observer;
    this.state = "closed";
  }

  get isOpen() {
    return this.state === "open";
  }

  /** Connects. `advice` is shown if the server refuses the WebSocket. */
  connect(url, advice) {
    this.hasOpened = false;
    this.enter("connecting", `Connecting to ${url}`);
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.socket = socket;
    socket.onopen = () => {
      this.hasOpened = true;
      this.enter("open", `Connected to ${url}`);
    };
    socket.onmessage = ({ data }) => this.observer.onEvent(parse(data));
    socket.onclose = (event) => this.closed(event, url, advice);
  }

  /** Ends the session: what was sent returns first. The second call does not wait for that. */
  disconnect() {
    const isSecond = this.state === "closing";
    const isOpen = this.isOpen;
    this.enter("closing", "Disconnecting: waiting for the server");
    if (isOpen && !isSecond) this.socket.send(JSON.stringify({ type: "exit" }));
    else this.socket.close();
  }

  /** Closes the connection without waiting for what was sent. */
  abandon() {
    if (!["connecting", "open"].includes(this.state)) return;
    this.enter("closing", "Disconnecting: the page was left");
    this.socket.close();
  }

  /** Sends an object. Throws an error if it cannot. */
  send(object) {
    if (!this.isOpen) throw new Error("Not connected. Join a room first.");
    if (this.socket.bufferedAmount > MAX_QUEUED_BYTES) throw new Error("The server takes nothing at the moment. Try again later.");
    this.socket.send(JSON.stringify(object));
  }

  closed(event, url, advice) {
    const wasAsked = this.state === "closing";
    if (this.hasOpened) {
      this.enter(endState(event.code), closeText(event, wasAsked));
      return;
    }
    if (wasAsked) {
      this.enter("closed", "Not connected: the attempt was cancelled");
      return;
    }
    this.enter("failed", `Could not connect to ${url}`);
    void explainFailure(url).then(({ why, isAnswered }) => {
      if (this.state === "failed") this.enter("failed", `Could not connect to ${url}: ${why}${isAnswered ? advice : ""}`);
    });
  }

  enter(state, text) {
    this.state = state;
    this.observer.onState(state, text);
  }
}

/** Returns the event, or `null` if it is none. */
function parse(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null;
  }
}
