"""Sends lines to echo servers, and prints what a client in Python sees of their echoes.

    observe.py ADDRESS,BYTES,THEN ...

Each argument is a connection, and all run beside each other. THEN is the number of bytes that are sent after the end of the stream,
`half-close` after the bytes, or nothing. For each connection it prints a line with three parts, separated by `|`: the number of
received bytes, the number of those that differ from what was sent, and the end of the stream (FIN, or the name of the error); the
milliseconds from the connect to the end; the places of the bytes that differ.
"""

import concurrent.futures
import errno
import socket
import sys
import threading
import time


def name(error):
    return errno.errorcode.get(error.errno, type(error).__name__)


def observe(case):
    address, count, then = case.split(",")
    (host, port), count = address.rsplit(":", 1), int(count)
    lines = b"".join(b"line %07d\n" % number for number in range(count // 13 + 1))[:count]
    start = time.monotonic()
    try:
        stream = socket.create_connection((host, int(port)), timeout=60)
    except OSError as error:
        return "0 bytes, 0 wrong, %s|0|" % name(error)
    errors = []

    def send():
        try:
            stream.sendall(lines)
            if then == "half-close":
                stream.shutdown(socket.SHUT_WR)
        except OSError as error:
            errors.append(name(error))

    sender = threading.Thread(target=send)
    sender.start()
    received, end = b"", "all"
    try:
        while len(received) < count or then == "half-close":
            chunk = stream.recv(65536)
            if not chunk:
                end = "FIN"
                break
            received += chunk
    except OSError as error:
        end = name(error)
    elapsed = time.monotonic() - start
    sender.join()
    # The system reports an error once, to whoever asks first.
    if end == "FIN" and errors:
        end = errors[0]
    after = ""
    if then.isdigit():
        try:
            stream.sendall(b"x" * int(then))
            after = ", sent %s more" % then
        except OSError as error:
            after = ", then " + name(error)
    wrong = [place for place, (one, other) in enumerate(zip(received, lines)) if one != other]
    text = "%d bytes, %d wrong, %s%s" % (len(received), len(wrong), end, after)
    return "%s|%d|%s" % (text, elapsed * 1000, " ".join(map(str, wrong)))


with concurrent.futures.ThreadPoolExecutor(64) as pool:
    for line in pool.map(observe, sys.argv[1:]):
        print(line)
