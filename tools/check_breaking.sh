#!/usr/bin/env bash
# check_breaking.sh BUF: compares the protobuf contract with every earlier state that others may already build on:
# the latest release tag, what branch main had where this work left it, the commit before, and the last commit.
# In a first or shallow clone such a state may not be there; then there is nothing to compare with.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=$1

earlier_states() {
  local head; head=$(git rev-parse HEAD 2>/dev/null) || return 0
  git describe --tags --abbrev=0 --match 'v[0-9]*' 'HEAD^' 2>/dev/null || true
  git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true
  git rev-parse --verify --quiet "$head^1" || true
  echo "$head"
}

compared=0
while read -r state; do
  git cat-file -e "$state:proto/buf.yaml" 2>/dev/null || continue
  old=$(mktemp -d)
  git archive "$state" proto/buf.yaml proto/yrd | tar -x -C "$old"
  echo "buf breaking against $(git log -1 --format='%h %s' "$state")"
  (cd proto && "../$buf" breaking --against "$old/proto") || { rm -rf "$old"; exit 1; }
  rm -rf "$old"
  compared=$((compared + 1))
done < <(earlier_states | awk '!seen[$0]++')
[ "$compared" -gt 0 ] || echo "buf breaking: no earlier contract here to compare with"
