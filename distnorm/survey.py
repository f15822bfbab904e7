"""What connections a network has, over all ranks: what could be normalized, and rules to start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import norms, parallel
from .checks import check_network
from .correction import first_pass
from .errors import RuleError
from .node_ids import Int64Array, contains
from .parallel import Ranks
from .rule import Rule
from .rules_file import node_models
from .spread import Spread
from .synapses import check_models, open_synapses, run_all

_LEARNING = ("lambda", "eta", "A_LTP", "A_plus", "optimizer", "Wmax")  # of models whose weights change


@dataclass(frozen=True, kw_only=True)
class Found:
    """The connections of a synapse model, or of a rule.

    Attributes:
        name: Name of the model or models.
        connections: Those onto neurons from neurons; from anything to anything where they cannot be normalized.
        targets: Neurons that have them.
        target_models: Their node models.
        in_degree: Connections per target.
        norm: L1 norm of each target, in the unit of the weights; that of the rule, if it is one.
        plastic: Whether the model learns.
        refused: Why it cannot be normalized; empty if it can.
    """

    name: str
    connections: int
    targets: int
    target_models: tuple[str, ...]
    in_degree: Spread
    norm: Spread
    plastic: bool = False
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The connections of a network; printed as a table.

    Attributes:
        found: One entry per synapse model with connections.
    """

    found: tuple[Found, ...]

    def __str__(self) -> str:
        return table(self.found)

    def rules(self) -> str:
        """A rules file to start from, for `distnorm attach`: what learns is in it, the rest is there to uncomment."""
        parts = [_START]
        for each in self.found:
            if each.refused or not each.connections:
                continue
            lines = (
                "[[rules]]",
                f'synapse_model = "{each.name}"',
                f"targets = [{', '.join(map(_quoted, each.target_models))}]",
                f'target_norm = "initial"  # each neuron\'s own; or a number: norms are {each.norm}',
            )
            parts.append("\n".join(line if each.plastic else f"# {line}" for line in lines))
        return "\n\n".join(parts) + "\n"


_START = """\
# Rules for distnorm attach. Norms below are smallest / median / largest of the targets.
[interval]
kind = "fixed"
interval_ms = 100.0
# or, from the drift of all ranks:
# kind = "adaptive"
# bound = 0.05"""


def inspect() -> Survey:
    """Look at the network that stands in NEST. Collective; the same answer on every rank.

    Raises:
        RuleError: It has no nodes yet.
        DistnormError: A model's connections could not be measured on some rank.
    """
    import nest

    ranks = parallel.world(nest.build_info["have_mpi"])
    if nest.network_size == 0:
        raise RuleError("the network has no nodes yet; inspect it when it stands")
    models = node_models(nest)
    names = [name for name in nest.synapse_models if _total(nest, ranks, name)]
    return Survey(found=tuple(_found(nest, ranks, models, name) for name in names))


def survey_rules(nest: Any, ranks: Ranks, rules: Sequence[Rule], exact: bool = False) -> tuple[Found, ...]:
    """What each rule would normalize, by its own norm, or hold if it is to be exact. Collective.

    Raises:
        DistnormError: A rule does not fit the network.
    """
    check_network(nest, rules)
    models = node_models(nest)
    return tuple(_measured(nest, ranks, models, rule, ", ".join(rule.synapse_models), exact=exact) for rule in rules)


def table(rows: Sequence[Found]) -> str:
    """Aligned columns of text."""
    head = ("synapse model", "connections", "targets", "in-degree", "norm", "onto", "")
    cells = [head]
    for each in rows:
        note = each.refused or ("plastic" if each.plastic else "" if each.connections else "of devices only")
        onto = ", ".join(each.target_models) or "-"
        numbers = (f"{each.connections:,}", f"{each.targets:,}", str(each.in_degree), str(each.norm))
        cells.append((each.name, *numbers, onto, note))
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join((*lines, "in-degree, norm: smallest / median / largest; connections between neurons"))


def _found(nest: Any, ranks: Ranks, models: dict[str, Int64Array], name: str) -> Found:
    try:
        check_models(nest, (name,))
    except RuleError as error:
        nothing = Spread.merged(())
        total, why = _total(nest, ranks, name), str(error).rpartition(": ")[2]
        return Found(
            name=name, connections=total, targets=0, target_models=(), in_degree=nothing, norm=nothing, refused=why
        )
    learns = any(key in nest.GetDefaults(name) for key in _LEARNING)
    return _measured(nest, ranks, models, Rule(name, target_norm="initial"), name, plastic=learns)


def _measured(
    nest: Any,
    ranks: Ranks,
    models: dict[str, Int64Array],
    rule: Rule,
    name: str,
    *,
    plastic: bool = False,
    exact: bool = False,
) -> Found:
    (synapses,) = open_synapses(nest, [rule], ranks, "auto", exact)
    (measured,) = ranks.together(lambda: run_all([synapses], [first_pass(rule)]))
    assert measured is not None
    sums, counts = measured[0], measured[1].astype(np.int64)
    synapses.close()
    there = counts > 0
    ids = synapses.node_ids[there]
    mine = (
        int(counts.sum()),
        Spread.of(counts[there].astype(np.float64)),
        Spread.of(norms.norms(sums[there], rule.power)),
        {model: int(contains(runs, ids).sum()) for model, runs in models.items()},
    )
    every = ranks.gather(mine)

    def merge() -> Found:
        assert every is not None  # on rank 0
        in_degree = Spread.merged(each[1] for each in every)
        return Found(
            name=name,
            connections=sum(each[0] for each in every),
            targets=in_degree.counts.total(),
            target_models=tuple(model for model in models if any(each[3][model] for each in every)),
            in_degree=in_degree,
            norm=Spread.merged(each[2] for each in every),
            plastic=plastic,
        )

    return ranks.from_first(merge)


def _total(nest: Any, ranks: Ranks, name: str) -> int:
    """Connections of a synapse model on all ranks, those of devices included."""
    every = ranks.gather(int(nest.GetDefaults(name)["num_connections"]))
    return ranks.from_first(lambda: sum(every or []))


def _quoted(name: str) -> str:
    return f'"{name}"'
