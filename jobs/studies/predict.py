"""The share of normalization on machines larger than this one, from the fitted cost model and published wall times.

    python jobs/studies/predict.py FOLDER      # of distnorm bench scaling

The network is hpc_benchmark as published: weak scaling on JURECA-DC, 2 ranks x 64 threads a node, up to 64 nodes with
5.8 million neurons and 65 billion synapses; real-time factor 8 on 1 node and 39 on 64 (NEST's benchmark pages,
state propagation; workflow of Albers et al. 2022). Between and beyond these the factor is drawn in two ways, and the
cost of a connection in two ways: each cell of the range is said in the table.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import study
from cost_model import Load, Model, Tested, fit, fullest, keep_out, samples
from predict_figure import draw

from distnorm.bench.scaling.points import read_folder
from distnorm.bench.shared.arguments import positive
from distnorm.bench.shared.tables import table, write_csv, write_text
from distnorm.runs.options import path

_PLASTIC_BYTES = 32  # of stdp_pl_synapse_hom_hpc
_IN_DEGREE = 9_000  # plastic
_RANKS_PER_NODE = 2
_THREADS = 64
_TARGETS_PER_NODE = 5.8e6 / 64 * 0.8  # four of five neurons are excitatory
_PUBLISHED = ((1, 8.0), (64, 39.0))  # nodes, real-time factor
_EXPONENT = math.log(_PUBLISHED[1][1] / _PUBLISHED[0][1]) / math.log(_PUBLISHED[1][0] / _PUBLISHED[0][0])
_TRANSFERS = 3  # of a connection's bytes: read to measure, read and written to rescale
_RANKS = [2**i for i in range(1, 15)]
_TESTED = ("kept out", "measured (ms)", "predicted (ms)", "error")
_TIMES = ("at the peak (ms)", "at what is reached (ms)", "Allreduce in both (ms)", "waiting in the latter (ms)")
_PREDICTED = ("ranks", "fullest / mean", *_TIMES, "real-time factor", "normalization")


def predict(options: argparse.Namespace) -> str:
    """Fit on the points of a folder, test, predict; write predict.md, predict.csv and the figure there.

    Returns:
        The tables.

    Raises:
        RuleError: Too few points, or something cannot be written.
    """
    folder: Path = options.folder
    chosen = samples(read_folder(folder))
    model, tested = fit(chosen), keep_out(chosen)
    sharing = max(sample.load.sharing for sample in chosen)
    rows = [_row(model, options, sharing, ranks) for ranks in _RANKS]
    text = f"Fitted on {len(chosen)} points. {model.text()}\n\n{_report(tested, options, rows)}"
    write_csv(folder / "predict.csv", rows)
    write_text(folder / "predict.md", text)
    outputs = [folder / "predict.png", folder / "predict.pdf"]
    draw(tested, rows, options, outputs)
    return f"{text}\n\nfigure: {outputs[0]}"


def _row(model: Model, machine: argparse.Namespace, sharing: float, ranks: int) -> dict[str, float]:
    """The published network on so many ranks.

    Low and high ends: the threads of a rank share the peak bandwidth of its memory, and the real-time factor goes on to
    grow; or they share what programs reach of it, and the factor stays as published for the most nodes. A connection
    takes at least as long as one here, where a thread has a core's bandwidth. Waiting for the last rank counts at the
    high end only: without normalization NEST's next exchange of spikes would wait for it.

    Args:
        model: Fitted here.
        machine: Latency, bandwidths and interval, which cannot be measured here.
        sharing: Virtual processes of a machine, as on those measured.
        ranks: Of 64 threads.
    """
    nodes = ranks / _RANKS_PER_NODE
    targets = _TARGETS_PER_NODE * nodes
    processes = ranks * _THREADS
    imbalance = fullest(targets, processes)
    connections = targets * _IN_DEGREE / processes * imbalance
    load = Load(connections=connections, connection_bytes=_PLASTIC_BYTES, sharing=sharing, ranks=ranks)
    allreduce_s = model.agree_s(load) + machine.latency * 1e-6 * math.log2(ranks)
    passes_s = model.passes_s(load)
    streamed_gb = connections * _THREADS * _PLASTIC_BYTES * _TRANSFERS / 1e9
    wait_s = model.wait_s(load)
    fastest_s, slowest_s = (
        max(passes_s, streamed_gb / bandwidth) + allreduce_s + waits
        for bandwidth, waits in ((machine.peak, 0.0), (machine.bandwidth, wait_s))
    )
    high = _PUBLISHED[0][1] * nodes**_EXPONENT
    low = min(high, _PUBLISHED[1][1])
    interval_s = machine.interval / 1e3
    return {
        "ranks": ranks,
        "imbalance": imbalance,
        "fastest_ms": fastest_s * 1e3,
        "slowest_ms": slowest_s * 1e3,
        "allreduce_ms": allreduce_s * 1e3,
        "wait_ms": wait_s * 1e3,
        "factor_low": low,
        "factor_high": high,
        "share_low": fastest_s / (fastest_s + high * interval_s),
        "share_high": slowest_s / (slowest_s + low * interval_s),
    }


def _report(tested: Sequence[Tested], machine: argparse.Namespace, rows: Sequence[dict[str, float]]) -> str:
    errors = [abs(point.error) for point in tested]
    kept_out = [
        (point.sample.name, f"{point.sample.seconds * 1e3:.2f}", f"{point.predicted * 1e3:.2f}", f"{point.error:+.1%}")
        for point in tested
    ]
    (first, first_factor), (last, last_factor) = _PUBLISHED
    return "\n\n".join(
        [
            f"Each point predicted by a fit on the others: mean error {sum(errors) / len(errors):.1%}, "
            f"largest {max(errors):.1%}",
            table(_TESTED, kept_out),
            f"hpc_benchmark as published for JURECA-DC (2 ranks x {_THREADS} threads a node, "
            f"{_TARGETS_PER_NODE * _IN_DEGREE / 1e6:,.0f} million plastic connections of {_PLASTIC_BYTES} bytes a "
            f"node), normalized every {machine.interval:g} ms. Latency {machine.latency:g} µs a step and "
            f"{machine.bandwidth:g} to {machine.peak:g} GB/s of memory a rank are stated, not measured. Published: "
            f"real-time factor {first_factor:g} on {first} node, {last_factor:g} on {last}; a power law "
            f"between them, and beyond either the last value or the same power law.",
            table(_PREDICTED, map(_cells, rows)),
        ]
    )


def _cells(row: dict[str, float]) -> list[str]:
    factors = dict.fromkeys(f"{row[name]:.0f}" for name in ("factor_low", "factor_high"))
    return [
        f"{row['ranks']:,}",
        f"{row['imbalance']:.4f}",
        f"{row['fastest_ms']:.1f}",
        f"{row['slowest_ms']:.1f}",
        f"{row['allreduce_ms']:.2f}",
        f"{row['wait_ms']:.2f}",
        " to ".join(factors),
        f"{row['share_low']:.2%} to {row['share_high']:.2%}",
    ]


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(description="A cost model fitted on points, and the share on larger machines.")
    made.add_argument("folder", type=path, help="of distnorm bench scaling, with weak and strong series")
    made.add_argument("--latency", type=positive, default=2.0, metavar="US", help="of the interconnect (default 2)")
    about = "that programs reach of a rank's memory, all of its threads together (default 140)"
    made.add_argument("--bandwidth", type=positive, default=140.0, metavar="GB/S", help=about)
    about = "peak of a rank's memory (default 204.8: a socket with eight channels of DDR4-3200)"
    made.add_argument("--peak", type=positive, default=204.8, metavar="GB/S", help=about)
    about = "biological time between normalizations (default 100)"
    made.add_argument("--interval", type=positive, default=100.0, metavar="MS", help=about)
    return made


if __name__ == "__main__":
    study.main(parser(), predict)
