"""Each line of the table in docs/own-loop.md: the code of a loop of one's own beside the rule that stands for it."""

import nest
import numpy as np
import pytest
from networks import reset

import distnorm

NUMBER, TARGET = 12, 7.0
PER_NEURON = np.linspace(5.0, 9.0, 30)

FORMULAS = [
    ("L1", lambda w, i, start: w * TARGET / sum(abs(w)), {"target_norm": TARGET}),
    ("ss", lambda w, i, start: w / sum(w), {"target_norm": 1.0}),
    ("L2", lambda w, i, start: w * TARGET / np.sqrt(sum(w**2)), {"target_norm": TARGET, "norm": "l2"}),
    ("start", lambda w, i, start: w * sum(start) / sum(w), {"target_norm": "initial"}),
    ("per neuron", lambda w, i, start: w * PER_NEURON[i] / sum(w), {"target_norm": PER_NEURON}),
    ("mean", lambda w, i, start: w * 0.4 / w.mean(), {"mean_weight": 0.4}),
    (
        "above",
        lambda w, i, start: w * TARGET / sum(w) if sum(w) > TARGET else w,
        {"target_norm": TARGET, "only": "above"},
    ),
    ("rate", lambda w, i, start: w + 0.1 * (w * TARGET / sum(w) - w), {"target_norm": TARGET, "rate": 0.1}),
    (
        "subtractive",
        lambda w, i, start: w - (sum(w) - TARGET) / len(w),
        {"target_norm": TARGET, "mode": "subtractive"},
    ),
    (
        "clipped",
        lambda w, i, start: np.clip(w - (sum(w) - TARGET) / len(w), 0.5, 0.7),
        {"target_norm": TARGET, "mode": "subtractive", "w_min": 0.5, "w_max": 0.7, "bounds": "clip"},
    ),
]


def network():
    reset(virtual_processes=2)
    population = nest.Create("iaf_psc_delta", 30)
    synapse = {"synapse_model": "stdp_synapse", "Wmax": 5.0, "weight": nest.random.uniform(0.3, 0.9)}
    nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": NUMBER}, synapse)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, population, syn_spec={"weight": 1.0})
    return population


def by_neuron(population):
    return [np.array(nest.GetConnections(target=each, synapse_model="stdp_synapse").weight) for each in population]


@pytest.mark.parametrize(("formula", "arguments"), [row[1:] for row in FORMULAS], ids=[row[0] for row in FORMULAS])
def test_a_formula_and_its_rule(formula, arguments):
    population = network()
    start = by_neuron(population)
    targets = population if "target_norm" in arguments and np.ndim(arguments["target_norm"]) else None
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", targets=targets, **arguments), interval=10.0)
    factors = np.random.default_rng(1).uniform(0.8, 1.3, 30)
    distnorm.set_weights(lambda block: block["weight"] * factors[block["target"] - 1], "stdp_synapse")
    before = by_neuron(population)
    expected = [formula(w, i, start[i]) for i, w in enumerate(before)]
    assert max(np.abs(new - w).max() for new, w in zip(expected, before, strict=True)) > 0.01
    normalizer.normalize()
    np.testing.assert_allclose(by_neuron(population), expected, rtol=1e-13)


def test_a_signed_sum_and_each_sign_by_itself():
    for arguments in ({"norm": "sum", "mode": "subtractive"}, {"sign": "positive"}):
        population = network()
        nest.CopyModel("stdp_synapse", "inhibition", {"Wmax": -50.0, "weight": -20.0})
        nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": 4}, {"synapse_model": "inhibition"})
        rule = distnorm.Rule(["stdp_synapse", "inhibition"], target_norm=TARGET, **arguments)
        excitation = by_neuron(population)
        distnorm.Normalizer(rule, interval=10.0).normalize()
        for w, new in zip(excitation, by_neuron(population), strict=True):
            shifted = w - (sum(w) - 80.0 - TARGET) / (NUMBER + 4)
            expected = w * TARGET / sum(w) if "sign" in arguments else shifted
            np.testing.assert_allclose(new, expected, rtol=1e-12)
        others = nest.GetConnections(synapse_model="inhibition").weight
        assert (np.array(others) == -20.0).all() == ("sign" in arguments)


def test_only_from_some_sources():
    population = network()
    before = distnorm.connections("stdp_synapse")
    rule = distnorm.Rule("stdp_synapse", sources=population[:10], target_norm=2.0)
    distnorm.Normalizer(rule, interval=10.0).normalize()
    after = distnorm.connections("stdp_synapse")
    chosen = before["source"] <= 10
    assert np.array_equal(after["weight"][~chosen], before["weight"][~chosen])
    sums = np.bincount(before["target"][chosen], before["weight"][chosen])
    np.testing.assert_allclose(
        after["weight"][chosen], before["weight"][chosen] * 2.0 / sums[before["target"][chosen]], rtol=1e-13
    )


def test_the_documented_recipe_in_a_loop():
    found = []
    for recipe in (True, False):
        population = network()
        normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET), interval=20.0)
        for _ in range(4):
            nest.Simulate(20.0)
            if not recipe:
                normalizer()
                continue
            for neuron in population:
                conn = nest.GetConnections(target=neuron, synapse_model="stdp_synapse")
                w = np.array(conn.weight)
                conn.weight = TARGET * w / np.sum(np.abs(w))
        found.append(np.concatenate(by_neuron(population)))
    np.testing.assert_allclose(*found, rtol=1e-10)
