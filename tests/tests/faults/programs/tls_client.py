"""Echoes lines over TLS without a certificate check. Writes what comes back, and how the stream ends."""

import socket
import ssl
import sys

port, lines = int(sys.argv[1]), sys.argv[2].encode()
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
# Some versions of Python take a missing close_notify for one.
context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
with socket.create_connection(("127.0.0.1", port)) as plain:
    with context.wrap_socket(plain, suppress_ragged_eofs=False) as stream:
        stream.sendall(lines)
        received, end = b"", "close_notify"
        try:
            while part := stream.recv(65536):
                received += part
        except ssl.SSLError as error:
            # Not every version has an SSLEOFError for it.
            assert "EOF" in str(error), error
            end = "no close_notify"
print(received.decode(), end)
