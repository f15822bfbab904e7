"""A network that is gone, a clock that was set back, Normalizers that want the same connections: one clear answer."""

import nest
import pytest
from networks import TARGET_NORM, network, norms_by_target, reset

import distnorm

pytestmark = pytest.mark.mpi

STDP, HELD = "stdp_synapse", "stdp_synapse_normalized"
INTERVALS = {
    "fixed": (STDP, 20.0, {}),
    "tau": (STDP, 20.0, {"tau_ms": 100.0}),
    "adaptive": (STDP, distnorm.AdaptiveInterval(0.05), {}),
    "exact": (HELD, distnorm.ExactInterval(audit_ms=20.0), {}),
}
kinds = pytest.mark.parametrize("kind", INTERVALS)


def build(model=STDP):
    reset()
    if model == HELD:
        distnorm.install_models()
    return network([model])


def normalizer_of(kind, norm=TARGET_NORM, **options):
    model, interval, more = INTERVALS[kind]
    return distnorm.Normalizer(distnorm.Rule(model, target_norm=norm, **more), interval=interval, **options)


def largest_error(model, norm=TARGET_NORM):
    return max((abs(each / norm - 1) for each in norms_by_target([model]).values()), default=0.0)


def set_back():
    nest.biological_time = 0.0


def by_attaching(normalizer):
    with normalizer.attached():
        nest.Simulate(30.0)


USES = {
    "simulate": lambda normalizer: normalizer.simulate(30.0),
    "attached": by_attaching,
    "normalize": lambda normalizer: normalizer.normalize(),
    "called": lambda normalizer: normalizer(),
}


@pytest.mark.parametrize("use", USES)
@kinds
def test_a_clock_that_was_set_back(kind, use):
    build(INTERVALS[kind][0])
    normalizer = normalizer_of(kind)
    normalizer.simulate(50.0)
    set_back()
    before, log = norms_by_target([INTERVALS[kind][0]]), len(normalizer.log)
    with pytest.raises(distnorm.RuleError, match=r"biological_time was set back to 0.*make a new Normalizer"):
        USES[use](normalizer)
    assert norms_by_target([INTERVALS[kind][0]]) == before and len(normalizer.log) == log


@kinds
def test_a_clock_that_is_set_back_while_attached(kind):
    build(INTERVALS[kind][0])
    normalizer = normalizer_of(kind)
    with pytest.raises(distnorm.RuleError, match="set back to 0"), normalizer.attached():
        nest.Simulate(50.0)
        set_back()
        nest.Simulate(50.0)
    assert all(measurement.elapsed_ms >= 0 for measurement in normalizer.log)


@pytest.mark.parametrize("use", ["simulate", "attached"])
@pytest.mark.parametrize("kind", ["fixed", "adaptive"])
def test_one_that_only_observes_goes_on_after_the_clock_was_set_back(kind, use):
    build()
    normalizer = normalizer_of(kind, observe=True)
    USES[use](normalizer)
    set_back()
    USES[use](normalizer)
    times = [measurement.time_ms for measurement in normalizer.log]
    assert nest.biological_time == 30.0 and 30.0 < times[-1] <= 60.0 and times == sorted(times)


@kinds
def test_a_new_normalizer_goes_on_in_time_since_the_reset(kind):
    build(INTERVALS[kind][0])
    normalizer_of(kind).simulate(50.0)
    set_back()
    if kind == "exact":  # the models remember whom they hold
        with pytest.raises(distnorm.RuleError, match=r"held by an earlier distnorm\.ExactInterval\(\)"):
            normalizer_of(kind).simulate(20.0)
        return
    fresh = normalizer_of(kind)
    fresh.simulate(20.0)
    assert nest.biological_time == 20.0 and 50.0 < fresh.log[-1].time_ms <= 70.0
    if kind == "fixed":
        assert largest_error(STDP) <= 1e-12


def test_norms_are_held_where_the_clock_was_set_back_before():
    build(HELD)
    nest.Simulate(50.0)
    set_back()
    normalizer = normalizer_of("exact")
    for _ in range(40):
        normalizer.simulate(1.5)
        assert largest_error(HELD) <= 1e-12


@kinds
@pytest.mark.parametrize("use", USES)
def test_a_network_that_is_gone(kind, use):
    model = INTERVALS[kind][0]
    build(model)
    normalizer = normalizer_of(kind)
    normalizer.simulate(20.0)
    build(model)
    before = norms_by_target([model])
    with pytest.raises(distnorm.RuleError, match=r"network of this Normalizer is gone \(nest\.ResetKernel\)"):
        USES[use](normalizer)
    assert norms_by_target([model]) == before


@pytest.mark.parametrize("second", ["fixed", "tau", "adaptive"])
@pytest.mark.parametrize("first", ["fixed", "tau", "adaptive"])
def test_two_attached_to_the_same_connections(first, second):
    build()
    with (
        pytest.raises(distnorm.RuleError, match="two Normalizers change the same connections at the same time"),
        normalizer_of(first).attached(),
        normalizer_of(second, norm=5.0).attached(),
    ):
        nest.Simulate(20.0)
    assert nest.biological_time == 0.0


@pytest.mark.parametrize("use", ["normalize", "called", "simulate"])
def test_another_one_while_one_is_attached(use):
    build()
    with normalizer_of("fixed").attached():
        nest.Simulate(20.0)
        with pytest.raises(distnorm.RuleError, match="two Normalizers change the same connections"):
            USES[use](normalizer_of("fixed", norm=5.0))
        nest.Simulate(20.0)
    assert largest_error(STDP) <= 1e-12


def test_what_does_not_conflict():
    population = build()
    half = len(population) // 2
    one, two = (
        distnorm.Normalizer(distnorm.Rule(STDP, targets=part, target_norm=norm), interval=10.0)
        for part, norm in ((population[:half], 5.0), (population[half:], 10.0))
    )
    with one.attached(), two.attached(), normalizer_of("adaptive", observe=True).attached():
        nest.Simulate(20.0)
    ids = population.tolist()
    found = norms_by_target([STDP])
    assert all(abs(norm / (5.0 if node in ids[:half] else 10.0) - 1) <= 1e-12 for node, norm in found.items())
    for norm in (3.0, 6.0):  # one after the other
        with normalizer_of("fixed", norm=norm).attached():
            nest.Simulate(20.0)
        assert largest_error(STDP, norm) <= 1e-12


ORDINARY = distnorm.Rule(HELD, target_norm=TARGET_NORM / 2)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("other", ["exact", "fixed", "adaptive"])
def test_norms_that_are_held_are_changed_by_nobody_else(other, use):
    build(HELD)
    holder = normalizer_of("exact")
    holder.simulate(20.0)
    interval = {"exact": distnorm.ExactInterval(), "fixed": 10.0, "adaptive": distnorm.AdaptiveInterval(0.05)}[other]
    with pytest.raises(distnorm.RuleError, match=f"{HELD}: norms are held by an earlier distnorm"):
        USES[use](distnorm.Normalizer(ORDINARY, interval=interval))
    holder.simulate(20.0)
    assert largest_error(HELD) <= 1e-12


def test_an_ordinary_one_ends_where_norms_begin_to_be_held():
    build(HELD)
    ordinary, holder = distnorm.Normalizer(ORDINARY, interval=10.0), normalizer_of("exact")
    ordinary.simulate(20.0)
    holder.simulate(20.0)
    for use in USES.values():
        with pytest.raises(distnorm.RuleError, match="norms are held by an earlier distnorm"):
            use(ordinary)
    holder.simulate(20.0)
    assert largest_error(HELD) <= 1e-12


@kinds
def test_no_kernel_status_is_read_by_a_measurement_or_a_run(kind, monkeypatch):
    """NEST copies its spike_buffer_resize_log each time, which grows with simulated time."""
    build(INTERVALS[kind][0])
    normalizer = normalizer_of(kind)
    normalizer.simulate(20.0)
    read = []
    status = nest.ll_api.nestkernel.llapi_get_kernel_status
    monkeypatch.setattr(nest.ll_api.nestkernel, "llapi_get_kernel_status", lambda: read.append(1) or status())
    assert nest.kernel_status and read.pop()  # it is seen here
    normalizer.simulate(60.0)
    with normalizer.attached():
        nest.Simulate(60.0)
        with nest.RunManager():
            for _ in range(3):
                nest.Run(15.0)
    assert read == []
