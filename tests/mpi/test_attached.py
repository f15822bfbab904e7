"""The model's own Simulate and Run, sliced while a Normalizer is attached."""

import contextlib

import nest
import numpy as np
import pytest
from nest import Run, Simulate, nestkernel_api
from networks import TARGET_NORM, connections, network, norms_by_target, reset, slow_plasticity

import distnorm

pytestmark = pytest.mark.mpi

RULE = distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM)


def build():
    reset()
    slow_plasticity()
    return network()


def state():
    return connections(["stdp_synapse"])[2]


def by_simulate(normalizer):
    normalizer.simulate(95.0)


def by_context(normalizer):
    with normalizer.attached():
        nest.Simulate(95.0)


def by_imported_name(normalizer):
    with normalizer.attached():
        Simulate(95.0)


def by_several_contexts(normalizer):
    for time_ms in (30.0, 45.0, 20.0):
        with normalizer.attached(), normalizer.attached():
            nest.Simulate(time_ms)


def by_run(normalizer):
    with normalizer.attached(), nest.RunManager():
        nest.Run(30.0)
        Run(65.0)


def by_short_runs(normalizer):
    with normalizer.attached(), nest.RunManager():
        for time_ms in [4.0] * 23 + [3.0]:
            nest.Run(time_ms)


def by_short_simulates(normalizer):
    with normalizer.attached():
        for _ in range(19):
            nest.Simulate(5.0)


def by_prepare_before(normalizer):
    nest.Prepare()
    with normalizer.attached():
        nest.Run(95.0)
    nest.Cleanup()


def by_simulate_inside(normalizer):
    with normalizer.attached():
        normalizer.simulate(45.0)
        nest.Simulate(np.float32(50.0))


def by_callback(normalizer):
    normalizer()
    for _ in range(6):
        nest.Simulate(15.0)
        normalizer()
    nest.Simulate(5.0)


def by_callback_between_runs(normalizer):
    with nest.RunManager():
        normalizer()
        for _ in range(6):
            nest.Run(15.0)
            normalizer()
        nest.Run(5.0)


BACKENDS = [
    by_context,
    by_imported_name,
    by_several_contexts,
    by_run,
    by_short_runs,
    by_short_simulates,
    by_prepare_before,
    by_simulate_inside,
    by_callback,
    by_callback_between_runs,
]


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
@pytest.mark.parametrize("by", BACKENDS, ids=lambda by: by.__name__)
def test_every_way_gives_the_same_weights(by, backend):
    results = []
    for run in (by_simulate, by):
        build()
        normalizer = distnorm.Normalizer(RULE, interval=15.0, backend=backend)
        run(normalizer)
        assert nest.biological_time == 95.0 and len(normalizer.log) == 7
        results.append((state(), [(measurement.time_ms, measurement.drift_max) for measurement in normalizer.log]))
    assert np.array_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_a_hint_of_one_rank_is_heard_at_the_next_short_run(backend):
    build()
    normalizer = distnorm.Normalizer(RULE, interval=distnorm.AdaptiveInterval(0.5, maximum_ms=30.0), backend=backend)
    with normalizer.attached(), nest.RunManager():
        nest.Run(30.0)
        at_rest = [measurement.time_ms for measurement in normalizer.log]
        nest.Run(3.0)
        nest.Run(3.0)
        assert [measurement.time_ms for measurement in normalizer.log] == at_rest  # else this test shows nothing
        if nest.Rank() == nest.NumProcesses() - 1:
            normalizer.expect_change()
        nest.Run(3.0)
    assert normalizer.log[len(at_rest)].time_ms == 36.0


@pytest.mark.parametrize("reset_between", [False, True])
def test_prepare_without_a_run_leaves_nothing_behind(reset_between):
    build()
    drivers = distnorm.Normalizer(RULE, interval=15.0)
    with drivers.attached():
        nest.Prepare()
        nest.Cleanup()
        if not reset_between:
            nest.Simulate(15.0)
            nest.Prepare()
            nest.Cleanup()
            drivers.expect_change()
            nest.Simulate(15.0)
            assert [measurement.time_ms for measurement in drivers.log] == [0.0, 15.0, 30.0]
        else:
            build()
            with pytest.raises(distnorm.RuleError, match="is gone"):
                nest.Simulate(15.0)


@pytest.mark.parametrize("time_ms", ["10", None, [10.0]])
def test_nest_can_simulate_after_a_time_that_is_no_number(time_ms):
    build()
    normalizer = distnorm.Normalizer(RULE, interval=15.0)
    with normalizer.attached():
        with pytest.raises(TypeError):
            nest.Simulate(time_ms)
        nest.Simulate(30.0)
    assert [measurement.time_ms for measurement in normalizer.log] == [0.0, 15.0, 30.0]


def test_two_normalizers_at_once():
    def rules(population):
        half = len(population) // 2
        return [
            distnorm.Rule("stdp_synapse", targets=part, target_norm=TARGET_NORM)
            for part in (population[:half], population[half:])
        ]

    build()
    population = nest.GetNodes({"element_type": "neuron"})
    distnorm.Normalizer(rules(population), interval=15.0).simulate(60.0)
    together = state()
    build()
    one, other = (distnorm.Normalizer(rule, interval=15.0) for rule in rules(nest.GetNodes({"element_type": "neuron"})))
    with one.attached(), other.attached():
        nest.Simulate(60.0)
    assert len(one.log) == len(other.log) == 5
    assert np.array_equal(together, state())


def test_nothing_is_left_behind():
    names = ("llapi_simulate", "llapi_prepare", "llapi_run", "llapi_get_kernel_status")
    before = [getattr(nestkernel_api, name) for name in names]
    build()
    normalizer = distnorm.Normalizer(RULE, interval=10.0)
    with pytest.raises(KeyError), normalizer.attached():
        nest.Simulate(10.0)
        raise KeyError("of the model")
    assert [getattr(nestkernel_api, name) for name in names] == before
    measurements = len(normalizer.log)
    nest.Simulate(20.0)
    assert len(normalizer.log) == measurements


def test_an_error_in_a_look_leaves_nest_ready_to_simulate():
    build()
    nest.GetConnections()
    broken = []

    def fail(measurement):
        if measurement.time_ms >= 15.0 and not broken:
            broken.append(measurement)
            raise ValueError("once")

    normalizer = distnorm.Normalizer(RULE, interval=15.0, on_measurement=fail)
    with pytest.raises(distnorm.CallbackError, match="once"), normalizer.attached():
        nest.Simulate(45.0)
    nest.Simulate(15.0)
    assert nest.biological_time == 45.0


def test_norms_are_held_by_nests_own_model_and_its_copies():
    reset(virtual_processes=2 * nest.num_processes)
    distnorm.install_models(replace="stdp_synapse")
    nest.SetDefaults("stdp_synapse", {"lambda": 1e-3})
    nest.CopyModel("stdp_synapse", "copied", {"alpha": 1.1})
    models = ("stdp_synapse", "copied")
    network(models)
    rules = [distnorm.Rule(model, target_norm=TARGET_NORM) for model in models]
    normalizer = distnorm.Normalizer(rules, interval=distnorm.ExactInterval(audit_ms=20.0))
    with normalizer.attached():
        nest.Simulate(30.0)
        with nest.RunManager():
            nest.Run(30.0)
    assert len(normalizer.log) == 4 and normalizer.log[-1].drifts[0].targets == 60
    for model in models:
        assert all(abs(norm / TARGET_NORM - 1) < 1e-13 for norm in norms_by_target([model]).values())


@pytest.mark.parametrize("time_ms", [0.05, -1.0, float("nan"), "10.0", None])
def test_what_nest_refuses_it_refuses_itself(time_ms):
    def message():
        with pytest.raises(Exception) as raised:  # NEST raises several kinds
            nest.Simulate(time_ms)
        return type(raised.value), str(raised.value)

    build()
    plain = message()
    build()
    with distnorm.Normalizer(RULE, interval=10.0).attached():
        assert message() == plain


@pytest.mark.parametrize("threads", [1, 2])
def test_reset_inside(threads):
    build()
    normalizer = distnorm.Normalizer(RULE, interval=10.0)
    with normalizer.attached():
        nest.Simulate(20.0)
        nest.ResetKernel()
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.local_num_threads = threads
        network()
        with pytest.raises(distnorm.RuleError, match=r"network of this Normalizer is gone.*make a new Normalizer"):
            nest.Simulate(20.0)
        assert nest.biological_time == 0.0
        fresh = distnorm.Normalizer(RULE, interval=10.0)
    with fresh.attached():
        nest.Simulate(20.0)
    assert all(abs(norm / TARGET_NORM - 1) <= 1e-12 for norm in norms_by_target(["stdp_synapse"]).values())


def test_spikes_are_counted_per_call_of_the_model():
    counts = []
    for attach in (False, True):
        build()
        normalizer = distnorm.Normalizer(RULE, interval=7.0, observe=True)
        seen = []
        with normalizer.attached() if attach else contextlib.nullcontext():
            for time_ms in (50.0, 3.0):
                nest.Simulate(time_ms)
                seen.append(nest.local_spike_counter)
            with nest.RunManager():
                nest.Run(30.0)
                seen.append(nest.GetKernelStatus("local_spike_counter"))
            nest.ResetKernel()
            seen.append(nest.local_spike_counter)
        counts.append(seen)
    assert counts[0] == counts[1] and counts[0][0] > 0 == counts[0][-1]
