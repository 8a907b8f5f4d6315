#!/usr/bin/env bash
# Runs each fuzz target for a number of seconds, with its corpus and the inputs that earlier runs have found. At the
# first failure it prints how to replay the input, and exits with status 1.
#
# usage: fuzz.sh SECONDS [TARGET]...
#        fuzz.sh merge [TARGET]...     adds found inputs that reach new code to the corpus
#
# It needs a C++ compiler for libFuzzer. Stable Rust is sufficient: `cargo fuzz` needs nightly for the address
# sanitizer, and this code has no `unsafe` for it to check.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:?usage: fuzz.sh SECONDS|merge [TARGET]...}
shift
[ $# -gt 0 ] || set -- text raw length proxy exit escape cli configuration tls http websocket

if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "SKIPPED: fuzzing: needs a C++ compiler"
    exit 0
fi

# With an explicit --target, cargo does not instrument macros and build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="--cfg fuzzing $coverage" "${CARGO:-cargo}" build --locked --profile fuzz \
    --target "$host" --package fuzz --features libfuzzer --bins

built=${CARGO_TARGET_DIR:-target}
artifacts=tests/fuzz/artifacts
mkdir -p "$artifacts"
trap 'exit 130' INT

for target in "$@"; do
    program=$built/$host/fuzz/fuzz-$target
    corpus=tests/fuzz/corpus/$target
    found=$built/fuzz-found/$target
    log=$built/fuzz-found/$target.log
    mkdir -p "$found"
    if [ "$mode" = merge ]; then
        # Keeps few inputs: each has to reach code that the others do not reach.
        run=(-merge=1 -set_cover_merge=1 -use_counters=0 "$corpus" "$found")
    else
        # The limits in the code are 1,024 bytes, so longer inputs find nothing. New inputs go to the first directory.
        run=(-max_total_time="$mode" -max_len=2048 -timeout=10 -artifact_prefix="$artifacts/$target-"
            "$found" "$corpus")
    fi
    if "$program" "${run[@]}" 2>"$log"; then
        echo "fuzzing $target: $(tail -n 1 "$log")"
        continue
    fi
    grep -av '^#' "$log"
    input=$(sed -n 's/.*Test unit written to //p' "$log")
    echo "FAILED: fuzzing $target. Replay the input with the first command; add it to \`make test\` with the second:"
    echo "    $program $input"
    echo "    cp $input $corpus/ && cargo test --package fuzz"
    exit 1
done
