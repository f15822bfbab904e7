"""What `distnorm attach` costs a script of many short Runs in which nothing is due, beside the script alone.

python jobs/studies/short_runs.py --connections 100 1000 10000 --ranks 2 --threads 1

Each is processes of its own, in turn, and simulates by Run(min_delay) between Prepare and Cleanup, then by
Simulate(min_delay). Times are of the slowest rank, and the shortest of all rounds: others use the machine, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import study

from distnorm.bench.shared.tables import table
from distnorm.errors import RuleError
from distnorm.runs.options import count

_WAYS = ("Run", "Simulate")
_COLUMNS = ("connections of a rank", "by", "calls", "plain (µs)", "attached (µs)", "attached / plain")
_RULES = """[[rules]]
synapse_model = "stdp_synapse"
target_norm = "initial"

[interval]
kind = "fixed"
interval_ms = 1e9
"""
_AT_ONCE, _FEWEST, _IN_A_PROCESS = 6_000_000, 3, 5


def of_script(connections: int, threads: int, calls: int) -> None:
    """The script that is attached to: µs of each call, printed by rank 0."""
    import nest

    from distnorm.bench.shared.networks import DELAY_MS, driven_network
    from distnorm.mpi.ranks import world

    ranks = world(nest.build_info["have_mpi"])
    driven_network(nest, ranks.size, connections, threads)  # simulates: where distnorm is attached, it measures

    def by_run() -> None:
        nest.Prepare()
        for _ in range(calls):
            nest.Run(DELAY_MS)
        nest.Cleanup()

    def by_simulate() -> None:
        for _ in range(calls):
            nest.Simulate(DELAY_MS)

    mine = [min(_seconds(each) for _ in range(_IN_A_PROCESS)) for each in (by_run, by_simulate)]
    every = ranks.gather(mine)
    if every:
        print(json.dumps([1e6 * max(seconds) / calls for seconds in zip(*every, strict=True)]))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run(options: argparse.Namespace) -> str:
    """Start all scripts; the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.toml"
        rules.write_text(_RULES, encoding="utf-8")
        for connections in options.connections:
            calls = min(max(_AT_ONCE // connections, _FEWEST), options.calls)
            script = [str(Path(__file__).resolve()), "--of-script", *map(str, (connections, options.threads, calls))]
            attached = ["-m", "distnorm", "attach", str(rules), *script]
            found = defaultdict(list)
            for _ in range(options.rounds):
                for name, command in (("plain", script), ("attached", attached)):
                    found[name].append(_started(options.ranks, command))
            for i, way in enumerate(_WAYS):
                plain, with_it = (min(each[i] for each in found[name]) for name in ("plain", "attached"))
                ratio = f"{with_it / plain:.2f}"
                rows.append([f"{connections:,}", way, f"{calls:,}", f"{plain:.1f}", f"{with_it:.1f}", ratio])
    return f"{options.ranks} rank(s) x {options.threads} thread(s)\n\n{table(_COLUMNS, rows)}"


def _started(ranks: int, command: list[str]) -> list[float]:
    """What the script finds: µs by Run, and by Simulate."""
    whole = ["mpiexec", "-n", str(ranks), sys.executable, *command]
    quiet = os.environ | {"PYNEST_QUIET": "1"}
    ended = subprocess.run(whole, env=quiet, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuleError(f"{' '.join(whole)} ended with {ended.returncode}: {ended.stderr.strip()[-500:]}")
    found: list[float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def parser() -> argparse.ArgumentParser:
    """Of this script's arguments."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--connections", type=count, nargs="+", default=[100, 1_000, 10_000, 100_000], help="of a rank")
    made.add_argument("--ranks", type=count, default=1, help="(default 1)")
    made.add_argument("--threads", type=count, default=1, help="per rank (default 1)")
    made.add_argument("--calls", type=count, default=2_000, help="in a row, at most (default 2000)")
    made.add_argument("--rounds", type=count, default=3, help="(default 3)")
    return made


if __name__ == "__main__":
    if sys.argv[1:2] == ["--of-script"]:
        of_script(*map(int, sys.argv[2:]))
    else:
        study.main(parser(), run)
