"""Fixtures of the tests that run NEST in this process.

The process that starts pytest-xdist's workers loads this file, too, and must not import NEST: an Open MPI 4 that begins
there writes into the workers' environment how it did, and with that no mpiexec of theirs starts.
"""

import shutil

import pytest

from distnorm.synapses import kernel_library
from distnorm.synapses.compiling import library as build


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with the kernel alone, a copy: one that was loaded before keeps the types that it was given."""
    import nest

    kernel = build.build(nest, nest.build_info["prefix"])
    monkeypatch.setattr(kernel_library.loaded, "normalized", None)
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path))
    shutil.copy(kernel, tmp_path)
    return tmp_path
