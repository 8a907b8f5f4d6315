"""Bodies, chunked bodies, many requests at once, and a WebSocket, with the package aiohttp."""

import asyncio
import os
import sys

import aiohttp

URL = sys.argv[1]


async def run():
    async with aiohttp.ClientSession() as session:
        body = os.urandom(3_000_000)

        async def chunks():
            for at in range(0, len(body), 70_000):
                yield body[at : at + 70_000]

        for data in (body, chunks()):
            async with session.post(URL, data=data, headers={"Content-Type": "image/png"}) as response:
                assert response.headers["Content-Type"] == "image/png"
                assert await response.read() == body
        async with session.get(URL + "/path?query", headers={"X-Mine": "1"}) as response:
            seen = await response.json()
            assert (seen["method"], seen["target"]) == ("GET", "/path?query")
            assert ["X-Mine", "1"] in seen["headers"]

        async def post(number):
            async with session.put(URL, data=str(number)) as response:
                assert await response.text() == str(number)

        await asyncio.gather(*(post(number) for number in range(500)))
        async with session.ws_connect(URL, compress=15) as socket:
            for message in ("", "x" * 70_000, "last"):
                await socket.send_str(message)
                assert await socket.receive_str() == message
            await socket.close(code=1000)
            assert socket.close_code == 1000


asyncio.run(run())
