"""What one look at the weights costs beside NEST, in tiny networks and large ones; and what being attached costs a Run.

A look measures, agrees, and rescales. Each network is driven by noise, so that there is something to rescale, and its
norms are looked at after every slice (min_delay). Times of looks are of the slowest rank.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..mpi.message import new_message
from ..mpi.ranks import Ranks, world
from ..rules.rule import Rule
from ..runs.options import count
from .shared.arguments import add_command
from .shared.networks import DELAY_MS, add_neurons, finish, reset
from .shared.tables import table

_INDEGREE = 100
_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_MOST_LOOKS, _FEWEST_LOOKS, _AT_ONCE = 2_000, 20, 5_000_000
_FEWEST_RUNS, _RUNS_AT_ONCE = 3, 30_000_000
_PHASES = ("measure", "agree", "rescale")
_COLUMNS = ("connections of a rank", "looks", "a look (us)", *_PHASES, "rest", "of agree: waiting")
_RUN_COLUMNS = ("connections of a rank", "Runs", "plain (us)", "attached (us)", "attached / plain")


def add_to(commands: Any) -> None:
    """Add `bench look`."""
    about = "cost of a look beside NEST, and of being attached, over connections per rank; also under mpiexec"
    parser = add_command(commands, "look", about, run)
    parser.add_argument("--connections", type=count, nargs="+", default=list(_SIZES), help="of a rank, several sizes")
    parser.add_argument("--threads", type=count, default=1, help="per rank (default 1)")
    parser.add_argument("--runs", type=count, default=10_000, help="Runs of one slice at most (default 10000)")


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints. Collective."""
    import nest

    ranks = world(nest.build_info["have_mpi"])
    looks, runs = [], []
    for connections in options.connections:
        number = min(max(_AT_ONCE // connections, _FEWEST_LOOKS), _MOST_LOOKS)
        looks.append([f"{connections:,}", f"{number:,}", *_looks(nest, ranks, connections, options.threads, number)])
        at_most = min(max(_RUNS_AT_ONCE // connections, _FEWEST_RUNS), options.runs)
        runs.append([f"{connections:,}", f"{at_most:,}", *_runs(nest, ranks, connections, options.threads, at_most)])
    agreements = [_agreement(each) for each in ((ranks, ranks.anew()) if ranks.size > 1 else ())]
    if ranks.rank == 0:
        print(
            f"{ranks.size} rank(s) x {options.threads} thread(s); medians, phases in us\n\n{table(_COLUMNS, looks)}\n"
        )
        print(f"Runs of {DELAY_MS} ms between Prepare and Cleanup, nothing due\n\n{table(_RUN_COLUMNS, runs)}\n")
    if agreements and ranks.rank == 0:
        costs = ", ".join(f"{1e6 * seconds:.1f} us merged by {how}" for seconds, how in agreements)
        print(f"the agreement alone, a message of {new_message(1).nbytes:,} bytes: {costs}")


def driven_network(nest: Any, ranks: int, connections: int, threads: int) -> Rule:
    """Build a network with so many plastic connections on each rank, driven by noise; the rule that keeps its norms."""
    reset(nest, threads)
    indegree = min(_INDEGREE, connections // 10) or 1
    neurons = max(connections * ranks // indegree, 1)
    plastic = {"synapse_model": "stdp_synapse", "weight": nest.random.uniform(0.05, 0.15), "Wmax": 100.0}
    add_neurons(nest, neurons, indegree, plastic)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, nest.NodeCollection(range(1, neurons + 1)), syn_spec={"weight": 1.0, "delay": DELAY_MS})
    finish(nest)
    return Rule("stdp_synapse", target_norm=0.1 * indegree)


def _looks(nest: Any, ranks: Ranks, connections: int, threads: int, number: int) -> list[str]:
    from ..normalizer.normalizer import Normalizer

    normalizer = Normalizer(driven_network(nest, ranks.size, connections, threads), interval=DELAY_MS)
    normalizer.simulate(10 * DELAY_MS)  # opens, verifies, warms up
    done = len(normalizer.log)
    start = time.perf_counter()
    normalizer.simulate(number * DELAY_MS)
    wall_s = time.perf_counter() - start
    log = normalizer.log[done:]
    phases = np.array([[measurement.seconds[phase] for phase in _PHASES] for measurement in log])
    in_nest_s = sum(measurement.seconds["simulate"] for measurement in log)
    waited = float(np.median([measurement.waited_s for measurement in log]))
    mine = [(wall_s - in_nest_s) / len(log), *np.median(phases, axis=0)]
    every = np.array(ranks.gather(mine) or [mine])
    slowest = every[:, 0].argmax()
    whole, *parts = 1e6 * every[slowest]
    return [f"{each:.0f}" for each in (whole, *parts, whole - sum(parts), 1e6 * waited)]


def _runs(nest: Any, ranks: Ranks, connections: int, threads: int, number: int) -> list[str]:
    from ..normalizer.normalizer import Normalizer

    rule = driven_network(nest, ranks.size, connections, threads)
    normalizer = Normalizer(rule, interval=1e9)
    normalizer.normalize()

    def loop() -> None:
        nest.Prepare()
        for _ in range(number):
            nest.Run(DELAY_MS)
        nest.Cleanup()

    def attached() -> None:
        with normalizer.attached():
            loop()

    plain, with_it = zip(*((_seconds(loop), _seconds(attached)) for _ in range(3)), strict=True)
    plain_us, with_it_us = (1e6 * float(np.median(seconds)) / number for seconds in (plain, with_it))
    return [f"{plain_us:.1f}", f"{with_it_us:.1f}", f"{with_it_us / plain_us:.2f}"]


def _agreement(ranks: Ranks) -> tuple[float, str]:
    """Median seconds of an agreement about one rule, and what merges it."""
    message = new_message(1)
    seconds = [_seconds(lambda: ranks.agree(message)) for _ in range(_MOST_LOOKS)]
    return float(np.median(seconds)), "the kernel" if ranks.merges_by_kernel else "numpy"


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
