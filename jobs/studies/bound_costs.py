"""What a bound of the drift costs: share of wall time beside simulating, by synapse model, bound and probes.

python jobs/studies/bound_costs.py jobs/balanced_stdp.toml --ranks 2

Each line is `distnorm run` of the job in processes of its own, in turn; with several rounds, the median of them. The
job's model takes `synapse_model`, as that of jobs/balanced_stdp.toml does.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import tempfile
from collections import defaultdict
from itertools import product
from pathlib import Path

import study

from distnorm.bench.shared.processes import launcher, run_process, say
from distnorm.bench.shared.tables import table
from distnorm.errors import DistnormError
from distnorm.records.run_log import read_log
from distnorm.records.run_record import RunRecord
from distnorm.records.summary import above_bound, seconds_spent, settled
from distnorm.runs.options import count, path

_TIMEOUT_S = 3_600.0
_COUNTED = ("normalizations", "measurements between", "above the bound")
_COLUMNS = ("synapse model", "bound", "probes", *_COUNTED, "simulating (s)", "share")


def run(options: argparse.Namespace) -> str:
    """Make all runs; the table."""
    asked = list(product(options.models, options.bounds, options.probes))
    runs: dict[tuple[str, float, str], list[RunRecord]] = defaultdict(list)
    for _ in range(options.rounds):
        for model, bound, probes in asked:
            say(f"{model}, bound {bound:.6g}, probes {probes}")
            runs[model, bound, probes].append(_run(options, model, bound, probes))
    rows = []
    for model, bound, probes in asked:
        alike = runs[model, bound, probes]
        spent = [seconds_spent(each) for each in alike]
        shares = [1 - seconds["simulate"] / sum(seconds.values()) for seconds in spent]
        simulating = statistics.median(seconds["simulate"] for seconds in spent)
        measured = settled(alike[0])
        times = sum(measurement.normalized for measurement in measured)
        counted = (times, len(measured) - times, len(above_bound(alike[0])))
        cells = (f"`{model}`", f"{100 * bound:.6g} %", probes, *(f"{number:,}" for number in counted))
        rows.append((*cells, f"{simulating:.1f}", f"{statistics.median(shares):.1%}"))
    settings = " ".join(f"--set {shlex.quote(setting)}" for setting in options.set)
    return f"{options.job} {settings}, {options.ranks} rank(s), {options.rounds} round(s)\n\n{table(_COLUMNS, rows)}"


def _run(options: argparse.Namespace, model: str, bound: float, probes: str) -> RunRecord:
    """The record of a run.

    Raises:
        DistnormError: It failed.
    """
    settings = [f"parameters.synapse_model={model}", 'interval.kind="adaptive"', f"interval.bound={bound}"]
    settings += [] if probes == "default" else [f"interval.probes={probes}"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run.jsonl"
        command = [*launcher(options.ranks), sys.executable, "-m", "distnorm", "run", str(options.job), f"--log={log}"]
        ended = run_process([*command, *(f"--set={each}" for each in [*options.set, *settings])], _TIMEOUT_S)
        if ended.error is not None:
            raise DistnormError(ended.error)
        return read_log(log)


def parser() -> argparse.ArgumentParser:
    """Of this script's arguments."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("job", type=path, help="a job file")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the job, for all runs")
    made.add_argument("--models", nargs="+", default=["stdp_synapse", "stdp_synapse_hom_hpc"], metavar="MODEL")
    made.add_argument("--bounds", nargs="+", type=float, default=[0.05, 0.01, 0.005], metavar="BOUND")
    made.add_argument("--probes", nargs="+", default=["default", "1", "0"], help="numbers, or default")
    made.add_argument("--ranks", type=count, default=2, help="(default 2)")
    made.add_argument("--rounds", type=count, default=1, help="(default 1)")
    return made


if __name__ == "__main__":
    study.main(parser(), run)
