"""What normalizing the clock network costs: the published way in Python beside distnorm's, in one run.

    python jobs/clock_cost.py                     # full size; 6 minutes on 2 cores, idle
    python jobs/clock_cost.py --size small

Each line is a network of its own in a process of its own. Python's way takes PyNEST's dictionaries, in one process, for
a few intervals. distnorm's goes through a whole round. Its share is what it takes beside simulating, on the rank where
that is largest. Streaming is reading, and then reading and writing once, as many bytes as the plastic connections have.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nest
import numpy as np
from clock import PLASTIC_MODEL, RESOLUTION_MS, SIZES, OwnNormalization, build, rule

import distnorm
from distnorm.bench.kernel import streaming
from distnorm.bench.shared.processes import launcher, run_process
from distnorm.bench.shared.tables import table
from distnorm.bench.shared.timing import peak
from distnorm.mpi.ranks import world
from distnorm.synapses.normalized import install_models

_INTERVAL_MS = 20.0
_OWN_INTERVALS = 2
_TIMEOUT_S = 3_000.0
_COLUMNS = ("way", "split", "ms per normalization", "normalized", "share of wall time", "MB per rank")


@dataclass(frozen=True, kw_only=True)
class Way:
    """A line: how it is normalized, on how many ranks and threads."""

    name: str
    ranks: int = 1
    threads: int = 1
    mode: str = "subtractive"
    bounds: str = "exact"
    bound: float | None = None
    exact: bool = False
    own: bool = False
    rounds: int = 1


WAYS = (
    Way(name="own Python, subtractive, clipped", own=True),
    Way(name="subtractive, clipped as published", bounds="clip"),
    Way(name="subtractive"),
    Way(name="subtractive", threads=2),
    Way(name="subtractive", ranks=2),
    Way(name="multiplicative", ranks=2, mode="multiplicative"),
    Way(name="subtractive, bound of 1 %", ranks=2, bound=0.01, rounds=8),
    Way(name="multiplicative, bound of 1 %", ranks=2, mode="multiplicative", bound=0.01, rounds=8),
    Way(name="exact, multiplicative without limits", ranks=2, exact=True),
)


def measure(way: Way, options: argparse.Namespace) -> dict[str, Any] | None:
    """Simulate one; numbers of all ranks, on rank 0. Collective."""
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=RESOLUTION_MS, local_num_threads=way.threads)
    if way.exact:
        install_models(replace="clopath_synapse")
    clock = build(size=options.size, rounds=way.rounds)
    found = _own(clock.excitatory) if way.own else _normalized(way, clock.trained_ms)
    if options.save is not None:
        distnorm.save_connections(options.save, PLASTIC_MODEL)
    every = world(nest.build_info["have_mpi"]).gather({**found, "MB": peak() / 1e6})
    if every is None:
        return None
    return {name: max(each[name] for each in every) for name in every[0]}


def _own(excitatory: nest.NodeCollection) -> dict[str, float]:
    own = OwnNormalization(excitatory)
    simulate_s = normalize_s = 0.0
    with nest.RunManager():
        for _ in range(_OWN_INTERVALS):
            start = time.perf_counter()
            nest.Run(_INTERVAL_MS)
            between = time.perf_counter()
            own()
            simulate_s, normalize_s = simulate_s + between - start, normalize_s + time.perf_counter() - between
    return _numbers(normalize_s, simulate_s, _OWN_INTERVALS)


def _normalized(way: Way, until_ms: float) -> dict[str, float]:
    interval: distnorm.Interval | float = _INTERVAL_MS
    if way.exact:
        interval = distnorm.ExactInterval(audit_ms=until_ms)
    elif way.bound is not None:
        interval = distnorm.AdaptiveInterval(way.bound)
    the_rule = distnorm.Rule(PLASTIC_MODEL, target_norm="initial") if way.exact else rule(way.mode, way.bounds)
    normalizer = distnorm.Normalizer(the_rule, interval=interval)
    normalizer.normalize()  # compiles, opens and verifies
    normalizer.simulate(_OWN_INTERVALS * _INTERVAL_MS if way.bounds == "clip" else until_ms)
    log = normalizer.log[1:]
    simulate_s = sum(each.seconds["simulate"] for each in log) + normalizer._loop.chunks.seconds
    beside_s = sum(sum(each.seconds.values()) - each.seconds["simulate"] for each in log)
    return _numbers(beside_s, simulate_s, sum(each.normalized for each in log))


def _numbers(beside_s: float, simulate_s: float, normalized: int) -> dict[str, float]:
    return {
        "normalized": normalized,
        "ms": beside_s / max(normalized, 1) * 1e3,
        "share": beside_s / (beside_s + simulate_s),
        "simulate_s": simulate_s,
    }


def run(options: argparse.Namespace) -> None:
    """All lines, each in processes of its own."""
    rows, simulated = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for i, way in enumerate(WAYS):
            found = _in_processes(i, way, options, Path(folder) / str(i))
            simulated[way.name, way.ranks, way.threads] = found["simulate_s"]
            rows.append(_row(way, found))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
        own, clipped, _, threads, ranks, *_ = (Path(folder) / str(i) for i in range(len(WAYS)))
        print(table(_COLUMNS, rows))
        print(f"\n{_compared(own, clipped)}\n{_same(threads, ranks)}")
    print(_streamed(options.size))


def _in_processes(i: int, way: Way, options: argparse.Namespace, save: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, f"--size={options.size}", f"--only={i}"]
    started = launcher(way.ranks) if way.ranks > 1 else []
    done = run_process([*started, *command, f"--save={save}"], _TIMEOUT_S)
    if done.error is not None:
        raise SystemExit(f"{way.name}: {done.error}")
    result: dict[str, Any] = json.loads(done.said.splitlines()[-1])
    return result


def _row(way: Way, found: dict[str, Any]) -> Sequence[str]:
    return (
        way.name,
        f"{way.ranks} x {way.threads}",
        f"{found['ms']:,.1f}" if found["normalized"] else "-",
        f"{found['normalized']:,}",
        f"{found['share']:.2%}",
        f"{found['MB']:,.0f}",
    )


def _compared(own: Path, clipped: Path) -> str:
    """Weights after the same normalizations: by Python as published, and by a rule that clips."""
    ours, theirs = distnorm.load_connections(clipped), distnorm.load_connections(own)
    same = all(np.array_equal(ours[name], theirs[name]) for name in ("source", "target"))
    farthest = float(np.abs(ours["weight"] / theirs["weight"] - 1).max()) if same else float("nan")
    text = f"{len(ours):,} weights after {_OWN_INTERVALS} normalizations, own Python and clipped"
    return f"{text}: at most {farthest:.1e} apart"


def _same(one: Path, other: Path) -> str:
    """Whether threads and ranks made the same weights."""
    same = np.array_equal(np.asarray(distnorm.load_connections(one)), np.asarray(distnorm.load_connections(other)))
    return f"1 x 2 and 2 x 1: {'the same' if same else 'NOT the same'} weights to the last bit"


def _streamed(size: str) -> str:
    number, each = round(0.2 * SIZES[size].excitatory ** 2), nest.GetDefaults("clopath_synapse")["sizeof"]
    lines = [f"{name.strip()}: {ns * number / 1e6:.1f} ms" for name, ns, _ in streaming("2 threads", number, each, 2)]
    return "\n".join(lines)


def main() -> None:
    """All lines, or one in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--save", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only is None:
        run(options)
        return
    found = measure(WAYS[options.only], options)
    if found is not None:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
