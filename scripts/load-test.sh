#!/usr/bin/env bash
# Starts a server on a free port, loads it with many client processes, prints the report, and stops the server. The
# exit status is that of the load test: 0 VALID, 1 FAILED, 3 an assertion does not hold, 4 CLIENT-LIMITED.
#
# usage: load-test.sh DIRECTORY_OF_PROGRAMS [ARGUMENT OF echo-client load]...
# The environment variables PROCESSES, CONNECTIONS and DURATION set the load.
set -euo pipefail

programs=$1
shift
directory=$(mktemp -d)
server=

# shellcheck disable=SC2317 # The trap calls it.
clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap clean_up EXIT
# The load test also receives Ctrl+C, and reports the work done so far.
trap : INT
trap 'exit 143' TERM

fail() {
    echo "load-test: $1" >&2
    exit 1
}

# Standard error shows why the server cannot start; the log file holds the messages. Job control gives the server its
# own process group, so that Ctrl+C ends only the load test, which needs the server until its end.
set -m
"$programs/echo-server" --port 0 --log-file "$directory/server.log" &
server=$!
set +m

port=
for _ in $(seq 100); do
    kill -0 "$server" 2>/dev/null || fail "the server did not start"
    if [ -r "$directory/server.log" ]; then
        port=$(sed -n '/Echo server started on /{s/.*://p;q;}' "$directory/server.log")
        [ -z "$port" ] || break
    fi
    sleep 0.1
done
[ -n "$port" ] || fail "the server has not logged its port within 10 s"

status=0
"$programs/echo-client" load --port "$port" \
    --processes "${PROCESSES:-50}" --connections "${CONNECTIONS:-20}" \
    ${DURATION:+--duration "$DURATION"} "$@" || status=$?

kill -0 "$server" 2>/dev/null || fail "the server has died"
exit "$status"
