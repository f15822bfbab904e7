"""What a Normalizer did: records for a run log, a figure, a table for pandas."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..errors import RuleError
from ..files.typed_json import as_json
from .run_record import End, Header, RunRecord

if TYPE_CHECKING:
    from ..normalizer.loop import Loop
    from ..normalizer.normalizer import Normalizer

_OF_WEIGHTS = ("mean", "sd", "least", "largest", "at_limit")
_OF_ALL_RULES = ("time_ms", "elapsed_ms", "normalized", "next_measurement_ms")


def header_of(
    nest: Any,
    loop: Loop,
    *,
    seed: int | None = None,
    simulate_ms: float | None = None,
    run: str | None = None,
) -> Header:
    """The header of a run log; `seed` is NEST's own by default. Collective, as reading NEST's status is."""
    status = nest.kernel_status
    return Header(
        distnorm=version("distnorm"),
        nest=nest.__version__,
        ranks=status["num_processes"],
        threads=status["local_num_threads"],
        seed=status["rng_seed"] if seed is None else seed,
        resolution_ms=loop.clock.resolution_ms,
        min_delay_ms=loop.clock.min_delay_ms,
        simulate_ms=simulate_ms,
        observe=loop.observes,
        bound=getattr(loop.interval, "bound", None),
        statistic=getattr(loop.interval, "statistic", "max"),
        rules=tuple(rule.as_json() for rule in loop.rules),
        started=now(),
        run=run,
    )


def now() -> str:
    """The time, as logs have it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def end_of(loop: Loop, reason: str) -> End:
    """The end of a run log, now."""
    return End(time_ms=loop.time_ms, wall_s=loop.wall_s, simulate_s=loop.chunks.seconds, reason=reason)


def plot(normalizer: Normalizer) -> Any:
    """A matplotlib Figure of drift, intervals, weights if watched, and wall time; a notebook shows it. Collective.

    Raises:
        RuleError: There was no measurement yet, or matplotlib is missing.
    """
    import nest

    header = header_of(nest, normalizer._loop)
    if not normalizer.log:
        raise RuleError("the log of this Normalizer is empty; simulate first")
    try:
        from .figure import figure_of
    except ImportError as error:
        raise RuleError(f'a figure needs matplotlib: pip install "distnorm[report]" ({error})') from None
    _have_notebooks_show_figures()
    end = end_of(normalizer._loop, "so far")
    return figure_of({"": RunRecord(header=header, measurements=normalizer.log, resumes=[], end=end)})


def _have_notebooks_show_figures() -> None:
    """Have IPython show a Figure that is the value of a cell, where no `%matplotlib` has said how."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    from matplotlib.figure import Figure

    formatters = shell.display_formatter.formatters
    if not any(Figure in formatters[kind].type_printers for kind in ("image/png", "image/svg+xml", "image/jpeg")):
        import_module("IPython.core.pylabtools").select_figure_formats(shell, {"png"})


def to_pandas(normalizer: Normalizer) -> Any:
    """A pandas DataFrame with a row per measurement and rule: times in ms, drift, counts, and wall time in s.

    Where weights are watched, it has columns weight_mean, weight_sd, weight_least, weight_largest and weight_at_limit.

    Raises:
        RuleError: pandas is missing.
    """
    try:
        import pandas
    except ImportError as error:
        raise RuleError(f'a DataFrame needs pandas: pip install "distnorm[pandas]" ({error})') from None
    rows = []
    for measurement in normalizer.log:
        of_all = {name: getattr(measurement, name) for name in _OF_ALL_RULES}
        seconds = {f"{phase}_s": spent for phase, spent in measurement.seconds.items()}
        for i, (rule, drift) in enumerate(zip(normalizer.rules, measurement.drifts, strict=True)):
            weights = measurement.weights[i : i + 1]
            of_weights = {f"weight_{name}": getattr(each, name) for each in weights for name in _OF_WEIGHTS}
            rows.append({**of_all, "rule": i, "connections_of": rule.text, **as_json(drift), **of_weights, **seconds})
    return pandas.DataFrame(rows)
