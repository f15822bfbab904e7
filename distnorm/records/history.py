"""What a Normalizer did: records for a run log, a figure, a table for pandas."""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..errors import RuleError
from ..normalizer.measurement import Measurement
from ..norms.drift import COUNTS, STATISTICS, Drift
from .run_log import Run

if TYPE_CHECKING:
    from ..normalizer.normalizer import Normalizer


def header_fields(nest: Any, normalizer: Normalizer, **fields: Any) -> dict[str, Any]:
    """Fields of a run log's header. Collective, as reading NEST's status is.

    Args:
        nest: The imported module.
        normalizer: What measurements and normalizes.
        fields: Further ones, or others in place of these.
    """
    status = nest.kernel_status
    return {
        "distnorm": version("distnorm"),
        "nest": nest.__version__,
        "ranks": status["num_processes"],
        "threads": status["local_num_threads"],
        "seed": status["rng_seed"],
        "resolution_ms": normalizer.clock.resolution_ms,
        "min_delay_ms": normalizer.clock.min_delay_ms,
        "simulate_ms": None,
        "observe": normalizer.observes,
        "bound": getattr(normalizer.interval, "bound", None),
        "statistic": getattr(normalizer.interval, "statistic", "max"),
        "rules": [rule.as_json() for rule in normalizer.rules],
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    } | fields


def measurement_fields(measurement: Measurement) -> dict[str, Any]:
    """Fields of a measurement in a run log."""
    return {
        "time_ms": measurement.time_ms,
        "elapsed_ms": measurement.elapsed_ms,
        "normalized": measurement.normalized,
        "next_measurement_ms": measurement.next_measurement_ms,
        "drift": [_drift_fields(each) for each in measurement.drifts],
        "since_start": [each.max for each in measurement.since_start],
        "within_slices": [each.max for each in measurement.within_slices],
        "seconds": measurement.seconds,
    }


def end_fields(normalizer: Normalizer, reason: str) -> dict[str, Any]:
    """Fields of the end of a run log, now."""
    return {
        "time_ms": normalizer.time_ms,
        "wall_s": normalizer.wall_s,
        "simulate_s": normalizer.chunks.seconds,
        "reason": reason,
    }


def plot(normalizer: Normalizer) -> Any:
    """A matplotlib Figure of drift, intervals and wall time so far; a notebook shows it. Collective.

    Raises:
        RuleError: There was no measurement yet, or matplotlib is missing.
    """
    import nest

    header = header_fields(nest, normalizer)
    if not normalizer.log:
        raise RuleError("the log of this Normalizer is empty; simulate first")
    try:
        from .figure import figure_of
    except ImportError as error:
        raise RuleError(f'a figure needs matplotlib: pip install "distnorm[report]" ({error})') from None
    measurements = [measurement_fields(each) for each in normalizer.log]
    run = Run(header=header, measurements=measurements, resumes=[], end=end_fields(normalizer, "so far"), torn=0)
    return figure_of({"": run})


def to_pandas(normalizer: Normalizer) -> Any:
    """A pandas DataFrame with a row per measurement and rule: times in ms, drift, counts, and wall time in s.

    Raises:
        RuleError: pandas is missing.
    """
    try:
        import pandas
    except ImportError as error:
        raise RuleError(f'a DataFrame needs pandas: pip install "distnorm[pandas]" ({error})') from None
    rows = []
    for measurement in normalizer.log:
        for i, (rule, each) in enumerate(zip(normalizer.rules, measurement.drifts, strict=True)):
            rows.append(
                {
                    "time_ms": measurement.time_ms,
                    "elapsed_ms": measurement.elapsed_ms,
                    "normalized": measurement.normalized,
                    "next_measurement_ms": measurement.next_measurement_ms,
                    "rule": i,
                    "connections_of": rule.text,
                    **_drift_fields(each),
                    **{f"{phase}_s": seconds for phase, seconds in measurement.seconds.items()},
                }
            )
    return pandas.DataFrame(rows)


def _drift_fields(each: Drift) -> dict[str, Any]:
    fields = (*COUNTS, "unreachable_max")
    return {name: each.statistic(name) for name in STATISTICS} | {name: getattr(each, name) for name in fields}
