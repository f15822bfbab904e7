"""Cost of outgoing norms beside incoming ones on one network, and what they send.

Run it under mpiexec. Two Normalizers with target norms apart take turns, so that each normalization rescales. What a
rank sends is compared with what a random network is expected to need, and that is worked out for larger ones.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np

from ..mpi.ranks import Ranks, world
from ..rules.rule import Rule
from .shared.arguments import add_command, add_network, add_synapse_model
from .shared.networks import add_neurons, finish, reset
from .shared.tables import table

_REPETITIONS = 6
_COLUMNS = ("rule", "ns per connection of a rank", "relative to incoming", "kB sent by a rank", "expected")
_CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("incoming", {}),
    ("outgoing", {"of": "outgoing"}),
    ("incoming, w_max, a third at it", {"w_max": 1.3}),
    ("outgoing, w_max, a third at it", {"of": "outgoing", "w_max": 1.3}),
)
_PER_SOURCE = 32  # bytes: sum, its rest and count to the owner, a factor back
_LARGER = tuple((neurons, ranks) for neurons in (10**6, 10**7) for ranks in (128, 512, 2048, 4096))
_LARGER_COLUMNS = ("neurons", "ranks", "sources of a rank", "MB sent by a rank", "ms at 1 GB/s a rank")


def add_to(commands: Any) -> None:
    """Add `bench outgoing`."""
    about = "outgoing norms beside incoming ones, and what they send; run it under mpiexec"
    parser = add_command(commands, "outgoing", about, run)
    add_network(parser, connections=5_000_000, threads=1)
    add_synapse_model(parser)


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints. Collective."""
    import nest

    ranks = world(nest.build_info["have_mpi"])
    neurons = options.connections // options.indegree
    reset(nest, options.threads)
    synapse = {"synapse_model": options.synapse_model, "weight": nest.random.uniform(0.5, 1.5), "Wmax": 100.0}
    if "Wmax" not in nest.GetDefaults(options.synapse_model) or options.synapse_model.endswith(("_hom", "_hom_hpc")):
        del synapse["Wmax"]
    add_neurons(nest, neurons, options.indegree, synapse)
    finish(nest)
    expected = _PER_SOURCE * _sources(neurons, ranks.size, options.indegree) * (1 - 1 / ranks.size)
    rows: list[tuple[str, ...]] = []
    plain = 0.0
    for name, arguments in _CASES:
        seconds, sent = _measured(options, arguments, ranks)
        nanoseconds = seconds / (options.connections / ranks.size) * 1e9
        plain = plain or nanoseconds
        wanted = expected / 1e3 if arguments == {"of": "outgoing"} else math.nan
        rows.append((name, f"{nanoseconds:.1f}", f"{nanoseconds / plain:.2f}", f"{sent / 1e3:,.1f}", _text(wanted)))
    if ranks.rank == 0:
        print(
            f"{options.connections:,} {options.synapse_model} connections, {neurons:,} neurons, {ranks.size} ranks x "
            f"{options.threads} threads; median of {_REPETITIONS}\n\n{table(_COLUMNS, rows)}\n"
        )
        print(_larger(options.indegree))


def _measured(options: argparse.Namespace, arguments: dict[str, Any], ranks: Ranks) -> tuple[float, float]:
    """Seconds of a normalization, on the slowest rank, and the most bytes that a rank sends for it."""
    from ..normalizer.normalizer import Normalizer

    mean = [float(options.indegree) * factor for factor in (1.0, 1.1)]
    several = [Normalizer(Rule(options.synapse_model, target_norm=each, **arguments)) for each in mean]
    for normalizer in several:
        normalizer.normalize()  # opens and verifies
    done = [several[i % 2].normalize() for i in range(_REPETITIONS)]
    mine = [sum(each.seconds[phase] for phase in ("measure", "agree", "rescale")) for each in done]
    every = ranks.gather((mine, max(each.sent_bytes for each in done))) or []
    if not every:
        return math.nan, math.nan
    return float(np.median(np.max([seconds for seconds, _ in every], axis=0))), max(sent for _, sent in every)


def _sources(neurons: float, ranks: int, indegree: int) -> float:
    """Expected number of different sources of the connections of a rank: a random choice of `indegree` per target."""
    return neurons * -math.expm1(-indegree / ranks)


def _text(number: float) -> str:
    return "" if math.isnan(number) else f"{number:,.1f}"


def _larger(indegree: int) -> str:
    """What larger networks send, by the same formula."""
    rows = []
    for neurons, size in _LARGER:
        sources = _sources(neurons, size, indegree)
        sent = _PER_SOURCE * sources * (1 - 1 / size)
        rows.append((f"{neurons:,}", f"{size:,}", f"{sources:,.0f}", f"{sent / 1e6:,.2f}", f"{sent / 1e6:,.1f}"))
    return f"expected, with in-degree {indegree:,}\n\n{table(_LARGER_COLUMNS, rows)}"
