"""A synapse model of an extension on any number of ranks: generic, compiled in, and a node without the library."""

import ctypes
import os
import shutil
import tempfile
from pathlib import Path

import nest
import numpy as np
import pytest
from networks import TARGET_NORM, connections, network, norms_by_target, reset

import distnorm
from distnorm.parallel import world
from distnorm.synapses import build, exact, extensions, inplace

EXTENSION = Path(__file__).parents[1] / "extension"
pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]  # compiles three times


@pytest.fixture
def ranks():
    return world(nest.build_info["have_mpi"])


@pytest.fixture
def folder(ranks, monkeypatch):
    """A cache of this test's own, with a copy of the kernel; the same on all ranks."""
    kernel = build.build_on(nest, ranks)
    monkeypatch.setattr(exact, "_library", None)
    path = Path(ranks.from_first(lambda: tempfile.mkdtemp(prefix="distnorm-test-")))
    ranks.from_first(lambda: shutil.copy(kernel, path) and None)
    yield path
    ranks.barrier()
    ranks.from_first(lambda: shutil.rmtree(path))


def normalized(register):
    reset(virtual_processes=4 * nest.num_processes)
    register()
    network(["leaky_synapse"])
    normalizer = distnorm.Normalizer(distnorm.Rule("leaky_synapse", target_norm=TARGET_NORM), interval=20.0)
    normalizer.simulate(60.0)
    errors = [abs(norm / TARGET_NORM - 1) for norm in norms_by_target(["leaky_synapse"]).values()]
    assert max(errors, default=0) <= 1e-12 and normalizer.log[-1].drift_max > 1e-3
    return normalizer.weights._synapses[0].way, connections(["leaky_synapse"])


def test_generic_and_compiled_in_are_the_same(ranks, folder, monkeypatch):
    library = folder / "extension.so"
    prefix = nest.build_info["prefix"]
    ranks.from_first(lambda: build.compile_for(nest, prefix, str(EXTENSION / "extension.cpp"), "", library, ["-O0"]))
    register = ctypes.CDLL(str(library)).register_extension
    monkeypatch.setenv("DISTNORM_CACHE", str(folder))
    generic = normalized(register)
    kernel = build.build_on(nest, ranks)
    made = extensions.build_extension_on(nest, ranks, kernel, str(EXTENSION / "leaky_synapse.h"))
    elsewhere = folder / f"node-{ranks.rank}"
    elsewhere.mkdir()
    if ranks.rank == 0:
        shutil.copy(made, elsewhere)
    if ranks.size > 1:
        monkeypatch.setenv("DISTNORM_CACHE", str(elsewhere))
        with pytest.raises(distnorm.KernelError, match=rf"rank 1: {os.uname().nodename} has no .*, which rank 0 has"):
            extensions.add_extensions(nest, ranks, inplace.load(kernel), ["leaky_synapse"])
        monkeypatch.setenv("DISTNORM_CACHE", str(folder))
    compiled = normalized(register)
    assert (generic[0], compiled[0]) == ("in place (generic)", "in place")
    assert all(np.array_equal(a, b) for a, b in zip(generic[1], compiled[1], strict=True))
