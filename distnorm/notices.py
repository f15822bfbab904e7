"""What a user should know of and is told once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .box import ROWS
from .correction import Correction
from .drift import Drift
from .rule import Rule
from .synapses import Synapses, parrots, run_all

log = logging.getLogger(__name__)


def look_closer(
    nest: Any, corrections: Sequence[Correction], synapses: Sequence[Synapses], records: npt.NDArray[np.void]
) -> None:
    """Count in the records what is asked at the first look only: weights beyond their `Wmax`, and parrots."""
    tallies = run_all(synapses, [correction.beyond_wmax for correction in corrections])
    local_parrots = parrots(nest)
    for i, (correction, tally) in enumerate(zip(corrections, tallies, strict=True)):
        if tally is not None:
            records[i]["above_wmax"] = tally[ROWS.index("outside_count")].sum()
        targets = correction.node_ids[correction.counts > 0]
        records[i]["parrots"] = np.isin(targets, local_parrots).sum()


class Notices:
    """Warnings about a rule's targets, each once. On rank 0 only."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._told: set[tuple[int, str]] = set()

    def tell(self, drifts: Sequence[Drift]) -> None:
        """Warn of what the drifts, one per rule, hold for the first time."""
        for i, (rule, drift) in enumerate(zip(self._rules, drifts, strict=True)):
            for name, number, text in _texts(rule, drift):
                if number and (i, name) not in self._told:
                    self._told.add((i, name))
                    log.warning("rule %d (%s): %s", i + 1, ", ".join(rule.synapse_models), text)

    def tell_let_go(self, within_slices: Sequence[Drift]) -> None:
        """Warn of targets that an exact rule let go."""
        for i, (rule, within) in enumerate(zip(self._rules, within_slices, strict=False)):
            if within.zero_norm and (i, "let go") not in self._told:
                self._told.add((i, "let go"))
                log.warning(
                    "rule %d (%s): all weights of %s targets became zero, which no factor changes; they are left alone "
                    "until one of them is not zero",
                    i + 1,
                    ", ".join(rule.synapse_models),
                    f"{within.zero_norm:,}",
                )


def _texts(rule: Rule, drift: Drift) -> list[tuple[str, int, str]]:
    signs = "signs that stay" if rule.norm == "sum" else "their connections' Wmin and Wmax"
    why = "w_min and w_max" if rule.bounded else signs
    return [
        (
            "unreachable",
            drift.unreachable,
            f"{drift.unreachable:,} of {drift.targets:,} targets cannot have their target norm with {why}; they are "
            f"brought as near as can be, at most {drift.unreachable_max:.2%} from it",
        ),
        (
            "above_wmax",
            drift.above_wmax,
            f"{drift.above_wmax:,} weights are normalized to more than their synapse's Wmax, to which NEST clips them "
            'at the next spike; a rule with w_max="Wmax" keeps them below',
        ),
        (
            "parrots",
            drift.parrots,
            f"{drift.parrots:,} targets are parrot neurons, which repeat spikes whatever the weight; leave them out "
            "with targets=",
        ),
    ]
