"""Command line. A wrong argument is one line and exit code 2, on rank 0 only."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from .attach import commands as attach_commands
from .bench import checkpoint, current, duration, exact, kernel, look, modes, outgoing, overhead, sizes, weights
from .bench.compare import compare
from .bench.scaling import point, scaling
from .bench.scaling.report import report as report_points
from .bench.shared.arguments import positive as _positive
from .errors import DistnormError, RuleError
from .files.views import leave_folder
from .install import nest as install_nest
from .mpi.launch import (
    allow_more_ranks_than_cores,
    check_environment,
    find_mpiexec,
    forget_lone_mpi,
    is_first_rank,
    started_processes,
)
from .records.export import FORMATS, export
from .records.report import report
from .records.watch import watch
from .runs.example import write_example
from .runs.job_file import read_job
from .runs.options import add_set as _add_set
from .runs.options import count as _count
from .runs.options import path as _path

log = logging.getLogger(__name__)

_BENCHMARKS = (
    kernel,
    modes,
    current,
    weights,
    look,
    outgoing,
    overhead,
    duration,
    exact,
    sizes,
    checkpoint,
    scaling,
    point,
    compare,
)
_BROKEN_PIPE = 141  # 128 + SIGPIPE, as shells tell of a program that died of it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0; 2 for input that makes no sense; 1 for the unforeseen; 141 when nobody reads the output any more; or what the
        command says.
    """
    if arguments is None:  # else this is somebody else's program
        leave_folder()
        allow_more_ranks_than_cores()
        forget_lone_mpi()
    _say_on_stderr()
    options = _parser().parse_args(arguments)
    try:
        check_environment()
        code: int = options.run(options) or 0
        sys.stdout.flush()
        return code
    except DistnormError as error:
        if is_first_rank():
            log.error(" ".join(str(error).split()))
        return 2
    except BrokenPipeError:  # whoever read the output has enough, as `| head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _end_others(_BROKEN_PIPE)
        return _BROKEN_PIPE
    except Exception:
        traceback.print_exc()
        _end_others(1)
        return 1


def _end_others(code: int) -> None:
    """End the other ranks: what happened may have happened on this rank only, and they may wait for it for ever."""
    if "mpi4py.MPI" in sys.modules and started_processes() > 1:
        sys.modules["mpi4py.MPI"].COMM_WORLD.Abort(code)


def _say_on_stderr() -> None:
    """All that the package says beside results is logged; a script may set up logging for itself as it likes."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("distnorm: %(message)s"))
    ours = logging.getLogger("distnorm")
    ours.handlers[:] = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="distnorm", description="Keep the norms of incoming weights while NEST simulates.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a job file")
    run.add_argument("job", type=_path, help="TOML file, such as jobs/balanced_stdp.toml")
    _add_set(run)
    run.add_argument("--observe", action="store_true", help="measure the drift, change no weight")
    run.add_argument("--log", metavar="FILE", type=_path, help="write a run log for distnorm report")
    run.add_argument("--checkpoint", metavar="FOLDER", type=_path, help="write checkpoints there")
    run.add_argument("--resume", action="store_true", help="go on from the last checkpoint, or begin if there is none")
    run.add_argument("-n", dest="ranks", type=_count, metavar="RANKS", help="start mpiexec with so many ranks")
    run.set_defaults(run=_run)
    build = commands.add_parser("build", help="compile the kernel for the installed NEST into the cache")
    build.add_argument(
        "--synapse",
        action="append",
        default=[],
        metavar="HEADER.h[,CLASS[,WEIGHT]]",
        help="also compile the connections of a NEST extension, such as NESTML's; may be given several times",
    )
    build.add_argument("--exact", action="store_true", help="also the models that hold norms by themselves")
    build.set_defaults(run=_build)
    report = commands.add_parser("report", help="a figure and a summary of run logs, or of scaling points")
    report.add_argument("logs", nargs="+", type=_path, metavar="LOG", help="run logs, or one folder of bench scaling")
    report.add_argument("-o", "--output", type=_path, metavar="FILE", help="figure; default: beside the first log")
    report.set_defaults(run=_report)
    attach_commands.add_commands(commands)
    watching = commands.add_parser("watch", help="show the log of a running job as it is written")
    watching.add_argument("log", type=_path, help="run log")
    watching.add_argument("--every", type=_positive, default=1.0, metavar="S", help="seconds between looks (default 1)")
    watching.add_argument("--format", choices=FORMATS, help="print what it says now, in one of these forms, and end")
    watching.set_defaults(run=_watch)
    example = commands.add_parser("example", help="copy the job of the quickstart and its model into a folder")
    example.add_argument("folder", type=_path, nargs="?", default=Path(), help="default: the current one")
    example.set_defaults(run=_example)
    install_nest.add_to(commands)
    doctor = commands.add_parser("doctor", help="does this machine have what a run needs?")
    doctor.set_defaults(run=_doctor)
    bench = commands.add_parser("bench", help="measure cost, on this machine, in one run")
    which = bench.add_subparsers(required=True, metavar="BENCHMARK")
    for benchmark in _BENCHMARKS:
        benchmark.add_to(which)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on rank 0 only."""

    def error(self, message: str) -> None:  # type: ignore[override]
        if is_first_rank():
            print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(2)


def _run(options: argparse.Namespace) -> int:

    job = read_job(options.job, options.set)
    if options.checkpoint is None and job.checkpoint.folder is not None:
        options.checkpoint = Path(job.checkpoint.folder)
    if options.resume and options.checkpoint is None:
        raise RuleError("--resume goes on from a checkpoint; give --checkpoint FOLDER")
    if options.log is not None and os.path.lexists(options.log) and not options.resume:
        raise RuleError(f"log {options.log} exists already and is kept; give another path, or move it away")
    if options.log is not None:
        _check_log(options.log, options.checkpoint)
    if options.ranks is not None:
        _start_ranks(options)
    from .runs.run import run  # imports NEST, once the job is known to be sound

    # The model may change the current folder.
    log, checkpoint = (path and path.absolute() for path in (options.log, options.checkpoint))
    return run(job, options.observe, log, checkpoint, options.resume)


def _check_log(log: Path, checkpoint: Path | None) -> None:
    if os.path.exists(log) and not os.path.isfile(log):
        raise RuleError(f"log {log} is not a file; give another path")
    if not os.path.isdir(log.parent):
        raise RuleError(f"cannot write log {log}: there is no folder {log.parent}; make it")
    if checkpoint is not None and Path(os.path.realpath(log)).is_relative_to(os.path.realpath(checkpoint)):
        raise RuleError(f"log {log} is in {checkpoint}, which is for checkpoints alone; give another path")


def _start_ranks(options: argparse.Namespace) -> None:
    """Replace this process by mpiexec with the same command on each rank, started as this process was."""
    if started_processes() > 1:
        raise RuleError(f"-n {options.ranks} starts mpiexec, but this is under mpiexec already; leave one of them out")
    mpiexec = find_mpiexec()
    if mpiexec is None:
        raise RuleError(f"-n {options.ranks} needs mpiexec, which was not found; load the MPI that NEST was built with")
    program = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]  # such as -m distnorm
    command = [sys.executable, *program, "run", str(options.job)]
    command += [f"--set={setting}" for setting in options.set]
    command += ["--observe"] if options.observe else []
    command += [f"--log={options.log}"] if options.log else []
    command += [f"--checkpoint={options.checkpoint}"] if options.checkpoint else []
    command += ["--resume"] if options.resume else []
    os.execv(mpiexec, [mpiexec, "-n", str(options.ranks), *command])


def _watch(options: argparse.Namespace) -> None:
    if options.format:
        export(options.log, options.format)
    else:
        watch(options.log, options.every)


def _example(options: argparse.Namespace) -> None:
    print(*write_example(options.folder), sep="\n")


def _report(options: argparse.Namespace) -> None:
    if any(os.path.isdir(path) for path in options.logs):
        print(report_points(options.logs, options.output))
        return
    print(report(options.logs, options.output))


def _build(options: argparse.Namespace) -> None:
    import nest

    from .mpi.ranks import world
    from .synapses.compiling.extensions import build_extension_on
    from .synapses.compiling.library import build_on

    ranks = world(nest.build_info["have_mpi"])
    path = build_on(nest, ranks)
    paths = [path, *(build_extension_on(nest, ranks, path, header) for header in options.synapse)]
    if options.exact:
        paths.append(build_on(nest, ranks, "exact"))
    if ranks.rank == 0:
        print(*paths, sep="\n")


def _doctor(_: argparse.Namespace) -> int:
    from .doctor import checks as doctor

    findings = doctor.examine()
    if findings:
        print(doctor.report(findings))
    return 0 if all(finding.ok is not False for finding in findings) else 1
