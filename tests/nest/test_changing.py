"""Networks that change, on one process: what is normalized is what is there, by numpy through PyNEST."""

import logging

import nest
import pytest
from changes import CHANGES, MODEL, structural_plasticity
from networks import TARGET_NORM, connections, network, norms_by_target, reset, slow_plasticity

import distnorm
from distnorm.synapses import verify as comparison

BACKENDS = ["inplace", "pynest"]
RULE = distnorm.Rule(MODEL, target_norm=TARGET_NORM)


def largest_error():
    return max(abs(norm / TARGET_NORM - 1) for norm in norms_by_target([MODEL]).values())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_norms_hold_after(change, compressed, backend):
    reset(virtual_processes=3)
    nest.use_compressed_spikes = compressed
    population = network()
    normalizer = distnorm.Normalizer(RULE, interval=10.0, backend=backend)
    normalizer.simulate(20.0)
    number = len(connections([MODEL])[0])
    change(population)
    seen = normalizer().drifts[0]
    assert largest_error() <= 1e-12
    found = norms_by_target([MODEL])
    assert seen.targets == len(found) and seen.no_input == 0  # nobody has named targets
    changed = change.__name__ in ("connect_more", "disconnect_a_collection")
    assert (len(connections([MODEL])[0]) != number) == changed
    normalizer.simulate(20.0)
    assert normalizer.log[-1].time_ms == 40.0 and largest_error() <= 1e-12


@pytest.mark.parametrize("backend", BACKENDS)
def test_structural_plasticity_grows_and_deletes_synapses(backend):
    reset(virtual_processes=1)  # it works with one thread only
    neurons, shrink = structural_plasticity()
    numbers, errors = [], []

    def measurement(_):
        found = norms_by_target(["growing"])
        numbers.append(len(connections(["growing"])[0]))
        errors.append(max((abs(norm / TARGET_NORM - 1) for norm in found.values()), default=0.0))

    rule = distnorm.Rule("growing", target_norm=TARGET_NORM)
    normalizer = distnorm.Normalizer(rule, interval=25.0, backend=backend, on_measurement=measurement)
    normalizer.simulate(150.0)
    shrink()
    normalizer.simulate(75.0)
    most = max(numbers)
    assert numbers[0] == 0 and most > 4 * len(neurons) and 0 < numbers[-1] < most / 2
    assert max(errors) <= 1e-12 and normalizer.log[-1].drifts[0].targets == len(norms_by_target(["growing"]))


def test_connections_that_come_later_are_compared_with_pynest(monkeypatch):
    reset()
    population = network([])
    normalizer = distnorm.Normalizer(RULE)
    compared = []
    monkeypatch.setattr(comparison, "compare_one", lambda _, status: compared.append(status["target"]))
    normalizer()
    assert not compared
    nest.Connect(population, population, "one_to_one", {"synapse_model": MODEL})
    normalizer()
    assert len(compared) == 3
    normalizer()
    assert len(compared) == 3  # only once


def run(keep_source_table):
    """Spikes, and drifts of each measurement, of a network whose sources NEST keeps or forgets."""
    reset(virtual_processes=2)
    slow_plasticity()
    nest.keep_source_table = keep_source_table
    population = network()
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    normalizer = distnorm.Normalizer(RULE, interval=10.0, backend="inplace")
    normalizer.simulate(60.0)
    events = recorder.events
    return sorted(zip(events["times"], events["senders"], strict=True)), [each.drift_max for each in normalizer.log]


def test_sources_forgotten_change_nothing_and_are_said_once(caplog):
    kept = run(keep_source_table=True)
    assert largest_error() <= 1e-12 and len(kept[0]) > 100
    with caplog.at_level(logging.WARNING):
        assert run(keep_source_table=False) == kept
    assert [each.getMessage() for each in caplog.records] == [
        "keep_source_table is off: the kernel is used without comparing a sample of weights with PyNEST"
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rule_with_sources_that_nest_forgets_is_refused(backend):
    reset()
    population = network()
    rule = distnorm.Rule(MODEL, sources=population[:30], target_norm=TARGET_NORM)
    normalizer = distnorm.Normalizer(rule, backend=backend)
    nest.keep_source_table = False
    with pytest.raises(distnorm.RuleError, match="has sources, which NEST forgets"):
        distnorm.Normalizer(rule, backend=backend)
    with pytest.raises(distnorm.DistnormError, match=r"nest\.keep_source_table = False; set it to True"):
        normalizer()


def test_sources_forgotten_once_stay_so():
    """Reading the sources now would read freed memory, and GetConnections would end the process."""
    reset()
    population = network()
    nest.keep_source_table = False
    nest.Simulate(1.0)
    nest.keep_source_table = True
    distnorm.Normalizer(RULE, backend="inplace").simulate(20.0)
    normalizer = distnorm.Normalizer(distnorm.Rule(MODEL, sources=population[:30], target_norm=1.0), backend="inplace")
    with pytest.raises(distnorm.RuleError, match="has sources, which NEST forgets"):
        normalizer()


def test_pynest_needs_the_sources():
    reset()
    network()
    nest.keep_source_table = False
    with pytest.raises(distnorm.KernelError, match="PyNEST cannot reach weights"):
        distnorm.Normalizer(RULE, backend="pynest").normalize()


@pytest.mark.parametrize("backend", BACKENDS)
def test_after_a_reset_with_other_threads_an_old_normalizer_is_refused(backend):
    for threads in (1, 3, 2):
        reset(virtual_processes=threads)
        network()
        old = distnorm.Normalizer(RULE, backend=backend)
        old()
        reset(virtual_processes=threads + 1)
        network()
        with pytest.raises(distnorm.RuleError, match="the network of this Normalizer is gone"):
            old()


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_without_any_connection_or_any_neuron(backend):
    reset(virtual_processes=4)
    pair = nest.Create("iaf_psc_delta", 2)
    nest.Connect(pair, pair[:1], syn_spec={"synapse_model": MODEL, "weight": 0.5})
    seen = distnorm.Normalizer(RULE, backend=backend).normalize().drifts[0]
    assert (seen.targets, seen.no_input) == (1, 0)  # nobody has named targets
    assert connections([MODEL])[2].tolist() == [TARGET_NORM / 2] * 2


def test_targets_made_after_the_normalizer():
    reset(virtual_processes=2)
    network(neurons=10)
    normalizer = distnorm.Normalizer(RULE)
    normalizer()
    for _ in range(3):
        added = nest.Create("iaf_psc_delta", 5)
        nest.Connect(added, added, syn_spec={"synapse_model": MODEL, "weight": 0.5})
    assert normalizer().drifts[0].targets == 25 and largest_error() <= 1e-12


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_written_between_runs_take_effect(backend):
    """A spike every 10 ms that is worth 12 mV, then after normalizing 18 mV: the threshold is 15 mV."""
    reset()
    times = [10.0 * i for i in range(1, 11)]
    generator = nest.Create("spike_generator", params={"spike_times": times})
    relay, target = nest.Create("parrot_neuron"), nest.Create("iaf_psc_delta", params={"tau_m": 1.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(generator, relay)
    nest.Connect(relay, target, syn_spec={"synapse_model": "static_synapse_lbl", "weight": 12.0})
    nest.Connect(target, recorder)
    rule = distnorm.Rule("static_synapse_lbl", targets=target, target_norm=18.0)
    normalizer = distnorm.Normalizer(rule, backend=backend)
    with nest.RunManager():
        nest.Run(45.0)
        assert recorder.n_events == 0
        normalizer()
        assert nest.GetConnections(source=relay).weight == 18.0
        nest.Run(60.0)
    assert recorder.events["times"].tolist() == [time + 2.0 for time in times[4:]]  # two delays of 1 ms
