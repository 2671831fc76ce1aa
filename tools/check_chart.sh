#!/usr/bin/env bash
# check_chart.sh HELM KUBERNETES_VALIDATE: lints the chart, renders it with each set of values in charts/hub/ci, validates each result.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$1 validate=$2
rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT
for values in charts/hub/ci/*-values.yaml; do
  echo "== $values"
  "$helm" lint --strict --quiet charts/hub --values "$values"
  "$helm" template deltahub charts/hub --namespace deltahub --values "$values" > "$rendered/all.yaml"
  # Kinds of other operators have no schema in the validator; it warns about them and goes on.
  "$validate" --strict --quiet "$rendered/all.yaml"
  echo "$(grep -c '^kind:' "$rendered/all.yaml") objects valid"
done
