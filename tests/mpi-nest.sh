#!/usr/bin/env bash
# Build NEST with MPI once, into a cache outside the repository, and print the path of its wheel.
#
#   tests/mpi-nest.sh [PYTHON]        PYTHON: interpreter the wheel is for (default python3)
#
# Needs a C++ compiler and nothing else: MPI (MPICH), CMake and the Boost headers are PyPI wheels.
# GSL (some neuron models) and ltdl (nest.Install, for NESTML) are used where their headers are
# installed, or where apt can download them without root; otherwise NEST is built without and this says so.
# Takes about 13 minutes on two cores; progress goes to stderr and to build.log in the cache.
set -euo pipefail

nest_version=3.10.0
python=${1:-python3}
cache=${DISTNORM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/distnorm}
tag=$("$python" -c 'import platform, sys; print(f"cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}")')
home=$cache/mpi-nest-$nest_version-$tag

say() { echo "mpi-nest: $*" >&2; }

finished() { ls "$home"/wheel/nest_simulator-*.whl 2>/dev/null | head -n 1; }

# GSL and ltdl unpacked from Debian packages into $home/debian: no root, no installation.
unpack_debian_headers() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    local packages
    packages=$(apt-cache depends --important libgsl-dev libltdl-dev 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^lib/ {print $2}')
    mkdir -p "$home/debian"
    (cd "$home/debian" && apt-get download libgsl-dev libltdl-dev $packages && for deb in *.deb; do dpkg -x "$deb" .; rm "$deb"; done) >&2 2>/dev/null
}

has_header() { echo "#include <$1>" | c++ -E -x c++ - >/dev/null 2>&1; }

build() {
    local prefixes site
    mkdir -p "$home"
    work=$(mktemp -d "$home/build.XXXXXX")   # global: the trap outlives this function
    trap 'rm -rf "$work"' EXIT
    "$python" -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet mpich cmeel-boost >&2
    site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    prefixes=$site/cmeel.prefix
    if ! has_header gsl/gsl_version.h || ! has_header ltdl.h; then
        if unpack_debian_headers; then
            prefixes="$prefixes:$home/debian/usr"
        else
            say "GSL or ltdl headers are not to be had here: this NEST will lack some neuron models or nest.Install"
        fi
    fi
    say "building NEST $nest_version with MPI (about 13 minutes on two cores; log: $home/build.log)"
    # $ORIGIN/../../..: the lib folder of the environment that the wheel is installed into, where the mpich wheel puts libmpi.
    # --no-cache-dir: pip's own cache does not tell an MPI build from another.
    PATH="$work/venv/bin:$PATH" \
    CMAKE_PREFIX_PATH="$prefixes" CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) \
    CMAKE_ARGS="-Dwith-mpi=ON -DMPI_CXX_COMPILER=$work/venv/bin/mpicxx -DMPI_C_COMPILER=$work/venv/bin/mpicc" \
    LDFLAGS='-Wl,-rpath,\$ORIGIN/../../..' \
        "$work/venv/bin/pip" wheel --no-deps --no-cache-dir --no-binary nest-simulator --verbose \
        --wheel-dir "$work/wheel" "nest-simulator==$nest_version" >"$home/build.log" 2>&1 \
        || { say "the build failed; the end of $home/build.log:"; tail -n 30 "$home/build.log" >&2; exit 1; }
    # By rename, so that a killed or a second build never leaves half a wheel.
    mv -T "$work/wheel" "$home/wheel" 2>/dev/null || say "another build finished first; using it"
}

[ -n "$(finished)" ] || build
finished
