"""Sends a line, then waits for the end of the stream, which must be a clean one: arguments are the port and the CA."""
import socket
import ssl
import sys

context = ssl.create_default_context(cafile=sys.argv[2])
# Some versions of Python take a missing close_notify for one.
context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
tls = context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)
tls.sendall(b"hello\n")
assert tls.recv(100) == b"hello\n"
print("served", flush=True)
assert tls.recv(100) == b""
