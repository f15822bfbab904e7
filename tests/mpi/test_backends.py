"""Every norm, mode and kind of bounds: met by numpy's account, and the same in place and through PyNEST."""

import math

import nest
import numpy as np
import pytest
from networks import reset

import distnorm

pytestmark = pytest.mark.mpi

MODEL = "stdp_synapse_lbl"
NORMS = [(norm, "multiplicative") for norm in ("l1", "l2", "l3", "l8", "l9", "l1.5", "linf", "sum")]
NORMS += [("l1", "subtractive"), ("sum", "subtractive")]
BOXES = [{}, {"w_max": 0.8}, {"w_min": 0.1, "w_max": 0.8}, {"w_max": "Wmax"}]
ALL = [(norm, box) for norm in NORMS for box in BOXES if not (norm == ("sum", "multiplicative") and box)]


def network(inhibitory=True):
    """Weights and bounds of both signs, some weights at zero and some beyond their bound."""
    reset()
    population = nest.Create("iaf_psc_delta", 20)
    syn = {"synapse_model": MODEL, "delay": 1.5}
    conn = {"rule": "fixed_indegree", "indegree": 12}
    positive = {"weight": nest.random.uniform(0.0, 1.0), "Wmax": nest.random.uniform(0.3, 1.5), "synapse_label": 1}
    nest.Connect(population, population, conn, syn | positive)
    if inhibitory:
        negative = {"weight": nest.random.uniform(-0.5, -0.1), "Wmax": nest.random.uniform(-0.6, -0.2)}
        nest.Connect(population, population, conn, syn | negative | {"synapse_label": 2})
    return population


def state():
    """Targets, weights and bounds of the local connections, sorted."""
    found = nest.GetConnections(synapse_model=MODEL)
    if not len(found):
        return np.zeros((4, 0))
    status = found.get(["target", "source", "weight", "Wmax"])
    table = np.array([np.atleast_1d(status[key]) for key in ("target", "source", "Wmax", "weight")])
    return table[:, np.lexsort(table[::-1])]


def norm_of(weights, norm):
    if norm == "sum":
        return math.fsum(weights)
    sizes = np.abs(weights)
    return sizes.max() if norm == "linf" else math.fsum(sizes ** float(norm[1:])) ** (1 / float(norm[1:]))


def normalized(backend, **rule):
    network(rule.pop("inhibitory", True))
    before = state()
    measurement = distnorm.Normalizer(distnorm.Rule(MODEL, **rule), backend=backend).normalize()
    return before, state(), measurement.drifts[0]


@pytest.mark.parametrize(
    ("norm_and_mode", "box"), ALL, ids=lambda value: "-".join(map(str, value if value else ["free"]))
)
@pytest.mark.parametrize("target_norm", ["near", "far"])
def test_met_inside_the_limits_or_reported_and_both_backends_alike(norm_and_mode, box, target_norm):
    norm, mode = norm_and_mode
    near = {"linf": 0.75, "l2": 1.6, "l3": 1.2, "l8": 0.9, "l9": 0.9, "l1.5": 2.8, "sum": 4.0}.get(norm, 7.0)
    target = {"near": near, "far": 5 * near}[target_norm]
    rule = {
        "norm": norm,
        "mode": mode,
        "target_norm": target,
        **box,
        "inhibitory": mode != "multiplicative" or norm != "sum",
    }
    before, after, drift = normalized("inplace", **rule)
    _, other, other_drift = normalized("pynest", **rule)
    np.testing.assert_array_equal(after, other)
    np.testing.assert_array_equal(np.signbit(after[3]), np.signbit(before[3]))
    names = ("max", "mean", "targets", "unreachable", "unreachable_max", "at_bound", "above_wmax")
    assert [getattr(drift, name) for name in names] == [getattr(other_drift, name) for name in names]
    high = np.abs(after[2]) if box.get("w_max") == "Wmax" else box.get("w_max", math.inf)
    assert (np.abs(after[3]) <= high).all() and (np.abs(after[3]) >= box.get("w_min", 0.0)).all()
    if drift.unreachable == 0:
        for node in np.unique(after[0]):
            mine = after[0] == node
            scale = np.abs(after[3][mine]).sum() if norm == "sum" else target
            assert abs(norm_of(after[3][mine], norm) - target) <= 1e-12 * scale
    elif target_norm == "near":
        assert drift.unreachable < drift.targets


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_what_is_out_of_reach_is_as_near_as_can_be_and_counted(backend):
    _, after, drift = normalized(backend, target_norm=100.0, w_max="Wmax", inhibitory=False)
    np.testing.assert_array_equal(after[3], after[2])
    assert drift.unreachable == drift.targets == 20
    sums = np.bincount(after[0].astype(int), after[2])
    if nest.num_processes == 1:
        assert drift.unreachable_max == pytest.approx(1 - sums[sums > 0].min() / 100.0, rel=1e-12)


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_selections(backend):
    """By sign, by label, and without excluded connections: only those change, and have the norm."""
    for choice in ({"sign": "negative"}, {"label": 2}, {"label": [1]}, {"exclude": [(1, 2), (2, 1), (5, 9)]}):
        before, after, _ = normalized(backend, target_norm=3.0, **choice)
        chosen = before[3] < 0 if choice.get("sign") or choice.get("label") == 2 else np.ones(before.shape[1], bool)
        if choice.get("label") == [1]:
            chosen = ~(before[3] < 0)
        for source, target in choice.get("exclude", ()):
            chosen &= ~((before[0] == target) & (before[1] == source))
        np.testing.assert_array_equal(after[3][~chosen], before[3][~chosen])
        for node in np.unique(after[0][chosen]):
            assert abs(np.abs(after[3][chosen & (after[0] == node)]).sum() / 3.0 - 1) <= 1e-12


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_signs_are_rules_of_their_own_and_excluded_connections_may_come_from_getconnections(backend):
    population = network()
    frozen = nest.GetConnections(source=population[:3], target=population[5:9], synapse_model=MODEL)
    before = state()
    rules = [
        distnorm.Rule(MODEL, sign="positive", target_norm=6.0, exclude=frozen),
        distnorm.Rule(MODEL, sign="negative", target_norm=2.0, norm="l2"),
    ]
    distnorm.Normalizer(rules, backend=backend).normalize()
    after = state()
    kept = np.isin(after[1], [1, 2, 3]) & np.isin(after[0], [6, 7, 8, 9]) & (before[3] > 0)
    np.testing.assert_array_equal(after[3][kept], before[3][kept])
    for node in np.unique(after[0]):
        mine = after[0] == node
        positive, negative = after[3][mine & (after[3] > 0) & ~kept], after[3][mine & (after[3] < 0)]
        assert abs(positive.sum() / 6.0 - 1) <= 1e-12 and abs(norm_of(negative, "l2") / 2.0 - 1) <= 1e-12


def test_common_bounds_and_lower_bounds_of_the_synapse():
    for backend in ("inplace", "pynest"):
        reset()
        nest.SetDefaults("stdp_synapse_hom", {"Wmax": 0.6})
        nest.SetDefaults("clopath_synapse", {"Wmin": 0.2, "Wmax": 0.9})
        neurons = nest.Create("hh_psc_alpha_clopath", 20)
        for model in ("stdp_synapse_hom", "clopath_synapse"):
            syn = {"synapse_model": model, "weight": nest.random.uniform(0.3, 0.5), "delay": 1.5}
            nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 5}, syn)
        rules = [
            distnorm.Rule("stdp_synapse_hom", target_norm=2.9, w_max="Wmax"),
            distnorm.Rule("clopath_synapse", target_norm=1.05, w_min="Wmin", w_max="Wmax"),
        ]
        drifts = distnorm.Normalizer(rules, backend=backend).normalize().drifts
        assert [each.unreachable for each in drifts] == [0, 0]
        for model, low, high, total in (("stdp_synapse_hom", 0.0, 0.6, 2.9), ("clopath_synapse", 0.2, 0.9, 1.05)):
            found = nest.GetConnections(synapse_model=model)
            weights = np.array(found.get("weight"))
            assert (weights >= low).all() and (weights <= high).all()
            sums = np.bincount(found.get("target"), weights)
            assert np.abs(sums[sums > 0] / total - 1).max() <= 1e-12


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_target_norms_by_in_degree_and_by_parameter(backend):
    population = network()
    distnorm.Normalizer(distnorm.Rule(MODEL, mean_weight=0.25, exclude=[(1, 2)]), backend=backend).normalize()
    table = state()
    table = table[:, ~((table[0] == 2) & (table[1] == 1))]
    for node in np.unique(table[0]):
        sizes = np.abs(table[3][table[0] == node])
        assert sizes.mean() == pytest.approx(0.25, rel=1e-12)
    rule = distnorm.Rule(MODEL, targets=population[::2], target_norm=nest.random.uniform(5.0, 9.0))
    normalizer = distnorm.Normalizer(rule, backend=backend)
    normalizer.normalize()
    table = state()
    norms = {node: np.abs(table[3][table[0] == node]).sum() for node in np.unique(table[0]) if node % 2}
    assert all(5.0 <= value <= 9.0 for value in norms.values()) and len(set(norms.values())) == len(norms)
    assert normalizer.normalize().drift_max <= 1e-14


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_each_projection_by_itself(backend):
    reset()
    population = nest.Create("iaf_psc_delta", 30)
    models = ("stdp_synapse", "static_synapse_lbl", "stdp_triplet_synapse")
    for model in models:
        syn = {"synapse_model": model, "weight": nest.random.uniform(0.1, 0.9), "delay": 1.5}
        nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": 6}, syn)
    normalizer = distnorm.Normalizer(distnorm.Rule(models, target_norm=2.0, jointly=False), backend=backend)
    normalizer.normalize()
    assert [rule.synapse_models for rule in normalizer.rules] == [(model,) for model in models]
    for model in models:
        found = nest.GetConnections(synapse_model=model)
        sums = np.bincount(found.get("target"), found.get("weight"))
        assert np.abs(sums[sums > 0] / 2.0 - 1).max() <= 1e-12


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_weights_beyond_wmax_and_parrots_are_told_once(backend, caplog):
    population = network(inhibitory=False)
    parrots = nest.Create("parrot_neuron", 4)
    nest.Connect(population[:5], parrots, syn_spec={"synapse_model": MODEL, "weight": 0.4, "delay": 1.5})
    normalizer = distnorm.Normalizer(distnorm.Rule(MODEL, target_norm=7.0), backend=backend)
    drift = normalizer.normalize().drifts[0]
    normalizer.normalize()
    assert drift.parrots == 4
    beyond = np.array([(np.abs(each[3]) > np.abs(each[2])).sum() for each in [state()]])
    everyone = distnorm.mpi.ranks.world(nest.build_info["have_mpi"]).gather(int(beyond[0]))
    if everyone is not None:
        assert drift.above_wmax == sum(everyone) > 0
        assert caplog.text.count("more than their synapse's Wmax") == caplog.text.count("parrot neurons") == 1
    else:
        assert not caplog.text
