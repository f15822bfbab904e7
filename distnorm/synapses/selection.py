"""Which of the connections that PyNEST tells of belong to a rule; the kernel's filter does the same.

Zero weights count with the sign of their side (`limits`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..rules.node_ids import contains
from ..rules.rule import Rule

KEYS = ("source", "target", "receptor", "weight")


def keys_of(rule: Rule) -> list[str]:
    """What PyNEST is asked for: KEYS, and the label where the models have one."""
    return [*KEYS, *(["synapse_label"] if rule.labels else [])]


def needs_sources(rule: Rule) -> bool:
    """Whether NEST must tell where connections come from."""
    return rule.of == "outgoing" or rule.source_runs is not None or len(rule.excluded) > 0


def selected(rule: Rule, status: Mapping[str, npt.NDArray[np.generic]]) -> npt.NDArray[np.bool_]:
    """Whether each connection belongs to a rule, its synapse model, its target and devices apart.

    Args:
        rule: The rule.
        status: Arrays of shape (n,) for each of `keys_of`; weights as `Limits.on_side` has them.
    """
    mine = np.ones(len(status["source"]), np.bool_)
    if rule.source_runs is not None:
        mine &= contains(rule.source_runs, status["source"].astype(np.int64))
    if rule.receptor_types:
        mine &= np.isin(status["receptor"], rule.receptor_types)
    if rule.labels:
        mine &= np.isin(status["synapse_label"], rule.labels)
    if rule.sign is not None:
        mine &= np.signbit(status["weight"].astype(np.float64)) == (rule.sign == "negative")
    if len(rule.excluded):
        excluded = {(target, source) for target, source in rule.excluded.tolist()}
        pairs = zip(status["target"].tolist(), status["source"].tolist(), strict=True)
        mine &= np.array([pair not in excluded for pair in pairs], np.bool_)
    return mine
