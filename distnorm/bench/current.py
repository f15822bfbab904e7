"""Cost of weights that are brought up to date, beside that of stored ones, on networks in one run.

Neurons fire at random, at a rate whatever their input, long enough that postsynaptic spikes are pending at as many
connections as they are in the long run.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from ..mpi.ranks import Ranks
from ..norms.passes import Pass
from ..rules.rule import Rule
from ..synapses.in_place import InPlace
from .shared.arguments import add_command, add_network
from .shared.networks import add_neurons, finish, one_process, open_in_place, reset
from .shared.tables import table
from .shared.timing import seconds_of

_MODEL = "stdp_synapse"
_REPETITIONS = 5
_SPIKES = 4  # of each neuron, on average, before something is measured
_PASSES = {
    "read stored": Pass(kind="measure", weights="stored"),
    "read current": Pass(kind="measure", weights="current"),
    "bring up to date": Pass(kind="update"),
}
_COLUMNS = ("spikes/s", "threads", "connections behind", "pass", "ns per connection", "relative to stored")


def add_to(commands: Any) -> None:
    """Add `bench current`."""
    parser = add_command(commands, "current", "reading and writing what STDP has yet to do to weights", run)
    add_network(parser, connections=5_000_000)
    parser.add_argument(
        "--rates", nargs="+", type=float, default=[5.0, 20.0], help="spikes/s of the neurons (default 5 20)"
    )
    parser.add_argument("--mu-plus", type=float, default=1.0, help="exponent of the potentiation (default 1)")


def run(options: argparse.Namespace) -> None:
    """Measure on one process and print a table.

    Raises:
        RuleError: More than one rank.
    """
    import nest

    ranks = one_process(nest, "bench current")
    rows = []
    for threads in sorted({1, options.threads}):
        for rate in options.rates:
            reset(nest, threads)
            parameters = {"c_1": 0.0, "c_2": rate, "c_3": 0.0, "dead_time": 0.0}
            neurons = options.connections // options.indegree
            synapse = {"synapse_model": _MODEL, "weight": nest.random.uniform(0.3, 0.7), "Wmax": 1.0}
            synapse["mu_plus"] = options.mu_plus
            add_neurons(nest, neurons, options.indegree, synapse, "pp_psc_delta", parameters)
            finish(nest)
            rows += [(f"{rate:g}", str(threads), *row) for row in _rows(nest, ranks, rate)]
    size = nest.GetDefaults(_MODEL)["sizeof"]
    number = options.connections // options.indegree * options.indegree
    print(
        f"{number:,} {_MODEL} connections of {size} bytes, in-degree {options.indegree:,}; "
        f"median of {_REPETITIONS}\n\n{table(_COLUMNS, rows)}"
    )


def _rows(nest: Any, ranks: Ranks, rate: float) -> list[tuple[str, ...]]:
    """Share of the connections that are behind; name, cost and ratio of each pass."""
    (synapses,) = open_in_place(nest, [Rule(_MODEL, target_norm=1.0)], ranks)
    number = float(synapses.measure()[1].sum())
    behind = []
    seconds: list[list[float]] = []
    for _ in range(_REPETITIONS + 1):
        nest.Simulate(_SPIKES * 1000.0 / rate)
        behind.append(_behind(synapses))
        seconds.append([seconds_of(partial(synapses.run, a_pass)) for a_pass in _PASSES.values()])
    synapses.close()
    costs = np.median(seconds[1:], axis=0) / number * 1e9
    return [
        (f"{np.mean(behind):.0%}", label, f"{cost:.1f}", f"{cost / costs[0]:.2f}")
        for label, cost in zip(_PASSES, costs, strict=True)
    ]


def _behind(synapses: InPlace) -> float:
    """Share of a sample of connections whose weight is behind."""
    places = synapses.sample(_MODEL, 1)
    weights = np.zeros(len(places))
    synapses.kernel.dn_current_weights(len(places), places, weights)
    return float(np.mean(weights != places["weight"]))
