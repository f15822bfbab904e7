"""An error on one rank is the same error on every rank, on any number of ranks."""

import nest
import numpy as np
import pytest
from networks import connections, network, reset

import distnorm
from distnorm.mpi.ranks import world

pytestmark = pytest.mark.mpi


def last_rank():
    return nest.Rank() == nest.num_processes - 1


def same_on_all(text):
    ranks = world(nest.build_info["have_mpi"])
    texts = ranks.gather(text)
    return texts is None or len(set(texts)) == 1


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_nan_weight(backend):
    model = "static_synapse_lbl"  # plastic models check the sign of a weight that is set, and refuse NaN
    reset()
    population = network([model])
    normalizer = distnorm.Normalizer(distnorm.Rule(model, target_norm=12.0), interval=10.0, backend=backend)
    normalizer.simulate(10.0)
    before = connections([model])[2]
    mine = nest.GetConnections(source=population, synapse_model=model)
    if last_rank():
        mine[-1].set({"weight": float("nan")})
    with pytest.raises(distnorm.WeightError, match=r"neuron .* not finite") as raised:
        normalizer.normalize()
    assert same_on_all(str(raised.value))
    after = connections([model])[2]
    assert np.nansum(after != before) == (1 if last_rank() else 0), "no weight is changed once a rank has an error"


def test_nan_weight_before_anything_was_simulated():
    reset()
    population = network(["static_synapse_lbl"])
    mine = nest.GetConnections(source=population, synapse_model="static_synapse_lbl")
    if last_rank():
        mine[-1].set({"weight": float("nan")})
    nest.Connect(population[:1], population[1:2], syn_spec={"delay": 1.7})  # now ranks must agree on delays
    with pytest.raises(distnorm.WeightError, match=r"neuron .* not finite") as raised:
        distnorm.Normalizer(distnorm.Rule("static_synapse_lbl", target_norm=12.0)).normalize()
    assert same_on_all(str(raised.value))


def test_exception_in_a_callback():
    reset()
    network()

    def callback(_):
        if last_rank():
            raise ValueError("the model's own mistake")

    normalizer = distnorm.Normalizer(
        distnorm.Rule("stdp_synapse", target_norm=12.0), interval=10.0, on_measurement=callback
    )
    with pytest.raises(distnorm.CallbackError, match="ValueError: the model's own mistake") as raised:
        normalizer.simulate(30.0)
    assert same_on_all(str(raised.value))
    assert len(normalizer.log) == 1


def test_exception_in_the_last_callback_is_not_lost():
    reset()
    network()

    def callback(done):
        if last_rank() and done.time_ms == 10.0:
            raise ValueError("at the end")

    normalizer = distnorm.Normalizer(
        distnorm.Rule("stdp_synapse", target_norm=12.0), interval=10.0, on_measurement=callback
    )
    with pytest.raises(distnorm.CallbackError, match="at the end"):
        normalizer.simulate(10.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"synapse_model": "stdp_synaps", "target_norm": 1.0}, "no synapse model 'stdp_synaps'"),
        ({"synapse_model": "static_synapse_hom_w", "target_norm": 1.0}, "one weight for all its connections"),
        ({"synapse_model": "copy_of_hom_w", "target_norm": 1.0}, "a copy of static_synapse_hom_w,"),
        ({"synapse_model": "gap_junction", "target_norm": 1.0}, "does not transmit spikes"),
        ({"synapse_model": "urbanczik_synapse", "target_norm": 1.0}, "recomputes its weight"),
    ],
)
def test_models_that_cannot_be_normalized(arguments, message):
    reset()
    network()
    nest.CopyModel("static_synapse_hom_w", "copy_of_hom_w")
    with pytest.raises(distnorm.RuleError, match=message):
        distnorm.Normalizer(distnorm.Rule(**arguments)).normalize()


def test_rules_that_share_connections_are_refused():
    reset()
    population = network()
    rules = [distnorm.Rule("stdp_synapse", target_norm=1.0)]
    rules.append(distnorm.Rule(("static_synapse", "stdp_synapse"), targets=population[:3], target_norm=2.0))
    with pytest.raises(distnorm.RuleError, match="rules 1 and 2 both normalize 'stdp_synapse'"):
        distnorm.Normalizer(rules)


@pytest.mark.parametrize(("interval", "message"), [(0.25, "not a multiple of the resolution"), (0.0, "positive")])
def test_intervals_that_do_not_fit(interval, message):
    reset()
    network()
    with pytest.raises(distnorm.RuleError, match=message):
        distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=1.0), interval=interval)
