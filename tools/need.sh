#!/usr/bin/env bash
# need.sh COMMAND WHAT: says clearly what is missing instead of failing somewhere inside a build.
set -euo pipefail
command -v "$1" >/dev/null || {
  echo "make: '$1' was not found on this machine. Needed: $2. Install it and run make again." >&2
  exit 1
}
