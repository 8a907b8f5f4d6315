"""Logs in by SCRAM-SHA-256 with gsasl, and echoes a line: HOST PORT NAME PASSWORD.

gsasl writes its messages in base64 to its standard output, a line each, and reads those of the server.
"""

import socket
import subprocess
import sys

MECHANISM = "SCRAM-SHA-256"
host, port, name, password = sys.argv[1:]
connection = socket.create_connection((host, int(port)), 20)
arguments = ["--client", "--quiet", "--no-cb", f"--mechanism={MECHANISM}"]
gsasl = subprocess.Popen(
    ["gsasl", *arguments, f"--authentication-id={name}", f"--password={password}"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)


def exchange(line):
    connection.sendall(line.encode() + b"\r\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += connection.recv(4096) or sys.exit("the server has closed the connection")
    return answer.decode().rstrip("\r\n")


def next_message():
    line = gsasl.stdout.readline()
    while line == MECHANISM + "\n":
        line = gsasl.stdout.readline()
    return line.rstrip("\n")


answer = exchange(f"AUTH {MECHANISM} {next_message()}")
while answer.startswith("+ "):
    print(answer[2:], file=gsasl.stdin, flush=True)
    answer = exchange(next_message())
if not answer.startswith("+OK"):
    gsasl.kill()
    sys.exit(answer)
# The end of the login, without data. gsasl has ended before if the signature of the server is wrong.
gsasl.communicate("\n")
if gsasl.returncode != 0:
    sys.exit("gsasl does not trust the server")
print(answer)
print(exchange("hello"))
print(exchange("exit"))
