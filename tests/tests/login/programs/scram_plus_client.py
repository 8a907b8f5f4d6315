"""Logs in by SCRAM-SHA-256-PLUS over TLS, and echoes a line: HOST PORT NAME PASSWORD.

pyOpenSSL exports the channel binding, and hashlib and hmac do the rest: no SASL library of Python knows `tls-exporter`.
"""

import base64
import hashlib
import hmac
import os
import socket
import sys

from OpenSSL import SSL

host, port, name, password = sys.argv[1:]
connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), socket.create_connection((host, int(port))))
connection.set_connect_state()
connection.do_handshake()
binding = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")


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


def encode(data):
    return base64.b64encode(data).decode()


def hash_with(key, text):
    return hmac.digest(key, text.encode() if isinstance(text, str) else text, "sha256")


header = "p=tls-exporter,,"
bare = f"n={name},r={encode(os.urandom(18))}"
first = challenge(f"AUTH SCRAM-SHA-256-PLUS {encode((header + bare).encode())}")
nonce, salt, iterations = (part[2:] for part in first.split(","))
salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
client_key = hash_with(salted, "Client Key")
without_proof = f"c={encode(header.encode() + binding)},r={nonce}"
messages = f"{bare},{first},{without_proof}"
signature = hash_with(hashlib.sha256(client_key).digest(), messages)
proof = bytes(a ^ b for a, b in zip(client_key, signature))
last = challenge(encode(f"{without_proof},p={encode(proof)}".encode()))
expected = hash_with(hash_with(salted, "Server Key"), messages)
if last != f"v={encode(expected)}":
    sys.exit("the server does not know the password")
print(exchange(""))
print(exchange("hello"))
print(exchange("exit"))
