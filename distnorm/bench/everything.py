"""Every table and figure of README and docs, made anew: the commands, what each makes, and how long it takes."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DistnormError, RuleError
from ..files.outputs import results_folder
from .processes import launcher, run
from .tables import table, write_text

_TIMEOUT_S = 7_200.0
_FIXED = '--set=interval={"kind":"fixed","interval_ms":100.0}'
_BALANCED = ("jobs/balanced_stdp.toml", _FIXED)
_LARGE = ("--set=parameters.n_excitatory=16000", "--set=parameters.n_inhibitory=4000")
_SMALL = ("--set=parameters.n_excitatory=2000", "--set=parameters.n_inhibitory=500", "--set=simulate_ms=4000")
_HPC = ("jobs/hpc_benchmark.toml",)
_SIZES_OF_CONNECTIONS = ("stdp_synapse", "stdp_synapse_hom", "stdp_synapse_hom_hpc")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of distnorm.

    Attributes:
        name: For --only; what it prints is kept as NAME.md.
        makes: What it is for.
        arguments: Of distnorm; {out} stands for the folder.
        minutes: It takes about, on 2 idle cores.
        ranks: Started by mpiexec where this is above 1.
    """

    name: str
    makes: str
    arguments: tuple[str, ...]
    minutes: float
    ranks: int = 1


def _overhead(name: str, makes: str, *settings: str, pairs: int = 3, minutes: float = 1.0) -> Step:
    arguments = ("bench", "overhead", *_BALANCED, *settings, f"--pairs={pairs}")
    return Step(name=name, makes=makes, arguments=arguments, minutes=minutes, ranks=2)


def _kernel(model: str) -> Step:
    arguments = ("bench", "kernel", "--connections=10000000", f"--synapse-model={model}")
    return Step(name=f"kernel-{model}", makes="synapses.md: ratio to streaming", arguments=arguments, minutes=1.0)


def _modes(name: str, threads: str, minutes: float) -> Step:
    arguments = ("bench", "modes", "--connections=5000000", threads)
    return Step(name=name, makes="rules.md: cost of modes", arguments=arguments, minutes=minutes)


def _duration(ranks: int) -> Step:
    settings = ("n_excitatory=160", "n_inhibitory=40", "in_degree_excitatory=20")
    interval = '--set=interval={"kind":"fixed","interval_ms":20.0}'
    job = ("jobs/balanced_stdp.toml", interval, *(f"--set=parameters.{each}" for each in settings))
    arguments = ("bench", "duration", *job)
    makes = "benchmarks.md: simulated time"
    return Step(name=f"duration-{ranks}", makes=makes, arguments=arguments, minutes=0.5, ranks=ranks)


def _cost(model: str, bound: float, probes: int | None) -> Step:
    more = "" if probes is None else f',"probes":{probes}'
    settings = (f'interval={{"kind":"adaptive","bound":{bound}{more}}}', f"parameters.synapse_model={model}")
    duration = "simulate_ms=16000" if bound == 0.05 else "simulate_ms=6000"
    arguments = ("run", "jobs/balanced_stdp.toml", *(f"--set={each}" for each in (*settings, duration)))
    name = f"cost-{model}-{bound:.0%}".replace("%", "") + ("" if probes is None else f"-{probes}-probe")
    return Step(name=name, makes="intervals.md: share of wall time", arguments=arguments, minutes=0.5, ranks=2)


def _series(kind: str, scale: float, job: tuple[str, ...], minutes: float) -> Step:
    name = f"{kind}-{Path(job[0]).stem}"
    arguments = ("bench", "scaling", *job, f"--series={kind}", f"--set=parameters.scale={scale}", "--intervals=3")
    return Step(name=name, makes="points of benchmarks.md", arguments=(*arguments, "-o", "{out}"), minutes=minutes)


STEPS = (
    Step(name="kernel", makes="README: ns per connection", arguments=("bench", "kernel"), minutes=0.5),
    *(_kernel(model) for model in _SIZES_OF_CONNECTIONS),
    _modes("modes", "--threads=1", minutes=2.5),
    _modes("modes-2-threads", "--threads=2", minutes=1.0),
    _overhead("overhead", "README: share of wall time", *_LARGE, pairs=7, minutes=3.5),
    _overhead("overhead-800", "README: 800 inputs", "--set=parameters.in_degree_excitatory=800", minutes=1),
    Step(
        name="normalized",
        makes="run log of docs/balanced_stdp.png",
        arguments=("run", "jobs/balanced_stdp.toml", "--log={out}/normalized.jsonl"),
        minutes=1.0,
    ),
    Step(
        name="observed",
        makes="run log of docs/balanced_stdp.png",
        arguments=(
            *("run", "jobs/balanced_stdp.toml", "--observe", "--set=simulate_ms=3000", "--log={out}/observed.jsonl"),
        ),
        minutes=0.5,
    ),
    Step(
        name="balanced_stdp",
        makes="README: docs/balanced_stdp.png",
        arguments=("report", "{out}/normalized.jsonl", "{out}/observed.jsonl", "-o", "{out}/balanced_stdp.png"),
        minutes=0.1,
    ),
    Step(
        name="interval",
        makes="docs/intervals.md",
        arguments=("bench", "interval", "--seeds=10", "--first-seed=301", "--intervals=600", "-o", "{out}"),
        minutes=10.0,
    ),
    *(_cost(*each) for each in itertools.product(("stdp_synapse", "stdp_synapse_hom_hpc"), (0.05, 0.01), (None, 1))),
    _series("weak", 0.5, _HPC, 2.5),
    _series("strong", 1.0, _HPC, 3.0),
    _series("weak", 2.0, _BALANCED, 1.5),
    _series("strong", 4.0, _BALANCED, 2.0),
    Step(
        name="sizes",
        makes="benchmarks.md: 10 to 100 million",
        arguments=("bench", "sizes", "-o", "{out}"),
        minutes=2,
        ranks=2,
    ),
    Step(
        name="sizes-hom_hpc",
        makes="benchmarks.md: 32 bytes",
        arguments=("bench", "sizes", "--synapse-model=stdp_synapse_hom_hpc", "--connections=1e8"),
        minutes=0.5,
        ranks=2,
    ),
    *(_duration(ranks) for ranks in (1, 2)),
    Step(
        name="checkpoint",
        makes="checkpoints.md: 50 million",
        arguments=("bench", "checkpoint", "--connections=50000000"),
        minutes=0.7,
    ),
    Step(
        name="exact",
        makes="exact.md: what it costs",
        arguments=("bench", "exact", "jobs/balanced_stdp.toml", *_LARGE),
        minutes=2.5,
        ranks=2,
    ),
    Step(
        name="convergence",
        makes="exact.md: which to choose",
        arguments=("bench", "convergence", "jobs/balanced_stdp.toml", *_SMALL, "--output={out}"),
        minutes=3,
    ),
    Step(name="compare", makes="benchmarks.md: Brian2", arguments=("bench", "compare", "-o", "{out}"), minutes=3.5),
    Step(name="predict", makes="benchmarks.md: model", arguments=("bench", "predict", "{out}"), minutes=0.1),
    Step(name="scaling", makes="benchmarks.md: series", arguments=("report", "{out}"), minutes=0.1),
)


def listed(steps: Iterable[Step]) -> str:
    """A table of steps."""
    chosen = list(steps)
    lines = [[each.name, f"{each.minutes:g}", each.makes, f"`{command_line(each)}`"] for each in chosen]
    total = f"about {sum(each.minutes for each in chosen):.0f} minutes on 2 idle cores"
    return f"{table(('step', 'minutes', 'makes', 'command'), lines)}\n\n{total}"


def command_line(step: Step) -> str:
    """What one would type, with FOLDER for the folder."""
    words = [f"'{each}'" if any(c in each for c in '{"') and "{out}" not in each else each for each in step.arguments]
    start = f"mpiexec -n {step.ranks} " if step.ranks > 1 else ""
    return f"{start}distnorm {' '.join(words)}".replace("{out}", "FOLDER")


def choose(only: Sequence[str]) -> list[Step]:
    """Steps by name, in their order; all without a name.

    Raises:
        RuleError: There is no such step.
    """
    known = [each.name for each in STEPS]
    for name in only:
        if name not in known:
            raise RuleError(f"no step {name!r}; known: {', '.join(known)}")
    return [each for each in STEPS if not only or each.name in only]


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
        start = time.perf_counter()
        words = [each.replace("{out}", str(folder)) for each in step.arguments]
        command = [*(launcher(step.ranks) if step.ranks > 1 else []), sys.executable, "-m", "distnorm", *words]
        ended = run(command, _TIMEOUT_S)
        spent = f"{(time.perf_counter() - start) / 60:.1f} min"
        if ended.error is None:
            write_text(folder / f"{step.name}.md", ended.said.strip())
        else:
            failed.append(step.name)
        tell(f"{step.name}: {ended.error or 'done'} ({spent})")
    if failed:
        raise DistnormError(f"these failed: {', '.join(failed)}; the other files are in {folder}")
