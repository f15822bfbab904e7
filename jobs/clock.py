"""The clock network: clusters that learn to fire one after the other, with incoming weights normalized.

A port to stock NEST of the network of Maes, Barahona & Clopath (2020, PLoS
Comput Biol 16:e1007606) in the replication of Oberländer, Bouhadjar & Morrison
(2022, Front Integr Neurosci 16:974177), which normalizes in Python every 20 ms.

    python jobs/clock.py --size small --rounds 5 --way distnorm --interval 20
    python jobs/clock.py --size small --rounds 5 --way own
    distnorm attach rules.toml jobs/clock.py --size small --rounds 5 --way none

What is not the published network, and why:

- Stock NEST has no excitatory neuron with an adaptive threshold, Clopath's
  plasticity and conductances. Here it is `aeif_psc_delta_clopath`: an input of
  weight w pF moves the membrane at once by w (E_rev - V) / C, with the driving
  force taken at a distance of 60 mV (excitation) and 15 mV (inhibition).
  Weights onto it, their limits and the amplitudes of plasticity are so many mV.
- A_LTP is 3.5 times larger, as NEST's trace grows by 1 / tau_x at a spike, and
  by 1 in the fork of NEST that the replication used.
- The inhibitory neuron is `iaf_cond_beta`, whose conductances have the same
  course; its weights are peaks, in nS.
- Stimuli come from generators with a list of rates for all rounds, so that one
  Simulate can go through many rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import nest
import numpy as np
import numpy.typing as npt

import distnorm

PLASTIC_MODEL = "clock_synapse"
INHIBITION_MODEL = "clock_inhibition"
STEP_MS, ON_MS, OFF_MS = 15.0, 1.0, 10.0  # of a cluster's turn; excitation between the two others
RESOLUTION_MS = 0.1

_C_PF = 300.0
_EXCITATORY_MV = 60.0 / _C_PF  # of an excitatory neuron, per pF
_INHIBITORY_MV = 15.0 / _C_PF
_EXCITATORY_NS = 0.11646  # peaks of (exp(-t / decay) - exp(-t / rise)) / (decay - rise), per pF
_INHIBITORY_NS = 0.31500
_W_MIN_PF, _W_PF, _W_MAX_PF = 1.45, 2.83, 32.68


@dataclass(frozen=True, kw_only=True)
class Size:
    """Numbers of neurons, and of clusters that the excitatory ones form."""

    excitatory: int
    inhibitory: int
    clusters: int

    @property
    def round_ms(self) -> float:
        """Duration of a round, in which each cluster has its turn."""
        return self.clusters * STEP_MS


SIZES = {
    "small": Size(excitatory=240, inhibitory=60, clusters=8),
    "middle": Size(excitatory=800, inhibitory=200, clusters=10),
    "full": Size(excitatory=2400, inhibitory=600, clusters=30),
}


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What `build` made.

    Attributes:
        size: Its size.
        excitatory: Excitatory neurons, cluster by cluster.
        inhibitory: Inhibitory neurons.
        spikes: Recorder of the excitatory spikes; off until it is given a time to start.
        trained_ms: When training ends, and spontaneous dynamics begin.
    """

    size: Size
    excitatory: nest.NodeCollection
    inhibitory: nest.NodeCollection
    spikes: nest.NodeCollection
    trained_ms: float

    def freeze(self) -> None:
        """Stop all learning. Collective."""
        self.excitatory.set(A_LTD=0.0, A_LTP=0.0)
        found = nest.GetConnections(synapse_model=INHIBITION_MODEL)
        if len(found):
            found.set(eta=0.0)


def build(*, size: str = "middle", rounds: int = 10, spontaneous_ms: float = 0.0, learning: float = 1.0) -> Clock:
    """Build the network in the present kernel, of a resolution of 0.1 ms. Collective.

    Args:
        size: "small", "middle" or "full".
        rounds: Rounds of training for which there are stimuli.
        spontaneous_ms: Time in ms after them with random input alone.
        learning: Times by which excitatory synapses learn faster than in the publications.
    """
    numbers = SIZES[size]
    trained_ms = rounds * numbers.round_ms
    excitatory = nest.Create("aeif_psc_delta_clopath", numbers.excitatory, _EXCITATORY_NEURON)
    excitatory.set(**{name: learning * _EXCITATORY_NEURON[name] for name in ("A_LTD", "A_LTP")})
    inhibitory = nest.Create("iaf_cond_beta", numbers.inhibitory, _INHIBITORY_NEURON)
    _connect(excitatory, inhibitory)
    _stimulate(numbers, excitatory, inhibitory, rounds, spontaneous_ms)
    spikes = nest.Create("spike_recorder", params={"start": trained_ms})
    nest.Connect(excitatory, spikes)
    return Clock(size=numbers, excitatory=excitatory, inhibitory=inhibitory, spikes=spikes, trained_ms=trained_ms)


_EXCITATORY_NEURON = {
    "C_m": _C_PF,
    "g_L": 15.0,
    "E_L": -70.0,
    "V_m": -60.0,
    "V_reset": -60.0,
    "V_peak": 20.0,
    "V_th_rest": -52.0,
    "V_th_max": -42.0,
    "tau_V_th": 30.0,
    "Delta_T": 2.0,
    "t_ref": 5.0,
    "a": 0.0,
    "b": 1000.0,
    "tau_w": 100.0,
    "I_sp": 0.0,
    "V_clamp": 20.0,
    "t_clamp": RESOLUTION_MS,
    "A_LTD": 1.4e-4 * _EXCITATORY_MV,
    "A_LTP": 3.5 * 8e-4 * _EXCITATORY_MV,
    "theta_minus": -70.0,
    "theta_plus": -49.0,
    "tau_u_bar_minus": 10.0,
    "tau_u_bar_plus": 7.0,
    "u_bar_minus": -70.0,
    "u_bar_plus": -70.0,
    "delay_u_bars": RESOLUTION_MS,
}

_INHIBITORY_NEURON = {
    "C_m": _C_PF,
    "g_L": 15.0,
    "E_L": -62.0,
    "E_ex": 0.0,
    "E_in": -75.0,
    "V_m": -60.0,
    "V_reset": -60.0,
    "V_th": -52.0,
    "t_ref": 5.0,
    "tau_decay_ex": 6.0,
    "tau_rise_ex": 1.0,
    "tau_decay_in": 2.0,
    "tau_rise_in": 0.5,
}


def _connect(excitatory: nest.NodeCollection, inhibitory: nest.NodeCollection) -> None:
    own = {"rule": "pairwise_bernoulli", "p": 0.2, "allow_autapses": False, "allow_multapses": False}
    delay = {"delay": RESOLUTION_MS}
    limits = {"Wmin": _W_MIN_PF * _EXCITATORY_MV, "Wmax": _W_MAX_PF * _EXCITATORY_MV}
    nest.CopyModel("clopath_synapse", PLASTIC_MODEL, {"tau_x": 3.5, **limits})
    learning = {"tau": 20.0, "eta": 1.0 * _INHIBITORY_MV, "alpha": 2 * 0.003 * 20.0, "Wmax": -243.0 * _INHIBITORY_MV}
    nest.CopyModel("vogels_sprekeler_synapse", INHIBITION_MODEL, learning | {"weight": -62.87 * _INHIBITORY_MV})
    for sources, targets, synapse in (
        (excitatory, excitatory, {"synapse_model": PLASTIC_MODEL, "weight": _W_PF * _EXCITATORY_MV}),
        (excitatory, inhibitory, {"weight": 1.96 * _EXCITATORY_NS}),
        (inhibitory, inhibitory, {"weight": -20.91 * _INHIBITORY_NS}),
        (inhibitory, excitatory, {"synapse_model": INHIBITION_MODEL, "weight": -62.87 * _INHIBITORY_MV}),
    ):
        nest.Connect(sources, targets, own, {**synapse, **delay})


def _stimulate(
    numbers: Size,
    excitatory: nest.NodeCollection,
    inhibitory: nest.NodeCollection,
    rounds: int,
    spontaneous_ms: float,
) -> None:
    """Excitation of one cluster after the other, each inhibited before and after; later random excitation of all."""
    each = numbers.excitatory // numbers.clusters
    trained_ms = rounds * numbers.round_ms
    end_ms = trained_ms + spontaneous_ms
    delay = {"delay": RESOLUTION_MS}
    starts = np.arange(rounds) * numbers.round_ms
    for cluster in range(numbers.clusters):
        members = excitatory[cluster * each : (cluster + 1) * each]
        turn = starts + cluster * STEP_MS
        on, off = turn + ON_MS, turn + OFF_MS
        excitation = [(on, 22_500.0), (off, 0.0), (np.array([trained_ms]), 4_500.0 if spontaneous_ms else 0.0)]
        inhibition = [(np.array([0.0]), 4_500.0), (on, 0.0), (off, 4_500.0), (np.array([trained_ms]), 0.0)]
        for rates, weight in (
            (excitation, 1.6 * _EXCITATORY_MV),
            (inhibition, -0.8 * _INHIBITORY_MV),
        ):
            generator = nest.Create("inhomogeneous_poisson_generator", params=_in_order(rates))
            nest.Connect(generator, members, syn_spec={"weight": weight, **delay})
    background = nest.Create("poisson_generator", params={"rate": 2_250.0, "stop": end_ms})
    nest.Connect(background, inhibitory, syn_spec={"weight": 1.52 * _EXCITATORY_NS, **delay})


def _in_order(rates: list[tuple[npt.NDArray[np.float64], float]]) -> dict[str, list[float]]:
    """Times and rates of a generator; no time is before the first step."""
    times = np.concatenate([each for each, _ in rates])
    values = np.concatenate([np.full(len(each), rate) for each, rate in rates])
    order = np.argsort(times, kind="stable")
    return {
        "rate_times": np.maximum(np.round(times[order], 1), RESOLUTION_MS).tolist(),
        "rate_values": values[order].tolist(),
    }


def rule(mode: str = "subtractive", bounds: str = "exact") -> distnorm.Rule:
    """Keep each excitatory neuron's sum of plastic weights as it is at first, within the limits of its synapses."""
    return distnorm.Rule(
        PLASTIC_MODEL,
        target_norm="initial",
        mode=mode,  # type: ignore[arg-type]
        w_min="Wmin",
        w_max="Wmax",
        bounds=bounds,  # type: ignore[arg-type]
    )


class OwnNormalization:
    """As in the replication: weights by PyNEST's dictionaries, shifted to the sum at the start, then clipped.

    w -= (sum |w| - sum at the start) / n, and then to [Wmin, Wmax]. In one process: PyNEST refuses lists under MPI.
    """

    def __init__(self, excitatory: nest.NodeCollection) -> None:
        self._excitatory = excitatory
        _, index, weights = self._read()
        self._number, self._sums = np.bincount(index), np.bincount(index, np.abs(weights))

    def _read(self) -> tuple[nest.SynapseCollection, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        found = nest.GetConnections(target=self._excitatory, synapse_model=PLASTIC_MODEL)
        columns = found.get(["target", "source", "weight"])
        return found, np.array(columns["target"]) - self._excitatory[0].global_id, np.array(columns["weight"])

    def __call__(self) -> None:
        """Normalize."""
        found, index, weights = self._read()
        excess = np.bincount(index, np.abs(weights)) - self._sums
        moved = weights - (excess / self._number)[index]
        limits = _W_MIN_PF * _EXCITATORY_MV, _W_MAX_PF * _EXCITATORY_MV
        found.weight = np.clip(moved, *limits).tolist()


def training(
    clock: Clock,
    way: str,
    interval: distnorm.Interval | float,
    the_rule: distnorm.Rule,
    on_measurement: Callable[[distnorm.Measurement], None] | None = None,
) -> Iterator[float]:
    """Train round by round, normalized in one of the ways; yields seconds of wall time per round.

    Args:
        clock: The network.
        way: "none"; "own" for `OwnNormalization`; "distnorm" for `Normalizer.simulate`; "attached" for the model's own
            `nest.Simulate` with a Normalizer attached.
        interval: Interval of the normalization; a number of ms for "own".
        the_rule: Of the Normalizer.
        on_measurement: Hears of its measurements.
    """
    normalizer = None
    if way in ("distnorm", "attached"):
        normalizer = distnorm.Normalizer(the_rule, interval=interval, on_measurement=on_measurement)
    own = OwnNormalization(clock.excitatory) if way == "own" else None
    rounds = round(clock.trained_ms / clock.size.round_ms)
    for _ in range(rounds):
        start = time.perf_counter()
        if own is not None:
            _own_round(own, clock.size.round_ms, float(interval))  # type: ignore[arg-type]
        elif normalizer is not None and way == "attached":
            with normalizer.attached():
                nest.Simulate(clock.size.round_ms)
        elif normalizer is not None:
            normalizer.simulate(clock.size.round_ms)
        else:
            nest.Simulate(clock.size.round_ms)
        yield time.perf_counter() - start


def _own_round(own: OwnNormalization, round_ms: float, interval_ms: float) -> None:
    """Prepare, and Runs with a normalization after each; what is left of the round has none, as published."""
    nest.Prepare()
    for _ in range(int(round_ms // interval_ms)):
        nest.Run(interval_ms)
        own()
    if rest := round_ms % interval_ms:
        nest.Run(rest)
    nest.Cleanup()


def main() -> None:
    """Train, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--way", choices=("none", "own", "distnorm", "attached"), default="distnorm")
    parser.add_argument("--interval", type=float, default=20.0, metavar="MS")
    parser.add_argument("--bound", type=float, metavar="DRIFT", help="adaptive intervals, in place of --interval")
    parser.add_argument("--mode", choices=("subtractive", "multiplicative"), default="subtractive")
    parser.add_argument("--bounds", choices=("exact", "clip"), default="exact")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=RESOLUTION_MS, local_num_threads=options.threads)
    clock = build(size=options.size, rounds=options.rounds)
    interval = options.interval if options.bound is None else distnorm.AdaptiveInterval(options.bound)
    for seconds in training(clock, options.way, interval, rule(options.mode, options.bounds)):
        if nest.Rank() == 0:
            print(
                f"{nest.biological_time:g} ms: a round of {clock.size.round_ms:g} ms took {seconds:.2f} s", flush=True
            )


if __name__ == "__main__":
    main()
