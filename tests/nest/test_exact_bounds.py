"""Held norms that the Wmin and Wmax of a target's connections do not allow: as near as they do, and counted."""

import logging

import nest
import pytest
from networks import NEURONS, network, norms_by_target, reset

import distnorm

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models

STDP = "stdp_synapse_normalized"
INPUTS = {"rule": "fixed_indegree", "indegree": 5, "allow_multapses": False}


def holding(model, norm="l1", target_norm=20.0, **parameters):
    reset(virtual_processes=2)
    distnorm.install_models()
    nest.SetDefaults(model, parameters)
    network((model,), weight=1.25)
    rule = distnorm.Rule(model, norm=norm, target_norm=target_norm)
    return distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=20.0))


def norms(model, power=1):
    return list(norms_by_target((model,), power).values())


@pytest.mark.parametrize(
    ("model", "norm", "wanted", "nearest", "parameters"),
    [
        ("stdp_synapse", "l1", 40.0, 30.0, {"Wmax": 2.0}),
        ("stdp_synapse", "l2", 8.0, 2.0 * 15**0.5, {"Wmax": 2.0}),
        ("stdp_synapse_hom", "l1", 40.0, 30.0, {"Wmax": 2.0}),
        ("vogels_sprekeler_synapse", "l1", 40.0, 30.0, {"Wmax": 2.0}),
        ("jonke_synapse", "l1", 40.0, 30.0, {"Wmax": 2.0}),
        ("clopath_synapse", "l1", 40.0, 30.0, {"Wmax": 2.0}),
        ("clopath_synapse", "l1", 6.0, 15.0, {"Wmin": 1.0}),
        ("clopath_synapse", "l2", 2.0, 15**0.5, {"Wmin": 1.0}),
        ("stdp_dopamine_synapse", "l1", 6.0, 15.0, {"Wmin": 1.0}),
        ("stdp_dopamine_synapse", "l1", 40.0, 30.0, {"Wmax": 2.0, "A_plus": 0.01, "A_minus": 0.01}),
    ],
)
@pytest.mark.parametrize("variant", ["", "_hpc", "_lbl"])
def test_what_bounds_do_not_allow_is_counted(model, norm, wanted, nearest, parameters, variant, caplog):
    normalizer = holding(f"{model}_normalized{variant}", norm, wanted, **parameters)
    with caplog.at_level(logging.WARNING):
        normalizer.simulate(60.0)
    assert len(normalizer.log) == 4
    for measurement in normalizer.log[1:]:
        drift = measurement.drifts[0]
        assert (drift.targets, drift.unreachable, drift.max < 1e-12) == (NEURONS, NEURONS, True)
        assert drift.unreachable_max == pytest.approx(abs(nearest / wanted - 1))
    said = [record.getMessage() for record in caplog.records if "cannot have their target norm" in record.getMessage()]
    assert len(said) == 1 and "their connections' Wmin and Wmax" in said[0]
    found = norms(f"{model}_normalized{variant}", {"l1": 1, "l2": 2}[norm])
    assert found == pytest.approx([nearest] * NEURONS, rel=1e-12)


@pytest.mark.parametrize("parameters", [{"Wmax": 2.0}, {"Wmax": -2.0}])
def test_within_bounds_nothing_is_counted(parameters):
    sign = -1 if parameters["Wmax"] < 0 else 1
    reset()
    distnorm.install_models()
    nest.SetDefaults(STDP, {"weight": 0.5 * sign, **parameters})
    network((STDP,), weight=0.5 * sign)
    normalizer = distnorm.Normalizer(
        distnorm.Rule(STDP, target_norm=30.0), interval=distnorm.ExactInterval(audit_ms=20.0)
    )
    normalizer.simulate(40.0)  # all of 15 connections at Wmax
    assert [measurement.drifts[0].unreachable for measurement in normalizer.log] == [0, 0, 0]
    assert norms(STDP) == pytest.approx([30.0] * NEURONS, rel=1e-12)


def test_the_norm_holds_as_soon_as_connections_allow_it_and_no_longer():
    normalizer = holding(STDP, target_norm=40.0, Wmax=2.0)
    population = nest.NodeCollection(range(1, NEURONS + 1))
    normalizer.simulate(30.0)
    assert norms(STDP) == pytest.approx([30.0] * NEURONS, rel=1e-12)
    nest.Connect(population, population, INPUTS, {"synapse_model": STDP, "weight": 0.1, "delay": 1.5})
    with normalizer.attached():
        nest.Simulate(60.0)
    assert norms(STDP) == pytest.approx([40.0] * NEURONS, rel=1e-12)
    assert normalizer.normalize().drifts[0].unreachable == 0
    nest.GetConnections(target=population[7], synapse_model=STDP)[:8].disconnect()
    normalizer.simulate(19.0)  # no audit in between
    nearest = {node: 24.0 if node == population[7].global_id else 40.0 for node in population.tolist()}
    assert norms_by_target((STDP,)) == pytest.approx(nearest, rel=1e-12)
    assert normalizer.normalize().drifts[0].unreachable == 1


def test_bounds_that_are_set_count():
    normalizer = holding(STDP, target_norm=40.0, Wmax=2.0)
    normalizer.simulate(30.0)
    nest.GetConnections(synapse_model=STDP).set(Wmax=4.0)
    normalizer.simulate(15.0)
    assert norms(STDP) == pytest.approx([40.0] * NEURONS, rel=1e-12)
