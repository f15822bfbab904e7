"""Train the clock network with several intervals of its normalization, and see what it has learned.

    python jobs/clock_training.py -o FOLDER                       # half an hour on 2 cores
    python jobs/clock_training.py -o FOLDER --learning 1 --rounds 250 --intervals 20 1%
    python jobs/clock_training.py -o FOLDER --rounds 20 --intervals 20 450

For each interval a process of its own trains the network, stops all learning, and lets it go on by itself. A table is
printed; the folder has a .npz file for each, and the figure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nest
import numpy as np
from clock import RESOLUTION_MS, SIZES, Clock, build, rule, training
from clock_analysis import Replay, eigenvalues, replay, structure
from clock_figure import draw

import distnorm
from distnorm.bench.shared.tables import table
from distnorm.files.outputs import results_folder

_EVERY = 10  # rounds between two looks at the weights
_INTERVALS = ("20", "100", "450", "5%")  # at 1 %, learning so fast, each slice would end an interval
_COLUMNS = (
    "interval",
    "learning",
    "rounds",
    "within",
    "to the next",
    "others",
    "normalized",
    "largest drift",
    "to the next in spontaneous activity",
    "wall time",
)


def train(interval: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train, and let the network go on by itself; what was found, as arrays."""
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=RESOLUTION_MS, local_num_threads=1, rng_seed=options.seed)
    clock = build(
        size=options.size, rounds=options.rounds, spontaneous_ms=options.spontaneous, learning=options.learning
    )
    course: list[tuple[float, ...]] = [_look(clock, 0)]
    drifts: list[distnorm.Measurement] = []
    start = time.perf_counter()
    rounds = training(clock, "distnorm", interval_of(interval), rule(options.mode), drifts.append)
    for number, _ in enumerate(rounds, start=1):
        if number % _EVERY == 0 or number == options.rounds:
            course.append(_look(clock, number))
    seconds = time.perf_counter() - start
    found = _replay(clock, options.spontaneous)
    made = structure(clock)
    assert made is not None
    return {
        "course": np.array(course),
        "between": made.between,
        "eigenvalues": eigenvalues(clock),
        "replay": [found.changes, found.forward, found.active],
        "rates": found.rates,
        "normalized": sum(each.normalized for each in drifts),
        "largest_drift": max(each.drift_max for each in drifts[1:]),
        "seconds": seconds,
    }


def interval_of(text: str) -> distnorm.Interval | float:
    """An interval in ms, or with "%" a bound of the drift."""
    return distnorm.AdaptiveInterval(float(text[:-1]) / 100) if text.endswith("%") else float(text)


def _look(clock: Clock, number: int) -> tuple[float, ...]:
    found = structure(clock)
    assert found is not None
    return number, found.within, found.forward, found.others


def _replay(clock: Clock, spontaneous_ms: float) -> Replay:
    clock.freeze()
    nest.Simulate(spontaneous_ms)
    events = clock.spikes.events
    return replay(clock, clock.trained_ms, clock.trained_ms + spontaneous_ms, events["times"], events["senders"])


def _run(options: argparse.Namespace) -> None:
    results_folder(options.output)
    with ThreadPoolExecutor(options.processes) as pool:
        for done in pool.map(lambda interval: _in_a_process(interval, options), options.intervals):
            print(done, flush=True)
    found = {interval: dict(np.load(_file(options, interval))) for interval in options.intervals}
    rows = [_row(interval, options, each) for interval, each in found.items()]
    chance = 1 / (SIZES[options.size].clusters - 1)
    print(f"{options.size}, weights in mV; by chance {chance:.0%} of the changes go to the next\n")
    print(table(_COLUMNS, rows))
    draw({_title(interval): each for interval, each in found.items()}, options.output / "clock.png")


def _in_a_process(interval: str, options: argparse.Namespace) -> str:
    """A process for each network: NEST keeps its state in one."""
    command = [sys.executable, __file__, *sys.argv[1:], f"--only={interval}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return f"{_title(interval)}: done"


def _file(options: argparse.Namespace, interval: str) -> Path:
    return Path(options.output) / f"{interval}.npz"


def _title(interval: str) -> str:
    return f"bound of {interval}" if interval.endswith("%") else f"every {interval} ms"


def _row(interval: str, options: argparse.Namespace, found: dict[str, Any]) -> Sequence[str]:
    *_, last = found["course"]
    changes, forward, active = found["replay"]
    order = f"{forward:.0f} of {changes:.0f}" if changes else f"none: {active:.0%} of the time active"
    return (
        _title(interval),
        f"{options.learning:g} x",
        f"{last[0]:.0f}",
        *(f"{weight:.4f}" for weight in last[1:]),
        f"{found['normalized']:,} times",
        f"{found['largest_drift']:.2%}",
        order,
        f"{found['seconds'] / 60:.1f} min",
    )


def main() -> None:
    """Train, or one interval in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--size", choices=SIZES, default="middle")
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--intervals", nargs="+", default=_INTERVALS, metavar="MS|PERCENT%%")
    parser.add_argument("--learning", type=float, default=10.0, metavar="TIMES")
    parser.add_argument("--mode", choices=("subtractive", "multiplicative"), default="subtractive")
    parser.add_argument("--spontaneous", type=float, default=2_000.0, metavar="MS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only is None:
        _run(options)
    else:
        np.savez(_file(options, options.only), **train(options.only, options))


if __name__ == "__main__":
    main()
