"""Whether rules are of the same connections."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RuleError
from .node_ids import overlap
from .rule import Rule


def check_disjoint(rules: Sequence[Rule]) -> None:
    """Refuse rules of which two would touch the same connection.

    Raises:
        RuleError: Two rules share a synapse model, a target and a source.
    """
    for later, b in enumerate(rules):
        for earlier, a in enumerate(rules[:later]):
            shared = [model for model in a.synapse_models if model in b.synapse_models]
            if shared and a.of == b.of and not _apart(a, b):
                raise RuleError(
                    f"rules {earlier + 1} and {later + 1} both normalize {shared[0]!r} connections of the same targets "
                    "and sources; give them different targets, sources, receptor types, labels, signs or synapse "
                    "models, or make them one rule"
                )


def overlapping(rules: Sequence[Rule], others: Sequence[Rule]) -> tuple[str, str] | None:
    """What two rules say that would touch the same connections; None without such."""
    for rule in rules:
        for other in others:
            if set(rule.synapse_models) & set(other.synapse_models) and not _apart(rule, other):
                return rule.text, other.text
    return None


def _apart(a: Rule, b: Rule) -> bool:
    choices = ((a.receptor_types, b.receptor_types), (a.labels, b.labels))
    if any(ours and theirs and not set(ours) & set(theirs) for ours, theirs in choices):
        return True
    if a.sign and b.sign and a.sign != b.sign:
        return True
    return not overlap(a.target_runs, b.target_runs) or not overlap(a.source_runs, b.source_runs)
