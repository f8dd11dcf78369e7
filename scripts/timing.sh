#!/usr/bin/env bash
# Looks for timing leaks (dudect's method) and compares the times of refusals: scripts/timing.sh [SAMPLES A CLASS] [RUNS]
# A line a question. It exits with 1 where one leaks, with 2 where a planted leak was not found: then it says nothing.
# It wants a quiet machine and three minutes: `.ci/run` only builds it, because few samples on a busy one say nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet --release --package keygate-timing -- "${1:-1000000}" "${2:-3}"
