"""No weight leaves the side of its synapse's Wmax, and zero of either sign is on that side; in every model and mode."""

import nest
import numpy as np
import pytest
from networks import neuron_model, reset, write_weights

import distnorm
from distnorm.synapses.synapse_models import PLASTIC_AT_SPIKES

pytestmark = pytest.mark.mpi

# Limits of each model, on either side of zero.
OWN = {"Wmax": 1.0}, {"Wmax": -1.0}
WITH_WMIN = {"Wmin": 0.0, "Wmax": 1.0}, {"Wmin": -1.0, "Wmax": 0.0}
SIDES = [
    (model + variant, limits)
    for model in PLASTIC_AT_SPIKES
    for variant in (("", "_hpc", "_lbl") if model in ("stdp_synapse", "stdp_synapse_hom", "clopath_synapse") else ("",))
    for limits in (WITH_WMIN if model in ("clopath_synapse", "stdp_dopamine_synapse") else OWN)
    if model != "stdp_pl_synapse_hom"
]
MODES = [
    {"mode": "subtractive"},
    {"mode": "subtractive", "norm": "sum"},
    {"mode": "subtractive", "w_max": "Wmax"},
    {"w_min": 0.1},
    {"w_min": 0.1, "norm": "l2"},
    {"w_min": 0.1, "w_max": "Wmax", "norm": "linf"},
    {"zero": "equal"},
    {"zero": "equal", "w_max": "Wmax"},
    {"norm": "l3"},
    {"mode": "subtractive", "sign": "negative"},
    {"mode": "subtractive", "sign": "positive"},
]


def network(model, limits):
    """Four targets for each mode, of connections on one side of zero; returns which."""
    reset()
    # NEST 3.10 reads targets of the network before when it compresses those of a second one on 4 ranks: it may crash.
    nest.use_compressed_spikes = False
    side = -1.0 if limits["Wmax"] < 0 or limits.get("Wmin", 0.0) < 0 else 1.0
    population = nest.Create(neuron_model([model]), 4 * len(MODES))
    if model.startswith("stdp_dopamine"):
        limits = {**limits, "volume_transmitter": nest.Create("volume_transmitter")}
    nest.CopyModel(model, "sided", {"weight": 0.5 * side, **limits})
    nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": 9, "allow_multapses": False}, "sided")
    return side


def weights():
    """Targets, sources and weights."""
    found = nest.GetConnections(synapse_model="sided")
    if not len(found):
        return np.zeros((3, 0))
    status = found.get(["target", "source", "weight"])
    table = np.array([np.atleast_1d(status[key]) for key in ("target", "source", "weight")])
    return table[:, np.lexsort((table[1], table[0]))]


def normalized(side, backend):
    """A third of the weights are zeros of both signs before, and all of every fourth target's."""

    def weight(source, target, _):
        rng = np.random.default_rng([source, target])
        size = rng.uniform(0.1, 0.9) if rng.uniform() > 1 / 3 and target % 4 else 0.0
        return size * side if size else rng.choice([0.0, -0.0])

    write_weights("sided", weight)
    before = weights()
    rules = []
    for i, mode in enumerate(MODES):
        target_norm = 4.0 * (side if mode.get("norm") == "sum" else 1)
        rules.append(distnorm.Rule("sided", targets=range(4 * i + 1, 4 * i + 5), target_norm=target_norm, **mode))
    drifts = distnorm.Normalizer(rules, backend=backend).normalize().drifts
    return before, weights(), [(each.max, each.targets, each.at_bound, each.above_wmax) for each in drifts]


@pytest.mark.parametrize(("model", "limits"), SIDES, ids=lambda value: "".join(str(value).split("'")))
def test_no_weight_leaves_its_side_by_either_way(model, limits):
    side = network(model, limits)
    _, after, drifts = normalized(side, "inplace")
    before, other, other_drifts = normalized(side, "pynest")
    assert np.array_equal(after.view(np.int64), other.view(np.int64)) and drifts == other_drifts
    assert not (after[2] * side < 0).any()
    for i, mode in enumerate(MODES):
        mine = (after[0] > 4 * i) & (after[0] <= 4 * i + 4)
        sizes, unlifted = np.abs(after[2][mine]), after[0][mine] % 4 == 0
        assert (sizes[~unlifted] >= mode.get("w_min", 0.0)).all()
        if mode.get("zero") == "equal" or mode == {"mode": "subtractive"}:
            assert (sizes[unlifted] > 0).all()
        if "sign" in mode and (side > 0) != (mode["sign"] == "positive"):
            assert np.array_equal(before[2][mine].view(np.int64), after[2][mine].view(np.int64))
        elif "sign" in mode:
            assert (sizes[unlifted] > 0).all()


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_where_the_model_has_no_side_zero_has_its_sign(backend):
    reset()
    population = nest.Create("iaf_psc_delta", 8)
    nest.Connect(population, population, "all_to_all", {"synapse_model": "static_synapse", "weight": 0.25})
    write_weights("static_synapse", lambda source, *_: -0.0 if source % 2 else 0.0)
    distnorm.Normalizer(
        distnorm.Rule("static_synapse", target_norm=4.0, mode="subtractive", sign="negative"), backend=backend
    ).normalize()
    found = nest.GetConnections(synapse_model="static_synapse")
    if len(found):
        odd = np.array(found.get("source")) % 2 == 1
        assert np.array_equal(np.array(found.get("weight")), np.where(odd, -1.0, 0.0))


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
@pytest.mark.parametrize("rule", [{}, {"w_max": "Wmax"}, {"norm": "l2"}])
def test_a_factor_that_leaves_nothing_keeps_the_side(backend, rule):
    """One weight beside much larger ones is scaled to less than the least double."""
    reset()
    population = nest.Create("iaf_psc_delta", 5)
    nest.CopyModel("stdp_synapse", "sided", {"Wmax": -1.0, "weight": -1.0})
    nest.Connect(population, population, "all_to_all", "sided")
    write_weights("sided", lambda source, *_: -5e-324 if source == 1 else -1.0)
    distnorm.Normalizer(distnorm.Rule("sided", target_norm=0.5, **rule), backend=backend).normalize()
    assert (weights()[2] < 0).all()


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_what_plasticity_depressed_to_nothing(backend):
    """NEST's own zeros: +0.0 of inhibitory weights in these models."""
    for model in ("stdp_synapse", "stdp_synapse_hom", "stdp_nn_symm_synapse"):
        for mode in ({"mode": "subtractive"}, {"w_min": 0.1}):
            reset()
            learning = {"lambda": 0.2, "alpha": 1.3, "mu_plus": 0.0, "mu_minus": 0.0}
            nest.CopyModel(model, "sided", {"weight": -0.5, "Wmax": -1.0, **learning})
            population = nest.Create("iaf_psc_delta", 20)
            nest.Connect(nest.Create("poisson_generator", params={"rate": 18_000.0}), population)
            nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": 10}, "sided")
            nest.Simulate(100.0)
            before = weights()[2]
            assert (before == 0).any() or not before.size
            distnorm.Normalizer(distnorm.Rule("sided", target_norm=6.0, **mode), backend=backend).normalize()
            after = weights()[2]
            assert not (after > 0).any() and ((after < 0).all() or "w_min" in mode)  # which lifts no zero norm
