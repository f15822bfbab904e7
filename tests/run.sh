#!/usr/bin/env bash
# Install what the tests need into .venv-mpi, an MPI NEST built once included, and run all tests.
# Needs Python >= 3.10 and a C++ compiler; the first time takes some 15 minutes more (see mpi-nest.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
wheel=$(tests/mpi-nest.sh "$python")
[ -x .venv-mpi/bin/python ] || "$python" -m venv .venv-mpi
bin=$PWD/.venv-mpi/bin
"$bin/python" -m pip install --quiet --disable-pip-version-check "$wheel" mpich -e '.[test]'
export PATH="$bin:$PATH"
export PYNEST_QUIET=1
# More ranks and threads than cores: those that wait must not spin.
export OMP_WAIT_POLICY=passive MPIR_CVAR_CH4_PROGRESS_THROTTLE=1
two="-n 2 --dist loadfile" # files of tests at a time

echo "== lint and types"
ruff check .
ruff format --check .
mypy

echo "== models that hold norms, compiled"
timeout --kill-after=10 900 python -m distnorm build --exact

echo "== unit, one process, and runs started by the tests"
timeout --kill-after=10 2400 python -m pytest -q $two tests/unit tests/nest tests/launch

echo "== random job files, rules and sequences; --seeds=FROM:TO makes others"
timeout --kill-after=10 900 python -m pytest -q $two tests/fuzz
timeout --kill-after=10 600 mpiexec -n 2 python -m pytest -q --with-mpi tests/fuzz/test_rules.py \
    tests/fuzz/test_sequences.py --seeds=1000:1015

echo "== batch scripts on a SLURM started by the tests"
timeout --kill-after=60 900 python -m pytest -q tests/slurm

echo "== the kernel on the NEST wheel from PyPI"
[ -x .venv-pypi/bin/python ] || "$python" -m venv .venv-pypi
.venv-pypi/bin/python -m pip install --quiet --disable-pip-version-check -e '.[nest,test]'
PATH="$PWD/.venv-pypi/bin:$PATH" timeout --kill-after=10 600 python -m pytest -q $two \
    tests/nest/test_models.py tests/nest/test_selection.py tests/nest/test_verify.py tests/nest/test_changing.py

echo "== the kernel under sanitizers"
tests/sanitize.sh

echo "== 1 rank"
timeout --kill-after=10 1200 python -m pytest -q --with-mpi $two tests/mpi
for ranks in 2 4; do
    echo "== $ranks ranks"
    timeout --kill-after=10 1200 mpiexec -n "$ranks" python -m pytest -q --with-mpi tests/mpi
done
echo "== 3 ranks: what an odd number of them could change"
timeout --kill-after=10 1200 mpiexec -n 3 python -m pytest -q --with-mpi tests/mpi/test_backends.py \
    tests/mpi/test_errors.py tests/mpi/test_loop.py tests/mpi/test_one_rank.py tests/mpi/test_place.py
