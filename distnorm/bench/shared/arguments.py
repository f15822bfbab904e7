"""Arguments that several benchmarks take."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any

from ...runs.options import add_set, count, path


def add_command(commands: Any, name: str, about: str, run: Any) -> argparse.ArgumentParser:
    """Add a benchmark to the subparsers of `distnorm bench`."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about)
    parser.set_defaults(run=run)
    return parser


def add_job(parser: argparse.ArgumentParser, about: str = "job file, such as jobs/balanced_stdp.toml") -> None:
    """Add a job file and changes to it."""
    parser.add_argument("job", type=path, help=about)
    add_set(parser)


def add_network(parser: argparse.ArgumentParser, connections: int | None, threads: int | None = None) -> None:
    """Add the size of a random network and its threads.

    Args:
        parser: Of the benchmark.
        connections: Default; None for no such argument.
        threads: Default; None for as many as there are cores.
    """
    if connections is not None:
        about = f"plastic connections (default {connections})"
        parser.add_argument("--connections", type=count, default=connections, help=about)
    parser.add_argument("--indegree", type=count, default=1_000, help="connections per neuron (default 1000)")
    default, said = (os.cpu_count() or 1, "all cores") if threads is None else (threads, str(threads))
    parser.add_argument("--threads", type=count, default=default, help=f"of each process (default {said})")


def add_synapse_model(parser: argparse.ArgumentParser) -> None:
    """Add the synapse model of a random network."""
    parser.add_argument("--synapse-model", default="stdp_synapse", help="default stdp_synapse")


def positive(text: str) -> float:
    """A positive number.

    Raises:
        ArgumentTypeError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
