"""Ends the stream in both orders: arguments are the port, the CA and the version of TLS."""
import select
import socket
import ssl
import sys

port, ca, version = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
# Some versions of Python take a missing close_notify for one.
context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
if version == "1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def connect():
    sock = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    # An end without a close_notify is then an error.
    return context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


# The client ends first: `unwrap` sends its close_notify, and waits for that of the server.
tls = connect()
assert tls.version() == "TLSv" + version, tls.version()
sent = b"a line of text\n" * 140_000
# In one thread: OpenSSL does not allow two on one connection.
tls.setblocking(False)
unsent, received = memoryview(sent), bytearray()
while len(received) < len(sent):
    try:
        unsent = unsent[tls.send(unsent):] if unsent else unsent
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        pass
    try:
        arrived = tls.recv(65536)
        assert arrived, "the echo is complete before the end"
        received += arrived
    except ssl.SSLWantReadError:
        assert any(select.select([tls], [tls] if unsent else [], [], 30)), "the echo goes on"
assert received == sent
tls.settimeout(30)
tls.sendall(b"last")
assert tls.recv(4) == b"last"
assert tls.unwrap().recv(1) == b"", "after the close_notify comes the end of the stream"

# The server ends first.
tls = connect()
tls.sendall(b"hello\nexit\n")
received = b""
while data := tls.recv(100):
    received += data
assert received == b"hello\nGoodbye!\n", received
assert tls.unwrap().recv(1) == b""
