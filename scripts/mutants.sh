#!/usr/bin/env bash
# Mutation testing of comparison, expiry, containment, the lists of checks and minting: scripts/mutants.sh [MORE ARGUMENTS]
# Each change to these files that no test notices is listed, and makes it exit with 2. It takes about an hour.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=${CARGO_HOME:-$HOME/.cargo}/keygate-tools
export PATH=$tools/bin:$PATH
cargo install --quiet --locked --root "$tools" cargo-mutants@27.1.0
cargo mutants --package keygate --output target \
    --file src/digest/mac.rs --file src/validity.rs --file src/scope/containment.rs --file src/verify.rs \
    --file src/minter.rs --file src/access_token/mint.rs --file src/access_token/payload.rs --file src/access_token/verify.rs "$@"
