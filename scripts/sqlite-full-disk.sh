#!/usr/bin/env bash
# Fills the disk that a SQLite file is on, and makes room again: `scripts/sqlite-full-disk.sh`. The disk is a small tmpfs in a
# mount namespace of its own, and is gone with it. Needs Linux, and user namespaces that may be made without privileges.
set -euo pipefail
cd "$(dirname "$0")/.."

KEYGATE_SMALL_DISK=$(mktemp -d)
export KEYGATE_SMALL_DISK
trap 'rmdir "$KEYGATE_SMALL_DISK"' EXIT
unshare --user --map-root-user --mount bash -euc '
    mount -t tmpfs -o size=2m tmpfs "$KEYGATE_SMALL_DISK"
    cargo test -p keygate-sqlite --all-features --test full_disk
'
