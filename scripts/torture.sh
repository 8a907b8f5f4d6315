#!/usr/bin/env bash
# Searches for faults for some minutes. It runs all parts even if one fails, and ends with a list of skipped tests.
#
# Environment:
#   SEEDS=7          replays one schedule of the simulation, and nothing else
#   SEEDS=0..1000    runs these schedules, then all other parts
#   TLS_SEEDS=...    the same for the schedules over TLS
#   FUZZ_SECONDS=30  duration of each fuzz target
set -uo pipefail
cd "$(dirname "$0")/.." || exit

cargo=${CARGO:-cargo}
output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=()

# Runs one part and keeps its output: `part NAME COMMAND...`
part() {
    local name=$1
    shift
    "$@" 2>&1 | tee -a "$output" || failed+=("$name")
}

# Runs the schedules of the simulation whose test has this name.
simulation() {
    part simulation env SIMULATION_SEEDS="$SEEDS" SIMULATION_TLS_SEEDS="$TLS_SEEDS" \
        "$cargo" test --release --package server --lib -- --nocapture "$1"
}

# Runs the WebSocket cases of Autobahn, and writes their results to the documentation.
autobahn() {
    if ! python3 -c 'import kosoku' 2>/dev/null; then
        echo "SKIPPED: the cases of Autobahn: needs the Python package kosoku"
        return
    fi
    local bin=${CARGO_TARGET_DIR:-target}/release
    "$cargo" build --release --bin echo-server --bin echo-client &&
        scripts/autobahn.py "$bin/echo-server" "$bin/echo-client" docs/AUTOBAHN.md
}

if [[ $SEEDS != *..* ]]; then
    simulation every_peer_receives_its_bytes_under_every_schedule
elif [[ $TLS_SEEDS != *..* ]]; then
    simulation every_peer_receives_its_bytes_over_tls_under_every_schedule
else
    simulation simulation
    part mailbox env DISPATCH_SCHEDULES=200000 \
        "$cargo" test --release --package server --test mailbox_model
    part dispatch-queue env DISPATCH_SCHEDULES=200000 \
        "$cargo" test --release --package server --test dispatch_queue_model
    part fuzzing scripts/fuzz.sh "$FUZZ_SECONDS"
    part autobahn autobahn
    part faults "$cargo" test --release --package tests --test faults -- --ignored
    # One test at a time: some use all descriptors, others measure processor time.
    part processes "$cargo" test --release --package tests --test torture -- \
        --ignored --nocapture --test-threads 1
    echo
    grep -o 'SKIPPED: .*' "$output" || echo "No test was skipped."
fi
[ ${#failed[@]} -eq 0 ] || { echo "FAILED: ${failed[*]}"; exit 1; }
