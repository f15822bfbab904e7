"""What one rank alone is given, does or meets: it is right, or the same error on all ranks, and never a hang.

The last rank is the one that differs; alone, a rank differs from nobody.
"""

import contextlib
import os
import signal

import nest
import numpy as np
import pytest
from mpi4py import MPI
from networks import TARGET_NORM, network, reset, slow_plasticity

import distnorm
from distnorm.normalizer.chunks import Chunks

SIZE, RANK = MPI.COMM_WORLD.size, MPI.COMM_WORLD.rank
LAST = RANK == SIZE - 1

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(60)]


def rule(**more):
    return distnorm.Rule("stdp_synapse", **{"target_norm": TARGET_NORM} | more)


def made(**more):
    return distnorm.Normalizer(**{"rules": rule(), "interval": 30.0} | more)


@pytest.fixture(autouse=True)
def population():
    reset()
    slow_plasticity()
    return network()


def fail(error):
    def raises(_):
        if LAST:
            raise error

    return raises


class Own:
    """A controller that says something else on the last rank."""

    def __init__(self, first_ms=30.0, measurement=(True, 30.0)):
        self._first_ms, self._measurement = first_ms, measurement

    def first(self, clock):
        return self._first_ms, None

    def decide(self, state, elapsed_ms, drifts, forced):
        if isinstance(self._measurement, Exception):
            raise self._measurement
        return *self._measurement, None


DIFFERENT = {
    "another target norm": lambda: {"rules": rule(target_norm=TARGET_NORM + LAST)},
    "other targets": lambda: {"rules": rule(targets=range(1, 50 + LAST))},
    "one rule more": lambda: {"rules": [rule(targets=range(1, 50)), *([rule(targets=range(50, 60))] if LAST else [])]},
    "no rule": lambda: {"rules": None if LAST else rule()},
    "another interval": lambda: {"interval": 20.0 if LAST else 30},
    "another kind of interval": lambda: {"interval": distnorm.AdaptiveInterval(0.1) if LAST else 30.0},
    "no interval": lambda: {"interval": "often" if LAST else 30.0},
    "observes": lambda: {"observe": LAST},
    "another way": lambda: {"backend": "pynest" if LAST else "inplace"},
    "no way": lambda: {"backend": "by magic" if LAST else "auto"},
    "no function": lambda: {"on_measurement": "print" if LAST else print},
    "a controller that begins otherwise": lambda: {"interval": Own(first_ms=45.0 if LAST else 30.0)},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_normalizer_is_made_alike_or_refused(name):
    given = DIFFERENT[name]()
    if SIZE == 1 and name not in ("no rule", "no interval", "no way", "no function"):
        made(**given).simulate(30.0)
        return
    with pytest.raises(distnorm.RuleError):
        made(**given)
    made().simulate(30.0)  # and all can go on


@pytest.mark.parametrize("measurement", [(False, 30.0), (True, 45.0), ValueError("of its own")], ids=str)
def test_a_controller_decides_alike_or_is_refused(measurement):
    normalizer = made(interval=Own(measurement=measurement if LAST else (True, 30.0)))
    if SIZE == 1 and not isinstance(measurement, Exception):
        normalizer.simulate(60.0)
        return
    with pytest.raises(distnorm.DistnormError, match=r"of its own|interval, "):
        normalizer.simulate(60.0)


@pytest.mark.parametrize("name", ["on_measurement", "on_chunk"])
def test_a_callback_of_one_rank_is_called_there(name):
    called = []
    normalizer = made(**{name: called.append} if LAST else {})
    normalizer.simulate(90.0)
    normalizer.simulate(30.0)
    assert len(normalizer.log) == 5 and bool(called) == LAST


@pytest.mark.parametrize("name", ["on_measurement", "on_chunk"])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("wrong here"), "raised ValueError: wrong here"),
        (SystemExit(3), "raised SystemExit: 3"),
        (distnorm.WeightError("its own"), "its own"),
        (KeyboardInterrupt(), None),
    ],
    ids=repr,
)
def test_an_error_in_a_callback_of_one_rank_is_raised_on_all(name, error, says):
    normalizer = made(**{name: fail(error)})
    kind = distnorm.DistnormError if isinstance(error, Exception | SystemExit) else KeyboardInterrupt
    with pytest.raises(kind, match=says):
        normalizer.simulate(90.0)
    made().simulate(30.0)


def test_progress_of_one_rank(capfd):
    normalizer = made()
    normalizer.simulate(60.0, progress=LAST)
    normalizer.simulate(60.0, progress=not LAST)
    assert len(normalizer.log) == 5


@pytest.mark.parametrize("wrong", [45.0, -1.0, "long"], ids=str)
def test_another_time_to_simulate(wrong):
    normalizer = made()
    if SIZE == 1 and wrong == 45.0:
        return
    with pytest.raises(distnorm.DistnormError):
        normalizer.simulate(wrong if LAST else 30.0)
    normalizer.simulate(30.0)
    assert len(normalizer.log) == 2


def test_a_change_that_one_rank_expects_is_expected_by_all():
    normalizer = made(interval=distnorm.AdaptiveInterval(0.5))
    normalizer.simulate(300.0)
    before = len(normalizer.log)
    if LAST:
        normalizer.expect_change()
    normalizer.simulate(1.5)
    assert len(normalizer.log) > before and normalizer.log[before].time_ms == 300.0
    MPI.COMM_WORLD.Barrier()
    assert MPI.COMM_WORLD.allreduce(len(normalizer.log), MPI.MAX) == len(normalizer.log)


@pytest.mark.parametrize("attached", [False, True])
def test_ctrl_c_on_one_rank_is_heard_by_all(attached):
    normalizer = made(
        on_measurement=lambda measurement: (
            os.kill(os.getpid(), signal.SIGINT) if LAST and measurement.time_ms == 30 else None
        )
    )
    with pytest.raises(KeyboardInterrupt):
        if attached:
            with normalizer.attached():
                nest.Simulate(90.0)
        else:
            normalizer.simulate(90.0)
    assert [measurement.time_ms for measurement in normalizer.log] == [0.0, 30.0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("goes_on", [True, False])
def test_ctrl_c_in_a_run_of_one_slice_waits_for_the_next_or_for_the_end(goes_on, monkeypatch):
    normalizer = made(interval=1e6)
    normalizer.simulate(30.0)
    whole = Chunks.timed

    def interrupted(self, simulate):
        if LAST:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(self, simulate)

    done = []
    with pytest.raises(KeyboardInterrupt) if goes_on or LAST else contextlib.nullcontext(), normalizer.attached():
        nest.Prepare()
        nest.Run(1.5)  # the first after Prepare is begun with it
        monkeypatch.setattr(Chunks, "timed", interrupted)
        nest.Run(1.5)
        done.append("one Run")
        if goes_on:
            nest.Run(1.5)
            done.append("another")
    assert done == ["one Run"] or (normalizer._ranks.size == 1 and not done)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    nest.Cleanup()


def test_pairs_that_each_rank_excludes_of_its_own(population):
    frozen = nest.GetConnections(source=population[:5], synapse_model="stdp_synapse")
    before = np.array(frozen.weight)
    normalizer = made(rules=rule(exclude=frozen))
    normalizer.normalize()
    assert np.array_equal(np.array(frozen.weight), before)


def test_a_weight_of_one_rank_that_is_not_finite(population):
    normalizer = made()
    mine = nest.GetConnections(synapse_model="stdp_synapse")
    if LAST and len(mine):
        mine[0].weight = float("inf")
    if MPI.COMM_WORLD.allreduce(bool(LAST and len(mine))):
        with pytest.raises(distnorm.WeightError, match="not finite"):
            normalizer.simulate(30.0)
