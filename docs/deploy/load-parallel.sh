#!/usr/bin/env bash
# Loads an echo server from several machines by GNU parallel over ssh, and merges their reports.
#
#     HOSTS=alice@host1,host2 docs/deploy/load-parallel.sh [ARGUMENT OF 'echo-client load merge'...]
#     LOADS_PER_HOST=3 docs/deploy/load-parallel.sh     three loads on this machine
#
# It needs echo-client on all machines, and logins without a password. The reports come back on the standard output of ssh.
# The exit status is that of the merged report, or 1 if a load has no report.
set -euo pipefail

# Settings: change them here, or set the variables.
# Machines, separated by commas; ':' is this one, without ssh.
hosts=${HOSTS:-:}
loads_per_host=${LOADS_PER_HOST:-1}
server=${SERVER:-tcp://127.0.0.1:65432}
# Arguments of each load.
load=${LOAD:-"--processes 4 --connections 50 --rate 5000 --duration 60s"}
client=${ECHO_CLIENT:-echo-client}
# Seconds until the start, in which all machines have to be reached and connect.
start_in=${START_IN:-15}
# Directory of the reports, on this machine.
reports=${REPORTS:-$(mktemp -d -t echo-load-XXXXXX)}

separators=${hosts//[^,]/}
loads=$(((${#separators} + 1) * loads_per_host))
start=@$(($(date +%s) + start_in))
mkdir -p "$reports"
# Each machine has as many slots as loads, so all loads run at the same time. {} is the number of the load.
# (Parallel writes another format to a name that ends with .json.)
seq "$loads" |
    parallel --will-cite --sshlogin "$hosts" --jobs "$loads_per_host" --results "$reports/report-{}" \
        "${client@Q} load ${server@Q} --start-at $start --seed {} --json - --quiet $load" >/dev/null || true

inputs=()
for ((number = 1; number <= loads; number++)); do
    inputs+=("$reports/report-$number")
    if ! [ -s "${inputs[-1]}" ]; then
        echo "load $number has no report, so nothing is merged; the reports of the others are in $reports" >&2
        # Parallel does not print what the loads wrote, since its standard output is /dev/null.
        cat "${inputs[-1]}.err" >&2
        exit 1
    fi
done
"$client" load merge "${inputs[@]}" "$@"
