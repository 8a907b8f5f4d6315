#!/usr/bin/env bash
# Runs the server with its page for a browser, and prints the URL when it listens.
#
#     scripts/run-gui.sh PROGRAMS PORT [ARGUMENT...]
#
# The URL is that of the log on standard error, so that it is right with port 0 too, and absent if the server has failed.
set -euo pipefail

server=$1/echo-server
port=$2
shift 2

show_url() {
    # The last records of the server come after an interrupt.
    trap '' INT TERM
    while IFS= read -r record; do
        printf '%s\n' "$record" >&2
        if [[ $record =~ 'Echo server started on '.*(http://127\.0\.0\.1:[0-9]+) ]]; then
            printf 'Open %s/ in a browser\n' "${BASH_REMATCH[1]}"
        fi
    done
}

exec "$server" --listen "http://127.0.0.1:$port" "$@" 2> >(show_url)
