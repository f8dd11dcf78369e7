#!/usr/bin/env bash
# Line coverage of the library by its tests, a table a file: scripts/coverage.sh
# Needs the LLVM tools of the compiler's own major version, as the toolchain or the system has them.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${CARGO_HOME:-$HOME/.cargo}/keygate-tools
export PATH=$tools/bin:$PATH
major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
bundled=$(rustc --print target-libdir)/../bin
for folder in "$bundled" "/usr/lib/llvm-$major/bin"; do
    if [[ -x $folder/llvm-cov ]]; then
        export LLVM_COV=$folder/llvm-cov LLVM_PROFDATA=$folder/llvm-profdata
        break
    fi
done
if [[ -z ${LLVM_COV:-} ]]; then
    echo "no LLVM $major tools: install llvm-$major by the system's package manager, or the toolchain's llvm-tools" >&2
    exit 2
fi
cargo install --quiet --locked --root "$tools" cargo-llvm-cov@0.9.1
# SETUP=no: what is missing is said above, and never fetched. Instrumented code is too slow for the tests that measure
# time: they fail, and are no reason not to report.
CARGO_LLVM_COV_SETUP=no cargo llvm-cov --package keygate --all-features --ignore-run-fail "$@"
