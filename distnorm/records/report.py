"""Logs of runs, summed up and drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import RuleError
from ..files.outputs import check
from .run_log import read_log
from .summary import summary


def report(paths: Path | Sequence[Path], output: Path | None = None) -> str:
    """Draw and sum up one log, or several side by side.

    Args:
        paths: Logs; of runs that go on or were killed, too.
        output: Figure to write, of a kind that matplotlib knows by its suffix; None for a PNG beside the first log.

    Returns:
        Lines that sum up each log, and say where the figure is.

    Raises:
        RuleError: A log cannot be read, the figure cannot be written, or matplotlib is missing.
    """
    logs = [paths] if isinstance(paths, Path) else list(paths)
    if not logs:
        raise RuleError("no log is given; give the path of one or several")
    runs = {path: read_log(path) for path in logs}
    output = logs[0].with_suffix(".png") if output is None else output
    check(output)
    try:
        from .figure import draw
    except ImportError as error:
        raise RuleError(f'a figure needs matplotlib: pip install "distnorm[report]" ({error})') from None
    draw({_title(path, logs): run for path, run in runs.items()}, output)
    texts = [f"{path}: " + "\n  ".join(summary(run)) for path, run in runs.items()]
    return "\n".join([*texts, f"figure: {output}"])


def _title(path: Path, logs: Sequence[Path]) -> str:
    return path.stem if [log.stem for log in logs].count(path.stem) == 1 else str(path)
