"""The share of normalization on machines larger than this one, from the fitted cost model and published wall times.

The network is hpc_benchmark as published: weak scaling on JURECA-DC, 2 ranks x 64 threads a node, up to 64 nodes with
5.8 million neurons and 65 billion synapses; real-time factor 8 on 1 node and 39 on 64 (NEST's benchmark pages,
state propagation; workflow of Albers et al. 2022). Between and beyond these the factor is drawn in two ways, and the
cost of a connection in two ways: each cell of the range is said in the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import RuleError
from ..tables import table, write_csv, write_text
from .cost_model import Load, Model, Sample, Tested, fit, fullest, keep_out, samples
from .points import read_folder

_PLASTIC_BYTES = 32  # of stdp_pl_synapse_hom_hpc
_IN_DEGREE = 9_000  # plastic
_RANKS_PER_NODE = 2
_THREADS = 64
_TARGETS_PER_NODE = 5.8e6 / 64 * 0.8  # four of five neurons are excitatory
_FACTORS = ((1, 8.0), (64, 39.0))  # nodes, real-time factor
_EXPONENT = math.log(_FACTORS[1][1] / _FACTORS[0][1]) / math.log(_FACTORS[1][0] / _FACTORS[0][0])
_TRANSFERS = 3  # of a connection's bytes: read to measure, read and written to rescale
LARGEST = 4_096


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What cannot be measured here.

    Attributes:
        latency_us: Of a message between nodes.
        bandwidth_GB_s: Of a rank's memory, all of its threads together.
        interval_ms: Biological time between normalizations.
    """

    latency_us: float
    bandwidth_GB_s: float
    interval_ms: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A number of ranks.

    Attributes:
        ranks: Of 64 threads.
        imbalance: Connections on the fullest virtual process / mean.
        as_here_ms: A normalization, if each thread has the memory bandwidth of one here.
        shared_ms: If the threads of a rank share its bandwidth.
        allreduce_ms: Part of both.
        factor_low: Real-time factor, where it stays as published for the most nodes.
        factor_high: Where it goes on to grow.
        share_low: Of normalization: cost as here, high factor.
        share_high: Shared bandwidth, low factor.
    """

    ranks: int
    imbalance: float
    as_here_ms: float
    shared_ms: float
    allreduce_ms: float
    factor_low: float
    factor_high: float
    share_low: float
    share_high: float


def run(folder: Path, machine: Machine) -> str:
    """Fit on the points of a folder, test, predict; write predict.md, predict.csv and the figure there.

    Returns:
        The tables.

    Raises:
        RuleError: Too few points, or something cannot be written.
    """
    chosen = samples(read_folder(folder))
    model, tested = fit(chosen), keep_out(chosen)
    sharing = max(each.load.sharing for each in chosen)
    rows = [row(model, machine, sharing, 2**i) for i in range(1, int(math.log2(LARGEST)) + 1)]
    text = _report(chosen, model, tested, machine, rows)
    write_csv(folder / "predict.csv", [vars(each) for each in rows])
    write_text(folder / "predict.md", text)
    try:
        from .predict_figure import draw
    except ImportError as error:
        raise RuleError(f'a figure needs matplotlib: pip install "distnorm[report]" ({error})') from None
    outputs = [folder / "predict.png", folder / "predict.pdf"]
    draw(tested, rows, machine, outputs)
    return f"{text}\n\nfigure: {outputs[0]}"


def row(model: Model, machine: Machine, sharing: float, ranks: int) -> Row:
    """The published network on so many ranks; `sharing` virtual processes of a machine as on those measured."""
    nodes = ranks / _RANKS_PER_NODE
    targets = _TARGETS_PER_NODE * nodes
    processes = ranks * _THREADS
    imbalance = fullest(targets, processes)
    connections = targets * _IN_DEGREE / processes * imbalance
    load = Load(connections=connections, connection_bytes=_PLASTIC_BYTES, sharing=sharing, ranks=ranks)
    allreduce = model.agree_s(load) + machine.latency_us * 1e-6 * math.log2(ranks)
    passes = model.passes_s(load)
    streamed = connections * _THREADS * _PLASTIC_BYTES * _TRANSFERS / (machine.bandwidth_GB_s * 1e9)
    as_here, shared = passes + allreduce, max(passes, streamed) + allreduce
    grown = _FACTORS[0][1] * nodes**_EXPONENT
    low, high = min(grown, _FACTORS[1][1]), grown
    interval_s = machine.interval_ms / 1e3
    return Row(
        ranks=ranks,
        imbalance=imbalance,
        as_here_ms=as_here * 1e3,
        shared_ms=shared * 1e3,
        allreduce_ms=allreduce * 1e3,
        factor_low=low,
        factor_high=high,
        share_low=as_here / (as_here + high * interval_s),
        share_high=shared / (shared + low * interval_s),
    )


def _report(
    chosen: Sequence[Sample],
    model: Model,
    tested: Sequence[Tested],
    machine: Machine,
    rows: Sequence[Row],
) -> str:
    errors = [abs(each.error) for each in tested]
    return "\n\n".join(
        [
            f"Fitted on {len(chosen)} points. {model.text()}",
            f"Each point predicted by a fit on the others: mean error {sum(errors) / len(errors):.1%}, "
            f"largest {max(errors):.1%}",
            _tested(tested),
            f"hpc_benchmark as published for JURECA-DC (2 ranks x {_THREADS} threads a node, "
            f"{_TARGETS_PER_NODE * _IN_DEGREE / 1e6:,.0f} million plastic connections of {_PLASTIC_BYTES} bytes a "
            f"node), normalized every {machine.interval_ms:g} ms. Latency {machine.latency_us:g} µs a step and "
            f"{machine.bandwidth_GB_s:g} GB/s of memory a rank are stated, not measured. Published: real-time factor "
            f"{_FACTORS[0][1]:g} on {_FACTORS[0][0]} node, {_FACTORS[1][1]:g} on {_FACTORS[1][0]}; a power law "
            f"between them, and beyond either the last value or the same power law.",
            _predicted(rows),
        ]
    )


def _tested(tested: Sequence[Tested]) -> str:
    lines = [
        [each.sample.name, f"{each.sample.seconds * 1e3:.2f}", f"{each.predicted * 1e3:.2f}", f"{each.error:+.1%}"]
        for each in tested
    ]
    return table(("kept out", "measured (ms)", "predicted (ms)", "error"), lines)


def _predicted(rows: Sequence[Row]) -> str:
    lines = [
        [
            f"{each.ranks:,}",
            f"{each.imbalance:.4f}",
            f"{each.as_here_ms:.1f}",
            f"{each.shared_ms:.1f}",
            f"{each.allreduce_ms:.2f}",
            _range(f"{each.factor_low:.0f}", f"{each.factor_high:.0f}"),
            f"{each.share_low:.2%} to {each.share_high:.2%}",
        ]
        for each in rows
    ]
    columns = ("ranks", "fullest / mean", "as here (ms)", "shared bandwidth (ms)", "Allreduce in it (ms)")
    return table((*columns, "real-time factor", "normalization"), lines)


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
