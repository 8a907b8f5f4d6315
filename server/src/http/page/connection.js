// A WebSocket and the messages that wait for their echoes. An echo server answers in order, so the first echo belongs to
// the first message.

import { compare, encodeText } from "./bytes.js";
import { formatSize } from "./format.js";

/** Maximum of the bytes that wait for their echoes: the page keeps them for the comparison. */
export const MAX_IN_FLIGHT_BYTES = 512 * 1024 * 1024;

/** The codes of RFC 6455, section 7.4.1, in words. */
const CODES = {
  1000: "normal closure",
  1001: "going away: the server shuts down or restarts",
  1002: "protocol error",
  1003: "unsupported data",
  1005: "no code",
  1006: "the connection ended without a close frame",
  1007: "a text message is not UTF-8",
  1008: "policy violation",
  1009: "the message is longer than the server accepts",
  1010: "an extension is missing",
  1011: "internal error of the server",
  1012: "the server restarts",
  1013: "try again later",
  1014: "bad gateway",
  1015: "the TLS handshake failed",
};

/**
 * One connection after the other. `observer` has the methods `onState(state, text)`, with a state of "closed",
 * "connecting", "open", "closing", "drained" and "failed"; `onSent(message)`; `onSettled(message, echo)`, where `echo` is absent if
 * the message is lost; and `onUnexpected(echo)`.
 */
export class Connection {
  constructor(observer) {
    this.observer = observer;
    this.state = "closed";
    this.socket = null;
    this.pending = [];
    this.pendingBytes = 0;
    this.sentMessages = 0;
  }

  get isOpen() {
    return this.state === "open";
  }

  connect(url) {
    const refusal = refuseUrl(url);
    if (refusal) {
      this.enter("failed", refusal);
      return;
    }
    this.queuedBytes = 0;
    this.hasOpened = false;
    this.enter("connecting", `Connecting to ${url}`);
    try {
      this.socket = new WebSocket(url);
    } catch (error) {
      this.enter("failed", `The browser did not connect: ${error.message}`);
      return;
    }
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.opened(url);
    this.socket.onmessage = ({ data }) => this.receive(data, performance.now());
    this.socket.onclose = (event) => this.closed(event, url);
  }

  disconnect() {
    this.enter("closing", "Disconnecting: waiting for the server's close frame");
    this.socket.close(this.hasOpened ? 1000 : undefined);
  }

  /** Sends a message: a string as text, a `Uint8Array` as binary. Throws an error if it cannot. */
  send(data, source) {
    if (!this.isOpen) throw new Error("Not connected. Connect first.");
    const kind = typeof data === "string" ? "text" : "binary";
    const bytes = kind === "text" ? encodeText(data) : data;
    if (this.pendingBytes + bytes.length > MAX_IN_FLIGHT_BYTES) {
      const limit = formatSize(MAX_IN_FLIGHT_BYTES);
      throw new Error(`More than ${limit} would wait for their echoes. Wait, or send less.`);
    }
    this.sentMessages += 1;
    const message = { number: this.sentMessages, source, kind, bytes, size: bytes.length, time: new Date() };
    this.queuedBytes += bytes.length;
    Object.assign(message, { end: this.queuedBytes, result: "waiting", roundTripMs: null, difference: null });
    this.pending.push(message);
    this.pendingBytes += bytes.length;
    message.sentAt = performance.now();
    this.socket.send(data);
    this.observer.onSent(message);
    return message;
  }

  /** Returns how many bytes of a message the browser has passed to the network. */
  bytesOut(message) {
    const out = this.queuedBytes - this.socket.bufferedAmount - (message.end - message.size);
    return Math.min(message.size, Math.max(0, out));
  }

  receive(data, now) {
    const kind = typeof data === "string" ? "text" : "binary";
    const echo = { kind, bytes: kind === "text" ? encodeText(data) : new Uint8Array(data), time: new Date() };
    const message = this.pending.shift();
    if (!message) {
      this.observer.onUnexpected(echo);
      return;
    }
    message.roundTripMs = now - message.sentAt;
    this.judge(message, echo);
    this.settle(message, echo);
  }

  judge(message, echo) {
    message.difference = compare(message.bytes, echo.bytes);
    if (isGoodbye(message, echo)) {
      message.result = "goodbye";
      message.difference = null;
    } else if (message.kind !== echo.kind) {
      message.result = "different";
      const text = `The type differs: ${message.kind} was sent, ${echo.kind} came back.`;
      message.difference ??= { offset: null, text, rows: [] };
    } else {
      message.result = message.difference ? "different" : "equal";
    }
  }

  /** Passes a message on whose result is known, and releases its bytes. */
  settle(message, echo) {
    this.pendingBytes -= message.size;
    this.observer.onSettled(message, echo);
    message.bytes = null;
  }

  opened(url) {
    this.hasOpened = true;
    const compression = this.socket.extensions.includes("permessage-deflate") ? ", with compression" : "";
    this.enter("open", `Connected to ${url}${compression}`);
  }

  closed(event, url) {
    const wasAsked = this.state === "closing";
    for (const message of this.pending.splice(0)) {
      message.result = "lost";
      this.settle(message);
    }
    if (!this.hasOpened) {
      this.failed(url, wasAsked);
      return;
    }
    this.enter(endState(event.code), closeText(event, wasAsked));
  }

  failed(url, wasAsked) {
    if (wasAsked) {
      this.enter("closed", "Not connected: the attempt was cancelled");
      return;
    }
    this.enter("failed", `Could not connect to ${url}`);
    void explainFailure(url).then(({ why }) => {
      if (this.state === "failed") this.enter("failed", `Could not connect to ${url}: ${why}`);
    });
  }

  enter(state, text) {
    this.state = state;
    this.observer.onState(state, text);
  }
}

/** Returns the state after a close with this code. */
export function endState(code) {
  if (code === 1000 || code === 1005) return "closed";
  return code === 1001 || code === 1012 ? "drained" : "failed";
}

/** Describes a close. `wasAsked`: the reader has asked for it. */
export function closeText({ code, reason }, wasAsked) {
  const words = CODES[code] ?? (code >= 4000 ? "a code of an application" : "a code without a registered meaning");
  const who = code === 1006 ? "Connection lost" : wasAsked ? "Disconnected" : "Closed by the server";
  return `${who} (${code}, ${words})${reason ? `. Reason: “${reason}”` : ""}`;
}

function isGoodbye(message, echo) {
  const decoder = new TextDecoder();
  const isShort = message.size <= 64 && echo.bytes.length === 8;
  return isShort && /^[\s]*exit[\s]*$/i.test(decoder.decode(message.bytes)) && decoder.decode(echo.bytes) === "Goodbye!";
}

/** Returns why the page does not try this URL. Its Content-Security-Policy allows its own server only. */
function refuseUrl(text) {
  const own = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;
  let url;
  try {
    url = new URL(text);
  } catch {
    return `“${text}” is not a URL. Write one such as ${own}/`;
  }
  if (url.origin !== own) {
    return `This page connects only to the server that serves it, ${own}. Open the page of the other server, or use echo-client.`;
  }
  return url.hash ? "A WebSocket URL has no fragment: remove the # and what follows." : null;
}

/** A browser hides why a WebSocket failed. A request tells whether the server answers at all. */
export async function explainFailure(url) {
  try {
    const target = url.replace(/^ws/, "http");
    const response = await fetch(target, { method: "HEAD", cache: "no-store" });
    const why = `the server answers HTTP (status ${response.status}) and refused the WebSocket. Its log has the reason.`;
    return { why, isAnswered: true };
  } catch {
    const why = "the server does not answer. It is stopped, refuses connections, or the network does not reach it.";
    return { why, isAnswered: false };
  }
}
