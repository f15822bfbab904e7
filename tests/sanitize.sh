#!/usr/bin/env bash
# Run the kernel's tests under the address and undefined-behaviour sanitizers; any finding ends the run with an error.
#
#   tests/sanitize.sh [PYTEST ARGUMENTS]     default: all models, norms, modes, selections, changing networks, and
#                                            current weights; for models that hold norms name a file with "exact", which
#                                            compiles for minutes
#
# The kernel, with all of NEST's code that its headers bring in, is compiled with the sanitizers into a cache of its own;
# python, which is not, gets their library preloaded. Without vptr: a normalized model calls its parent's functions in
# NEST's library on connectors of the same layout (kernel/normalized/delivery.h). Uses the python, and so the NEST, that is first
# on PATH, and g++.
set -euo pipefail
cd "$(dirname "$0")/.."

export DISTNORM_CACHE=$(mktemp -d)
trap 'rm -rf "$DISTNORM_CACHE"' EXIT
export CXX=$DISTNORM_CACHE/compiler # the options go last: sanitizers make -O3 take minutes
cat >"$CXX" <<'EOF'
#!/bin/sh
exec g++ "$@" -O0 -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer
EOF
chmod +x "$CXX"
case "$*" in *exact*) exact=--exact ;; *) exact= ;; esac
python -m distnorm build $exact # before anything is preloaded, which would slow the compiler down

# Python and NEST keep memory until they end: no report of leaks.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYNEST_QUIET=1 OMP_WAIT_POLICY=passive
[ $# -gt 0 ] || set -- tests/nest/test_models.py tests/nest/test_selection.py tests/nest/test_verify.py \
    tests/nest/test_changing.py tests/nest/test_node_models.py tests/mpi/test_backends.py \
    tests/mpi/test_current.py tests/mpi/test_tables.py tests/mpi/test_outgoing.py tests/mpi/test_clipping.py \
    --deselect tests/mpi/test_tables.py::test_weights_that_a_model_holds_are_set_and_the_norm_comes_back
LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)" \
    timeout --kill-after=10 1200 python -m pytest -q --with-mpi -p no:cacheprovider --capture=sys --timeout=600 "$@"
