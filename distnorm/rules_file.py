"""A rules file, for a script that knows nothing of distnorm: the [[rules]] and [interval] of a job file, where targets
and sources are node models of NEST or ranges of node IDs, such as "1-800".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config import RuleTable, check_keys, interval_table, rule_tables, rules_of
from .errors import KernelError, RuleError
from .exact import Exact
from .interval import Interval
from .node_ids import Int64Array, Nodes, range_of
from .rule import Rule
from .rule_checks import names_of
from .toml_file import read_toml

_RUN = re.compile(r"model=(\w+), size=(\d+), first=(\d+)")


@dataclass(frozen=True, kw_only=True)
class RulesFile:
    """A rules file.

    Attributes:
        rules: What to normalize.
        interval: Controller of the interval.
    """

    rules: list[RuleTable]
    interval: Interval

    @property
    def held(self) -> tuple[str, ...]:
        """Synapse models whose connections are to hold norms by themselves; none unless the interval is `Exact`."""
        if not isinstance(self.interval, Exact):
            return ()
        return tuple(name for each in self.rules for name in names_of(each.table["synapse_model"]))

    def rules_of(self, nest: Any) -> list[Rule]:
        """The rules for the network that stands. Collective.

        Raises:
            RuleError: A rule does not fit it; the message says which.
        """
        models = node_models(nest)
        return rules_of(self.rules, lambda name, what: _nodes_named(models, name, what))


def read_rules(path: Path) -> RulesFile:
    """Read a rules file.

    Raises:
        RuleError: The file cannot be read, or something in it makes no sense; the message names file and key.
    """
    content = read_toml(path, "rules file")
    try:
        check_keys(RulesFile, content, "")
        rules = rule_tables(content["rules"])
        for i, each in enumerate(rules):
            if each.is_name("target_norm"):
                wrong = f"rules[{i}].target_norm is {each.table['target_norm']!r}"
                raise RuleError(f'{wrong}; give a positive number, one per target, or "initial"')
        return RulesFile(rules=rules, interval=interval_table(content["interval"]))
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


def node_models(nest: Any) -> dict[str, Int64Array]:
    """Node IDs of each model in the network, as runs, by name. Collective.

    From the printed form of all nodes, which has a line per Create: asking each node for its model takes seconds, and
    memory for every node on each rank.
    """
    if nest.network_size == 0:
        return {}
    runs: dict[str, list[tuple[int, int]]] = {}
    for model, size, first in _RUN.findall(str(nest.GetNodes())):
        runs.setdefault(model, []).append((int(first), int(first) + int(size) - 1))
    found = {model: np.array(each, dtype=np.int64) for model, each in runs.items()}
    counted = sum(int((each[:, 1] - each[:, 0] + 1).sum()) for each in found.values())
    if counted != nest.network_size:
        raise KernelError(f"NEST prints {counted} of its {nest.network_size} nodes; give targets and sources by ID")
    return found


def _nodes_named(models: dict[str, Int64Array], name: str, what: str) -> Nodes:
    if (nodes := range_of(name, what)) is not None:
        return nodes
    if name not in models:
        raise RuleError(f"{what} is {name!r}, and no node of that model is there; there are {', '.join(models)}")
    return Nodes(models[name])
