#!/usr/bin/env bash
# Counts instructions by callgrind: what the pure core costs above the floor, per operation.
# The aim is a difference of at most 1,000; what is there now must not get worse. Setting up is subtracted: each case runs
# with two numbers of passes.
set -euo pipefail
cd "$(dirname "$0")"

readonly credentials=1024 few=1 many=11 aim=1000 allowed=1250
out=$(mktemp)
trap 'rm -f "$out"' EXIT

counted() { # case, passes
    cargo run --quiet --profile bench --bin instructions \
        --config "target.'cfg(all())'.runner = ['valgrind', '--quiet', '--tool=callgrind', '--callgrind-out-file=$out']" \
        -- "$1" "$2"
    awk '/^(summary|totals):/ { total = $2 } END { print total }' "$out"
}

per_operation() { # case
    local less more
    less=$(counted "$1" $few)
    more=$(counted "$1" $many)
    echo $(((more - less) / ((many - few) * credentials)))
}

floor=$(per_operation floor)
pure=$(per_operation pure)
difference=$((pure - floor))
echo "instructions floor $floor"
echo "instructions pure $pure"
echo "difference $difference"
if ((difference > aim)); then echo "above the aim of $aim"; fi
if ((difference > allowed)); then
    echo "more than the $allowed that it was" >&2
    exit 1
fi
