"""Sends messages to a WebSocket, and writes what comes back, with the package websockets. A close has its codes."""

import asyncio
import sys

import websockets

url, messages = sys.argv[1], sys.argv[2:]


async def run():
    async with websockets.connect(url) as socket:
        try:
            for message in messages:
                await socket.send(message)
                print(await socket.recv())
        except websockets.ConnectionClosed as closed:
            print("received", closed.rcvd and closed.rcvd.code, "sent", closed.sent and closed.sent.code)


asyncio.run(run())
