"""How well the adaptive interval keeps its bound, and at what cost: on recorded drift, and in simulations.

record    networks normalized every 3 ms              -> changes of all norms       scenarios
play      adaptive, fixed and all-knowing controllers against the same changes      traces
simulate  the default controller in the networks themselves                         scenarios
report    tables; rows and a figure as files                                        interval_tables
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import nest
import numpy as np

from ..adaptive import AdaptiveInterval
from ..errors import RuleError
from ..interval import Interval
from ..parallel import world
from . import interval_tables
from .interval_rows import Results
from .scenarios import SCENARIOS, Scenario, record, simulate
from .traces import Played, Trace, grid, play, play_fixed, play_oracle

PROBES = (0, 1, 2, 4)
SIMULATED = ("stationary", "step up")
SIMULATED_SEEDS = 3
STEP_STARTS = 8  # starts of play per trace with a change, so that it falls on different parts of an interval
_INTERVALS_PER_SEED = 50  # that a scenario's duration is made for
_LONGEST_FIXED_MS = 6_000.0


def run(seeds: int, intervals: int, output: Path | None, scenarios: Sequence[Scenario] = SCENARIOS) -> str:
    """Record, play, simulate, and return the report.

    Args:
        seeds: Networks per scenario.
        intervals: To play per scenario and bound, over all seeds, where the bound is not too high for it.
        output: Folder for the report, its rows as CSV and a figure; None for none.
        scenarios: Networks to record.

    Raises:
        RuleError: More than one rank, or numbers that make no sense.
    """
    if (size := world(nest.build_info["have_mpi"]).size) > 1:
        raise RuleError(f"bench interval was started on {size} ranks; it plays on one process")
    if seeds < 1 or intervals < 1:
        raise RuleError(f"{seeds} seeds and {intervals} intervals; give at least 1 of each")
    longer = intervals / seeds / _INTERVALS_PER_SEED
    results = Results()
    for seed in range(1, seeds + 1):
        for scenario in scenarios:
            _record_and_play(scenario, seed, _duration_ms(scenario, longer), results)
            if scenario.name in SIMULATED and seed <= SIMULATED_SEEDS:
                _simulate(scenario, seed, _duration_ms(scenario, longer), results)
    text = interval_tables.report(results, intervals, STEP_STARTS)
    if output is not None:
        interval_tables.write(results, text, output)
    return text


def _duration_ms(scenario: Scenario, longer: float) -> float:
    return 3.0 * math.ceil(scenario.duration_ms * longer / 3.0)


def _record_and_play(scenario: Scenario, seed: int, duration_ms: float, results: Results) -> None:
    trace = record(scenario, seed, duration_ms)
    results.regimes[scenario.name].append(_regime(trace))
    for bound in scenario.bounds:
        for name, player in _players(bound).items():
            results.played[scenario.name, bound, name].append(player(trace))
        if trace.change is not None:
            _play_steps(scenario.name, trace, trace.change, bound, results)
    fixed = results.fixed[scenario.name]
    for length in grid(round(_LONGEST_FIXED_MS / trace.step_ms)).tolist():
        played = play_fixed(trace, length)
        drift, number = fixed.get(length, (0.0, 0))
        fixed[length] = max(drift, float(played.drifts.max(initial=0))), number + len(played.drifts)


def _players(bound: float) -> dict[str, Callable[[Trace], Played]]:
    def adaptive(probes: int) -> Callable[[Trace], Played]:
        return lambda trace: play(trace, AdaptiveInterval(bound, probes=probes))

    players = {f"{probes} probes": adaptive(probes) for probes in PROBES}
    return {**players, "oracle": lambda trace: play_oracle(trace, bound)}


def _play_steps(name: str, trace: Trace, change: int, bound: float, results: Results) -> None:
    for begin in np.linspace(0, change / 3, STEP_STARTS).astype(int).tolist():
        for probes in PROBES:
            controller: Interval = AdaptiveInterval(bound, probes=probes)
            results.steps[name, bound, f"{probes} probes"].append((play(trace, controller, begin), change))
        hinted = play(trace, AdaptiveInterval(bound), begin, hint=True)
        results.steps[name, bound, "1 probes, hint"].append((hinted, change))


def _simulate(scenario: Scenario, seed: int, duration_ms: float, results: Results) -> None:
    """One bound with the default controller."""
    bound = scenario.bounds[len(scenario.bounds) // 2]
    played, change = simulate(scenario, seed, duration_ms, AdaptiveInterval(bound))
    results.simulated[scenario.name, bound, "1 probes, simulated"].append(played)
    if change is not None:
        results.steps[scenario.name, bound, "1 probes, simulated"].append((played, change))


def _regime(trace: Trace) -> tuple[float, ...]:
    marks = round(100.0 / trace.step_ms)
    change = trace.change or 0
    parts = (trace.position[: change or None : marks], trace.position[change::marks])
    drifts = [float(np.abs(np.diff(part, axis=0)).max(axis=1).mean()) if len(part) > 1 else 0.0 for part in parts]
    return (trace.floor(), *drifts, *trace.spikes_per_s)
