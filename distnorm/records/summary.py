"""What a run did, from its log, in a few lines; and what a figure is drawn of.

Where there are several rules, a drift is that of the rule where it is largest. The measurement before anything was
simulated
shows how the network was built, not how it drifts; it is reported apart.
"""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from typing import Any

from .run_log import PHASES, Run

Measurement = dict[str, Any]

_BOUNDS = (0.01, 0.02, 0.05, 0.1)


def settled(run: Run) -> list[Measurement]:
    """Measurements that something was simulated before."""
    return [measurement for measurement in run.measurements if measurement["elapsed_ms"] > 0]


def ends_interval(run: Run, measurement: Measurement) -> bool:
    """Whether a measurement is no probe: it normalized, or would have if the run did not only observe."""
    return bool(measurement["normalized"] or run.header["observe"])


def drift(measurement: Measurement, statistic: str) -> float:
    """A statistic of a measurement's drift, of the rule where it is largest."""
    return float(max(each[statistic] for each in measurement["drift"]))


def above_bound(run: Run) -> list[Measurement]:
    """Measurements with a drift above the bound; none without a bound."""
    bound = run.header["bound"]
    if bound is None:
        return []
    return [measurement for measurement in settled(run) if drift(measurement, run.header["statistic"]) > bound]


def edges_ms(run: Run) -> list[float]:
    """Biological times between which the intervals lie, in ms; one more than there are intervals."""
    if not run.measurements:
        return []
    first = run.measurements[0]
    ends = [measurement["time_ms"] for measurement in settled(run) if ends_interval(run, measurement)]
    return [first["time_ms"] - first["elapsed_ms"], *ends]


def summary(path: Path, run: Run) -> str:
    """Lines that sum up one log."""
    lines = (_ending(path, run), *_drifts(run), _wall_time(run), *_what_bounds_would_cost(run))
    return "\n  ".join(line for line in lines if line)


def _ending(path: Path, run: Run) -> str:
    last = run.end or (run.measurements[-1] if run.measurements else None)
    planned = "" if run.planned_ms is None else f" of {run.planned_ms:,.10g}"
    simulated = f"{path}: {last['time_ms'] if last else 0:,.10g}{planned} ms simulated"
    if run.end:
        return f"{simulated} in {sum(seconds_spent(run).values()):,.1f} s, {run.end['reason']}"
    return f"{simulated} at the last measurement; " + (
        "cut off, the last line is torn" if run.torn else "running or cut off"
    )


def _drifts(run: Run) -> list[str]:
    measurements = settled(run)
    ending = [measurement for measurement in measurements if ends_interval(run, measurement)]
    if not ending:
        return ["no interval ended yet" + (f", {len(measurements):,} probes" if measurements else "")]
    edges = edges_ms(run)
    lengths = [end - start for start, end in itertools.pairwise(edges)]
    largest = [drift(measurement, "max") for measurement in ending]
    lines = [
        f"{len(ending):,} {'measurements, observed only' if run.header['observe'] else 'normalizations'}, "
        f"{len(measurements) - len(ending):,} probes; interval median {statistics.median(lengths):,.6g} ms, "
        f"{min(lengths):,.6g} to {max(lengths):,.6g} ms",
        f"largest drift: median {statistics.median(largest):.2%}, worst {max(largest):.2%}, last {largest[-1]:.2%}",
    ]
    if run.measurements[0]["elapsed_ms"] == 0:
        lines[-1] += f"; {drift(run.measurements[0], 'max'):.2%} before anything was simulated"
    if run.header["bound"] is not None:
        lines.append(_bound(run, ending))
    return lines


def _bound(run: Run, ending: list[Measurement]) -> str:
    bound, statistic = run.header["bound"], run.header["statistic"]
    ratios = [drift(measurement, statistic) / bound for measurement in ending]
    above = [drift(measurement, statistic) / bound for measurement in above_bound(run)]
    return (
        f"bound {100 * bound:.6g}% on {statistic}: drift / bound {statistics.fmean(ratios):.3f} on average; "
        f"{len(above):,} of {len(settled(run)):,} measurements above the bound"
        + (f", worst {max(above):.3f} times the bound" if above else "")
    )


def seconds_spent(run: Run) -> dict[str, float]:
    """Wall time of rank 0 in s by phase, what was simulated after the last look included."""
    spent = {phase: sum(measurement["seconds"][phase] for measurement in run.measurements) for phase in PHASES}
    if run.end:
        spent["simulate"] += run.end["simulate_s"]
    return spent


def _wall_time(run: Run) -> str:
    spent = seconds_spent(run)
    total = sum(spent.values())
    if not total:
        return ""
    rest = 1 - spent["simulate"] / total
    phases = ", ".join(f"{phase} {seconds / total:.2%}" for phase, seconds in spent.items())
    return f"wall time of rank 0: {phases}; in all {rest:.2%} beside simulating"


def _what_bounds_would_cost(run: Run) -> list[str]:
    """For an observed run: how soon the drift from the norms at its start reached a bound, and the cost."""
    start_ms = run.measurements[0]["time_ms"] if run.measurements else 0.0
    measurements = [
        measurement
        for measurement in settled(run)
        if measurement["time_ms"] > start_ms and any(measurement.get("since_start", ()))
    ]
    if not run.header["observe"] or not measurements:
        return []
    times = [measurement["time_ms"] - start_ms for measurement in measurements]
    drifts = [max(measurement["since_start"]) for measurement in measurements]
    simulating = sum(measurement["seconds"]["simulate"] for measurement in measurements) / times[-1]
    # A rescaling passes over memory as a measurement does; it was not run here.
    normalizing = statistics.median(
        2 * measurement["seconds"]["measure"] + measurement["seconds"]["agree"] for measurement in measurements
    )
    lines = []
    for bound in _BOUNDS:
        reached = next((i for i, each in enumerate(drifts) if each >= bound), None)
        if reached is None:
            lines.append(f"a bound of {bound:.0%} was not reached in {times[-1]:,.6g} ms")
            continue
        about = "at most " if reached == 0 else ""
        share = normalizing / (normalizing + simulating * times[reached])
        lines.append(
            f"a bound of {bound:.0%} was reached after {about}{times[reached]:,.6g} ms; normalizing that often would "
            f"take {'at least' if reached == 0 else 'about'} {share:.2%} of the wall time"
        )
    return lines
