"""Messages of all lengths, fragments, pings, compression and the close, with the package websockets."""

import asyncio
import os
import ssl
import sys

import websockets

URL, CA = sys.argv[1:]


async def run(compression):
    tls = ssl.create_default_context(cafile=CA) if URL.startswith("wss") else None
    async with websockets.connect(URL, ssl=tls, compression=compression, max_size=None) as socket:
        for length in (0, 1, 125, 126, 65535, 65536, 500_000):
            for message in (os.urandom(length), "\u00e9" * length):
                await socket.send(message)
                assert await socket.recv() == message, length
        await (await socket.ping(b"are you there"))
        await socket.send(["frag", "ment", "s"])
        assert await socket.recv() == "fragments"
        await asyncio.gather(*(socket.send(f"message {number}") for number in range(1000)))
        for number in range(1000):
            assert await socket.recv() == f"message {number}"
        await socket.close(4000, "bye")
        assert (socket.close_code, socket.close_reason) == (4000, "bye")
    async with websockets.connect(URL, ssl=tls, compression=compression) as socket:
        await socket.send("exit")
        assert await socket.recv() == "Goodbye!"
        await socket.wait_closed()
        assert socket.close_code == 1000


for compression in (None, "deflate"):
    asyncio.run(run(compression))
