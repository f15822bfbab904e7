"""Command line of `distnorm attach`, `distnorm inspect` and `distnorm snapshot`."""

from __future__ import annotations

import argparse
import math
from typing import Any

from ..files.outputs import new_folder
from ..intervals.controller import LONGEST_MS
from ..runs.options import path
from .rules_file import read_rules
from .run_script import Script


def add_commands(commands: Any) -> None:
    """Add them to the subparsers of the command line."""
    attach = commands.add_parser("attach", help="run an unmodified NEST script with rules attached")
    attach.add_argument("rules", type=path, metavar="RULES.toml", help="see distnorm inspect")
    _add_script(attach)
    attach.add_argument("--observe", action="store_true", help="measure the drift, change no weight")
    attach.add_argument("--log", metavar="FILE", type=path, help="write a run log for distnorm report")
    attach.add_argument("--dry-run", action="store_true", help="print what would be normalized, and end there")
    attach.set_defaults(run=_attach)
    inspect = commands.add_parser("inspect", help="the connections of a NEST script, and rules to start from")
    _add_script(inspect)
    inspect.add_argument("-o", "--output", type=path, metavar="FILE", help="write the rules there; default: print them")
    inspect.set_defaults(run=_inspect)
    snapshot = commands.add_parser("snapshot", help="write the weights of a NEST script, and a histogram of them")
    _add_script(snapshot)
    snapshot.add_argument("-o", "--output", type=path, metavar="FOLDER", required=True, help="a new folder for them")
    snapshot.add_argument(
        "--at",
        action="append",
        type=_time,
        default=[],
        metavar="MS",
        help="simulated time in ms, at the next end of a slice; several times: several of them; default: at the end",
    )
    snapshot.set_defaults(run=_snapshot)


def _add_script(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", dest="module", action="store_true", help="MODEL is a module, as with python -m")
    # PARSER keeps all that follows, a "--" too.
    parser.add_argument("script", nargs=argparse.PARSER, metavar="MODEL.py", help="Python script, and its arguments")


def _time(text: str) -> float:
    try:
        time_ms = float(text)
    except ValueError:
        time_ms = math.nan
    if not 0 <= time_ms <= LONGEST_MS:
        raise argparse.ArgumentTypeError(f"{text} is no simulated time in ms")
    return time_ms


def _script(options: argparse.Namespace) -> Script:
    name, *arguments = options.script[options.script[0] == "--" :]
    return Script(name=name, arguments=arguments, source=None) if options.module else Script.at(name, arguments)


def _attach(options: argparse.Namespace) -> None:
    from .attach import run_attached
    from .attached import Attached, check_free
    from .inspection import Inspection

    rules = read_rules(options.rules)
    if not options.dry_run:
        rules.log.check(options.log)
    if options.log is not None:
        check_free(options.log, recorded=bool(rules.log.record))
    log = None if options.log is None else options.log.absolute()  # the script may change its folder
    attachment = Inspection(rules, None) if options.dry_run else Attached(rules, options.observe, log)
    run_attached(attachment, _script(options))


def _inspect(options: argparse.Namespace) -> None:
    from .attach import run_attached
    from .inspection import Inspection

    output = None if options.output is None else options.output.absolute()
    run_attached(Inspection(None, output), _script(options))


def _snapshot(options: argparse.Namespace) -> None:
    from .attach import run_attached
    from .snapshot import Snapshot

    new_folder(options.output)
    run_attached(Snapshot(options.output.absolute(), options.at), _script(options))
