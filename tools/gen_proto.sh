#!/usr/bin/env bash
# Regenerates proto/gen from proto/yrd. Run through `make proto`; `make check` fails when the result differs from what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-proto/gen}
rm -rf "$out/yrd" && mkdir -p "$out"
bin=.venv/bin
PATH="$PWD/$bin:$PATH" "$bin/python" -m grpc_tools.protoc -Iproto \
  --python_out="$out" --grpc_python_out="$out" --mypy_out=quiet:"$out" --mypy_grpc_out=quiet:"$out" \
  $(cd proto && find yrd -name '*.proto' | LC_ALL=C sort)
find "$out/yrd" -type d -exec sh -c 'for d; do : > "$d/__init__.py"; done' _ {} +
touch "$out/yrd/py.typed"
