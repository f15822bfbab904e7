#!/usr/bin/env bash
# Install distnorm with the NEST wheel from PyPI into .venv, and run jobs/balanced_stdp on all cores of one process:
# first normalized, then only observed, until its weights have run away.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check '.[nest]'
export PYNEST_QUIET=1 # NEST's banner

echo "with normalization:"
.venv/bin/distnorm run jobs/balanced_stdp.toml
echo
echo "without, for comparison:"
.venv/bin/distnorm run jobs/balanced_stdp.toml --observe --set simulate_ms=3000
