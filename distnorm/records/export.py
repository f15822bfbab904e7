"""What a log says, for those who collect: all measurements as CSV, or the last ones as Prometheus reads them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

from ..normalizer.measurement import ALL_PHASES
from .run_log import read_log
from .run_record import RunRecord
from .summary import number_normalized, seconds_spent, summary

FORMATS = ("lines", "csv", "prometheus")


def export(path: Path, form: str) -> None:
    """Print what a log says now, in one of `FORMATS`.

    Raises:
        RuleError: The log cannot be read.
    """
    run = read_log(path)
    if form == "csv":
        _csv(run)
    elif form == "prometheus":
        print("\n".join(_prometheus(run, str(path))))
    else:
        print(f"{path}:", *summary(run), sep="\n  ")


def _csv(run: RunRecord) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    names = ("max", "mean", "q50", "q90", "q99", "targets", "connections")
    phases = [f"{phase}_s" for phase in ALL_PHASES]
    writer.writerow(["time_ms", "elapsed_ms", "normalized", "rule", *names, *phases, "waited_s"])
    for measurement in run.measurements:
        for i, drift in enumerate(measurement.drifts):
            seconds = [measurement.seconds[phase] for phase in ALL_PHASES]
            of_one = (measurement.time_ms, measurement.elapsed_ms, int(measurement.normalized), i)
            writer.writerow([*of_one, *(getattr(drift, name) for name in names), *seconds, measurement.waited_s])


def _prometheus(run: RunRecord, path: str) -> Iterable[str]:
    """Gauges and counters, with the path of the log as a label."""
    escaped = path.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    def family(name: str, kind: str, help_: str, values: Iterable[tuple[str, float]]) -> Iterable[str]:
        yield f"# HELP distnorm_{name} {help_}"
        yield f"# TYPE distnorm_{name} {kind}"
        yield from (f'distnorm_{name}{{log="{escaped}"{labels}}} {value!r}' for labels, value in values)

    last = run.measurements[-1] if run.measurements else None
    at = run.end.time_ms if run.end else last.time_ms if last else 0.0
    yield from family("simulated_seconds", "counter", "Biological time.", [("", at / 1e3)])
    yield from family("running", "gauge", "1 until the log has an end.", [("", int(run.end is None))])
    yield from family("measurements_total", "counter", "Measurements.", [("", len(run.measurements))])
    yield from family("normalizations_total", "counter", "Normalizations.", [("", number_normalized(run))])
    spent = [(f',phase="{phase}"', seconds) for phase, seconds in seconds_spent(run).items()]
    yield from family("wall_seconds", "counter", "Wall time of rank 0 by phase.", spent)
    if last is not None:
        drifts = [
            (f',rule="{i}",statistic="{name}"', getattr(drift, name))
            for i, drift in enumerate(last.drifts)
            for name in ("max", "mean", "q99")
        ]
        yield from family("drift_ratio", "gauge", "Drift from the target norm at the last measurement.", drifts)
