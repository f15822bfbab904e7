"""`distnorm watch`: what the log of a running job says, in a terminal, as it is written.

rich draws it: it knows terminals, and leaves them as they were.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..errors import RuleError
from .run_log import read_log
from .run_record import RunRecord
from .summary import ends_interval, largest, seconds_spent, settled

_BARS = "▁▂▃▄▅▆▇█"
_LATEST = 60
_CELLS = 40


def watch(path: Path, every_s: float) -> None:
    """Show a run until its log ends, or Ctrl-C.

    Raises:
        RuleError: The log cannot be read, or rich is missing.
    """
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError as error:
        raise RuleError(f'watch needs rich: pip install "distnorm[watch]" ({error}); or give --format') from None
    console = Console()
    if not console.is_terminal:
        raise RuleError("watch renews a terminal, and this is none; give --format lines")
    try:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                run = read_log(path)
                live.update(_view(path, run), refresh=True)
                if run.end:
                    return
                time.sleep(every_s)
    except KeyboardInterrupt:
        return


def _view(path: Path, run: RunRecord) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    header, last = run.header, run.measurements[-1] if run.measurements else None
    state = run.end.reason if run.end else "running"
    split = f"{header.ranks} rank(s) x {header.threads} thread(s)"
    title = Text.assemble((str(path), "bold"), f"  {split}, NEST {header.nest}, {state}")
    if last is None:
        return Group(title, "no measurement yet")
    at = run.end.time_ms if run.end else last.time_ms
    rows = Table.grid(padding=(0, 2))
    progress = f"{at / 1e3:,.3f} s" + (f" of {run.planned_ms / 1e3:,.3f} s" if run.planned_ms else "")
    bar = ProgressBar(total=run.planned_ms, completed=at, width=_CELLS) if run.planned_ms else ""
    rows.add_row("simulated", progress, bar)
    ending = [each for each in settled(run) if ends_interval(run, each)]
    drifts = [largest(each, header.statistic) for each in ending]
    if drifts:
        bound = "" if header.bound is None else f" (bound {100 * header.bound:.3g} %)"
        above = header.bound is not None and drifts[-1] > header.bound
        text = Text(f"{100 * drifts[-1]:.2f} %{bound}", style="red" if above else "")
        rows.add_row(f"drift, {header.statistic}", text, _sparkline(drifts, header.bound or max(drifts)))
        lengths = [each.elapsed_ms for each in ending]
        rows.add_row("interval", f"{lengths[-1]:,.6g} ms", _sparkline(lengths, max(lengths)))
    normalized = sum(each.normalized for each in ending)  # the first is no end of an interval, as in the summary
    rows.add_row("measured", f"{len(run.measurements):,} times, normalized {normalized:,}", "")
    spent = seconds_spent(run)
    total = sum(spent.values()) or 1.0
    for phase, seconds in spent.items():
        if seconds:
            rows.add_row(phase, f"{seconds:,.1f} s", f"{100 * seconds / total:5.2f} %")
    for rule, drift in zip(header.rules, last.drifts, strict=True):
        of_rule = f"{drift.targets:,} neurons, {drift.connections:,} weights"
        rows.add_row(rule["text"], f"{100 * drift.max:.2f} % at most", of_rule)
    return Group(title, rows)


def _sparkline(values: list[float], top: float) -> str:
    """The latest values as small bars; the highest bar is `top`, or more."""
    highest = len(_BARS) - 1
    return "".join(_BARS[min(int(value / top * highest), highest) if top else 0] for value in values[-_LATEST:])
