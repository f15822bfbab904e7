"""Two groups of correlated inputs compete for a neuron's weights: Miller & MacKay 1994, Neural Comput 6:100.

    python jobs/competition.py [--seeds 3] [--correlations 0.2 0.3 0.4] -o FOLDER

Neurons with a linear rate get two groups of inputs. Spikes are correlated within a group and, less, between the groups.
Additive STDP makes weights grow, and distnorm keeps their norm. Multiplicative normalization leaves both groups, in a
ratio that is predicted from parameters alone. Subtractive normalization gives everything to one group.

An input spike of weight w raises the neuron's rate by `SLOPE * w * exp(-t / TAU_M_MS)`. The two sides of the STDP
window cancel in the mean, and no input follows the output. So only the causal covariance is left, and the covariance of
two inputs is zero except at lag zero. Hence, for the mean weights W of the groups (Kempter, Gerstner & van Hemmen 1999,
Phys Rev E 59:4498),

    dW/dt = learning * kernel * Q W - normalization,

with `covariance` Q and `kernel` as below. Q has the covariance of each input with itself, too: the spikes it causes.
Multiplicative normalization subtracts a multiple of W, and W goes to the principal eigenvector of Q. Subtractive
normalization lets the difference grow at the rate learning * kernel * (Q11 + Q22 - Q12 - Q21) / 2.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nest
import numpy as np

import distnorm
from distnorm.bench.shared.arguments import positive
from distnorm.bench.shared.tables import table, write_csv, write_text
from distnorm.files.outputs import results_folder
from distnorm.norms.sums import FloatArray
from distnorm.runs.options import count, path

sys.path.append(str(Path(__file__).parent / "studies"))
from competition_figure import draw

GROUP = 50  # inputs
POOLS = 5  # independent sets of inputs, each to every fifth neuron of each population
RATE_HZ = 10.0  # of each input; half of its spikes are from a source that both groups share
WEAKER, BETWEEN = 0.2, 0.08  # correlations of the inputs' spike counts within the second group, and between both
SLOPE = 4.0  # of a neuron's rate by its potential, in 1/s per mV; the mean weight is 1 mV
TAU_M_MS, TAU_STDP_MS = 10.0, 10.0
DELAY_MS, STEP_MS, SAMPLE_MS = 2.0, 1.0, 5e3
LARGEST = 2.0  # mV, limit of each weight under subtractive normalization: one group can just hold the whole norm
WON = 0.9  # a group with this share of the norm has won


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a population is normalized: arguments of its Rule, and its interval, in ms or made by a function."""

    rule: Mapping[str, Any] = field(default_factory=dict)
    interval: float | Callable[[], Any] = 100.0
    synapse_model: str = "stdp_synapse"


MULTIPLICATIVE, SUBTRACTIVE, BOUND, EXACT = "L1, 100 ms", "subtractive, 100 ms", "L1, bound of 1 %", "L1, exact"
METHODS = {
    MULTIPLICATIVE: Method(),
    SUBTRACTIVE: Method(rule={"mode": "subtractive", "w_max": LARGEST}),
    "L1, 20 ms": Method(interval=20.0),
    "L1, 500 ms": Method(interval=500.0),
    BOUND: Method(interval=lambda: distnorm.AdaptiveInterval(0.01)),
    EXACT: Method(interval=lambda: distnorm.ExactInterval(audit_ms=1e3), synapse_model="stdp_synapse_normalized"),
    "L1 only above, 100 ms": Method(rule={"only": "above"}),
    "L1 at rate 0.1, 100 ms": Method(rule={"rate": 0.1}),
}
MAIN, SLOW = (MULTIPLICATIVE, SUBTRACTIVE), (MULTIPLICATIVE, BOUND, EXACT)
COMPARED = tuple(name for name in METHODS if name not in (*MAIN, *SLOW))
BY_CORRELATION = ("correlation", "predicted", "simulated", "seeds", "error", "first wins", "second wins", "neither")
BY_METHOD = ("method", "ratio", "seeds", "error", "largest drift", "normalizations per s")


def covariance(correlation: float) -> FloatArray:
    """Q, in 1/s: covariance of an input with all inputs of each group, itself included."""
    first, second = (1 + (GROUP - 1) * within for within in (correlation, WEAKER))
    return RATE_HZ * np.array([[first, GROUP * BETWEEN], [GROUP * BETWEEN, second]])


def predicted(correlation: float) -> float:
    """Weights of the first group by those of the second under multiplicative normalization."""
    first, second = np.abs(np.linalg.eigh(covariance(correlation))[1][:, -1])
    return float(first / second)


def kernel() -> float:
    """Potentiation by the output spikes that an input spike of weight 1 mV causes: sum of rate * window over time.

    The input spike takes `DELAY_MS` to the neuron. An output spike counts at the synapse `DELAY_MS` later.
    """
    times_ms = np.arange(round(20 * TAU_M_MS / STEP_MS)) * STEP_MS
    spikes = SLOPE * np.exp(-times_ms / TAU_M_MS) * STEP_MS / 1e3
    return float(spikes @ np.exp(-(2 * DELAY_MS + times_ms) / TAU_STDP_MS))


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """One population; shares of the first group in each neuron's norm have shape (samples, neurons)."""

    seed: int
    correlation: float
    learning: float
    method: str
    shares: FloatArray
    per_s: float
    drift_max: float

    def ratio(self) -> float:
        """Weights of the first group by those of the second, over all neurons and the second half of the time."""
        share = float(self.shares[len(self.shares) // 2 :].mean())
        return share / (1 - share)

    def wins(self) -> tuple[int, int]:
        """Neurons in which the first group has won at the end, and the second."""
        return int((self.shares[-1] >= WON).sum()), int((self.shares[-1] <= 1 - WON).sum())

    def row(self) -> dict[str, object]:
        """Of the CSV file."""
        names = ("seed", "correlation", "learning", "method", "per_s", "drift_max")
        first, second = self.wins()
        found = {"predicted": predicted(self.correlation), "ratio": self.ratio(), "first": first, "second": second}
        return {name: getattr(self, name) for name in names} | found


def simulate(
    correlation: float,
    methods: Sequence[str],
    *,
    seed: int = 1,
    neurons: int = 40,
    seconds: float,
    learning: float,
    begins: Sequence[float] = (0.5,),
    virtual_processes: int = 2,
) -> list[Course]:
    """Simulate a population per method, all with the same inputs. Collective; only rank 0 gets the courses.

    Neurons begin, in turn, with the shares `begins` of the first group. `learning` is the change of a weight by a pair
    at lag zero, in mV.
    """
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(total_num_virtual_procs=virtual_processes, rng_seed=seed, resolution=STEP_MS)
    if EXACT in methods:
        distnorm.install_models()
    pools = [_pool(correlation) for _ in range(POOLS)]
    normalizers = {name: _population(pools, name, neurons, learning, begins) for name in methods}
    shares: dict[str, list[FloatArray]] = {name: [] for name in methods}
    with ExitStack() as stack:
        for normalizer in normalizers.values():
            stack.enter_context(normalizer.attached())
        for _ in range(math.ceil(seconds * 1e3 / SAMPLE_MS)):
            nest.Simulate(SAMPLE_MS)
            for name in methods:
                shares[name].append(_shares(name))
    courses = []
    for name, normalizer in normalizers.items() if nest.Rank() == 0 else ():
        per_s = sum(measurement.normalized for measurement in normalizer.log) / nest.biological_time * 1e3
        drift_max = max(measurement.drift_max for measurement in normalizer.log[1:])
        found = {"shares": np.array(shares[name]), "per_s": per_s, "drift_max": drift_max}
        courses.append(Course(seed=seed, correlation=correlation, learning=learning, method=name, **found))
    return courses


def _pool(correlation: float) -> Any:
    """Parrots that repeat thinned copies of the source of both groups, and of their group's own."""
    parrots = nest.Create("parrot_neuron", 2 * GROUP)
    copied = (2 * BETWEEN, 2 * (correlation - BETWEEN), 2 * (WEAKER - BETWEEN))
    for targets, probability in zip((parrots, parrots[:GROUP], parrots[GROUP:]), copied, strict=True):
        source = nest.Create("mip_generator", params={"rate": RATE_HZ / 2 / probability, "p_copy": probability})
        nest.Connect(source, targets, syn_spec={"delay": DELAY_MS})
    return parrots


def _population(
    pools: Sequence[Any], name: str, neurons: int, learning: float, begins: Sequence[float]
) -> distnorm.Normalizer:
    """Make neurons, with a synapse model of the method's name, and what normalizes them."""
    linear = {"c_1": SLOPE, "c_2": 0.0, "c_3": 0.0, "dead_time": 0.0, "with_reset": False}
    made = nest.Create("pp_psc_delta", neurons, {**linear, "tau_m": TAU_M_MS, "tau_minus": TAU_STDP_MS})
    additive = {"alpha": 1.0, "mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": TAU_STDP_MS, "delay": DELAY_MS}
    far_away = {"Wmax": 100.0, "lambda": learning / 100.0}
    method = METHODS[name]
    nest.CopyModel(method.synapse_model, name, {**additive, **far_away})
    for i, share in enumerate(begins):
        for j, pool in enumerate(pools):
            targets = made[i * POOLS + j :: POOLS * len(begins)]
            for sources, mean in ((pool[:GROUP], 2 * share), (pool[GROUP:], 2 - 2 * share)):
                weight = nest.random.uniform(0.5 * mean, 1.5 * mean)
                nest.Connect(sources, targets, syn_spec={"synapse_model": name, "weight": weight})
    rule = distnorm.Rule(name, target_norm=2.0 * GROUP, **method.rule)
    return distnorm.Normalizer(rule, interval=method.interval() if callable(method.interval) else method.interval)


def _shares(name: str) -> FloatArray:
    """Share of the first group in each neuron's norm; rows come by target and then by source."""
    found = distnorm.connections(name, columns=("weight",), gather=True)
    groups = np.asarray(found["weight"]).reshape(-1, 2, GROUP).sum(axis=2)
    share: FloatArray = groups[:, 0] / groups.sum(axis=1)
    return share


def networks(seed: int, options: argparse.Namespace) -> list[Course]:
    """Courses with each correlation, and those of slow learning with the last one."""
    shared = {"seed": seed, "neurons": options.neurons, "virtual_processes": options.virtual_processes}
    last = options.correlations[-1]
    courses = []
    for correlation in options.correlations:
        methods = MAIN + COMPARED if correlation == last else MAIN
        courses += simulate(correlation, methods, seconds=options.seconds, learning=options.learning, **shared)
    # Slow enough for a bound of 1 %. Neurons begin on both sides of the prediction, and so settle sooner.
    share = predicted(last) / (1 + predicted(last))
    shared |= {"learning": options.learning / 10, "begins": (share - 0.1, share + 0.1)}
    return courses + simulate(last, SLOW, seconds=options.slow_seconds, **shared)


def write(courses: Sequence[Course], folder: Path, began: float) -> None:
    """Print tables, and write them, the CSV file and the figure."""
    slow = [course for course in courses if course.learning < courses[0].learning]
    fast = [course for course in courses if course not in slow]
    last = slow[-1].correlation
    by_correlation = [_correlation_row(fast, correlation) for correlation in dict.fromkeys(c.correlation for c in fast)]
    by_method = [_method_row(fast, last, name, name) for name in (MULTIPLICATIVE, *COMPARED)]
    by_method += [_method_row(slow, last, name, f"{name} (slow)") for name in SLOW]
    parts = [
        f"{len({course.seed for course in courses})} seeds, {courses[0].shares.shape[1]} neurons a population",
        table(BY_CORRELATION, by_correlation),
        f"Other ways, with a correlation of {last:g}; predicted is {predicted(last):.3f}",
        table(BY_METHOD, by_method),
    ]
    results_folder(folder)
    write_text(folder / "competition.md", "\n\n".join(parts))
    write_csv(folder / "competition.csv", [course.row() for course in courses])
    draw(fast, slow, MAIN, predicted, folder / "competition.png")
    print(*parts, f"figure: {folder / 'competition.png'}", sep="\n\n")
    print(f"wall time: {(time.monotonic() - began) / 60:.1f} minutes")


def _correlation_row(courses: Sequence[Course], correlation: float) -> list[str]:
    here = [course for course in courses if course.correlation == correlation]
    wins = np.array([course.wins() for course in here if course.method == SUBTRACTIVE]).sum(axis=0)
    neurons = sum(course.shares.shape[1] for course in here if course.method == SUBTRACTIVE)
    ratios = _against([course for course in here if course.method == MULTIPLICATIVE])
    return [f"{correlation:g}", f"{predicted(correlation):.3f}", *ratios, *map(str, [*wins, neurons - wins.sum()])]


def _method_row(courses: Sequence[Course], correlation: float, name: str, said: str) -> list[str]:
    chosen = [course for course in courses if (course.correlation, course.method) == (correlation, name)]
    drift, per_s = max(course.drift_max for course in chosen), np.mean([course.per_s for course in chosen])
    return [said, *_against(chosen), f"{drift:.1e}", f"{per_s:.1f}"]


def _against(courses: Sequence[Course]) -> list[str]:
    ratios = [course.ratio() for course in courses]
    error = np.mean(ratios) / predicted(courses[0].correlation) - 1
    return [f"{np.mean(ratios):.3f}", " ".join(f"{ratio:.2f}" for ratio in ratios), f"{error:+.1%}"]


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(description="Two groups of correlated inputs compete for a neuron's weights.")
    made.add_argument("--seeds", type=count, default=3, help="networks of each correlation (default 3)")
    about = f"within the first group, ascending (default 0.2 0.3 0.4; the second has {WEAKER})"
    made.add_argument("--correlations", type=positive, nargs="+", default=[0.2, 0.3, 0.4], metavar="C", help=about)
    made.add_argument("--neurons", type=count, default=40, help=f"of a population, at least {2 * POOLS} (default 40)")
    made.add_argument("--seconds", type=positive, default=350.0, help="biological time (default 350)")
    about = "biological time of the methods that learn a tenth as fast (default 300)"
    made.add_argument("--slow-seconds", type=positive, default=300.0, metavar="SECONDS", help=about)
    about = "change of a weight by a pair at lag zero, in mV (default 0.03)"
    made.add_argument("--learning", type=positive, default=0.03, metavar="MV", help=about)
    about = "of all ranks together; results depend on them, not on the ranks (default 2)"
    made.add_argument("--virtual-processes", type=count, default=2, metavar="N", help=about)
    made.add_argument("-o", "--output", type=path, required=True, metavar="FOLDER", help="where to")
    return made


def main(arguments: argparse.ArgumentParser) -> None:
    """Run, after a look at what cannot be."""
    options, began = arguments.parse_args(), time.monotonic()
    if not BETWEEN < min(options.correlations) <= max(options.correlations) <= BETWEEN + 0.5:
        arguments.error(f"--correlations: give numbers above {BETWEEN}, the one between groups, to {BETWEEN + 0.5}")
    if options.neurons < 2 * POOLS:
        arguments.error(f"--neurons {options.neurons}: give at least {2 * POOLS}")
    courses = [course for seed in range(1, options.seeds + 1) for course in networks(seed, options)]
    if nest.Rank() == 0:
        write(courses, options.output, began)


if __name__ == "__main__":
    main(parser())
