"""Networks whose drift is recorded: stationary, stepping, learning, bursting, with other rules of plasticity.

Each is the balanced random network of jobs/balanced_stdp.py (leaky integrate-and-fire neurons, delta synapses, fixed
in-degrees, Poisson input, additive plasticity from excitatory to excitatory neurons), here with 800 + 200 neurons,
48,000 plastic connections and the resolution 0.5 ms. Input is given as eta, its mean relative to the threshold.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import nest
import numpy as np
from traces import Played, Trace

from distnorm.bench.shared.networks import one_process, open_in_place, reset
from distnorm.intervals.controller import Interval
from distnorm.normalizer.normalizer import Normalizer
from distnorm.norms.passes import Pass
from distnorm.norms.sums import factors
from distnorm.rules.rule import Rule

_PLASTIC = "study_plastic"
_INHIBITORY = "study_inhibitory"
_EXCITATORY, _INHIBITORS, _IN_DEGREE = 800, 200, 60
_WEIGHT_MV = 5.66 / math.sqrt(_IN_DEGREE)  # as in jobs/balanced_stdp.py
_G = 8.0
_DELAY_MS = 1.5
_STEP_MS = 2 * _DELAY_MS  # of recording; half the time of each smallest delay
_RESOLUTION_MS = 0.5
_WARM_UP_MS = 501.0
_THRESHOLD_MV, _TAU_MEMBRANE_MS = 20.0, 20.0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A network and what happens to it.

    Attributes:
        name: Of the rows in the report.
        bounds: Of the drift, to play with: from 10 times the drift of one step of recording to 20 %.
        duration_ms: Time to record for 50 intervals at the highest bound.
        eta: Input before and after a change.
        learning_rate: `lambda` of the STDP synapses before and after the change.
        switching_ms: Time with the first input and with the second, in turn; None for one change at most.
        alpha: Depression relative to potentiation.
        driven: Additional input of a tenth of the excitatory neurons, as eta.
        triplet: Triplet rule (Pfister & Gerstner 2006, J Neurosci 26:9673) in place of pairs.
        inhibitory: Inhibitory-to-excitatory synapses are plastic too (Vogels et al. 2011, Science 334:1569), and not
            normalized.
    """

    name: str
    bounds: tuple[float, ...]
    duration_ms: float
    eta: tuple[float, float] = (1.2, 1.2)
    learning_rate: tuple[float, float] = (0.005, 0.005)
    switching_ms: tuple[float, float] | None = None
    alpha: float = 0.9
    driven: float = 0.0
    triplet: bool = False
    inhibitory: bool = False


SCENARIOS = (
    Scenario(name="stationary", bounds=(0.02, 0.05), duration_ms=26_000.0),
    Scenario(name="stationary, fast", bounds=(0.1, 0.2), duration_ms=20_000.0, learning_rate=(0.02, 0.02)),
    Scenario(
        name="stationary, driven",
        bounds=(0.05, 0.2),
        duration_ms=11_000.0,
        learning_rate=(0.001, 0.001),
        alpha=0.5,
        driven=2.0,
    ),
    Scenario(
        name="stationary, potentiation",
        bounds=(0.02, 0.05),
        duration_ms=16_000.0,
        eta=(2.0, 2.0),
        learning_rate=(0.0005, 0.0005),
        alpha=0.0,
    ),
    Scenario(name="step up", bounds=(0.09,), duration_ms=15_000.0, eta=(1.2, 2.8)),
    Scenario(name="step down", bounds=(0.09,), duration_ms=12_000.0, eta=(2.8, 1.2)),
    Scenario(name="learning on", bounds=(0.02,), duration_ms=13_000.0, learning_rate=(0.0, 0.005)),
    Scenario(name="bursts", bounds=(0.02,), duration_ms=13_000.0, eta=(1.2, 0.0), switching_ms=(1_000.0, 1_500.0)),
    Scenario(name="stimuli", bounds=(0.09,), duration_ms=18_000.0, eta=(1.2, 2.8), switching_ms=(2_400.0, 600.0)),
    Scenario(name="triplets", bounds=(0.03,), duration_ms=5_000.0, triplet=True),
    Scenario(name="inhibitory", bounds=(0.02,), duration_ms=8_000.0, inhibitory=True),
)


def record(scenario: Scenario, seed: int, duration_ms: float) -> Trace:
    """Simulate one network, normalized at every step of recording, and record its changes."""
    network = _Network(scenario, seed, duration_ms)
    steps = round(duration_ms / _STEP_MS)
    position = np.zeros((steps + 1, _EXCITATORY))
    (synapses,) = open_in_place(nest, [network.rule], one_process(nest, "this study"))
    rows = np.searchsorted(synapses.node_ids, network.targets)
    norm = network.rule.target_norms(synapses.node_ids)
    nest.Prepare()
    for step in range(-round(_WARM_UP_MS / _STEP_MS), steps):
        if step in network.changes:
            network.set_learning_rate()
        nest.Run(_STEP_MS)
        sums = synapses.run(Pass(kind="measure"))[0]
        synapses.run(Pass(kind="scale", at=factors(sums, norm)))
        if step >= 0:
            position[step + 1] = position[step] + (sums / norm - 1.0)[rows]
    nest.Cleanup()
    synapses.close()
    return Trace(step_ms=_STEP_MS, position=position, changes=network.changes, spikes_per_s=network.rates())


def simulate(scenario: Scenario, seed: int, duration_ms: float, controller: Interval) -> tuple[Played, tuple[int, ...]]:
    """Simulate one network under a controller; its intervals, and the steps of the changes."""
    network = _Network(scenario, seed, duration_ms)
    Normalizer(network.rule, interval=_STEP_MS).simulate(_WARM_UP_MS)
    normalizer = Normalizer(network.rule, interval=controller)
    stops = [step * _STEP_MS for step in (0, *network.changes)] + [duration_ms]
    for i, (begin_ms, end_ms) in enumerate(itertools.pairwise(stops)):
        if i == 1:
            network.set_learning_rate()
        normalizer.simulate(end_ms - begin_ms)
    measurements = normalizer.log[1:]
    ends = [i for i, measurement in enumerate(measurements) if measurement.normalized]
    played = Played(
        begin=0,
        ends=np.array([round((measurements[i].time_ms - _WARM_UP_MS) / _STEP_MS) for i in ends], np.int64),
        drifts=np.array([measurements[i].drift_max for i in ends]),
        measurements=ends[-1] + 1 if ends else 0,
    )
    return played, network.changes


def _changes(scenario: Scenario, steps: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Steps at whose beginning the network changes."""
    if scenario.switching_ms is not None:
        first, second = (time_ms / _STEP_MS for time_ms in scenario.switching_ms)
        ups = np.arange(rng.uniform(0.2, 1.0) * first, steps, first + second)
        changes = np.sort(np.concatenate([ups, ups + second]))
        return tuple(np.round(changes[changes < steps - 1]).astype(int).tolist())
    if len(set(scenario.eta)) == 2 or len(set(scenario.learning_rate)) == 2:
        return (round(rng.uniform(1 / 3, 2 / 3) * steps),)
    return ()


class _Network:
    """The network in NEST's kernel; there can be one at a time."""

    def __init__(self, scenario: Scenario, seed: int, duration_ms: float) -> None:
        self._scenario = scenario
        self._duration_ms = duration_ms
        self.changes = _changes(scenario, duration_ms / _STEP_MS, np.random.default_rng(seed))
        reset(nest, threads=1)
        nest.set(resolution=_RESOLUTION_MS, rng_seed=seed)
        excitatory, inhibitors = (nest.Create("iaf_psc_delta", n, _NEURON) for n in (_EXCITATORY, _INHIBITORS))
        for population in (excitatory, inhibitors):
            population.V_m = nest.random.uniform(0.0, _THRESHOLD_MV)
        self.targets = np.array(excitatory.tolist())
        self._connect(excitatory, inhibitors)
        self._drive(excitatory + inhibitors)
        self._spikes = nest.Create("spike_recorder")
        nest.Connect(excitatory, self._spikes, "all_to_all", {"delay": _DELAY_MS})
        self.rule = Rule(_PLASTIC, targets=excitatory, target_norm=_IN_DEGREE * _WEIGHT_MV)

    def _connect(self, excitatory: Any, inhibitors: Any) -> None:
        s = self._scenario
        _copy_models(s)
        many = {"rule": "fixed_indegree", "indegree": _IN_DEGREE, "allow_autapses": False}
        few = {**many, "indegree": _IN_DEGREE // 4}
        initial = nest.math.redraw(nest.random.normal(_WEIGHT_MV, 0.3 * _WEIGHT_MV), 0.0, 2.0 * _WEIGHT_MV)
        inhibiting = {"weight": -_G * _WEIGHT_MV, "delay": _DELAY_MS}
        nest.Connect(excitatory, excitatory, many, {"synapse_model": _PLASTIC, "weight": initial, "delay": _DELAY_MS})
        nest.Connect(excitatory, inhibitors, many, {"weight": _WEIGHT_MV, "delay": _DELAY_MS})
        nest.Connect(inhibitors, inhibitors, few, inhibiting)
        nest.Connect(inhibitors, excitatory, few, {"synapse_model": _INHIBITORY, **inhibiting})

    def _drive(self, neurons: Any) -> None:
        s = self._scenario
        per_eta = 1_000.0 * _THRESHOLD_MV / (_WEIGHT_MV * _TAU_MEMBRANE_MS)
        schedule = {_RESOLUTION_MS: s.eta[0]}
        for i, change in enumerate(self.changes):
            schedule[_WARM_UP_MS + change * _STEP_MS] = s.eta[(i + 1) % 2]
        source = nest.Create("inhomogeneous_poisson_generator")
        source.set(rate_times=list(schedule), rate_values=[eta * per_eta for eta in schedule.values()])
        synapse = {"weight": _WEIGHT_MV, "delay": _DELAY_MS}
        nest.Connect(source, neurons, "all_to_all", synapse)
        if s.driven:
            more = nest.Create("poisson_generator", params={"rate": s.driven * per_eta})
            nest.Connect(more, neurons[: _EXCITATORY // 10], "all_to_all", synapse)

    def set_learning_rate(self) -> None:
        """Change to the second learning rate, if it is another."""
        before, after = self._scenario.learning_rate
        if before != after:
            nest.GetConnections(synapse_model=_PLASTIC).set({"lambda": after})

    def rates(self) -> tuple[float, float]:
        """Spikes/s of an excitatory neuron in the first state and in the second, after warming up."""
        times = self._spikes.events["times"]
        end = _WARM_UP_MS + self._duration_ms
        marks = [_WARM_UP_MS, *(_WARM_UP_MS + step * _STEP_MS for step in self.changes), end]
        spikes, lengths = np.histogram(times, marks)[0] / _EXCITATORY, np.diff(marks) / 1e3
        rates = [float(spikes[i::2].sum() / lengths[i::2].sum()) for i in range(min(len(spikes), 2))]
        return rates[0], rates[-1]


_NEURON = {
    "C_m": 1.0,
    "tau_m": _TAU_MEMBRANE_MS,
    "t_ref": 2.0,
    "E_L": 0.0,
    "V_th": _THRESHOLD_MV,
    "V_reset": 10.0,
    "tau_minus": 20.0,
}


def _copy_models(scenario: Scenario) -> None:
    j = _WEIGHT_MV
    if scenario.triplet:  # amplitudes of the visual cortex, all-to-all, relative to J
        amplitudes = {"Aplus": 0.0, "Aplus_triplet": 6.2e-3 * j, "Aminus": 7e-3 * j, "Aminus_triplet": 2.3e-4 * j}
        times = {"tau_plus": 16.8, "tau_plus_triplet": 101.0}
        nest.CopyModel("stdp_triplet_synapse", _PLASTIC, {"Wmax": 4 * j, **amplitudes, **times})
    else:
        pairs = {"alpha": scenario.alpha, "mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": 20.0, "Wmax": 4 * j}
        nest.CopyModel("stdp_synapse", _PLASTIC, {"lambda": scenario.learning_rate[0], **pairs})
    if scenario.inhibitory:  # alpha = 2 * rate * tau for 12 spikes/s
        w = -_G * j
        nest.CopyModel(
            "vogels_sprekeler_synapse",
            _INHIBITORY,
            {"weight": w, "Wmax": 4 * w, "eta": 0.02 * _G * j, "alpha": 0.48, "tau": 20.0},
        )
    else:
        nest.CopyModel("static_synapse", _INHIBITORY)
