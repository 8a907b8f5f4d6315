#!/usr/bin/env python3
"""Runs Autobahn's WebSocket cases against the server and the client, and writes the page with their results.

    scripts/autobahn.py target/release/echo-server target/release/echo-client docs/AUTOBAHN.md

It needs the Python package kosoku, which runs the case files of the Autobahn TestSuite without Python 2. The status is 1
if a case is not OK.

kosoku sends a message completely before it reads, and both programs return a message while it arrives. With a message
that fits into no socket buffers, both would wait for each other. So the cases run through a relay that always reads, as
Autobahn itself does. The relay and kosoku know only addresses of this machine.
"""

import asyncio
import contextlib
import importlib.metadata
import pathlib
import re
import sys

import kosoku
from kosoku._caseindex import _sort_key
from kosoku._report_assets import CaseCategories

# Verdicts with which a case counts as passed. INFORMATIONAL: RFC 6455 leaves the behaviour open.
PASSED = ("OK", "INFORMATIONAL")

# Sections that need permessage-deflate, which the client does not offer.
COMPRESSION = ("12", "13")

# Number of cases that run at the same time.
CONCURRENCY = 4

# Limit for a case of the client, in seconds: many times what the longest takes.
CASE_LIMIT = 120

PAGE = """\
# WebSocket conformance

Results of the cases of the [Autobahn TestSuite](https://github.com/crossbario/autobahn-testsuite) against the server,
with `?deflate=on`, and against the client, as `echo-client mirror`. `make torture` runs them again and writes this page. The
runner is the Python package kosoku {version}, which drives the case files of Autobahn.

## Server

{server}

## Client

The client offers no compression, so sections 12 and 13 are unimplemented: their connections open, and close cleanly.

{client}

## Informational cases

These have no right answer: RFC 6455 leaves the behaviour open. Server and client behave alike:

| case | what it does | what they do |
|---|---|---|
{notes}
{failures}
{cross_check}"""

TABLE = """\
| section | cases | OK | informational | unimplemented | not OK |
|---|---:|---:|---:|---:|---:|
"""

# The informational cases.
NOTES = {
    "7.1.6": ("sends 256 KiB, a message and a close at once", "echo both messages, then the close"),
    "7.13.1": ("sends the close code 5000", "answer 1002"),
    "7.13.2": ("sends the close code 65536, cut to 16 bits", "answer 1002"),
}

CROSS_CHECK = """\
## Can the runner be trusted?

kosoku was run against two libraries whose results with Autobahn's own runner are known, each as server and as client with
the same results, in sections 1 to 10, 12.1 and 13.1; and against servers and clients that were broken on purpose:

- Node's ws 8.23.0: all OK except 3 informational cases, 6.4.1 to 6.4.4, which are non-strict since it checks UTF-8 when a message
  is complete, and 9.3.1 and 9.4.1, which have more than the 16,384 fragments that it accepts.
- Python's websockets 17.4: all OK except 3 informational cases; 3.2 to 3.4, 4.1.3 to 4.1.5, 4.2.3 to 4.2.5, 5.15 and 6.4.1 to
  6.4.4, which are non-strict, as its own notes say of most of them; 9.3.1, 9.3.2, 9.4.1 and 9.4.2, which have more than the 4,096
  fragments that it accepts; and 7.1.5, a close within a fragmented message, to which it answers 1002, also by hand.
- The server without its check of UTF-8 fails 73 cases; with empty pongs 12; with continuations of no message 4; without the
  check of close codes 10; without that of reserved bits 3.
- The client without its check of UTF-8 fails 75 cases; with empty pongs 12; without the check of reserved bits 6.
"""


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


@contextlib.asynccontextmanager
async def relay(address):
    """Relays connections to this address. Gives the URL of the relay."""
    # The event loop holds tasks weakly.
    connections = set()
    server = await asyncio.start_server(
        lambda *streams: connections.add(asyncio.create_task(relay_connection(address, *streams))),
        "127.0.0.1",
        0,
    )
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


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


async def run_server(program):
    """Returns the results of all cases against the server."""
    process, log, address = await start_server(program)
    try:
        async with relay(address) as url:
            return await kosoku.run_fuzzingclient(url, concurrency=CONCURRENCY)
    except kosoku.FailureError as failure:
        return failure.results
    finally:
        process.terminate()
        await log
        await process.wait()


async def mirror(program, url):
    """Runs the client to its end. It fails for many cases, but never by a panic, a signal or its arguments."""
    process = await asyncio.create_subprocess_exec(
        program, "mirror", url, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, error = await asyncio.wait_for(process.communicate(), CASE_LIMIT)
    except TimeoutError:
        process.kill()
        raise SystemExit(f"the client does not end: {url}") from None
    if process.returncode not in (0, 1):
        raise SystemExit(f"the client ended with {process.returncode}: {url}: {error.decode()}")


async def run_client(program, count):
    """Returns the results of all cases against the client."""
    async with kosoku.run_fuzzingserver(port=0) as server, relay((server.address, server.port)) as url:
        cases = iter(range(1, count + 1))

        async def work():
            for case in cases:
                await mirror(program, f"{url}/runCase?case={case}&agent=echo-client")

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        # Ends the run.
        await mirror(program, f"{url}/updateReports?agent=echo-client")
        try:
            results = await server.get_result()
        except kosoku.FailureError as failure:
            results = failure.results
    if len(results) != count:
        raise SystemExit(f"{len(results)} of {count} cases ran against the client")
    return results


def verdict(result):
    """Returns the worse of both verdicts: that of the messages and that of the close."""
    verdicts = [result.behavior.value, result.behavior_close.value]
    return next((one for one in verdicts if one not in PASSED), verdicts[0])


def section_of(result):
    return result.case_id.split(".")[0]


def judge(result, unimplemented):
    """Returns the column of a result."""
    name = verdict(result)
    is_known = section_of(result) in unimplemented and result.behavior_close.value == "OK"
    if name == "UNIMPLEMENTED" and is_known:
        return "unimplemented"
    return name if name in PASSED else "other"


def table(results, unimplemented=()):
    """Returns the table of these results, and the lines of those that are not OK."""
    sections, failures = {}, []
    for result in results:
        columns = {"OK": 0, "INFORMATIONAL": 0, "unimplemented": 0, "other": 0}
        section = sections.setdefault(section_of(result), columns)
        column = judge(result, unimplemented)
        section[column] += 1
        if column == "other":
            failures.append(f"- {result.case_id}: {verdict(result)}. {result.result} {result.result_close}")
    rows, total = [], [0] * 5
    for number, section in sorted(sections.items(), key=lambda item: _sort_key(item[0])):
        counts = [sum(section.values()), *section.values()]
        total = [sum(pair) for pair in zip(total, counts)]
        rows.append(f"| {number} {CaseCategories[number]} | " + " | ".join(map(str, counts)) + " |")
    rows.append("| all | " + " | ".join(map(str, total)) + " |")
    return TABLE + "\n".join(rows), failures


def page(server_results, client_results):
    """Returns the page, and whether all cases passed."""
    server, server_failures = table(server_results)
    client, client_failures = table(client_results, COMPRESSION)
    informational = {
        result.case_id: None
        for result in [*server_results, *client_results]
        if verdict(result) == "INFORMATIONAL"
    }
    failures = ""
    for name, lines in (("Server", server_failures), ("Client", client_failures)):
        if lines:
            failures += "\n".join([f"\n{name}, not OK:\n", *lines, ""])
    text = PAGE.format(
        version=importlib.metadata.version("kosoku"),
        server=server,
        client=client,
        notes="\n".join(f"| {one} | {' | '.join(NOTES.get(one, ('', '')))} |" for one in informational),
        failures=failures,
        cross_check=CROSS_CHECK,
    )
    return text, not failures


async def run(server, client):
    """Returns the results of both programs."""
    server_results = await run_server(server)
    return server_results, await run_client(client, len(server_results))


def main():
    server, client, output = sys.argv[1:]
    text, is_passed = page(*asyncio.run(run(server, client)))
    pathlib.Path(output).write_text(text.rstrip() + "\n")
    print(text)
    if not is_passed:
        raise SystemExit(f"Autobahn: a case is not OK, see {output}")


main()
