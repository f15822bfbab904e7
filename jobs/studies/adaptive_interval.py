"""How well the adaptive interval keeps its bound, and at what cost: on recorded drift, and in simulations.

    python jobs/studies/adaptive_interval.py --seeds 10 --first-seed 301 --intervals 600 -o FOLDER

record    networks normalized every 3 ms              -> changes of all norms       scenarios
play      adaptive, fixed and all-knowing controllers against the same changes      traces
simulate  the default controller in the networks themselves                         scenarios
report    numbers, tables; rows and a figure as files                               interval_rows, interval_tables
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import interval_tables
import nest
import numpy as np
import study
from interval_rows import Results
from scenarios import SCENARIOS, Scenario, record, simulate
from traces import Played, Trace, grid, play, play_fixed, play_oracle

from distnorm.bench.shared.networks import one_process
from distnorm.files.outputs import results_folder
from distnorm.intervals.adaptive import AdaptiveInterval
from distnorm.runs.options import count, path

PROBES = (0, 2, 4, 8)
SIMULATED = ("stationary", "step up")
SIMULATED_SEEDS = 3
STEP_STARTS = 8  # starts of play per trace with one change, so that it falls on different parts of an interval
_INTERVALS_PER_SEED = 50  # that a scenario's duration is made for
_LONGEST_FIXED_MS = 6_000.0


def run(
    seeds: int, intervals: int, output: Path | None, scenarios: Sequence[Scenario] = SCENARIOS, first_seed: int = 1
) -> str:
    """Record, play, simulate, and return the report; seeds are shared out to as many processes as there are cores.

    Args:
        seeds: Networks per scenario.
        intervals: To play per scenario and bound, over all seeds.
        output: Folder for the report, its rows as CSV and a figure; None for none.
        scenarios: Networks to record.
        first_seed: Of the networks; the others follow.

    Raises:
        RuleError: More than one rank, or a folder with something else in it.
    """
    one_process(nest, "this study")
    if output is not None:
        results_folder(output)
    longer = intervals / seeds / _INTERVALS_PER_SEED
    work = partial(_of_seed, scenarios, longer, first_seed + SIMULATED_SEEDS)
    results = Results()
    # NEST cannot be forked: each process starts anew. Seeds are added in their order, whichever is ready first.
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(seeds, os.cpu_count() or 1), mp_context=start) as pool:
        for of_seed in pool.map(work, range(first_seed, first_seed + seeds)):
            results.add(of_seed)
    text = interval_tables.report(results, intervals, STEP_STARTS)
    if output is not None:
        interval_tables.write(results, text, output)
    return text


def _of_seed(scenarios: Sequence[Scenario], longer: float, simulated_until: int, seed: int) -> Results:
    results = Results()
    for scenario in scenarios:
        duration_ms = 3.0 * math.ceil(scenario.duration_ms * longer / 3.0)
        _record_and_play(scenario, seed, duration_ms, results)
        if scenario.name in SIMULATED and seed < simulated_until:
            _simulate(scenario, seed, duration_ms, results)
    return results


def _record_and_play(scenario: Scenario, seed: int, duration_ms: float, results: Results) -> None:
    trace = record(scenario, seed, duration_ms)
    hundred_ms = round(100.0 / trace.step_ms)
    results.regimes.append((scenario.name, trace.floor(), *trace.drift_over(hundred_ms), *trace.spikes_per_s))
    for bound in scenario.bounds:
        for controller, player in _players(trace, bound).items():
            key = (scenario.name, bound, controller)
            results.played.append((*key, player(0)))
            if trace.changes and scenario.switching_ms is None and controller != "oracle":
                starts = np.linspace(0, trace.changes[0] / 3, STEP_STARTS).astype(int).tolist()
                results.steps += [(*key, player(start), trace.changes[0]) for start in starts]
    for length in grid(round(_LONGEST_FIXED_MS / trace.step_ms)).tolist():
        drifts = play_fixed(trace, length).drifts
        results.fixed.append((scenario.name, length, float(drifts.max(initial=0)), len(drifts)))


def _players(trace: Trace, bound: float) -> dict[str, Callable[[int], Played]]:
    """What plays a trace from a given step on, by name."""
    default = AdaptiveInterval(bound)
    players: dict[str, Callable[[int], Played]] = {"default": partial(play, trace, default)}
    if trace.changes:
        players["default, hints"] = partial(play, trace, default, hint=True)
    for probes in PROBES:
        players[f"{probes} probes"] = partial(play, trace, AdaptiveInterval(bound, probes=probes))
    return {**players, "oracle": partial(play_oracle, trace, bound)}


def _simulate(scenario: Scenario, seed: int, duration_ms: float, results: Results) -> None:
    """One bound with the default controller."""
    key = (scenario.name, scenario.bounds[-1], "default, simulated")
    simulated, changes = simulate(scenario, seed, duration_ms, AdaptiveInterval(scenario.bounds[-1]))
    results.simulated.append((*key, simulated))
    if changes:
        results.steps.append((*key, simulated, changes[0]))


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(
        description="The adaptive interval on recorded networks, against fixed ones and an oracle."
    )
    made.add_argument("--seeds", type=count, default=10, help="runs of each network (default 10)")
    made.add_argument("--first-seed", type=count, default=1, help="the others follow (default 1)")
    made.add_argument("--intervals", type=count, default=500, help="intervals per case, at least (default 500)")
    made.add_argument("-o", "--output", metavar="FOLDER", type=path, help="also write tables and a figure there")
    return made


if __name__ == "__main__":
    study.main(
        parser(),
        lambda options: run(options.seeds, options.intervals, options.output, first_seed=options.first_seed),
    )
