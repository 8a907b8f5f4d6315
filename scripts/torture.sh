#!/usr/bin/env bash
# Looks for faults for minutes, and ends with what it had to skip. The environment says how long:
# SEEDS=7 replays one schedule of the simulation and nothing else, SEEDS=0..1000 runs so many of them
# and then the rest; FUZZ_SECONDS is for each fuzz target.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=${CARGO:-cargo}
SIMULATION_SEEDS=$SEEDS $cargo test --release --package server --lib -- --nocapture simulation
[[ $SEEDS == *..* ]] || exit 0

said=$(mktemp)
trap 'rm -f "$said"' EXIT
{
    HANDOFF_SCHEDULES=200000 $cargo test --release --package server --test handoff_model
    scripts/fuzz.sh "$FUZZ_SECONDS"
    # Alone, one after the other: they take all descriptors, and count what they cost.
    $cargo test --release --package tests --test torture -- \
        --ignored --nocapture --test-threads 1
} | tee "$said"

echo
grep -o 'SKIPPED: .*' "$said" || echo "Nothing was skipped."
