"""Synapse models that the kernel was not compiled for: the same generic and compiled in; or refused."""

import ctypes
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import nest
import numpy as np
import pytest
from networks import TARGET_NORM, connections, network, norms_by_target, reset

import distnorm
from distnorm.synapses.compiling import extensions
from distnorm.synapses.compiling import library as build

EXTENSION = Path(__file__).parents[1] / "extension"
HEADER = EXTENSION / "leaky_synapse.h"
pytestmark = pytest.mark.timeout(300)  # compiles several times
VARIANTS = ["leaky_synapse", "leaky_synapse_hpc", "leaky_synapse_lbl"]


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    """Registers the models of the extension, in place of nest.Install, which not every NEST has."""
    library = tmp_path_factory.mktemp("extension") / "extension.so"
    build.compile_for(nest, nest.build_info["prefix"], str(EXTENSION / "extension.cpp"), "", library, ["-O0"])
    return ctypes.CDLL(str(library)).register_extension


@pytest.fixture(scope="module")
def compiled():
    """The library that distnorm build makes, in the cache of all tests."""
    done = build_synapse(HEADER)
    assert done.returncode == 0, done.stderr
    library = Path(done.stdout.splitlines()[-1])
    yield library
    library.unlink()


def build_synapse(*arguments):
    command = [sys.executable, "-m", "distnorm", "build", *(f"--synapse={each}" for each in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)


def normalized(register, model, backend="inplace", **rule):
    reset(virtual_processes=2)
    register()
    network([model], neurons=40)
    normalizer = distnorm.Normalizer(
        distnorm.Rule(model, target_norm=TARGET_NORM, **rule), interval=20.0, backend=backend
    )
    normalizer.simulate(60.0)
    return (
        normalizer._loop.weights._synapses[0].backend,
        [measurement.drift_max for measurement in normalizer.log],
        connections([model]),
    )


def same(first, second):
    return first[1] == second[1] and all(np.array_equal(a, b) for a, b in zip(first[2], second[2], strict=True))


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("model", VARIANTS)
def test_generic_and_compiled_in_are_the_same(model, norm, register, compiled, cache):
    generic = normalized(register, model, norm=norm)
    found = norms_by_target([model], 1 if norm == "l1" else 2).values()
    assert max(abs(value / TARGET_NORM - 1) for value in found if value > 0) <= 1e-12
    assert generic[0] == "in place (generic)" and generic[1][0] > 0.1 and generic[1][-1] > 1e-3
    shutil.copy(compiled, cache)
    fast = normalized(register, model, norm=norm)
    assert fast[0] == "in place" and same(generic, fast)
    assert same(generic, normalized(register, model, backend="pynest", norm=norm))


def test_the_kernel_with_models_that_hold_norms_takes_them_too(register, compiled):
    reset(virtual_processes=2)
    distnorm.install_models()
    assert normalized(register, "leaky_synapse")[0] == "in place"


def test_it_is_said_once_what_generic_costs_and_what_helps(register, cache, caplog):
    with caplog.at_level(logging.WARNING):
        normalized(register, "leaky_synapse")
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 1 and "nest::leaky::leaky_synapse" in said[0] and "distnorm build --synapse" in said[0]


def test_generic_selects_as_compiled_loops_do(register, cache):
    reset(virtual_processes=2)
    register()
    population = network(["leaky_synapse"])
    nest.Disconnect(nest.GetConnections(population[:1], synapse_model="leaky_synapse")[:1])
    before = connections(["leaky_synapse"])
    rule = distnorm.Rule("leaky_synapse", sources=population[:30], targets=population[10:], target_norm=1.0)
    distnorm.Normalizer(rule).normalize()
    sources, targets, weights = connections(["leaky_synapse"])
    mine = (sources <= 30) & (targets > 10)
    assert np.array_equal(weights[~mine], before[2][~mine]) and mine.sum() > 100
    sums = np.bincount(targets[mine], np.abs(weights[mine]))
    assert np.allclose(sums[sums > 0], 1.0, rtol=1e-12, atol=0)


def test_generic_takes_receptor_types(register, cache):
    reset()
    register()
    neurons = nest.Create("iaf_psc_exp_multisynapse", 2, {"tau_syn": [2.0, 5.0]})
    for receptor, weight in ((1, 1.0), (2, 2.0), (2, 4.0)):
        syn_spec = {"synapse_model": "leaky_synapse", "weight": weight, "receptor_type": receptor}
        nest.Connect(neurons, neurons, "one_to_one", syn_spec)
    distnorm.Normalizer(distnorm.Rule("leaky_synapse", receptor_type=2, target_norm=9.0)).normalize()
    assert np.array_equal(connections(["leaky_synapse"])[2], [1.0, 3.0, 6.0] * 2)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("deaf_synapse", "a weight that is set does not stay"),
        ("shared_synapse", "changes another's"),
        ("strict_synapse", "the weight belongs to the model"),
    ],
)
def test_models_without_a_weight_of_their_own_are_refused(model, reason, register, cache):
    reset()
    register()
    network([model])
    before = connections([model])
    with pytest.raises(distnorm.RuleError, match=rf"{model}' cannot be normalized: .*{reason}"):
        distnorm.Normalizer(distnorm.Rule(model, target_norm=TARGET_NORM)).normalize()
    assert all(np.array_equal(a, b) for a, b in zip(before, connections([model]), strict=True))


def test_a_header_that_has_changed_since(register, cache, tmp_path):
    changed = tmp_path / HEADER.name
    changed.write_text(HEADER.read_text().replace("double kept = 0.99;", "double kept = 0.99, more = 0.0;"))
    assert build_synapse(changed).returncode == 0
    with pytest.raises(distnorm.KernelError, match=r"has \d+ bytes per connection, and had \d+ when compiled"):
        normalized(register, "leaky_synapse")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent.h", "cannot read synapse header absent.h: No such file or directory"),
        (f"{EXTENSION / 'extension.cpp'}", "has none; write HEADER.h,CLASS,WEIGHT"),
        (f"{HEADER},nest::leaky::leaky_synapse,state_.w,more", "too many commas"),
        (f"{HEADER},nest::leaky::wrong_synapse", "does not compile for NEST"),
        (f"{HEADER},nest::leaky::leaky_synapse,state_.v", "does not compile for NEST"),
    ],
)
def test_headers_that_do_not_tell(text, message, cache):
    done = build_synapse(text)
    assert done.returncode == 2 and done.stdout == ""
    (said,) = [line for line in done.stderr.splitlines() if not line.startswith("distnorm: compiling")]
    assert message in said
    assert not list(cache.glob("synapse-*"))


def test_several_classes_or_a_weight_set_elsewhere_must_be_named(tmp_path):
    header = tmp_path / "two.h"
    one = "template < typename T > class {} : public nest::Connection< T > {{ void set_weight( double w ); }};"
    header.write_text("namespace nest {" + one.format("first") + "} // class x\n" + one.format("second"))
    with pytest.raises(distnorm.KernelError, match="several: nest::first, second"):
        extensions.parse(str(header))
    with pytest.raises(distnorm.KernelError, match="does not tell where second keeps its weight"):
        extensions.parse(f"{header},second")
    stated = extensions.parse(f"{header},nest::first,weight_")
    assert (stated.class_name, stated.weight, stated.needs) == ("nest::first", "weight_", ())
