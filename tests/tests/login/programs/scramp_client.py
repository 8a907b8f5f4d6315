"""Logs in by SCRAM-SHA-256 with scramp, and echoes a line: HOST PORT NAME PASSWORD."""

import base64
import socket
import sys

from scramp import ScramClient

host, port, name, password = sys.argv[1:]
connection = socket.create_connection((host, int(port)), 20)


def exchange(line):
    connection.sendall(line.encode() + b"\r\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += connection.recv(4096)
    return answer.decode().rstrip("\r\n")


def challenge(line):
    answer = exchange(line)
    if not answer.startswith("+ "):
        sys.exit(answer)
    return base64.b64decode(answer[2:]).decode()


def encode(text):
    return base64.b64encode(text.encode()).decode()


client = ScramClient(["SCRAM-SHA-256"], name, password)
client.set_server_first(challenge(f"AUTH SCRAM-SHA-256 {encode(client.get_client_first())}"))
client.set_server_final(challenge(encode(client.get_client_final())))
print(exchange(""))
print(exchange("hello"))
print(exchange("exit"))
