""" "initial" norms are those of the network as it was connected; where that cannot be, it is said."""

import nest
import pytest
from networks import network, norms_by_target, reset

import distnorm

RULE = distnorm.Rule("stdp_synapse", target_norm="initial")


def warnings(caplog):
    return [record.message for record in caplog.records if "initial" in record.message]


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_norms_are_kept_as_they_were_when_the_normalizer_was_made(backend, caplog):
    reset()
    network()
    before = norms_by_target(["stdp_synapse"])
    normalizer = distnorm.Normalizer(RULE, backend=backend)
    for _ in range(3):
        nest.Simulate(15.0)
        normalizer()
    assert norms_by_target(["stdp_synapse"]) == pytest.approx(before, rel=1e-12)
    assert warnings(caplog) == []


def test_a_normalizer_that_is_made_later_says_so(caplog):
    reset()
    network()
    nest.Simulate(15.0)
    before = norms_by_target(["stdp_synapse"])
    normalizer = distnorm.Normalizer(RULE)
    (said,) = warnings(caplog)
    assert '"initial" norms are those of now, after 15 ms were simulated' in said
    normalizer.simulate(30.0)
    normalizer()
    assert norms_by_target(["stdp_synapse"]) == pytest.approx(before, rel=1e-12)


def test_targets_that_are_connected_later_are_counted_and_said_once(caplog):
    reset()
    population = network()
    normalizer = distnorm.Normalizer(RULE, interval=15.0)
    normalizer.simulate(30.0)
    late = nest.Create("iaf_psc_delta", 7)
    for _ in range(2):
        nest.Connect(population[:5], late, syn_spec={"synapse_model": "stdp_synapse", "weight": 0.5, "delay": 1.5})
        normalizer.simulate(30.0)
    assert [measurement.drifts[0].late_initial for measurement in normalizer.log] == [0, 0, 0, 7, 0, 0, 0]
    (said,) = warnings(caplog)
    assert said.startswith('rule 1 (stdp_synapse): 7 "initial" norms are those of now')
