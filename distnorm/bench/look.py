"""What one look at the weights costs beside NEST, in tiny networks and large ones.

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
from ..runs.options import count
from .shared.arguments import add_command
from .shared.networks import DELAY_MS, driven_network
from .shared.tables import table

_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_MOST_LOOKS, _FEWEST_LOOKS, _AT_ONCE = 2_000, 20, 5_000_000
_PHASES = ("measure", "agree", "rescale")
_COLUMNS = ("connections of a rank", "looks", "a look (us)", *_PHASES, "rest", "of agree: waiting")


def add_to(commands: Any) -> None:
    """Add `bench look`."""
    about = "cost of a look beside NEST, over connections per rank; also under mpiexec"
    parser = add_command(commands, "look", about, run)
    parser.add_argument("--connections", type=count, nargs="+", default=list(_SIZES), help="of a rank, several sizes")
    parser.add_argument("--threads", type=count, default=1, help="per rank (default 1)")


def run(options: argparse.Namespace) -> None:
    """Measure on all ranks; rank 0 prints. Collective."""
    import nest

    ranks = world(nest.build_info["have_mpi"])
    looks = []
    for connections in options.connections:
        number = min(max(_AT_ONCE // connections, _FEWEST_LOOKS), _MOST_LOOKS)
        looks.append([f"{connections:,}", f"{number:,}", *_looks(nest, ranks, connections, options.threads, number)])
    agreements = [_agreement(each) for each in ((ranks, ranks.anew()) if ranks.size > 1 else ())]
    if ranks.rank == 0:
        print(
            f"{ranks.size} rank(s) x {options.threads} thread(s); medians, phases in us\n\n{table(_COLUMNS, looks)}\n"
        )
    if agreements and ranks.rank == 0:
        costs = ", ".join(f"{1e6 * seconds:.1f} us merged by {how}" for seconds, how in agreements)
        print(f"the agreement alone, a message of {new_message(1).nbytes:,} bytes: {costs}")


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


def _agreement(ranks: Ranks) -> tuple[float, str]:
    """Median seconds of an agreement about one rule, and what merges it."""
    message = new_message(1)
    seconds = [_seconds(lambda: ranks.agree(message)) for _ in range(_MOST_LOOKS)]
    return float(np.median(seconds)), "the kernel" if ranks.merges_by_kernel else "numpy"


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
