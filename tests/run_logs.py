"""Made-up run logs."""

import numpy as np

from distnorm import Drift, Measurement, WeightHistogram
from distnorm.files.typed_json import as_json
from distnorm.norms.histogram import BINS
from distnorm.records.run_log import RunLog
from distnorm.records.run_record import Header

RULE = {"text": "stdp_synapse", "synapse_models": ["stdp_synapse"], "norm": "l1", "target_norm": "12.0"}
RULE |= {"weights": "stored"}
SECONDS = {"simulate": 0.9, "measure": 0.04, "compare": 0.0, "agree": 0.01, "rescale": 0.05}


def header(**changes):
    fields = {"distnorm": "0.1.0", "nest": "3.10.0", "ranks": 2, "threads": 1, "seed": 1, "resolution_ms": 0.1}
    fields |= {"min_delay_ms": 1.5, "simulate_ms": 1000.0, "observe": False, "bound": 0.05, "statistic": "max"}
    return Header(**fields | {"rules": (RULE,), "started": "2026-01-01T12:00:00+00:00", "run": None} | changes)


def drift(largest, mean=0.001):
    counts = {"worst_target": 17, "targets": 40, "no_input": 0, "zero_norm": 0, "connections": 800}
    counts |= dict.fromkeys(
        ("unreachable", "at_bound", "above_wmax", "below_wmin", "near_zero", "late_initial", "parrots", "clipped_off"),
        0,
    )
    maxima = {"unreachable_max": 0.0, "clipped_off_max": 0.0}
    return Drift(max=largest, mean=mean, q50=mean, q90=largest / 2, q99=largest, **maxima, **counts)


def weights(mean, edges=None, sd=0.1, outside=0):
    """A histogram of a thousand weights; by default from 0 to 1."""
    edges = edges or tuple(float(edge) for edge in np.linspace(0.0, 1.0, BINS + 1))
    normal = np.random.default_rng(1).normal(mean, sd, 1000)
    counts = tuple(np.histogram(normal, edges)[0].tolist())
    rest = {"least": edges[0], "largest": edges[-1], "at_limit": 0.0}
    return WeightHistogram(edges=edges, counts=counts, below=0, above=outside, mean=mean, sd=sd, **rest)


def measurement(time_ms, elapsed_ms, *largest, mean=0.001, normalized=True, **changes):
    fields = {"time_ms": time_ms, "elapsed_ms": elapsed_ms, "normalized": normalized, "next_measurement_ms": 100.0}
    fields |= dict.fromkeys(("since_start", "other_weights", "within_slices", "weights"), ())
    fields |= {"drifts": tuple(drift(each, mean) for each in largest)}
    return Measurement(**fields | {"seconds": SECONDS} | changes)


def line(kind, record):
    """A record as it is in a log."""
    return {"kind": kind, **as_json(record)}


def write(path, measurements, end=None, **changes):
    with RunLog(path) as log:
        log.write(header(**changes))
        for each in measurements:
            log.write(each)
        if end is not None:
            log.write(end)
    return path
