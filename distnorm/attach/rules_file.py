"""A rules file, for a script that knows nothing of distnorm: the [[rules]], [interval], [log] and sweeps of a job file,
where targets and sources are node models of NEST or ranges of node IDs, such as "1-800". A model of that very name
comes first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RuleError
from ..files.toml_file import read_toml
from ..intervals.controller import Interval
from ..intervals.exact import ExactInterval
from ..outgoing.sweeps import MOST_SWEEPS, SWEEP_TOLERANCE
from ..rules.node_ids import Int64Array, Nodes, range_of
from ..rules.rule import Rule
from ..rules.validation import names_of
from ..runs.job_file import (
    Find,
    LogSettings,
    RuleTable,
    check_keys,
    interval_table,
    log_table,
    recorded,
    rule_tables,
    rules_of,
    sweep_settings,
)

if TYPE_CHECKING:
    from ..mpi.ranks import Ranks


@dataclass(frozen=True, kw_only=True)
class RulesFile:
    """A rules file."""

    rules: list[RuleTable]  # what to normalize
    interval: Interval  # controller of the interval
    log: LogSettings = field(default_factory=LogSettings)  # what measurements have beside the drift
    sweeps: int = MOST_SWEEPS  # how often norms of both ways are rescaled in turn, at most
    sweep_tolerance: float = SWEEP_TOLERANCE  # drift of incoming norms at which that ends

    @property
    def normalized_models(self) -> tuple[str, ...]:
        """Synapse models whose connections are to hold norms by themselves: none unless the interval is exact."""
        if not isinstance(self.interval, ExactInterval):
            return ()
        return tuple(name for rule in self.rules for name in names_of(rule.table["synapse_model"]))

    def rules_of(self, nest: Any, ranks: Ranks) -> list[Rule]:
        """The rules for the network that stands. Collective."""
        return rules_of(self.rules, _finder(nest, ranks))

    def recorded(self, nest: Any, ranks: Ranks) -> Any:
        """Nodes whose weights are recorded; None for none. Collective."""
        return recorded(self.log, _finder(nest, ranks)) if self.log.record else None


def read_rules(path: Path) -> RulesFile:
    """Read a rules file.

    Raises:
        RuleError: The file cannot be read, or something in it makes no sense; the message names file and key.
    """
    content = read_toml(path, "rules file")
    try:
        check_keys(RulesFile, content, "")
        rules = rule_tables(content["rules"])
        for i, rule in enumerate(rules):
            if rule.is_name("target_norm"):
                wrong = f"rules[{i}].target_norm is {rule.table['target_norm']!r}"
                raise RuleError(f'{wrong}; give a positive number, one per target, or "initial"')
        interval, log = interval_table(content["interval"]), log_table(content)
        return RulesFile(rules=rules, interval=interval, log=log, **sweep_settings(content))
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from None


def write_rules(path: Path, text: str) -> None:
    """Write a rules file.

    Raises:
        RuleError: There is such a file already, or it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RuleError(f"{path} exists already and is kept; give another path, or move it away") from None
    except OSError as error:
        raise RuleError(f"cannot write {path}: {error.strerror}") from None


def quoted(name: str) -> str:
    """A name as TOML has it."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _finder(nest: Any, ranks: Ranks) -> Find:
    from ..synapses.access import nodes_by_model

    nodes, models = nodes_by_model(nest, ranks), set(nest.node_models)
    return lambda name, what: _nodes_named(nodes, models, name, what)


def _nodes_named(nodes: dict[str, Int64Array], models: set[str], name: str, what: str) -> Nodes:
    if name in nodes:
        return Nodes(nodes[name])
    found = None if name in models else range_of(name, what)
    if found is None:
        there = ", ".join(map(quoted, nodes)) or "none"
        raise RuleError(f"{what} is {name!r}, and no node of that model is there; there are {there}")
    return found
