#!/usr/bin/env bash
# Other people's JWT libraries and our access tokens, by the example `access_token`: scripts/interop.sh
# PyJWT and jose take what we mint and refuse what they should; we take what they make, and refuse a table of hostile tokens.
# Needs python3 with venv, node and npm. What it installs, at pinned versions, is under cargo's target folder.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly pyjwt=2.15.1
readonly jose=6.2.18

for program in cargo python3 node npm; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not on this machine: these checks need python3 with venv, node and npm" >&2
        exit 2
    fi
done

scripts=$PWD/scripts/interop
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# A folder a version, marked once it is whole: what was broken off is made anew.
python=$target/interop/pyjwt-$pyjwt
if [[ ! -e $python/whole ]]; then
    rm -rf "$python"
    mkdir -p "$python"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: "PyJWT==$pyjwt"
    touch "$python/whole"
fi
node=$target/interop/jose-$jose
if [[ ! -e $node/whole ]]; then
    rm -rf "$node"
    mkdir -p "$node"
    npm install --prefix "$node" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
        "jose@$jose" >/dev/null
    touch "$node/whole"
fi

cargo build --quiet --example access_token
example=$target/debug/examples/access_token

# All of them run, whatever one of them finds.
failed=0
# -B: no compiled Python in the checkout. A warning of the library's is a finding.
for check in pyjwt_check hostile_check; do
    "$python/bin/python" -B -W error "$scripts/$check.py" "$example" "$scratch" || failed=1
done
# A module is looked for from the file that imports it.
cp "$scripts/jose_check.mjs" "$node/"
node "$node/jose_check.mjs" "$example" "$scratch" || failed=1
exit $failed
