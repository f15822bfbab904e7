"""Networks that change, on any number of ranks: what is normalized is what is there, by numpy through PyNEST."""

import logging

import nest
import pytest
from changes import CHANGES, MODEL
from networks import TARGET_NORM, connections, network, norms_by_target, reset

import distnorm
from distnorm.mpi.ranks import world

pytestmark = pytest.mark.mpi

BACKENDS = ("inplace", "pynest")
RULE = distnorm.Rule(MODEL, target_norm=TARGET_NORM)


def largest_error(model=MODEL):
    return max((abs(norm / TARGET_NORM - 1) for norm in norms_by_target([model]).values()), default=0.0)


def total(value):
    """Sum over all ranks."""
    ranks = world(nest.build_info["have_mpi"])
    values = ranks.gather(value)
    return ranks.from_first(lambda: sum(values))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_norms_hold_after(change, threads, backend):
    reset(virtual_processes=threads * nest.num_processes)
    population = network()
    normalizer = distnorm.Normalizer(RULE, interval=10.0, backend=backend)
    normalizer.simulate(20.0)
    number = total(len(connections([MODEL])[0]))
    change(population)
    seen = normalizer().drifts[0]
    found = total(len(norms_by_target([MODEL])))
    assert largest_error() <= 1e-12
    assert seen.targets == found and seen.no_input == 0  # nobody has named targets
    assert (total(len(connections([MODEL])[0])) != number) == (
        change.__name__ in ("connect_more", "disconnect_a_collection")
    )
    normalizer.simulate(20.0)
    assert largest_error() <= 1e-12


def test_forgotten_sources_are_said_by_the_first_rank(caplog):
    reset()
    nest.keep_source_table = False
    network()
    with caplog.at_level(logging.WARNING):
        normalizer = distnorm.Normalizer(RULE, interval=10.0, backend="inplace")
        normalizer.simulate(20.0)
    assert len(caplog.records) == (1 if nest.Rank() == 0 else 0)
    assert normalizer.log[-1].drifts[0].targets == 60


def test_sources_that_nest_forgets_are_refused_on_every_rank():
    reset()
    population = network()
    normalizer = distnorm.Normalizer(distnorm.Rule(MODEL, sources=population[:9], target_norm=1.0))
    nest.keep_source_table = False
    nest.Simulate(1.0)
    with pytest.raises(distnorm.RuleError, match="has sources, which NEST forgets"):
        normalizer()


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_written_between_runs_where_delays_differ_over_ranks(backend):
    """Only one rank has the network's smallest delay; spikes then differ from those of the larger weights at once."""
    reset()
    relay = nest.Create("parrot_neuron")
    targets = nest.Create("iaf_psc_delta", 2 * nest.num_processes, {"tau_m": 1.0})
    generator = nest.Create("spike_generator", params={"spike_times": [10.0 * i for i in range(1, 11)]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(generator, relay)
    nest.Connect(relay, targets, syn_spec={"synapse_model": "static_synapse_lbl", "weight": 12.0, "delay": 3.0})
    nest.Connect(relay, nest.Create("iaf_psc_delta"), syn_spec={"weight": 0.0, "delay": 0.5})
    nest.Connect(targets, recorder)
    rule = distnorm.Rule("static_synapse_lbl", targets=targets, target_norm=18.0)
    normalizer = distnorm.Normalizer(rule, backend=backend)
    nest.Prepare()
    nest.Run(45.0)
    silent = recorder.n_events
    normalizer()
    nest.Run(60.0)
    nest.Cleanup()
    assert silent == 0
    senders, times = (recorder.events[key].tolist() for key in ("senders", "times"))
    mine = [node for node in targets.tolist() if (node - nest.Rank()) % nest.num_processes == 0]
    assert sorted(zip(senders, times, strict=True)) == [(i, 10.0 * k + 4.0) for i in mine for k in range(5, 11)]


def test_a_neuron_of_one_rank_alone_is_found_without_simulating():
    reset()
    population = network()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM))
    normalizer.normalize()
    for delay in (1.0, 1.1, 1.2):
        one = nest.Create("iaf_psc_delta")
        nest.Connect(population, one, syn_spec={"synapse_model": "stdp_synapse", "weight": 0.3, "delay": delay})
        targets = normalizer.normalize().drifts[0].targets
    assert targets == len(population) + 3
