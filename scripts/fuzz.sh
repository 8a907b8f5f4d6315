#!/usr/bin/env bash
# Runs every fuzz target for so many seconds, from its corpus and from what earlier runs found.
# The first failure ends it with status 1; it says how to replay the input.
#
# usage: fuzz.sh SECONDS [TARGET]...
#        fuzz.sh merge [TARGET]...     adds to the corpus what was found and reaches more than it does
#
# Stable Rust is enough: what `cargo fuzz` takes nightly for is the address sanitizer, and there is no
# `unsafe` here for it to look at. libFuzzer is C++, so a compiler for that is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:?usage: fuzz.sh SECONDS|merge [TARGET]...}
shift
[ $# -gt 0 ] || set -- text raw length proxy exit escape cli configuration

if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "SKIPPED: fuzzing: no C++ compiler"
    exit 0
fi

# With a target named, what runs during the build (macros, build scripts) is not instrumented.
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
    if [ "$what" = merge ]; then
        # Few inputs are to stay: each has to reach code that the others do not.
        run=(-merge=1 -set_cover_merge=1 -use_counters=0 "$corpus" "$found")
    else
        # Nothing changes beyond 2,048 bytes: the limits are 1,024. What is new goes to the first directory.
        run=(-max_total_time="$what" -max_len=2048 -timeout=10 -artifact_prefix="$artifacts/$target-"
            "$found" "$corpus")
    fi
    if "$program" "${run[@]}" 2>"$log"; then
        echo "fuzzing $target: $(tail -n 1 "$log")"
        continue
    fi
    grep -av '^#' "$log"
    input=$(sed -n 's/.*Test unit written to //p' "$log")
    echo "FAILED: fuzzing $target. To replay the input, and to have \`make test\` replay it from now on:"
    echo "    $program $input"
    echo "    cp $input $corpus/ && cargo test --package fuzz"
    exit 1
done
