"""Normalized models used as any model of NEST: read, set, copied, connected, removed; and what is refused."""

import nest
import numpy as np
import pytest
from networks import network, norms_by_target, reset

import distnorm

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models

STDP = "stdp_synapse_normalized"
LITTLE = {"lambda": 1e-3}
NORM = 12.0


def held(models=(STDP,), threads=2, norm="l1", target_norm=NORM, parameters=None):
    """A network whose norms are held, after 50 ms."""
    reset(virtual_processes=threads)
    distnorm.install_models()
    for model in models:
        nest.SetDefaults(model, LITTLE if parameters is None else parameters)
    population = network(models)
    rule = distnorm.Rule(models, norm=norm, target_norm=target_norm)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=100.0))
    normalizer.simulate(50.0)
    return population, normalizer


def off_target(models=(STDP,), power=1):
    return max(abs(value / NORM - 1) for value in norms_by_target(models, power).values())


@pytest.mark.parametrize("variant", ["", "_hpc", "_lbl"])
def test_a_weight_that_is_set_reads_back_and_the_norm_holds_on(variant):
    model = STDP + variant
    population, normalizer = held((model,), parameters={"lambda": 0.0})
    one = nest.GetConnections(target=population[7], synapse_model=model)[0]
    others = nest.GetConnections(target=population[7], synapse_model=model)[1:]
    before = others.get("weight")
    one.weight = 3.5
    assert one.weight == pytest.approx(3.5, rel=1e-15) and others.get("weight") == before
    one.set(Kplus=0.5)
    assert one.weight == pytest.approx(3.5, rel=1e-15) and one.Kplus == 0.5
    assert norms_by_target((model,))[population[7].global_id] > NORM + 2
    normalizer.simulate(20.0)
    assert off_target((model,)) < 1e-13
    assert np.allclose(np.divide(others.get("weight"), one.weight), np.divide(before, 3.5), rtol=1e-12)


def test_a_refused_weight_leaves_one_that_is_read_as_written():
    population, normalizer = held()
    one = nest.GetConnections(target=population[7], synapse_model=STDP)[0]
    with pytest.raises(Exception, match="same sign"):
        one.weight = -2.0  # NEST writes it before it checks
    assert one.weight == pytest.approx(-2.0, rel=1e-15)
    normalizer.simulate(20.0)
    assert off_target() < 1e-13


@pytest.mark.parametrize("variant", ["", "_hpc", "_lbl"])
@pytest.mark.parametrize("backend", ["collection", "rule"])
def test_connections_made_and_removed_count(variant, backend):
    model = STDP + variant
    population, normalizer = held((model,))
    found = nest.GetConnections(target=population[3:9], synapse_model=model)
    pairs = sorted(set(zip(found.sources(), found.targets(), strict=True)))
    if backend == "collection":
        found[:20].disconnect()
    else:
        for source, target in pairs[:20]:
            both = [nest.NodeCollection([source]), nest.NodeCollection([target])]
            nest.Disconnect(*both, conn_spec="one_to_one", syn_spec={"synapse_model": model})
    nest.Connect(population[:4], population[20:30], syn_spec={"synapse_model": model, "weight": 1.7, "delay": 1.5})
    new = nest.GetConnections(population[0], population[20], synapse_model=model).get("weight")
    assert np.isclose(new, 1.7, rtol=1e-15).any()
    normalizer.simulate(30.0)
    assert normalizer.log[-1].time_ms == 0.0  # no audit in between
    assert off_target((model,)) < 1e-13


def test_neurons_made_later_are_held_from_their_first_simulate():
    population, normalizer = held()
    late = nest.Create("iaf_psc_delta", 5)
    spec = {"synapse_model": STDP, "weight": 0.5, "delay": 1.5}
    nest.Connect(population, late, {"rule": "fixed_indegree", "indegree": 7}, spec)
    nest.Connect(late, population, {"rule": "fixed_indegree", "indegree": 2}, spec)
    normalizer.normalize()
    normalizer.simulate(30.0)
    assert len(norms_by_target((STDP,))) == 65 and off_target() < 1e-13


def test_one_norm_over_several_models_and_copies():
    reset(virtual_processes=2)
    distnorm.install_models()
    nest.CopyModel("stdp_synapse_normalized_hpc", "first", LITTLE)
    nest.CopyModel("stdp_triplet_synapse_normalized", "second", {"Aplus": 1e-4, "Aminus": 1e-4})
    network(["first", "second", "stdp_synapse"])
    rule = distnorm.Rule(["second", "first"], norm="l2", target_norm=NORM)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval())
    normalizer.simulate(60.0)
    assert off_target(("first", "second"), 2) < 1e-13 < off_target(("second",), 2)
    assert nest.GetDefaults("first", "lambda") == 1e-3
    normalizer.simulate(60.0)
    assert off_target(("first", "second"), 2) < 1e-13


def test_a_weight_recorder_sees_the_weights_that_were_delivered():
    reset()
    distnorm.install_models()
    recorder = nest.Create("weight_recorder")
    nest.SetDefaults(STDP, {"weight_recorder": recorder, "lambda": 0.0, "Wmax": 128.0})
    network((STDP,))
    normalizer = distnorm.Normalizer(distnorm.Rule(STDP, target_norm=NORM), interval=distnorm.ExactInterval())
    normalizer.simulate(50.0)
    found = nest.GetConnections(synapse_model=STDP).get(["source", "target", "weight"])
    weights = {}
    for source, target, weight in zip(found["source"], found["target"], found["weight"], strict=True):
        weights.setdefault((source, target), []).append(weight)
    events = recorder.events
    assert len(events["weights"]) > 1_000
    for source, target, weight in zip(events["senders"], events["targets"], events["weights"], strict=True):
        assert np.isclose(weight, weights[source, target], rtol=1e-12).any()


@pytest.mark.parametrize("targets", [1, 16, 17, 40])
@pytest.mark.parametrize("variant", ["", "_hpc"])
def test_a_spike_reaches_all_targets_of_its_source_in_their_order(targets, variant):
    of_parent, of_twin = (events_of_two_sources(f"{name}{variant}", targets) for name in ("stdp_synapse", STDP))
    remaining = 2 * (targets - len(range(0, targets - 1, 3)))
    for delivered in (of_parent, of_twin):
        for time, number in ((6.0, 2 * targets), (106.0, remaining)):
            ports = delivered["ports"][delivered["times"] == time]
            assert len(ports) == number
            assert (np.diff(ports) > 0).all()
    for field in ("times", "senders", "targets", "ports", "weights"):
        assert np.array_equal(of_twin[field], of_parent[field])


def events_of_two_sources(model, targets):
    """What a weight recorder sees of two sources that spike three times, before and after some targets are taken."""
    reset(virtual_processes=1)
    distnorm.install_models()
    recorder = nest.Create("weight_recorder", params={"record_to": "memory"})
    nest.SetDefaults(model, {"weight_recorder": recorder, "lambda": 0.0, "Wmax": 128.0})
    noise = nest.Create("spike_generator", params={"spike_times": [5.0, 10.0, 15.0, 105.0, 110.0, 115.0]})
    sources = nest.Create("parrot_neuron", 2)
    population = nest.Create("iaf_psc_delta", targets)
    nest.Connect(noise, sources)
    weights = np.random.default_rng(targets).uniform(0.1, 1.0, (targets, 2))
    nest.Connect(sources, population, syn_spec={"synapse_model": model, "weight": weights})
    simulate = nest.Simulate
    if model.startswith(STDP):
        rule = distnorm.Rule(model, target_norm="initial")
        simulate = distnorm.Normalizer(rule, interval=distnorm.ExactInterval()).simulate
    simulate(50.0)
    if targets > 1:
        taken = population[: targets - 1 : 3]
        nest.Disconnect(nest.GetConnections(target=taken, synapse_model=model))
    simulate(100.0)
    return recorder.events


def test_a_lone_input_depressed_to_nothing_is_let_go_and_counted():
    reset()
    distnorm.install_models()
    nest.resolution = 0.1
    times = np.arange(5.0, 200.0, 5.0)
    kicks = nest.Create("spike_generator", params={"spike_times": times})
    later = nest.Create("spike_generator", params={"spike_times": times + 2.0})
    relay, target = nest.Create("parrot_neuron"), nest.Create("iaf_psc_delta")
    nest.Connect(kicks, target, syn_spec={"weight": 1000.0})
    nest.Connect(later, relay)
    depressing = {"synapse_model": STDP, "lambda": 1.0, "mu_minus": 0.0, "alpha": 5.0, "Wmax": 2.0, "weight": 1.0}
    nest.Connect(relay, target, syn_spec=depressing)
    normalizer = distnorm.Normalizer(
        distnorm.Rule(STDP, target_norm=1.5), interval=distnorm.ExactInterval(audit_ms=50.0)
    )
    normalizer.simulate(200.0)
    assert nest.GetConnections(relay, target).weight == 0.0
    first, then, *_, last = normalizer.log
    assert first.drifts[0].targets == 1 and then.within_slices[0].zero_norm == last.drifts[0].zero_norm == 1


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_raw_weights_that_grow_and_fall_without_end_are_rebased(norm):
    reset()
    distnorm.install_models()
    up = {"mu_plus": 0.0, "alpha": 0.0, "lambda": 0.05}
    down = {"tau_plus": 0.1, "alpha": 20.0, "lambda": 1e-3}
    for name, change in (("up", up), ("down", down)):
        nest.CopyModel(STDP, name, {"Wmax": 30.0, **change})
    network(("up", "down"), neurons=30)
    rules = [distnorm.Rule(name, norm=norm, target_norm=NORM) for name in ("up", "down")]
    normalizer = distnorm.Normalizer(rules, interval=distnorm.ExactInterval(audit_ms=5.0))
    normalizer.simulate(600.0)  # more than the exponent of a double has room for
    kept = [name for name in ("up", "down") if off_target((name,), {"l1": 1, "l2": 2}[norm]) < 1e-12]
    assert kept == ["up", "down"]


def test_what_is_refused_says_what_to_do():
    population, _ = held()
    with pytest.raises(distnorm.RuleError, match="before any are made"):
        distnorm.install_models()
    with pytest.raises(distnorm.RuleError, match=r"held by an earlier distnorm\.Exact"):
        distnorm.Normalizer(distnorm.Rule(STDP, target_norm=NORM), interval=10.0).normalize()
    exact = distnorm.ExactInterval()
    for wrong, says in (
        ({"sources": population[:5]}, "instead of sources.*nest.CopyModel"),
        ({"receptor_type": 1}, "instead of receptor_type.*nest.CopyModel"),
        ({"norm": "l3"}, "norm is 'l3'.*holds l1 and l2"),
        ({"tolerance": 0.1}, "tolerance is 0.1.*leave it out"),
        ({"w_max": 3.0}, "w_max is 3.0.*leave it out"),
    ):
        with pytest.raises(distnorm.RuleError, match=says):
            distnorm.Normalizer(distnorm.Rule(STDP, target_norm=NORM, **wrong), interval=exact).normalize()
    with pytest.raises(distnorm.RuleError, match=r"does not hold norms by itself.*install_models"):
        distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=NORM), interval=exact).normalize()
    with pytest.raises(distnorm.RuleError, match="must name the same models"):
        both = distnorm.Rule([STDP, STDP + "_hpc"], target_norm=NORM)
        distnorm.Normalizer(both, interval=exact).normalize()
    with pytest.raises(distnorm.RuleError, match="audit_ms is 0"):
        distnorm.ExactInterval(audit_ms=0)


@pytest.mark.parametrize("forget", ["ResetKernel", "local_num_threads"])
def test_models_are_installed_anew_after_a_reset_or_a_change_of_threads(forget):
    held()
    nest.ResetKernel()
    distnorm.install_models()
    if forget == "ResetKernel":
        nest.ResetKernel()
    else:
        nest.local_num_threads = 3
    nest.Create("iaf_psc_delta", 2)
    with pytest.raises(distnorm.RuleError, match=r"distnorm.install_models\(\) before nodes are made, and again after"):
        distnorm.Normalizer(distnorm.Rule(STDP, target_norm=NORM), interval=distnorm.ExactInterval())
    held(threads=3)
    assert off_target() < 1e-13


def test_structural_plasticity_inside_a_simulate_counts():
    reset()
    distnorm.install_models()
    nest.set(structural_plasticity_update_interval=5.0, min_delay=1.0, max_delay=1.0)
    nest.CopyModel(STDP, "growing", {"weight": 1.0, "delay": 1.0, **LITTLE})
    nest.structural_plasticity_synapses = {
        "s": {"synapse_model": "growing", "post_synaptic_element": "den", "pre_synaptic_element": "axon"}
    }
    curve = {"growth_curve": "gaussian", "growth_rate": 0.05, "continuous": False, "eta": 0.0, "eps": 0.08}
    elements = {"den": {**curve, "z": 6.0}, "axon": {**curve, "z": 6.0}}
    population = nest.Create("iaf_psc_alpha", 40, {"I_e": 420.0, "synaptic_elements": elements})
    nest.EnableStructuralPlasticity()
    rule = distnorm.Rule("growing", target_norm=NORM)
    normalizer = distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=50.0))
    numbers = []
    for _ in range(8):
        normalizer.simulate(100.0)
        numbers.append(len(nest.GetConnections(population, population)))
        assert off_target(("growing",)) < 1e-12
    assert len(set(numbers)) > 4 and numbers[0] > 100
