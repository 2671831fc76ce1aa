#!/usr/bin/env bash
# make_venv.sh DIR UV_VERSION: makes the virtual environment DIR with uv inside, from nothing but a Python >= 3.11.
# An environment that still works is kept.
set -euo pipefail
venv=$1 uv_version=$2

# A name on PATH proves nothing (version managers leave shims of interpreters that are gone), so each candidate has to run.
works() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

uv_is_right() { [ "$("$venv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$uv_version" ]; }

uv_is_right && works "$venv/bin/python" && exit 0

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    works "$candidate" && python=$candidate && break
  done
  if [ -z "${python:-}" ]; then
    echo "make: no Python >= 3.11 with venv and ensurepip was found (tried python3.13, python3.12, python3.11, python3)." >&2
    echo "      Install one (Debian: python3 and python3-venv), or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
  fi
  echo "Making $venv with $("$python" --version) …"
  "$python" -m venv --clear "$venv"
fi
uv_is_right || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
