"""What connections a network has, over all ranks: what could be normalized, and rules to start from."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import RuleError
from ..mpi import ranks as parallel
from ..mpi.ranks import Ranks
from ..normalizer.arguments import check_network
from ..norms import histogram
from ..norms import sums as norms
from ..norms.correction import first_pass
from ..norms.passes import Pass
from ..outgoing.norms import OutgoingNorms
from ..rules.rule import Rule
from ..synapses.access import open_synapses, run_all
from ..synapses.node_models import NodeModels
from ..synapses.synapse_models import check_models
from .distribution import Distribution
from .rules_file import quoted

_MOST_LABELS = 12  # that a table names
_HOMEOSTATIC = {"eta", "alpha", "tau", "Kplus"}  # parameters of vogels_sprekeler_synapse, and no other model of NEST
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
        labels: Number of these connections by synapse label, -1 for none; empty where models have no labels.
        limits: Smallest and largest of all Wmin and Wmax of these connections; inf and -inf if there are none.
        has_least: Whether the model has a Wmin.
        plastic: Whether the model learns.
        homeostatic: Whether it learns to hold the rate of its target, for which norms must be free.
        refused: Why it cannot be normalized; empty if it can.
    """

    name: str
    connections: int
    targets: int
    target_models: tuple[str, ...]
    in_degree: Distribution
    norm: Distribution
    labels: dict[int, int] = field(default_factory=dict)
    limits: tuple[float, float] = (math.inf, -math.inf)
    has_least: bool = False
    plastic: bool = False
    homeostatic: bool = False
    refused: str = ""

    @property
    def is_offered(self) -> bool:
        """Whether a rule for it is a good start."""
        return self.plastic and not self.homeostatic


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
        for entry in self.found:
            if entry.refused or not entry.connections:
                continue
            lines = (
                "[[rules]]",
                f"synapse_model = {quoted(entry.name)}",
                f"targets = [{', '.join(map(quoted, entry.target_models))}]",
                f'target_norm = "initial"  # each neuron\'s own; or a number: norms are {entry.norm}',
            )
            parts.append("\n".join(line if entry.is_offered else f"# {line}" for line in lines))
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
    """Survey of the network that stands in NEST. Collective; the same answer on every rank.

    Raises:
        RuleError: It has no nodes yet.
        DistnormError: A model's connections could not be measured on some rank.
    """
    import nest

    ranks = parallel.world(nest.build_info["have_mpi"])
    if nest.network_size == 0:
        raise RuleError("the network has no nodes yet; inspect it when it stands")
    names = [name for name in nest.synapse_models if _total(nest, ranks, name)]
    return Survey(found=tuple(_found(nest, ranks, name) for name in names))


def survey_rules(nest: Any, ranks: Ranks, rules: Sequence[Rule], exact: bool = False) -> tuple[Found, ...]:
    """What each rule would normalize, by its own norm, or hold if it is to be exact. Collective."""
    check_network(nest, rules)
    return tuple(_measured(nest, ranks, rule, ", ".join(rule.synapse_models), exact=exact) for rule in rules)


def table(rows: Sequence[Found], nothing: str = "none from neurons onto neurons") -> str:
    """Aligned columns of text; `nothing` is said where there are no connections."""
    head = ("synapse model", "connections", "targets", "in-degree", "norm", "onto", "")
    cells = [head]
    for entry in rows:
        onto = ", ".join(map(_shown, entry.target_models)) or "-"
        numbers = (f"{entry.connections:,}", f"{entry.targets:,}", str(entry.in_degree), str(entry.norm))
        cells.append(
            (_shown(entry.name), *numbers, onto, entry.refused or (_note(entry) if entry.connections else nothing))
        )
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join((*lines, "in-degree, norm: smallest / median / largest; connections between neurons"))


def _note(found: Found) -> str:
    """What there is to say of it beside numbers."""
    notes = ["plastic"] if found.plastic else []
    notes += ["homeostatic: it holds rates, so no norm by default"] if found.homeostatic else []
    notes += [_limits_text(found)] if found.limits[0] <= found.limits[1] else []
    if found.labels:
        named = [f"{'none' if label < 0 else label} ({n:,})" for label, n in sorted(found.labels.items())]
        more = [f"{len(named) - _MOST_LABELS} more"] if len(named) > _MOST_LABELS else []
        notes.append(f"labels {', '.join(named[:_MOST_LABELS] + more)}")
    return ", ".join(notes)


def _limits_text(found: Found) -> str:
    low, high = found.limits
    if found.has_least:
        return f"Wmin {low:g}, Wmax {high:g}"
    return f"Wmax {high:g}" if low == high else f"Wmax {low:g} to {high:g}"


def _found(nest: Any, ranks: Ranks, name: str) -> Found:
    defaults = nest.GetDefaults(name)
    learns = any(key in defaults for key in _LEARNING)
    homeostatic = defaults.keys() >= _HOMEOSTATIC
    try:
        check_models(nest, (name,))
        return _measured(nest, ranks, Rule(name, target_norm="initial"), name, plastic=learns, homeostatic=homeostatic)
    except RuleError as error:  # the same on every rank
        nothing = Distribution.merged(())
        total, why = _total(nest, ranks, name), str(error).rpartition(": ")[2]
        return Found(
            name=name, connections=total, targets=0, target_models=(), in_degree=nothing, norm=nothing, refused=why
        )


def _measured(
    nest: Any,
    ranks: Ranks,
    rule: Rule,
    name: str,
    *,
    plastic: bool = False,
    homeostatic: bool = False,
    exact: bool = False,
) -> Found:
    defaults = [nest.GetDefaults(model) for model in rule.synapse_models]
    labelled = all("synapse_label" in each for each in defaults)
    has_least = any("Wmin" in {**each, **each.get("optimizer", {})} for each in defaults)
    (synapses,) = open_synapses(nest, [rule], ranks, "auto", exact)
    outgoing = OutgoingNorms([rule], ranks)
    ranks.together(lambda: outgoing.open([synapses]))
    passes = [first_pass(rule, on_all_ranks=bool(outgoing.numbers)), Pass(kind="histogram")]  # the latter for limits
    measured, extents = ranks.together(lambda: run_all([synapses] * 2, passes))
    assert measured is not None and extents is not None
    *_, low, high = histogram.extents(extents)
    sums, counts, models = measured[0], measured[1].astype(np.int64), synapses.target_models
    if outgoing.numbers:
        (found,) = outgoing.take({0: measured}, None)
        sums, counts, models = found.rows[0], found.counts, found.node_models
    there = counts > 0
    names = NodeModels(nest).names

    def mine() -> Found:
        numbers = np.unique(models()[there])
        return Found(
            name=name,
            connections=int(counts.sum()),
            targets=int(there.sum()),
            target_models=tuple(names[number] for number in numbers.tolist()),
            in_degree=Distribution.of(counts[there].astype(np.float64)),
            norm=Distribution.of(norms.norms(sums[there], rule.power)),
            labels=synapses.labels() if labelled else {},
            limits=(low, high),
            has_least=has_least,
            plastic=plastic,
            homeostatic=homeostatic,
        )

    of_ranks = ranks.gather(ranks.together(mine))
    synapses.close()
    return ranks.from_first(lambda: _merged(of_ranks or [], [names[number] for number in sorted(names)]))


def _merged(parts: Sequence[Found], models: Sequence[str]) -> Found:
    """What all ranks have found together; `models` are the node models in their order."""
    everywhere = {model for part in parts for model in part.target_models}
    return replace(
        parts[0],
        connections=sum(part.connections for part in parts),
        targets=sum(part.targets for part in parts),
        target_models=tuple(model for model in models if model in everywhere),
        in_degree=Distribution.merged(part.in_degree for part in parts),
        norm=Distribution.merged(part.norm for part in parts),
        limits=(min(part.limits[0] for part in parts), max(part.limits[1] for part in parts)),
        labels=dict(sum((Counter(part.labels) for part in parts), Counter())),
    )


def _total(nest: Any, ranks: Ranks, name: str) -> int:
    """Connections of a synapse model on all ranks, those of devices included."""
    of_ranks = ranks.gather(int(nest.GetDefaults(name)["num_connections"]))
    return ranks.from_first(lambda: sum(of_ranks or []))


def _shown(name: str) -> str:
    """A name in a table; in quotation marks if it is more than one word."""
    return name if re.fullmatch(r"[\w-]+", name) else quoted(name)
