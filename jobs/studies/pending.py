"""How far stored weights are behind: what postsynaptic spikes have yet to do to them, by model, rate and learning rate.

python jobs/studies/pending.py -o FOLDER      # pending.csv and pending.png

The neurons fire at random at a given rate, whatever their input. Norms are normalized every 100 ms, as stored. Just
before, the norm of current weights is compared with that of stored ones, neuron by neuron. The figure follows one of
them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import nest
import numpy as np
import pending_figure
import study

import distnorm
from distnorm.bench.shared.networks import add_neurons, finish, one_process, open_in_place, reset
from distnorm.bench.shared.tables import table, write_csv
from distnorm.files.outputs import results_folder
from distnorm.norms.passes import Pass
from distnorm.norms.sums import FloatArray
from distnorm.runs.options import path

_RATES = (5.0, 20.0, 50.0)
_INTERVAL_MS = 100.0
_SETTLE, _SAMPLES = 10, 20  # intervals
_SHOWN_FROM_MS, _SHOWN_MS, _LATER_MS = 200, 600, 500  # of the figure; by the end of `later` each input has fired again
_COLUMNS = ("model", "learning rate", *(f"{rate:g} spikes/s: mean ± s.d., largest" for rate in _RATES))


@dataclass(frozen=True)
class Plasticity:
    """A synapse model with parameters; rates of learning that are multiplied together, by name."""

    label: str
    model: str
    learning: dict[str, float]
    others: dict[str, float]
    weight: float = 0.5


_ONE = {"Wmax": 1.0}
MODELS = (
    Plasticity("stdp_synapse, additive", "stdp_synapse", {"lambda": 0.01}, {"mu_plus": 0.0, "mu_minus": 0.0, **_ONE}),
    Plasticity("stdp_synapse, multiplicative", "stdp_synapse", {"lambda": 0.01}, _ONE),
    Plasticity("stdp_pl_synapse_hom", "stdp_pl_synapse_hom", {"lambda": 0.1}, {}, weight=45.0),
    Plasticity(
        "stdp_triplet_synapse",
        "stdp_triplet_synapse",
        {"Aplus": 5e-10, "Aplus_triplet": 6.2e-3, "Aminus": 7e-3, "Aminus_triplet": 2.3e-4},
        _ONE,
    ),
    Plasticity("stdp_nn_symm_synapse", "stdp_nn_symm_synapse", {"lambda": 0.01}, _ONE),
    Plasticity("stdp_nn_restr_synapse", "stdp_nn_restr_synapse", {"lambda": 0.01}, _ONE),
    Plasticity("stdp_nn_pre_centered_synapse", "stdp_nn_pre_centered_synapse", {"lambda": 0.01}, _ONE),
    Plasticity("vogels_sprekeler_synapse", "vogels_sprekeler_synapse", {"eta": 0.001}, _ONE),
    Plasticity("jonke_synapse", "jonke_synapse", {"lambda": 0.01}, _ONE),
)


def run(options: argparse.Namespace) -> str:
    """Simulate each model at each rate, and draw the figure; a table."""
    one_process(nest, "this study")
    results_folder(options.output)
    rows = list(_rows(options))
    write_csv(options.output / "pending.csv", rows)
    pending_figure.draw([course(weights) for weights in ("stored", "current")], options.output / "pending.png")
    return f"{options.neurons:,} neurons, {options.indegree:,} inputs each\n\n{_table(rows)}"


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for plasticity in MODELS:
        for factor in options.factors:
            for rate in _RATES:
                pending = _pending(plasticity, factor, rate, options)
                yield {
                    "model": plasticity.label,
                    "learning_rate": f"{factor:g} x default",
                    "spikes_per_s": rate,
                    "mean": float(pending.mean()),
                    "sd": float(pending.std()),
                    "max": float(pending.max()),
                }


def _table(rows: list[dict[str, Any]]) -> str:
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        cells = lines.setdefault((row["model"], row["learning_rate"]), [])
        cells.append(f"{row['mean']:.2%} ± {row['sd']:.2%}, {row['max']:.2%}")
    return table(_COLUMNS, [(*names, *cells) for names, cells in lines.items()])


def _build(plasticity: Plasticity, factor: float, rate: float, neurons: int, indegree: int, record: bool) -> str:
    """The network; name of its synapse model."""
    reset(nest, 2)
    more = {"weight_recorder": nest.Create("weight_recorder")} if record else {}
    learning = {name: factor * value for name, value in plasticity.learning.items()}
    nest.CopyModel(plasticity.model, "plastic", {**learning, **plasticity.others, **more})
    synapse = {"synapse_model": "plastic", "weight": plasticity.weight * nest.random.uniform(0.8, 1.2)}
    add_neurons(nest, neurons, indegree, synapse, "pp_psc_delta", {"c_1": 0.0, "c_2": rate, "c_3": 0.0})
    return "plastic"


def _pending(plasticity: Plasticity, factor: float, rate: float, options: argparse.Namespace) -> FloatArray:
    """What is pending of each target's norm, as a fraction of it as stored, at several moments."""
    model = _build(plasticity, factor, rate, options.neurons, options.indegree, record=False)
    rule = distnorm.Rule(model, target_norm="initial")
    normalizer = distnorm.Normalizer(rule)
    finish(nest)
    (synapses,) = open_in_place(nest, [rule], one_process(nest, "this study"))
    found = []
    for _ in range(_SETTLE + _SAMPLES):
        nest.Simulate(_INTERVAL_MS)
        stored, current = (synapses.run(Pass(kind="measure", weights=weights))[0] for weights in ("stored", "current"))
        found.append(current / stored - 1)
        normalizer.normalize()
    synapses.close()
    return np.concatenate(found[_SETTLE:])


def course(weights: Literal["stored", "current"]) -> pending_figure.Course:
    """One neuron's norm over time, normalized every 100 ms by these weights; as fractions of its target norm."""
    model = _build(MODELS[0], 1.0, 20.0, 400, 100, record=True)
    finish(nest)
    rule = distnorm.Rule(model, target_norm=50.0, weights=weights)
    (synapses,) = open_in_place(nest, [rule], one_process(nest, "this study"))
    normalizer = distnorm.Normalizer(rule)
    neuron, times = int(synapses.node_ids[0]), []
    norms: dict[str, list[float]] = {"stored": [], "current": []}
    for step in range(_SHOWN_MS + _LATER_MS):
        nest.Simulate(1.0)
        times.append(nest.biological_time)
        for kind, values in norms.items():
            sums = synapses.run(Pass(kind="measure", weights=kind))[0]  # type: ignore[arg-type]
            values.append(float(sums[synapses.node_ids == neuron][0]) / 50.0)
        if (step + 1) % _INTERVAL_MS == 0:
            normalizer.normalize()
    synapses.close()
    shown = slice(_SHOWN_FROM_MS, _SHOWN_MS)
    delivered = _delivered_next(nest.GetNodes({"model": "weight_recorder"}), neuron, np.array(times)[shown])
    return pending_figure.Course(
        weights=weights,
        times_ms=np.array(times)[shown],
        norms={**{kind: np.array(values)[shown] for kind, values in norms.items()}, "delivered next": delivered / 50.0},
    )


def _delivered_next(recorder: Any, neuron: int, times_ms: FloatArray) -> FloatArray:
    """Sum over a neuron's inputs of the weight that each delivers next after a time, shape of the times."""
    events = recorder.get("events")
    mine = events["targets"] == neuron
    sums = np.zeros(len(times_ms))
    for port in np.unique(events["ports"][mine]):
        of_one = mine & (events["ports"] == port)
        order = np.argsort(events["times"][of_one], kind="stable")
        when, weights = events["times"][of_one][order], events["weights"][of_one][order]
        following = np.minimum(np.searchsorted(when, times_ms, side="right"), len(when) - 1)
        sums += weights[following]
    return sums


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser(description="How far stored weights are behind.")
    made.add_argument("-o", "--output", metavar="FOLDER", type=path, required=True, help="for the rows and the figure")
    made.add_argument("--neurons", type=int, default=400, help="default 400")
    made.add_argument("--indegree", type=int, default=100, help="default 100")
    made.add_argument("--factors", nargs="+", type=float, default=[0.1, 1.0], help="of learning rates (default 0.1 1)")
    return made


if __name__ == "__main__":
    study.main(parser(), run)
