// Messages of all lengths, a ping, compression and the close, with the package ws.

const assert = require("assert");
const crypto = require("crypto");
const { once } = require("events");
const WebSocket = require("ws");

const url = process.argv[2];

async function run(perMessageDeflate) {
    const socket = new WebSocket(url, { perMessageDeflate });
    await once(socket, "open");
    for (const length of [0, 1, 125, 126, 65535, 65536, 500_000]) {
        const message = crypto.randomBytes(length);
        socket.send(message);
        const [received, isBinary] = await once(socket, "message");
        assert(isBinary && received.equals(message), `${length} bytes`);
        const text = "\u00e9".repeat(length);
        socket.send(text);
        const [echo, isNotText] = await once(socket, "message");
        assert(!isNotText && echo.toString() === text, `${length} characters`);
    }
    socket.ping("are you there");
    const [pong] = await once(socket, "pong");
    assert.equal(pong.toString(), "are you there");
    socket.close(4000, "bye");
    const [code, reason] = await once(socket, "close");
    assert.deepEqual([code, reason.toString()], [4000, "bye"]);
}

run(false).then(() => run(true)).then(() => process.exit(0));
