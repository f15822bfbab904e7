#!/usr/bin/env bash
# Install distnorm with the NEST wheel from PyPI into .venv, and run jobs/balanced_stdp on all cores of one process:
# first normalized, then only observed, until its weights have run away.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check '.[nest,run,report]'
export PYNEST_QUIET=1 # NEST's banner

results=jobs/results
mkdir -p "$results"
rm -f "$results"/normalized.jsonl "$results"/observed.jsonl

echo "== with normalization"
.venv/bin/distnorm run jobs/balanced_stdp.toml --set log.weights=true --log "$results/normalized.jsonl"
echo
echo "== without: observed until the weights have run away"
.venv/bin/distnorm run jobs/balanced_stdp.toml --set log.weights=true --observe --set simulate_ms=3000 \
    --log "$results/observed.jsonl"
echo
echo "== side by side"
.venv/bin/distnorm report "$results/normalized.jsonl" "$results/observed.jsonl" --output "$results/balanced_stdp.png"
