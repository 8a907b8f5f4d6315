"""Ends the stream in both orders: arguments are the port, the CA and the version of TLS."""
import socket
import ssl
import sys
import threading

port, ca, version = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
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
sender = threading.Thread(target=tls.sendall, args=(sent,))
sender.start()
received = b""
while len(received) < len(sent):
    received += tls.recv(65536)
sender.join()
assert received == sent
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
