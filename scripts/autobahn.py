#!/usr/bin/env python3
"""Runs Autobahn's WebSocket cases against the server, and writes the page with their results.

    scripts/autobahn.py target/release/echo-server docs/AUTOBAHN.md

It needs the Python package kosoku, which runs the case files of the Autobahn TestSuite without Python 2. The status is 1
if a case is not OK.

kosoku sends a message completely before it reads, and the server echoes a message while it arrives. With a message that
fits into no socket buffers, both would wait for each other. So the cases run through a relay that always reads, as
Autobahn's own client does. The relay and kosoku know only addresses of this machine.
"""

import asyncio
import importlib.metadata
import pathlib
import re
import sys

import kosoku
from kosoku._caseindex import _sort_key
from kosoku._report_assets import CaseCategories

# Verdicts with which a case counts as passed. INFORMATIONAL: RFC 6455 leaves the behaviour open.
PASSED = ("OK", "INFORMATIONAL")

PAGE = """\
# WebSocket conformance

Results of the cases of the [Autobahn TestSuite](https://github.com/crossbario/autobahn-testsuite) against the server,
with `?deflate=on`. `make torture` runs them again and writes this page. The runner is the Python package kosoku {version},
which drives the case files of Autobahn.

| section | cases | OK | informational | not OK |
|---|---:|---:|---:|---:|
{rows}

Informational cases have no right answer: RFC 6455 leaves the behaviour open. The server behaves as follows:

| case | what it does | what the server does |
|---|---|---|
{notes}
{failures}"""

# The informational cases.
NOTES = {
    "7.1.6": ("sends 256 KiB, a message and a close at once", "echoes both messages, then the close"),
    "7.13.1": ("sends the close code 5000", "answers 1002"),
    "7.13.2": ("sends the close code 65536, cut to 16 bits", "answers 1002"),
}


async def relay_connection(server, reader, writer):
    """Passes the bytes of one connection, without a limit on those that it holds."""

    async def copy(reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
            writer.write_eof()
        except OSError:
            writer.transport.abort()

    try:
        other_reader, other_writer = await asyncio.open_connection(*server)
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))
        other_writer.close()
    finally:
        writer.close()


async def start_server(program):
    """Starts the server on a free port. Returns its process and address."""
    process = await asyncio.create_subprocess_exec(
        program,
        "--listen",
        "http://127.0.0.1:0?deflate=on",
        "--log-messages",
        "off",
        stderr=asyncio.subprocess.PIPE,
    )
    while line := await process.stderr.readline():
        if found := re.search(rb"127\.0\.0\.1:(\d+)", line):
            # The log goes on, and a full pipe would stop it.
            log = asyncio.create_task(process.stderr.read())
            return process, log, ("127.0.0.1", int(found[1]))
    raise SystemExit("the server has not named its address")


async def run(program):
    """Returns the results of all cases."""
    process, log, address = await start_server(program)
    try:
        # The event loop holds tasks weakly.
        connections = set()
        relay = await asyncio.start_server(
            lambda *streams: connections.add(
                asyncio.create_task(relay_connection(address, *streams))
            ),
            "127.0.0.1",
            0,
        )
        port = relay.sockets[0].getsockname()[1]
        try:
            return await kosoku.run_fuzzingclient(f"ws://127.0.0.1:{port}", concurrency=4)
        except kosoku.FailureError as failure:
            return failure.results
    finally:
        process.terminate()
        await log
        await process.wait()


def verdict(result):
    """Returns the worse of both verdicts: that of the messages and that of the close."""
    verdicts = [result.behavior.value, result.behavior_close.value]
    return next((one for one in verdicts if one not in PASSED), verdicts[0])


def page(results):
    """Returns the page, and whether all cases passed."""
    sections, failures = {}, []
    for result in results:
        section = sections.setdefault(result.case_id.split(".")[0], {"OK": 0, "INFORMATIONAL": 0, "other": 0})
        name = verdict(result)
        section[name if name in PASSED else "other"] += 1
        if name not in PASSED:
            failures.append(f"- {result.case_id}: {name}. {result.result} {result.result_close}")
    rows, total = [], [0] * 4
    for number, section in sorted(sections.items(), key=lambda item: _sort_key(item[0])):
        counts = [sum(section.values()), *section.values()]
        total = [sum(pair) for pair in zip(total, counts)]
        rows.append(f"| {number} {CaseCategories[number]} | " + " | ".join(map(str, counts)) + " |")
    rows.append("| all | " + " | ".join(map(str, total)) + " |")
    informational = [one.case_id for one in results if verdict(one) == "INFORMATIONAL"]
    notes = [f"| {one} | {' | '.join(NOTES.get(one, ('', '')))} |" for one in informational]
    text = PAGE.format(
        version=importlib.metadata.version("kosoku"),
        rows="\n".join(rows),
        notes="\n".join(notes),
        failures="\n".join(["\nNot OK:\n", *failures, ""]) if failures else "",
    )
    return text, not failures


def main():
    program, output = sys.argv[1:]
    results = asyncio.run(run(program))
    text, is_passed = page(results)
    pathlib.Path(output).write_text(text.rstrip() + "\n")
    print(text)
    if not is_passed:
        raise SystemExit(f"Autobahn: a case is not OK, see {output}")


main()
