#!/usr/bin/env bash
# Generates the Python of the contract afresh and fails when proto/gen differs from it.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tools/gen_proto.sh "$fresh"
if ! diff -r --brief --exclude=__pycache__ "$fresh/yrd" proto/gen/yrd; then
  echo "proto/gen is not what proto/yrd generates. Run 'make proto' and commit the result." >&2
  exit 1
fi
echo "proto/gen is up to date"
