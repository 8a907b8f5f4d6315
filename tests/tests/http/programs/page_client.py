"""The page, its WebSocket and a body, as a browser that knows the server by its name has them. Through a Unix socket, with TLS."""

import asyncio
import http.client
import os
import socket
import ssl
import sys

import websockets

PATH, CA, NAME = sys.argv[1:]
TLS = ssl.create_default_context(cafile=CA)


class Connection(http.client.HTTPConnection):
    def connect(self):
        plain = socket.socket(socket.AF_UNIX)
        plain.connect(PATH)
        self.sock = TLS.wrap_socket(plain, server_hostname=NAME)


def request(method, target, body=None, accept="text/html"):
    connection = Connection(NAME)
    connection.request(method, target, body, {"Accept": accept})
    response = connection.getresponse()
    return response.status, response.read()


async def send():
    socket = websockets.unix_connect(PATH, uri=f"wss://{NAME}/", ssl=TLS, origin=f"https://{NAME}")
    async with socket as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"


status, page = request("GET", "/")
assert status == 200 and page.lower().startswith(b"<!doctype html>"), (status, page)
asyncio.run(send())
body = os.urandom(1_000_000)
assert request("POST", "/x", body) == (200, body)
_, seen = request("GET", "/x", accept="application/json")
print(seen.decode())
