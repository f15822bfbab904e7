"""Synapse models of an extension on any number of ranks: generic, compiled in, and a node without the library; and
models that do not keep the weights that are written, by whatever way.
"""

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
from distnorm.mpi.ranks import world
from distnorm.synapses import kernel_library
from distnorm.synapses.compiling import extensions
from distnorm.synapses.compiling import library as build

EXTENSION = Path(__file__).parents[1] / "extension"
pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]  # compiles three times


@pytest.fixture(scope="module")
def ranks():
    return world(nest.build_info["have_mpi"])


@pytest.fixture
def folder(ranks, monkeypatch):
    """A cache of this test's own, with a copy of the kernel; the same on all ranks."""
    kernel = build.build_on(nest, ranks)
    monkeypatch.setattr(kernel_library.loaded, "normalized", None)
    path = Path(ranks.from_first(lambda: tempfile.mkdtemp(prefix="distnorm-test-")))
    ranks.from_first(lambda: shutil.copy(kernel, path) and None)
    yield path
    ranks.barrier()
    ranks.from_first(lambda: shutil.rmtree(path))


@pytest.fixture(scope="module")
def register(ranks):
    """Registers the models of the extension, in place of nest.Install, which not every NEST has."""
    path = Path(ranks.from_first(lambda: tempfile.mkdtemp(prefix="distnorm-test-")))
    library, prefix = path / "extension.so", nest.build_info["prefix"]
    ranks.from_first(lambda: build.compile_for(nest, prefix, str(EXTENSION / "extension.cpp"), "", library, ["-O0"]))
    yield ctypes.CDLL(str(library)).register_extension
    ranks.barrier()
    ranks.from_first(lambda: shutil.rmtree(path))


def normalized(register):
    reset(virtual_processes=4 * nest.num_processes)
    register()
    network(["leaky_synapse"])
    normalizer = distnorm.Normalizer(
        distnorm.Rule("leaky_synapse", target_norm=TARGET_NORM), interval=20.0, weights=True
    )
    normalizer.simulate(60.0)
    errors = [abs(norm / TARGET_NORM - 1) for norm in norms_by_target(["leaky_synapse"]).values()]
    assert max(errors, default=0) <= 1e-12 and normalizer.log[-1].drift_max > 1e-3
    histograms = [measurement.weights for measurement in normalizer.log]
    return normalizer._loop.weights._synapses[0].backend, connections(["leaky_synapse"]), histograms


def test_generic_and_compiled_in_are_the_same(ranks, folder, register, monkeypatch):
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
            extensions.add_extensions(nest, ranks, kernel_library.load(kernel), ["leaky_synapse"])
        monkeypatch.setenv("DISTNORM_CACHE", str(folder))
    compiled = normalized(register)
    assert (generic[0], compiled[0]) == ("in place (generic)", "in place")
    assert all(np.array_equal(a, b) for a, b in zip(generic[1], compiled[1], strict=True))
    assert generic[2] == compiled[2] and generic[2][-1][0].connections


def normalizer_of(register, model, weight=None, target_norm=5.0, backend="inplace", **rule):
    reset(virtual_processes=2 * nest.num_processes)
    register()
    nest.SetDefaults(model, {"kept": 1.0})
    network([model], weight=weight)
    return distnorm.Normalizer(distnorm.Rule(model, target_norm=target_norm, **rule), interval=20.0, backend=backend)


def by_hand(normalizer, time_ms):
    for _ in range(round(time_ms / 20.0)):
        normalizer()
        nest.Simulate(20.0)


def attached(normalizer, time_ms):
    with normalizer.attached():
        nest.Simulate(time_ms)


def in_pieces(normalizer, time_ms):
    for _ in range(round(time_ms / 5.0)):
        normalizer.simulate(5.0)


ENTRIES = [distnorm.Normalizer.simulate, by_hand, attached, in_pieces]
SAYS = "synapse model 'switching_synapse' does not keep the weights that are written"


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
@pytest.mark.parametrize("simulate", ENTRIES)
def test_a_model_that_does_not_keep_its_weights_is_noticed(simulate, backend, register):
    normalizer = normalizer_of(register, "switching_synapse", backend=backend)
    with pytest.raises(distnorm.RuleError, match=SAYS):
        simulate(normalizer, 400.0)


def test_weights_that_begin_at_zero_or_are_lifted_from_it(register):
    for zero in ("skip", "equal"):
        normalizer = normalizer_of(register, "switching_synapse", weight=0.0, zero=zero)
        with pytest.raises(distnorm.RuleError, match=SAYS):
            normalizer.simulate(400.0)


def test_one_that_is_compiled_in_is_noticed_too(ranks, folder, register, monkeypatch):
    monkeypatch.setenv("DISTNORM_CACHE", str(folder))
    header = f"{EXTENSION / 'leaky_synapse.h'},nest::leaky::switching_synapse,state_.w"
    extensions.build_extension_on(nest, ranks, build.build_on(nest, ranks), header)
    normalizer = normalizer_of(register, "switching_synapse")
    with pytest.raises(distnorm.RuleError, match=SAYS):
        normalizer.simulate(400.0)
    assert normalizer._loop.weights._synapses[0].backend == "in place"


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_models_that_keep_their_weights_are_let_be(backend, register):
    def set_again(measurement):
        found = nest.GetConnections(synapse_model="leaky_synapse")
        if len(found):
            found.set({"weight": 0.5})

    static = normalizer_of(register, "leaky_synapse", backend=backend)
    static.simulate(200.0)
    beyond_wmax = normalizer_of(register, "bounded_synapse", weight=1.0, target_norm=20.0, backend=backend)
    beyond_wmax.simulate(200.0)
    assert min(measurement.drift_max for measurement in beyond_wmax.log[:5]) > 0.1  # NEST brings them back to Wmax
    by_script = normalizer_of(register, "leaky_synapse", weight=0.5, backend=backend)
    for _ in range(10):
        by_script.simulate(20.0)
        set_again(None)
    by_callback = normalizer_of(register, "leaky_synapse", weight=0.5, backend=backend)
    by_callback = distnorm.Normalizer(by_callback.rules, interval=20.0, backend=backend, on_measurement=set_again)
    by_callback.simulate(200.0)
    assert min(measurement.drift_max for measurement in (*by_script.log[2:], *by_callback.log)) > 0.1
