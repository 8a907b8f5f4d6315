#!/usr/bin/env python3
"""Writes docs/terminal.svg, the picture of the README: a server, a client and a load test at work.

    scripts/readme-picture.py [PROGRAMS [PICTURE]]

PROGRAMS is the folder of the release binaries (default: target/release). The script runs them and draws
the output that it captures; only the shell prompts and the colours are added. It needs Linux and Python 3.9.
"""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from html import escape
from pathlib import Path

DEFAULT_PORT = 65432
MESSAGES = ["Hello!", "Testing 123"]
LOAD = ["load", "--processes", "2", "--connections", "25", "--rate", "5000", "--duration", "5s", "--assert", "p99<5ms"]
TIMEOUT_SECONDS = 30
# A person needs a moment for each line, and the log shows it.
TYPING_SECONDS = 2

# Pixels. A cell is a character; every run of text is stretched to its cells, whatever the font.
CELL, LINE, FONT = 7.8, 17, 13
PADDING, TITLE_BAR, PANE_TITLE = 14, 34, 26

THEME = {
    "window": "#0d1117",
    "bar": "#161b22",
    "edge": "#484f58",
    "text": "#c9d1d9",
    "dim": "#7d8590",
    "prompt": "#7ee787",
    "typed": "#ffffff",
    "good": "#3fb950",
    "bad": "#f85149",
    "bars": "#58a6ff",
    "quote": "#a5d6ff",
}


# --- Capture ---------------------------------------------------------------------------------------------


def free_port():
    """Returns the default port of the programs if it is free, and otherwise any free port."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise SystemExit("no free port on 127.0.0.1")


def port_flags(port):
    """Returns the flags that select a port: none for the default."""
    return [] if port == DEFAULT_PORT else ["--port", str(port)]


def read_log(process, last):
    """Reads the log of a server up to a line that contains a text; returns the lines."""
    lines = []
    for line in process.stderr:
        lines.append(line.rstrip("\n"))
        if last in line:
            return lines
    raise SystemExit(f"the server ended before it logged {last!r}: {lines}")


@contextmanager
def server(programs, args):
    """Runs a server until the end of the block."""
    command = [programs / "echo-server", *args]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
        process.wait()


class Terminal:
    """Pseudo-terminal with a program, and the text that the program has written to it."""

    def __init__(self, command):
        self.output = ""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            # A history in the home directory would change, and be changed by, the session.
            environment = dict(os.environ, TERM="xterm", HOME="/nonexistent", XDG_STATE_HOME="/nonexistent")
            os.execve(command[0], command, environment)

    def read_until(self, text):
        """Reads until the output since the last call contains a text, or ends if the text is None."""
        start, deadline = len(self.output), time.monotonic() + TIMEOUT_SECONDS
        while text is None or text not in self.output[start:]:
            if time.monotonic() > deadline:
                raise SystemExit(f"the client did not print {text!r}: {self.output!r}")
            try:
                read = os.read(self.descriptor, 4096)
            except OSError:  # EIO: the program has ended.
                read = b""
            if not read:
                if text is None:
                    return
                raise SystemExit(f"the client ended before it printed {text!r}: {self.output!r}")
            self.output += read.decode()

    def type(self, line):
        """Types a line and presses Enter."""
        os.write(self.descriptor, line.encode() + b"\r")

    def wait(self):
        """Waits for the end of the program and returns its exit status."""
        self.read_until(None)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def screen(output):
    """Replays the output of a program with a line editor: returns the lines on the screen."""
    lines, row, column = [""], 0, 0
    for token in re.finditer(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[\r\n]|[^\x1b\r\n]", output):
        text = token.group()
        if text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text.endswith("K"):
            lines[row] = lines[row][:column]
        elif text.endswith("J") and len(text) > 1:
            lines = lines[: row + 1]
            lines[row] = lines[row][:column]
        elif text.endswith("C") and len(text) > 1:
            column += int(text[2:-1] or 1)
        elif not text.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + text + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def client_session(programs, port):
    """Runs the interactive client: types the messages, then `exit`."""
    terminal = Terminal([str(programs / "echo-client"), *port_flags(port)])
    for line in [*MESSAGES, "exit"]:
        terminal.read_until("Enter message: ")
        time.sleep(TYPING_SECONDS)
        terminal.type(line)
    status = terminal.wait()
    if status != 0:
        raise SystemExit(f"the client failed with status {status}: {terminal.output!r}")
    lines = screen(terminal.output)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def load_report(programs, port):
    """Runs a load test and returns its report."""
    command = [programs / "echo-client", *LOAD, *port_flags(port)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if finished.returncode != 0:
        reason = f"the load test failed with status {finished.returncode}; draw the picture on an idle machine"
        raise SystemExit(f"{reason}\n{finished.stdout}")
    return finished.stdout.rstrip().split("\n")


def capture(programs):
    """Runs the programs; returns three panes: a title, a command and the lines of its output."""
    port = free_port()
    flags = port_flags(port)
    with server(programs, flags) as process:
        log = read_log(process, "Waiting for client connections")
        client = client_session(programs, port)
        log += read_log(process, "closed")
    with server(programs, [*flags, "--log-messages", "off"]) as process:
        read_log(process, "Waiting for client connections")
        report = load_report(programs, port)
    load = " ".join(f"'{arg}'" if "<" in arg else arg for arg in [*LOAD, *flags])
    return [
        ("server", " ".join(["echo-server", *flags]), log),
        ("client", " ".join(["echo-client", *flags]), client),
        ("load test", f"echo-client {load}", report),
    ]


# --- Colour ----------------------------------------------------------------------------------------------


def colour_log(line):
    """Splits a log line into coloured runs: the time and the level are dimmed."""
    found = re.match(r"(\S+ \S+ - \w+ - )(.*?)('.*')?$", line)
    if not found:
        return [(line, "text")]
    time_and_level, text, quoted = found.groups()
    return [(time_and_level, "dim"), (text, "text"), (quoted or "", "quote")]


def colour_client(line):
    """Splits a line of the client into coloured runs: the typed text stands out."""
    for prefix, colour in [("Enter message: ", "typed"), ("Server echo: ", "quote"), ("Server response: ", "quote")]:
        if line.startswith(prefix):
            return [(prefix, "dim"), (line[len(prefix) :], colour)]
    return [(line, "text")]


def colour_report(line):
    """Splits a line of the report into coloured runs: bars, verdict, assertion."""
    bar = re.match(r"( *< .*%)(  #+)$", line)
    if bar:
        return [(bar[1], "text"), (bar[2], "bars")]
    verdict = re.match(r"(VALID|CLIENT-LIMITED|FAILED)(:.*)$", line)
    if verdict:
        return [(verdict[1], "good" if verdict[1] == "VALID" else "bad"), (verdict[2], "text")]
    assertion = re.match(r"(Assertion \S+ )(holds)(:.*)$", line)
    if assertion:
        return [(assertion[1], "text"), (assertion[2], "good"), (assertion[3], "text")]
    if re.match(r" +min +mean ", line):
        return [(line, "dim")]
    figure = re.match(r"( [a-z].*?)(  +.*)$", line)
    if figure:
        return [(figure[1], "dim"), (figure[2], "text")]
    return [(line, "text")]


COLOUR = {"server": colour_log, "client": colour_client, "load test": colour_report}


# --- Drawing ---------------------------------------------------------------------------------------------


def draw_runs(x, y, runs):
    """Draws the coloured runs of one line. A gap of several spaces starts a new text: viewers join spaces."""
    drawn = []
    for run, colour in runs:
        for piece in re.finditer(r"\S+(?: \S+)*", run):
            text = piece.group()
            drawn.append(
                f'<text x="{x + piece.start() * CELL:.1f}" y="{y:.1f}" textLength="{len(text) * CELL:.1f}" '
                f'class="{colour}">{escape(text, quote=False)}</text>'
            )
        x += len(run) * CELL
    return drawn


def draw_pane(pane, x, y, width, height):
    """Draws a pane: a title, the command after a prompt, and the lines of the output."""
    title, command, lines = pane
    drawn = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="pane"/>',
        f'<text x="{x + PADDING:.1f}" y="{y + 18:.1f}" class="dim title">{title}</text>',
    ]
    baseline = y + PANE_TITLE + FONT
    rows = [[("$ ", "prompt"), (command, "typed")], *(COLOUR[title](line) for line in lines)]
    for row in rows:
        drawn += draw_runs(x + PADDING, baseline, row)
        baseline += LINE
    return drawn


def size(pane):
    """Returns the width and height of a pane."""
    _, command, lines = pane
    columns = max(len(line) for line in [f"$ {command}", *lines])
    return columns * CELL + 2 * PADDING, PANE_TITLE + (len(lines) + 1) * LINE + PADDING


STYLE = f"""
  text {{ font: {FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace }}
  .title {{ font-weight: bold; letter-spacing: 0.06em }}
  .pane {{ fill: none; stroke: {THEME["edge"]}; stroke-opacity: 0.5 }}
""" + "".join(f"  .{name} {{ fill: {colour} }}\n" for name, colour in THEME.items())


def draw(panes):
    """Returns the picture: server and client side by side, the load test below them."""
    server_pane, client_pane, load_pane = panes
    (server_width, server_height), (client_width, client_height) = size(server_pane), size(client_pane)
    load_width, load_height = size(load_pane)
    width = max(server_width + client_width, load_width)
    client_width = width - server_width
    top = max(server_height, client_height)
    height = TITLE_BAR + top + load_height
    buttons = [
        f'<circle cx="{18 + 20 * index}" cy="{TITLE_BAR / 2}" r="6" fill="{colour}"/>'
        for index, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"])
    ]
    corners = f'width="{width:.1f}" height="{height:.1f}" rx="10"'
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2:.0f} {height + 2:.0f}" '
        f'width="{width + 2:.0f}" height="{height + 2:.0f}" role="img">',
        "<title>An echo server, its interactive client and a load test in a terminal</title>",
        "<!-- Written by scripts/readme-picture.py from the output of the programs. -->",
        f"<style>{STYLE}</style>",
        f'<clipPath id="corners"><rect {corners}/></clipPath>',
        '<g clip-path="url(#corners)">',
        f'<rect {corners} class="window"/>',
        f'<rect width="{width:.1f}" height="{TITLE_BAR}" class="bar"/>',
        *buttons,
        f'<text x="{width / 2:.1f}" y="{TITLE_BAR / 2 + 4.5}" text-anchor="middle" class="dim">echo server and client</text>',
        *draw_pane(server_pane, 0, TITLE_BAR, server_width, top),
        *draw_pane(client_pane, server_width, TITLE_BAR, client_width, top),
        *draw_pane(load_pane, 0, TITLE_BAR + top, width, load_height),
        "</g>",
        f'<rect {corners} fill="none" stroke="{THEME["edge"]}"/>',
        "</svg>",
    ]
    return "\n".join(svg) + "\n"


def main():
    """Captures the output of the programs and writes the picture."""
    programs = Path(sys.argv[1] if len(sys.argv) > 1 else "target/release").resolve()
    picture = Path(sys.argv[2] if len(sys.argv) > 2 else "docs/terminal.svg")
    picture.write_text(draw(capture(programs)))
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
