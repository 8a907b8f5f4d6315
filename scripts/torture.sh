#!/usr/bin/env bash
# Looks for faults for minutes, and ends with what it had to skip, whatever has failed. The environment
# says how long: SEEDS=7 replays one schedule of the simulation and nothing else, SEEDS=0..1000 runs so
# many of them and then the rest; FUZZ_SECONDS is for each fuzz target.
set -uo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
failed=()

# Runs a part of it under a name; what it says is kept.
part() {
    local name=$1
    shift
    "$@" 2>&1 | tee -a "$said" || failed+=("$name")
}

part simulation env SIMULATION_SEEDS="$SEEDS" \
    "$cargo" test --release --package server --lib -- --nocapture simulation
if [[ $SEEDS == *..* ]]; then
    part dispatch-queue env DISPATCH_SCHEDULES=200000 \
        "$cargo" test --release --package server --test dispatch_queue_model
    part fuzzing scripts/fuzz.sh "$FUZZ_SECONDS"
    # Alone, one after the other: they take all descriptors, and count what they cost.
    part processes "$cargo" test --release --package tests --test torture -- \
        --ignored --nocapture --test-threads 1
    echo
    grep -o 'SKIPPED: .*' "$said" || echo "Nothing was skipped."
fi
[ ${#failed[@]} -eq 0 ] || { echo "FAILED: ${failed[*]}"; exit 1; }
