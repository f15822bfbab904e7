"""Nanoseconds and extra memory per connection of each way to normalize, on one network, in one run.

The network is a random one of plastic connections, built once with one thread and once with all. The documented recipe
and PyNEST in bulk are timed on a sample of its neurons and connections, in place and streaming on all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import nest
import numpy as np

from ..errors import RuleError
from ..mpi.ranks import Ranks, world
from ..norms.passes import Pass
from ..norms.sums import factors, norms
from ..rules.rule import Rule
from ..synapses.access import open_synapses, verify
from ..synapses.in_place import InPlace
from ..synapses.synapse_models import check_models
from .resident import begin_peak, peak

_RECIPE_NEURONS = 10
_BULK_CONNECTIONS = 200_000
_REPETITIONS = 7
_TARGET_NORM = 1_000.0


def run(
    connections: int, indegree: int, synapse_model: str, neuron_model: str, modules: Sequence[str], threads: int
) -> str:
    """Measure on one process and return a table.

    Args:
        connections: Plastic connections in all; rounded down to whole neurons.
        indegree: Connections per neuron.
        synapse_model: Their synapse model.
        neuron_model: Model of the neurons; some synapse models go with some neuron models only.
        modules: Extension modules to install, after each reset.
        threads: Threads of NEST for "all threads".

    Raises:
        RuleError: More than one rank, fewer connections than in-degree, or a model that cannot be normalized.
    """
    ranks = world(nest.build_info["have_mpi"])
    if ranks.size > 1:
        raise RuleError(f"bench kernel was started on {ranks.size} ranks; it measures one process")
    if connections < 20 * indegree:
        raise RuleError(f"{connections} connections with in-degree {indegree}; use at least 20 neurons' worth")
    rows: list[tuple[str, float, float | None]] = []
    for number in sorted({1, threads}):
        rule = _network(connections // indegree, indegree, synapse_model, neuron_model, modules, number)
        rows += _in_place(rule, ranks, number)
    rows = [_recipe(synapse_model, threads), _bulk(synapse_model), *rows]
    return _table(rows, connections // indegree * indegree, synapse_model, indegree)


def _network(
    neurons: int, indegree: int, synapse_model: str, neuron_model: str, modules: Sequence[str], threads: int
) -> Rule:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = threads
    for module in modules:
        _install(module)
    check_models(nest, (synapse_model,))
    if neuron_model not in nest.node_models:
        raise RuleError(f"NEST has no neuron model {neuron_model!r}; nest.node_models lists them")
    population = nest.Create(neuron_model, neurons)
    weight = _TARGET_NORM / indegree
    nest.Connect(
        population,
        population,
        {"rule": "fixed_indegree", "indegree": indegree},
        {"synapse_model": synapse_model, "weight": weight * nest.random.uniform(0.5, 1.5), "delay": 1.5},
    )
    nest.Simulate(1.5)  # sorts the connections, as in any run
    return Rule(synapse_model, target_norm=_TARGET_NORM)


def _install(module: str) -> None:
    try:
        nest.Install(module)
    except nest.NESTError as error:
        raise RuleError(f"NEST cannot install module {module}: {error}") from None


def _in_place(rule: Rule, ranks: Ranks, threads: int) -> list[tuple[str, float, float | None]]:
    synapses = open_synapses(nest, [rule], ranks, "inplace")[0]
    assert isinstance(synapses, InPlace)  # as asked
    verify(nest, synapses, ranks)

    def normalize() -> None:
        sums = synapses.measure()[0]
        at = factors(norms(sums, rule.power), rule.target_norms(synapses.node_ids))
        synapses.run(Pass(kind="scale", at=at))

    number = int(synapses.measure()[1].sum())
    label = f"{threads} thread{'s' if threads > 1 else ''}"

    def stream_twice() -> None:
        synapses.stream(False)
        synapses.stream(True)

    result = [
        (f"{synapses.backend}, {label}", *_best(normalize, number)),
        (f"  measure, {label}", *_best(synapses.measure, number)),
    ]
    if not synapses.generic:
        result += [
            (f"  streaming read, {label}", *_best(lambda: synapses.stream(False), number)),
            (f"  streaming read + read and write, {label}", *_best(stream_twice, number)),
        ]
    synapses.close()
    return result


def _recipe(synapse_model: str, threads: int) -> tuple[str, float, float | None]:
    """The loop of NEST's documentation (synapses/weight_normalization), with its GetConnections per neuron."""
    population = nest.GetNodes({"element_type": "neuron"})
    picked = population[:: max(1, len(population) // _RECIPE_NEURONS)]
    done = 0

    def normalize() -> None:
        nonlocal done
        for neuron in picked:
            connections = nest.GetConnections(target=neuron, synapse_model=synapse_model)
            weights = np.array(connections.weight)
            connections.weight = _TARGET_NORM * weights / np.abs(weights).sum()
            done += len(weights)

    seconds, memory = _timed(normalize)
    return f"documented recipe, {threads} threads ({len(picked)} neurons)", seconds / done * 1e9, memory / done


def _bulk(synapse_model: str) -> tuple[str, float, float | None]:
    connections = nest.GetConnections(synapse_model=synapse_model)[:_BULK_CONNECTIONS]
    number = len(connections)

    def normalize() -> None:
        status = connections.get(["target", "weight"])
        targets, weights = np.array(status["target"]), np.array(status["weight"])
        norm = np.bincount(targets, np.abs(weights))
        connections.set([{"weight": weight} for weight in (weights * _TARGET_NORM / norm[targets]).tolist()])

    seconds, memory = _timed(normalize)
    return f"PyNEST in bulk ({number:,} connections)", seconds / number * 1e9, memory / number


def _timed(action: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and growth of the largest resident memory in bytes."""
    before = begin_peak()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start, peak() - before


def _best(action: Callable[[], Any], number: int) -> tuple[float, float | None]:
    """Nanoseconds per connection, median of several runs, and extra bytes per connection."""
    action()
    runs = [_timed(action) for _ in range(_REPETITIONS)]
    return float(np.median([seconds for seconds, _ in runs])) / number * 1e9, max(memory for _, memory in runs) / number


def _table(rows: list[tuple[str, float, float | None]], number: int, synapse_model: str, indegree: int) -> str:
    bytes_each = nest.GetDefaults(synapse_model).get("sizeof", 0)
    recipe = rows[0][1]
    lines = [
        f"{number:,} {synapse_model} connections of {bytes_each} bytes, in-degree {indegree:,}; "
        f"median of {_REPETITIONS}",
        "",
        "| way | ns per connection | times faster than the recipe | extra bytes per connection |",
        "|---|---:|---:|---:|",
    ]
    for name, nanoseconds, memory in rows:
        extra = "" if memory is None else f"{memory:,.2f}"
        lines.append(f"| {name} | {nanoseconds:,.1f} | {recipe / nanoseconds:,.0f} | {extra} |")
    times = {name.strip(): nanoseconds for name, nanoseconds, _ in rows}
    for label in [name.removeprefix("in place, ") for name in times if name.startswith("in place, ")]:
        ratio = times[f"in place, {label}"] / times[f"streaming read + read and write, {label}"]
        lines.append(f"\nin place / streaming the same bytes, {label}: {ratio:.2f}")
    return "\n".join(lines)
