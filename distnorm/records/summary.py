"""What a run did, in a few lines, and what a figure is drawn of; from its log or from the Normalizer's memory.

Where there are several rules, a drift is that of the rule where it is largest. The measurement before anything was
simulated shows how the network was built, not how it drifts; it is reported apart.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence

from ..normalizer.measurement import ALL_PHASES, Measurement
from .run_record import RunRecord

_BOUNDS = (0.01, 0.02, 0.05, 0.1)
_MUCH, _LONG_S = 0.1, 10.0  # of the wall time beside simulating, in a run that is worth a word about it


def settled(run: RunRecord) -> list[Measurement]:
    """Measurements that something was simulated before."""
    return [measurement for measurement in run.measurements if measurement.elapsed_ms > 0]


def ends_interval(run: RunRecord, measurement: Measurement) -> bool:
    """Whether a measurement is no probe: it normalized, or would have if the run did not only observe."""
    return measurement.normalized or run.header.observe


def largest(measurement: Measurement, statistic: str, rules: Sequence[int] | None = None) -> float:
    """A statistic of a measurement's drift, of the rule where it is largest: of all rules, or of those by number."""
    drifts = measurement.drifts if rules is None else [measurement.drifts[i] for i in rules]
    return max(float(getattr(drift, statistic)) for drift in drifts)


def number_normalized(run: RunRecord) -> int:
    """How often weights were rescaled."""
    return sum(measurement.normalized for measurement in run.measurements)


def ways_of(run: RunRecord) -> dict[str, list[int]]:
    """Numbers of the rules of incoming norms, and of outgoing ones, as far as there are such."""
    ways: dict[str, list[int]] = {}
    for i, rule in enumerate(run.header.rules):
        ways.setdefault(rule.get("of", "incoming"), []).append(i)
    return ways


def above_bound(run: RunRecord) -> list[Measurement]:
    """Measurements with a drift above the bound; none without a bound."""
    bound, statistic = run.header.bound, run.header.statistic
    if bound is None:
        return []
    return [measurement for measurement in settled(run) if largest(measurement, statistic) > bound]


def edges_ms(run: RunRecord) -> list[float]:
    """Biological times between which the intervals lie, in ms; one more than there are intervals."""
    if not run.measurements:
        return []
    first = run.measurements[0]
    ends = [measurement.time_ms for measurement in settled(run) if ends_interval(run, measurement)]
    return [first.time_ms - first.elapsed_ms, *ends]


def seconds_spent(run: RunRecord) -> dict[str, float]:
    """Wall time of rank 0 in s by phase, what was simulated after the last measurement included."""
    spent = {phase: sum(measurement.seconds[phase] for measurement in run.measurements) for phase in ALL_PHASES}
    if run.end:
        spent["simulate"] += run.end.simulate_s
    return spent


def summary(run: RunRecord) -> list[str]:
    """What a run did, line by line; `distnorm run`, `attach` and `report` all say it so."""
    return [_ending(run), *_connections(run), *_intervals(run), *_wall_time(run), *_what_bounds_would_cost(run)]


def _ending(run: RunRecord) -> str:
    last = run.end or (run.measurements[-1] if run.measurements else None)
    time_ms, begun_ms = last.time_ms if last else 0.0, _begun_ms(run)
    planned = "" if run.planned_ms is None else f" of {run.planned_ms:,.10g}"
    part = f", of which {time_ms - begun_ms:,.10g} ms" if begun_ms else ""
    simulated = f"{time_ms:,.10g}{planned} ms{part} simulated"
    if run.end:
        return f"{simulated} in {sum(seconds_spent(run).values()):,.1f} s, {run.end.reason}"
    why = "cut off, the last line is torn" if run.torn else "running or cut off"
    return f"{simulated} at the last measurement; {why}"


def _begun_ms(run: RunRecord) -> float:
    """Simulated time at which the measurements begin; `build(...)`, or the run before, may have simulated already."""
    if not run.measurements:
        return 0.0
    return run.resumes[-1].time_ms if run.resumes and run.measurements[0].elapsed_ms else edges_ms(run)[0]


def _connections(run: RunRecord) -> list[str]:
    """Of each rule: its connections, and targets that are not normalized as the others."""
    if not run.measurements:
        return []
    lines = []
    for i, rule in enumerate(run.header.rules):
        first, last = run.measurements[0].drifts[i], run.measurements[-1].drifts[i]
        way = "from" if rule.get("of") == "outgoing" else "onto"
        lines.append(
            f"{rule['text']}: {last.connections:,} connections {way} {last.targets:,} neurons"
            + (f", {last.no_input:,} without input" if last.no_input else "")
            + (f", {last.zero_norm:,} with norm zero" if last.zero_norm else "")
            + (f", {last.unreachable:,} out of reach by up to {last.unreachable_max:.2%}" if last.unreachable else "")
            + (
                f", {last.clipped_off:,} off by up to {last.clipped_off_max:.2%} by clipping"
                if last.clipped_off
                else ""
            )
            + f"; at first at most {first.max:.2%} from the target norm"
        )
    return lines


def _intervals(run: RunRecord) -> list[str]:
    """How often norms were measured and normalized, and how far they had drifted."""
    measurements = settled(run)
    ending = [measurement for measurement in measurements if ends_interval(run, measurement)]
    if not ending:
        return ["no interval ended yet" + (f", {len(measurements):,} probes" if measurements else "")]
    if measurements[0].within_slices:
        return [_exact(run, measurements)]
    lengths = [end - start for start, end in itertools.pairwise(edges_ms(run))]
    drifts = [largest(measurement, "max") for measurement in ending]
    done = (
        f"observed {len(ending):,} times, not normalized" if run.header.observe else f"normalized {len(ending):,} times"
    )
    lines = [
        f"{done}, {len(measurements) - len(ending):,} probes; interval median {statistics.median(lengths):,.6g} ms, "
        f"{min(lengths):,.6g} to {max(lengths):,.6g} ms",
        _largest_drift(drifts, _weights(run, other=False)),
    ]
    if run.measurements[0].elapsed_ms == 0:
        lines[-1] += f"; {largest(run.measurements[0], 'max'):.2%} before anything was simulated"
    others = [[drift.max for drift in measurement.other_weights if drift.targets] for measurement in ending]
    if all(others):
        lines.append(_largest_drift([max(drifts) for drifts in others], _weights(run, other=True)))
    if run.header.bound is not None:
        lines.append(_bound(run, run.header.bound, ending))
    return lines + _outgoing(measurements)


def _outgoing(measurements: list[Measurement]) -> list[str]:
    """What rank 0 sent for outgoing norms, and how often they took turns with incoming ones."""
    sent = [measurement.sent_bytes for measurement in measurements]
    sweeps = [measurement for measurement in measurements if measurement.sweeps]
    lines = []
    if any(sent):
        lines.append(f"outgoing norms: rank 0 sent {statistics.median(sent) / 1e3:,.1f} kB to others per measurement")
    if sweeps:
        number = statistics.median(each.sweeps for each in sweeps)
        left = max(each.left_by_sweeps for each in sweeps)
        lines.append(f"incoming and outgoing norms in turn: median {number:g} sweeps, at most {left:.2g} left")
    return lines


def _largest_drift(drifts: list[float], weights: str) -> str:
    spread = f"median {statistics.median(drifts):.2%}, worst {max(drifts):.2%}, last {drifts[-1]:.2%}"
    return f"largest drift of {weights} weights: {spread}"


def _weights(run: RunRecord, *, other: bool) -> str:
    """Which weights the rules are about, or, when observing, which other ones are reported."""
    kinds = {(rule["weights"] == "current") != other for rule in run.header.rules}
    return " or ".join("current" if kind else "stored" for kind in sorted(kinds))


def _exact(run: RunRecord, measurements: list[Measurement]) -> str:
    drift = max(measurement.drift_max for measurement in measurements)
    within = [drift for measurement in measurements for drift in measurement.within_slices]
    let_go = sum(drift.zero_norm for drift in within)
    return (
        f"held in every time slice: audited {len(measurements):,} times, drift of {_weights(run, other=False)} "
        f"weights at most {drift:.1e}; "
        f"within slices at most {max(drift.max for drift in within):.1e}"
        + (f"; {let_go:,} times a target was let go" if let_go else "")
    )


def _bound(run: RunRecord, bound: float, ending: list[Measurement]) -> str:
    statistic, measurements, above = run.header.statistic, settled(run), above_bound(run)
    ratios = [largest(measurement, statistic) / bound for measurement in ending]
    text = (
        f"bound {100 * bound:.6g}% on {statistic}: drift / bound {statistics.fmean(ratios):.3f} on average; "
        f"{len(above):,} of {len(measurements):,} measurements above the bound"
    )
    if above:
        shortest = min(measurement.elapsed_ms for measurement in measurements)
        hopeless = sum(measurement.elapsed_ms <= shortest for measurement in above)
        text += f", worst {max(largest(measurement, statistic) for measurement in above) / bound:.3f} times the bound"
        text += f"; {hopeless:,} of them after the shortest interval of {shortest:g} ms" if hopeless else ""
    return text


def _wall_time(run: RunRecord) -> list[str]:
    spent = seconds_spent(run)
    total = sum(spent.values())
    if not total:
        return []
    rest = 1 - spent["simulate"] / total
    phases = ", ".join(f"{phase} {seconds / total:.2%}" for phase, seconds in spent.items() if seconds)
    lines = [f"wall time of rank 0: {phases}; in all {rest:.2%} beside simulating", *_waiting(run, total)]
    if rest > _MUCH and total > _LONG_S and run.header.bound is not None and not run.header.observe:
        lines.append(
            "that much for a bound: a looser one, probes=0, an exact interval, or synapses of fewer bytes, as those of "
            "stdp_synapse_hom_hpc, may take less (docs/benchmarks.md)"
        )
    return lines


def _waiting(run: RunRecord, total: float) -> list[str]:
    """How long rank 0 waited in agreements, and for which rank most often."""
    waited = [measurement for measurement in run.measurements if measurement.waited_s > 0]
    if not waited:
        return []
    rank, times = Counter(measurement.slowest_rank for measurement in waited).most_common(1)[0]
    share = sum(measurement.waited_s for measurement in waited) / total
    return [f"waited to agree {share:.2%} of the time; rank {rank} came last in {times:,} of {len(run.measurements):,}"]


def _what_bounds_would_cost(run: RunRecord) -> list[str]:
    """For an observed run: how soon the drift from the norms at its start reached a bound, and the cost."""
    start_ms = run.measurements[0].time_ms if run.measurements else 0.0
    since_start = [
        (measurement, max(drift.max for drift in measurement.since_start))
        for measurement in settled(run)
        if measurement.time_ms > start_ms and any(drift.max for drift in measurement.since_start)
    ]
    if not run.header.observe or not since_start:
        return []
    times = [measurement.time_ms - start_ms for measurement, _ in since_start]
    spent = [measurement.seconds for measurement, _ in since_start]
    simulating = sum(seconds["simulate"] for seconds in spent) / times[-1]
    # A rescaling passes over memory as a measurement does; it was not run here.
    normalizing = statistics.median(2 * seconds["measure"] + seconds["agree"] for seconds in spent)
    lines = []
    for bound in _BOUNDS:
        reached = next((i for i, (_, drift) in enumerate(since_start) if drift >= bound), None)
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
