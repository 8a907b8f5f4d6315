#!/usr/bin/env python3
"""An echo server like the Python original, for comparison: a thread per client, at most 1,024 bytes per
read, and two log lines per message.

    original.py LOG-FILE

It listens on a free port of 127.0.0.1, and exits at the end of its standard input.
"""

import logging
import os
import socket
import sys
import threading

BUFFER_SIZE = 1024


def handle(client, address):
    logging.info("New client connected: %s:%s", *address)
    try:
        while True:
            data = client.recv(BUFFER_SIZE)
            if not data:
                break
            message = data.decode("utf-8", "replace").strip()
            logging.info("Received from %s:%s: '%s'", *address, message)
            if message.lower() == "exit":
                client.sendall(b"Goodbye!")
                break
            client.sendall(data)
            logging.info("Echoed to %s:%s: '%s'", *address, message)
    except OSError as error:
        logging.warning("Client %s:%s: %s", *address, error)
    finally:
        client.close()
        logging.info("Connection with %s:%s closed", *address)


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    logging.basicConfig(
        filename=sys.argv[1],
        level=logging.INFO,
        format="%(asctime)s - %(levelname)s - %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    threading.Thread(target=end_with_input, daemon=True).start()
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("127.0.0.1", 0))
    server.listen(4096)
    while True:
        client, address = server.accept()
        threading.Thread(target=handle, args=(client, address), daemon=True).start()


main()
