#!/usr/bin/env bash
# Runs fuzz targets, each for so many seconds: scripts/fuzz.sh [SECONDS] [TARGET…]; 15 seconds and all targets unless told.
# Needs a nightly toolchain and cargo-fuzz. What breaks a target is kept in fuzz/artifacts, new inputs in fuzz/target.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

# Installed by .ci/run.
export PATH=${CARGO_HOME:-$HOME/.cargo}/keygate-tools/bin:$PATH
seconds=${1:-15}
targets=("${@:2}")
if ((${#targets[@]} == 0)); then mapfile -t targets < <(cargo +nightly fuzz list); fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo run --quiet --example seed
cargo +nightly fuzz build
for target in "${targets[@]}"; do
    mkdir -p "target/corpus/$target" "corpus/$target"
    # The limits are promises: a second an input, 512 MiB.
    if ! cargo +nightly fuzz run "$target" "target/corpus/$target" "corpus/$target" -- \
        "-max_total_time=$seconds" -timeout=1 -rss_limit_mb=512 -print_final_stats=1 >"$log" 2>&1; then
        # Why, where it says so, and how to reproduce it.
        grep -aE -A 3 'panicked at|^SUMMARY' "$log" >&2 || true
        tail -n 40 "$log" | grep -aE 'artifacts/|^Error' >&2 || true
        echo "$target: failed" >&2
        exit 1
    fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, nothing found"
done
