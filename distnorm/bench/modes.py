"""Cost of each norm, mode, bound and selection relative to the plain L1 norm, on one network, in one run.

The neurons fire at random, at 20 spikes/s whatever their input, and before each normalization their STDP synapses learn
for 50 ms, each for itself. That is not timed.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import RuleError
from ..norms.correction import Correction, first_pass
from ..norms.sums import norms
from ..norms.target_norms import TargetNorms
from ..rules.rule import Rule
from ..synapses.access import Synapses, open_synapses, run_all, work_out
from .shared.arguments import add_command, add_network
from .shared.networks import add_neurons, finish, one_process, reset
from .shared.tables import table
from .shared.timing import seconds_of

_REPETITIONS = 7
_DRIFT_MS = 49.5
_LEAST_NEURONS = 60
_MODEL = "stdp_synapse"
_NEURONS = {"c_1": 0.0, "c_2": 20.0, "c_3": 0.0}
_TARGET_NORM = 1_000.0
_COLUMNS = ("rule", "ns per connection", "relative to L1", "passes over memory")
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


def add_to(commands: Any) -> None:
    """Add `bench modes`."""
    parser = add_command(commands, "modes", "each norm, mode, bound and selection relative to plain L1", run)
    add_network(parser, connections=1_000_000, threads=1)


def run(options: argparse.Namespace) -> None:
    """Measure on one process and print a table.

    Raises:
        RuleError: More than one rank, or too few neurons.
    """
    import nest

    ranks = one_process(nest, "bench modes")
    indegree, neurons = options.indegree, options.connections // options.indegree
    if neurons < _LEAST_NEURONS:
        least = f"at least {_LEAST_NEURONS} neurons' worth"
        raise RuleError(f"{options.connections} connections with in-degree {indegree}; use {least}")
    mean = _TARGET_NORM / indegree
    _build(nest, neurons, indegree, options.threads, mean)

    def timed(rules: Sequence[Rule]) -> tuple[float, float]:
        synapses = open_synapses(nest, rules, ranks, "inplace")
        return _timed(nest, _Case(synapses, [TargetNorms(rule) for rule in rules]))

    rows = [(label, *timed([_rule(mean, **case)])) for label, case in _CASES]
    thirds = _thirds(neurons, mean)
    rows.append(("L1, three rules in one pass", *timed(thirds)))
    rows.append(("L1, the three rules one after the other", sum(timed([third])[0] for third in thirds), 2.0))
    _print(rows, neurons * indegree, indegree, options.threads)


def _build(nest: Any, neurons: int, indegree: int, threads: int, mean: float) -> None:
    reset(nest, threads)
    weights = {"weight": mean * nest.random.uniform(0.5, 1.5), "Wmax": mean * nest.random.uniform(1.0, 3.0)}
    add_neurons(nest, neurons, indegree, {"synapse_model": _MODEL, **weights}, "pp_psc_delta", _NEURONS)
    finish(nest)


def _rule(mean: float, **case: Any) -> Rule:
    """The rule of a case, whose bounds are relative to the mean weight."""
    norm = case.get("norm")
    bounds = {name: mean * case[name] for name in ("w_min", "w_max") if isinstance(case.get(name), float)}
    if norm == "linf":
        target: dict[str, Any] = {"target_norm": 1.3 * mean}
    elif norm in ("l2", "l3"):
        target = {"mean_weight": mean * (1.1 if norm == "l3" else 1.0)}
    else:
        target = {"target_norm": _TARGET_NORM}
    return Rule(_MODEL, **{**target, **case, **bounds})


def _thirds(neurons: int, mean: float) -> list[Rule]:
    """Rules for three disjoint groups of sources."""
    edges = np.linspace(1, neurons + 1, 4).astype(int).tolist()
    return [Rule(_MODEL, sources=range(*ends), mean_weight=mean) for ends in itertools.pairwise(edges)]


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
        measured = run_all(self.synapses, [first_pass(synapses.rule) for synapses in self.synapses])
        for synapses, sums, target_norms in zip(self.synapses, measured, self.norms, strict=True):
            assert sums is not None
            norm = norms(sums[0], synapses.rule.power)
            target = target_norms.of(synapses.node_ids, norm, sums[1].astype(np.int64))
            corrections.append(Correction(synapses.rule, sums, target, synapses.node_ids, 100.0))
        further = work_out(corrections, self.synapses)
        run_all(self.synapses, [correction.change for correction in corrections])
        self.passes = 2 + further


def _timed(nest: Any, case: _Case) -> tuple[float, float]:
    """Median seconds of a normalization, and passes over memory."""
    seconds, passes = [], []
    for _ in range(_REPETITIONS + 1):
        nest.Simulate(_DRIFT_MS)
        seconds.append(seconds_of(case.normalize))
        passes.append(case.passes)
    return float(np.median(seconds[1:])), float(np.median(passes[1:]))


def _print(rows: Sequence[tuple[str, float, float]], connections: int, indegree: int, threads: int) -> None:
    said = f"{threads} thread{'s' if threads > 1 else ''}; median of {_REPETITIONS}"
    print(f"{connections:,} {_MODEL} connections, in-degree {indegree:,}, {said}\n")
    plain = rows[0][1]
    lines = [
        (label, f"{seconds / connections * 1e9:.1f}", f"{seconds / plain:.2f}", f"{passes:g}")
        for label, seconds, passes in rows
    ]
    print(table(_COLUMNS, lines))
