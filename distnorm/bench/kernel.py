"""Nanoseconds and extra memory per connection of each means to normalize, on one network, in one run.

The network is a random one of plastic connections, built once with one thread and once with all. The documented recipe
and PyNEST in bulk are timed on a sample of its neurons and connections, in place on all of them.

The yardstick is streaming (stream.cpp): memory with as many bytes, read once, and read and written once.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..mpi.ranks import Ranks
from ..norms.passes import Pass
from ..norms.sums import factors, norms
from ..rules.rule import Rule
from ..synapses.compiling.compiler import find_compiler
from ..synapses.synapse_models import check_models
from .compare.pynest import normalize_in_bulk, normalize_one_by_one
from .shared.arguments import add_command, add_network, add_synapse_model
from .shared.networks import add_neurons, finish, one_process, open_in_place, reset
from .shared.tables import table
from .shared.timing import cost_of

_RECIPE_NEURONS = 10
_BULK_CONNECTIONS = 200_000
_REPETITIONS = 7
_TARGET_NORM = 1_000.0
_BLOCK = 1_024  # connections that NEST keeps together
_MOST_STREAMED = 1 << 30  # bytes; far more than caches hold
_COLUMNS = ("weights reached", "ns per connection", "times faster than the recipe", "extra bytes per connection")

Row = tuple[str, float, float]
"""A label, nanoseconds per connection, and extra bytes per connection."""


def add_to(commands: Any) -> None:
    """Add `bench kernel`."""
    about = "nanoseconds per connection: documented recipe, PyNEST, in place, streaming"
    parser = add_command(commands, "kernel", about, run)
    add_network(parser, connections=5_000_000)
    add_synapse_model(parser)
    parser.add_argument("--neuron-model", default="iaf_psc_delta", help="default iaf_psc_delta")
    parser.add_argument("--install", action="append", default=[], metavar="MODULE", help="NEST extension to install")


def run(options: argparse.Namespace) -> None:
    """Measure on one process and print a table.

    Raises:
        RuleError: More than one rank, fewer connections than in-degree, or a model that cannot be normalized.
    """
    import nest

    ranks = one_process(nest, "bench kernel")
    connections, indegree, model = options.connections, options.indegree, options.synapse_model
    if connections < 20 * indegree:
        raise RuleError(f"{connections} connections with in-degree {indegree}; use at least 20 neurons' worth")
    rows: list[Row] = []
    for threads in sorted({1, options.threads}):
        _build(nest, options, threads)
        rows += _in_place(nest, Rule(model, target_norm=_TARGET_NORM), ranks, threads)
    rows = [_recipe(nest, options), _bulk(nest, model), *rows]
    size = nest.GetDefaults(model).get("sizeof", 0)
    number = connections // indegree * indegree
    print(f"{number:,} {model} connections of {size} bytes, in-degree {indegree:,}; median of {_REPETITIONS}\n")
    recipe_ns = rows[0][1]
    lines = [(label, f"{ns:,.1f}", f"{recipe_ns / ns:,.0f}", f"{extra:,.2f}") for label, ns, extra in rows]
    print("\n\n".join([table(_COLUMNS, lines), *_ratios(rows)]))


def _build(nest: Any, options: argparse.Namespace, threads: int) -> None:
    reset(nest, threads)
    for module in options.install:
        try:
            nest.Install(module)
        except nest.NESTError as error:
            raise RuleError(f"NEST cannot install module {module}: {error}") from None
    check_models(nest, (options.synapse_model,))
    if options.neuron_model not in nest.node_models:
        raise RuleError(f"NEST has no neuron model {options.neuron_model!r}; nest.node_models lists them")
    weight = _TARGET_NORM / options.indegree * nest.random.uniform(0.5, 1.5)
    synapse = {"synapse_model": options.synapse_model, "weight": weight}
    add_neurons(nest, options.connections // options.indegree, options.indegree, synapse, options.neuron_model)
    finish(nest)


def _in_place(nest: Any, rule: Rule, ranks: Ranks, threads: int) -> list[Row]:
    (synapses,) = open_in_place(nest, [rule], ranks)
    number = int(synapses.measure()[1].sum())

    def normalize() -> None:
        sums = synapses.measure()[0]
        at = factors(norms(sums, rule.power), rule.target_norms(synapses.node_ids))
        synapses.run(Pass(kind="scale", at=at))

    label = f"{threads} thread{'s' if threads > 1 else ''}"
    rows = [
        (f"{synapses.backend}, {label}", *_typical(normalize, number)),
        (f"  measure, {label}", *_typical(synapses.measure, number)),
    ]
    if not synapses.generic:
        (model,) = rule.synapse_models
        rows += streaming(label, number, nest.GetDefaults(model)["sizeof"], threads)
    synapses.close()
    return rows


def streaming(label: str, connections: int, size: int, threads: int) -> Iterator[Row]:
    """What memory allows: connections of so many bytes in blocks as NEST has them, streamed by so many threads."""
    stream, words = _compiled(), _BLOCK * size // 8
    blocks_each = max(min(connections, _MOST_STREAMED // size) // _BLOCK // threads, 1)

    def allocate(_: int) -> tuple[list[Any], npt.NDArray[np.uintp]]:
        blocks = [np.ones(words, np.uint64) for _ in range(blocks_each)]
        return blocks, np.array([block.ctypes.data for block in blocks], np.uintp)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(allocate, range(threads)))

        def on_all_threads(write: bool) -> None:
            list(pool.map(lambda part: stream(part[1].ctypes, blocks_each, words, write, 0), parts))

        def read_and_write() -> None:
            on_all_threads(False)
            on_all_threads(True)

        number = blocks_each * threads * _BLOCK
        yield (f"  streaming read, {label}", *_typical(lambda: on_all_threads(False), number))
        yield (f"  streaming read + read and write, {label}", *_typical(read_and_write, number))


def _compiled() -> Any:
    """The function of stream.cpp, compiled anew, which takes a moment."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "stream.so")
        source = Path(__file__).with_name("stream.cpp")
        subprocess.run([*find_compiler(), "-O3", "-fPIC", "-shared", str(source), "-o", str(library)], check=True)
        stream = ctypes.CDLL(str(library)).stream_blocks
    stream.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_uint64]
    return stream


def _recipe(nest: Any, options: argparse.Namespace) -> Row:
    population = nest.GetNodes({"element_type": "neuron"})
    picked = population[:: max(1, len(population) // _RECIPE_NEURONS)]
    label = f"documented recipe, {options.threads} threads ({len(picked)} neurons)"
    return _once(label, lambda: normalize_one_by_one(nest, picked, options.synapse_model, _TARGET_NORM))


def _bulk(nest: Any, synapse_model: str) -> Row:
    connections = nest.GetConnections(synapse_model=synapse_model)[:_BULK_CONNECTIONS]
    label = f"PyNEST in bulk ({len(connections):,} connections)"
    return _once(label, lambda: normalize_in_bulk(connections, _TARGET_NORM))


def _once(label: str, normalize: Callable[[], int]) -> Row:
    """The cost of what says how many connections it normalized."""
    done: list[int] = []
    seconds, memory = cost_of(lambda: done.append(normalize()))
    return label, seconds / done[0] * 1e9, memory / done[0]


def _typical(action: Callable[[], Any], connections: int) -> tuple[float, float]:
    """Nanoseconds per connection, median of several runs, and the most extra bytes per connection."""
    action()
    runs = [cost_of(action) for _ in range(_REPETITIONS)]
    seconds = float(np.median([seconds for seconds, _ in runs]))
    return seconds / connections * 1e9, max(memory for _, memory in runs) / connections


def _ratios(rows: Sequence[Row]) -> Iterator[str]:
    times = {label.strip(): nanoseconds for label, nanoseconds, _ in rows}
    for label, nanoseconds in times.items():
        if label.startswith("in place, "):
            threads = label.removeprefix("in place, ")
            ratio = nanoseconds / times[f"streaming read + read and write, {threads}"]
            yield f"in place / streaming the same bytes, {threads}: {ratio:.2f}"
