"""Every table and figure of README and docs, made anew: the commands, what each makes, and how long it takes.

python jobs/studies/everything.py -o FOLDER      # in the top folder of the repository
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import study

from distnorm.bench.shared.processes import launcher, run_process, say
from distnorm.bench.shared.tables import table, write_text
from distnorm.errors import DistnormError, RuleError
from distnorm.files.outputs import results_folder
from distnorm.runs.options import path

_TIMEOUT_S = 7_200.0
_FOLDER = "FOLDER"  # in a command; the folder for what is made
_MPI = "mpiexec -n 2 distnorm"
_JOB = "jobs/balanced_stdp.toml"
_HPC = "jobs/hpc_benchmark.toml"
_EVERY_100_MS = """--set 'interval={"kind":"fixed","interval_ms":100.0}'"""
_EVERY_20_MS = """--set 'interval={"kind":"fixed","interval_ms":20.0}'"""
_LARGE = "--set parameters.n_excitatory=16000 --set parameters.n_inhibitory=4000"
_SMALL = "--set parameters.n_excitatory=2000 --set parameters.n_inhibitory=500 --set simulate_ms=4000"
_TINY = "--set parameters.n_excitatory=160 --set parameters.n_inhibitory=40 --set parameters.in_degree_excitatory=20"


@dataclass(frozen=True)
class Step:
    """A command.

    Attributes:
        name: For --only; what it prints is kept as NAME.md.
        minutes: It takes about, on 2 idle cores.
        makes: What it is for.
        command: What one would type, with FOLDER for the folder.
    """

    name: str
    minutes: float
    makes: str
    command: str

    def words(self, folder: Path) -> list[str]:
        """The command for a process, with this Python, its mpiexec, and the folder.

        Raises:
            RuleError: There is no mpiexec.
        """
        words = [word.replace(_FOLDER, str(folder)) for word in shlex.split(self.command)]
        start: list[str] = []
        if words[0] == "mpiexec":
            start, words = launcher(int(words[2])), words[3:]
        program = ["-m", "distnorm"] if words[0] == "distnorm" else []
        return [*start, sys.executable, *program, *words[1:]]


def _series(kind: str, job: str, scale: float, minutes: float, settings: str = "") -> Step:
    command = f"distnorm bench scaling {job} {settings} --series {kind} --set parameters.scale={scale} --intervals 3"
    return Step(f"{kind}-{Path(job).stem}", minutes, "points of benchmarks.md", f"{command} -o FOLDER")


def _kernel(model: str) -> Step:
    command = f"distnorm bench kernel --connections 10000000 --synapse-model {model}"
    return Step(f"kernel-{model}", 1, "synapses.md: ratio to streaming", command)


def _modes(name: str, minutes: float, threads: int) -> Step:
    command = f"distnorm bench modes --connections 5000000 --threads {threads}"
    return Step(name, minutes, "rules.md: cost of modes", command)


def _duration(name: str, start: str) -> Step:
    return Step(name, 0.5, "benchmarks.md: simulated time", f"{start} bench duration {_JOB} {_EVERY_20_MS} {_TINY}")


_OVERHEAD = f"{_MPI} bench overhead {_JOB} {_EVERY_100_MS}"
_PICTURE = "run log of docs/balanced_stdp.png"
_WATCHED = "--set log.weights=true"
_OBSERVED = f"{_WATCHED} --observe --set simulate_ms=3000 --log FOLDER/observed.jsonl"
_LOGS = "FOLDER/normalized.jsonl FOLDER/observed.jsonl"
_INTERVAL = "python jobs/studies/adaptive_interval.py --seeds 10 --first-seed 301 --intervals 600 -o FOLDER"
_HOM_HPC = "--synapse-model stdp_synapse_hom_hpc"
_OF_32_BYTES = f"{_MPI} bench sizes {_HOM_HPC} --connections 1e8"
_LARGEST = f"--connections 100000000 {_HOM_HPC}"
_BOTH = "run log of docs/both_norms.png"
_CONVERGENCE = f"python jobs/studies/convergence.py {_JOB} {_SMALL} -o FOLDER"
STEPS = (
    Step("kernel", 0.5, "README: ns per connection", "distnorm bench kernel"),
    *(_kernel(model) for model in ("stdp_synapse", "stdp_synapse_hom", "stdp_synapse_hom_hpc")),
    _modes("modes", 2.5, 1),
    _modes("modes-2-threads", 1, 2),
    Step("current", 1.5, "current.md: what it costs", "distnorm bench current"),
    Step("weights", 0.5, "weights.md: what it costs", f"{_MPI} bench weights -o FOLDER/weights"),
    Step("weights-large", 1.5, "weights.md: 100 million", f"{_MPI} bench weights -o FOLDER/large {_LARGEST}"),
    Step("outgoing", 0.5, "outgoing.md: what it costs", f"{_MPI} bench outgoing"),
    Step("outgoing-large", 2, "outgoing.md: 50 million", f"{_MPI} bench outgoing --connections 50000000 {_HOM_HPC}"),
    Step("look", 5, "benchmarks.md: a look", "distnorm bench look"),
    Step("look-2-threads", 3, "benchmarks.md: a look", "distnorm bench look --threads 2"),
    Step("look-2-ranks", 5, "benchmarks.md: a look", f"{_MPI} bench look"),
    Step("short-runs", 1.5, "benchmarks.md: short Runs", "python jobs/studies/short_runs.py"),
    Step("short-runs-2-threads", 1.5, "benchmarks.md: short Runs", "python jobs/studies/short_runs.py --threads 2"),
    Step("short-runs-2-ranks", 2, "benchmarks.md: short Runs", "python jobs/studies/short_runs.py --ranks 2"),
    Step("latency", 1, "benchmarks.md: far apart (as root)", "python jobs/studies/latency.py"),
    Step("both-norms", 1, "outgoing.md: sweeps", "python jobs/studies/both_norms.py"),
    Step("both", 1.5, _BOTH, "distnorm run jobs/both_norms.toml -n 2 --log FOLDER/both.jsonl"),
    Step("both_norms", 0.1, "docs/both_norms.png", "distnorm report FOLDER/both.jsonl -o FOLDER/both_norms.png"),
    Step("competition", 10, "competition.md", "python jobs/competition.py -o FOLDER/competition"),
    Step("clock-cost", 8, "clock.md: what it costs", "python jobs/clock_cost.py"),
    Step("clock-training", 30, "clock.md: training", "python jobs/clock_training.py -o FOLDER/clock"),
    Step("pending", 1, "current.md: how far behind, and docs/pending.png", "python jobs/studies/pending.py -o FOLDER"),
    Step("overhead", 3.5, "README: share of wall time", f"{_OVERHEAD} {_LARGE}"),
    Step("normalized", 1, _PICTURE, f"distnorm run {_JOB} {_WATCHED} --log FOLDER/normalized.jsonl"),
    Step("observed", 0.5, _PICTURE, f"distnorm run {_JOB} {_OBSERVED}"),
    Step(
        "balanced_stdp", 0.1, "README: docs/balanced_stdp.png", f"distnorm report {_LOGS} -o FOLDER/balanced_stdp.png"
    ),
    Step("interval", 10, "intervals.md", _INTERVAL),
    Step("bounds", 10, "benchmarks.md: tight bounds", f"python jobs/studies/bound_costs.py {_JOB}"),
    Step("exact-800000", 4, "exact.md, benchmarks.md: 800,000", f"{_MPI} bench exact {_JOB} --pairs 15"),
    _series("weak", _HPC, 0.5, 2.5),
    _series("strong", _HPC, 1.0, 3),
    _series("weak", _JOB, 2.0, 1.5, _EVERY_100_MS),
    _series("strong", _JOB, 4.0, 2, _EVERY_100_MS),
    Step("sizes", 2, "benchmarks.md: 10 to 100 million", f"{_MPI} bench sizes -o FOLDER"),
    Step("sizes-hom_hpc", 0.5, "benchmarks.md: 32 bytes", _OF_32_BYTES),
    _duration("duration-1", "distnorm"),
    _duration("duration-2", _MPI),
    Step("checkpoint", 0.7, "checkpoints.md: 50 million", "distnorm bench checkpoint --connections 50000000"),
    Step("exact", 2.5, "exact.md: what it costs", f"{_MPI} bench exact {_JOB} {_LARGE}"),
    Step("convergence", 3, "exact.md: compared with bounds", _CONVERGENCE),
    Step("examples", 60, "attach.md: NEST's examples", "python tests/nest_examples.py"),
    Step("compare", 3.5, "benchmarks.md: Brian2", "distnorm bench compare -o FOLDER"),
    Step("predict", 0.1, "benchmarks.md: model", "python jobs/studies/predict.py FOLDER"),
    Step("scaling", 0.1, "benchmarks.md: series", "distnorm report FOLDER"),
)


def run(options: argparse.Namespace) -> str:
    """List the steps, or make what they make.

    Raises:
        DistnormError: A step failed, or there is no such step.
    """
    steps = choose(options.only)
    if options.list:
        return listed(steps)
    if options.output is None:
        raise RuleError("there is no folder for what is made; give -o FOLDER")
    make(steps, options.output, say)
    return ""


def listed(steps: Iterable[Step]) -> str:
    """A table of steps."""
    chosen = list(steps)
    lines = [(step.name, f"{step.minutes:g}", step.makes, f"`{step.command}`") for step in chosen]
    total = f"about {sum(step.minutes for step in chosen):.0f} minutes on 2 idle cores"
    return f"{table(('step', 'minutes', 'makes', 'command'), lines)}\n\n{total}"


def choose(only: Sequence[str]) -> list[Step]:
    """Steps by name, in their order; all without a name.

    Raises:
        RuleError: There is no such step.
    """
    known = [step.name for step in STEPS]
    for name in only:
        if name not in known:
            raise RuleError(f"no step {name!r}; known: {', '.join(known)}")
    return [step for step in STEPS if not only or step.name in only]


def make(steps: Sequence[Step], folder: Path, tell: Callable[[str], None]) -> None:
    """Run steps, and keep what each prints as NAME.md in the folder.

    Args:
        steps: In order.
        folder: For all that is made.
        tell: Takes a line before and after each step.

    Raises:
        DistnormError: Some step failed; the others were made.
    """
    if not Path("jobs").is_dir():
        raise RuleError("there is no folder jobs here; start this in the top folder of the repository")
    results_folder(folder)
    failed = []
    for step in steps:
        tell(f"{step.name}: about {step.minutes:g} min")
        command = step.words(folder)
        ended = run_process(command, _TIMEOUT_S)
        if ended.error is None:
            write_text(folder / f"{step.name}.md", ended.said.strip())
        else:
            failed.append(step.name)
        tell(f"{step.name}: {ended.error or 'done'} ({ended.seconds / 60:.1f} min)")
    if failed:
        raise DistnormError(f"these failed: {', '.join(failed)}; the other files are in {folder}")


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(description="Every table and figure of README and docs, made anew.")
    made.add_argument("-o", "--output", metavar="FOLDER", type=path, help="for all of it")
    made.add_argument("--only", nargs="+", default=[], metavar="STEP", help="these steps (default: all)")
    made.add_argument("--list", action="store_true", help="say what there is to make and how long it takes")
    return made


if __name__ == "__main__":
    study.main(parser(), run)
