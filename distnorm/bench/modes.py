"""Cost of each norm, mode, bound and selection relative to the plain L1 norm, on one network, in one run.

The neurons fire at random, at 20 spikes/s whatever their input, and before each normalization their STDP synapses learn
for 50 ms, each for itself. That is not timed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nest
import numpy as np

from ..errors import RuleError
from ..mpi.ranks import Ranks, world
from ..norms.correction import Correction, first_pass
from ..norms.sums import norms
from ..norms.target_norms import TargetNorms
from ..rules.rule import Rule
from ..synapses.access import Synapses, open_synapses, run_all, work_out

_REPETITIONS = 7
_DRIFT_MS = 49.5
_LEAST_NEURONS = 60
_MODEL = "stdp_synapse"
_TARGET_NORM = 1_000.0
# Weights lie evenly between 0.5 and 1.5 times the mean.
_CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("L1", {}),
    ("L1, signed sum", {"norm": "sum"}),
    ("L2", {"norm": "l2"}),
    ("L3", {"norm": "l3"}),
    ("L-infinity", {"norm": "linf"}),
    ("L1, by sign", {"sign": "positive"}),
    ("L1, time constant", {"tau_ms": 100.0}),
    ("L1, w_max that no weight reaches", {"w_max": 10.0}),
    ("L1, w_max, a third at it", {"w_max": 1.3}),
    ("L1, w_min and w_max, half at them", {"w_min": 0.8, "w_max": 1.2}),
    ("L1, Wmax of each synapse", {"w_max": "Wmax"}),
    ("L2, w_max, a third at it", {"norm": "l2", "w_max": 1.3}),
    ("L3, w_max, a third at it", {"norm": "l3", "w_max": 1.3}),
    ("L-infinity, w_max", {"norm": "linf", "w_max": 1.3}),
    ("subtractive", {"mode": "subtractive"}),
    ("subtractive, w_max, a third at it", {"mode": "subtractive", "w_max": 1.3}),
    ("subtractive signed sum", {"mode": "subtractive", "norm": "sum"}),
)


@dataclass
class _Case:
    """What normalizes by one or several rules."""

    synapses: Sequence[Synapses]
    norms: Sequence[TargetNorms]
    passes: int = 0

    def normalize(self) -> None:
        """As the normalizer does, without the agreement."""
        self.passes = 0
        corrections = []
        measured = run_all(self.synapses, [first_pass(each.rule) for each in self.synapses])
        for each, sums, target_norms in zip(self.synapses, measured, self.norms, strict=True):
            assert sums is not None
            norm = norms(sums[0], each.rule.power)
            target = target_norms.of(each.node_ids, norm, sums[1].astype(np.int64))
            corrections.append(Correction(each.rule, sums, target, each.node_ids, 100.0))
        further = work_out(corrections, self.synapses)
        run_all(self.synapses, [correction.change for correction in corrections])
        self.passes = 2 + further


def run(connections: int, indegree: int, threads: int) -> str:
    """Measure on one process and return a table.

    Args:
        connections: Plastic connections in all; rounded down to whole neurons.
        indegree: Connections per neuron.
        threads: Threads of NEST.

    Raises:
        RuleError: More than one rank, or too few neurons.
    """
    ranks = world(nest.build_info["have_mpi"])
    if ranks.size > 1:
        raise RuleError(f"bench modes was started on {ranks.size} ranks; it measures one process")
    if connections < _LEAST_NEURONS * indegree:
        least = f"at least {_LEAST_NEURONS} neurons' worth"
        raise RuleError(f"{connections} connections with in-degree {indegree}; use {least}")
    mean = _TARGET_NORM / indegree
    _network(connections // indegree, indegree, threads, mean)
    whole = [(label, _open(ranks, [options], mean)) for label, options in _CASES]
    thirds = _groups(connections // indegree, 3)
    together = _open(ranks, thirds, mean)
    whole.append(("L1, three rules in one pass", together))
    rows = [(label, *_timed(case)) for label, case in whole]
    apart = [_open(ranks, [third], mean) for third in thirds]
    seconds = sum(_timed(case)[0] for case in apart)
    rows.append(("L1, the three rules one after the other", seconds, 2.0))
    return _table(rows, connections // indegree * indegree, indegree, threads)


def _network(neurons: int, indegree: int, threads: int, mean: float) -> None:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = threads
    population = nest.Create("pp_psc_delta", neurons, {"c_1": 0.0, "c_2": 20.0, "c_3": 0.0})
    weights = {"weight": mean * nest.random.uniform(0.5, 1.5), "Wmax": mean * nest.random.uniform(1.0, 3.0)}
    rule = {"rule": "fixed_indegree", "indegree": indegree}
    nest.Connect(population, population, rule, {"synapse_model": _MODEL, "delay": 1.5} | weights)
    nest.Simulate(1.5)  # sorts the connections, as in any run


def _groups(neurons: int, number: int) -> list[dict[str, Any]]:
    """Rules for as many disjoint groups of sources."""
    edges = np.linspace(1, neurons + 1, number + 1).astype(int).tolist()
    return [{"sources": range(*ends), "mean_weight": True} for ends in itertools.pairwise(edges)]


def _open(ranks: Ranks, options: Sequence[dict[str, Any]], mean: float) -> _Case:
    rules = []
    for each in options:
        more = dict(each)
        for bound in ("w_min", "w_max"):
            if isinstance(more.get(bound), float):
                more[bound] *= mean
        if more.pop("mean_weight", False) or more.get("norm") in ("l2", "l3"):
            more["mean_weight"] = mean * (1.1 if more.get("norm") == "l3" else 1.0)
        else:
            more["target_norm"] = 1.3 * mean if more.get("norm") == "linf" else _TARGET_NORM
        rules.append(Rule(_MODEL, **more))
    return _Case(open_synapses(nest, rules, ranks, "inplace"), [TargetNorms(rule) for rule in rules])


def _timed(case: _Case) -> tuple[float, float]:
    """Median seconds of a normalization, and passes over memory."""
    seconds, passes = [], []
    for _ in range(_REPETITIONS + 1):
        nest.Simulate(_DRIFT_MS)
        seconds.append(_seconds(case.normalize))
        passes.append(case.passes)
    return float(np.median(seconds[1:])), float(np.median(passes[1:]))


def _seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _table(rows: Sequence[tuple[str, float, float]], number: int, indegree: int, threads: int) -> str:
    lines = [
        f"{number:,} {_MODEL} connections, in-degree {indegree:,}, {threads} thread{'s' if threads > 1 else ''}; "
        f"median of {_REPETITIONS}",
        "",
        "| rule | ns per connection | relative to L1 | passes over memory |",
        "|---|---:|---:|---:|",
    ]
    for label, seconds, passes in rows:
        lines.append(f"| {label} | {seconds / number * 1e9:.1f} | {seconds / rows[0][1]:.2f} | {passes:g} |")
    return "\n".join(lines)
