#!/usr/bin/env bash
# Kills a process that writes credentials into a SQLite file, so many times: `scripts/sqlite-kill.sh 2000`. After each time
# what was acknowledged has to hold, and nothing be half there.
set -euo pipefail
cd "$(dirname "$0")/.."
KEYGATE_CYCLES=${1:?how many cycles} cargo test -p keygate-sqlite --test kill
