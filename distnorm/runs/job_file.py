"""A job file: TOML in, checked settings out. The fields of the classes below are the schema; an unknown key names the
known ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from ..errors import RuleError
from ..files.toml_file import check_values, override, read_toml
from ..files.typed_json import shorter, shown
from ..intervals.adaptive import AdaptiveInterval
from ..intervals.controller import LONGEST_MS, FixedInterval, Interval
from ..intervals.exact import ExactInterval
from ..norms.histogram import checked_watch
from ..outgoing.sweeps import MOST_SWEEPS, SWEEP_TOLERANCE, checked_sweeps
from ..rules.node_ids import union
from ..rules.rule import Rule

T = TypeVar("T")
Find = Callable[[str, str], Any]

_INTERVALS: dict[str, Callable[..., Interval]] = {
    "adaptive": AdaptiveInterval,
    "exact": ExactInterval,
    "fixed": FixedInterval,
}


_MOST_THREADS = 1023  # NEST keeps the number of a thread in 9 or 10 bits

_NODES = ("targets", "sources")  # may be given by several names, too
_NAMED = (*_NODES, "exclude", "target_norm")


@dataclass(frozen=True)
class RuleTable:
    """One [[rules]] table: arguments of `Rule`, where names stand for something in the network: what `build(...)` of a
    job returned, or for an attached script its node models and ranges of node IDs.
    """

    # Arguments by name. Where several names are targets, one norm per target is by ascending node ID.
    table: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Check what does not depend on the network: names of what it will have are replaced by something sound."""
        stand_ins: dict[str, Any] = {"targets": None, "sources": None, "exclude": None, "target_norm": 1.0}
        norms = self.table.get("target_norm")
        if isinstance(norms, list) and norms:
            stand_ins["sources" if self.table.get("of") == "outgoing" else "targets"] = range(1, len(norms) + 1)
        Rule(**{key: stand_ins[key] if self.is_name(key) else value for key, value in self.table.items()})

    def rule(self, find: Find) -> Rule:
        """The rule for a network that stands.

        Args:
            find: What a name stands for in it, and says what it knows where it does not know a name.

        Raises:
            RuleError: A name that the network does not have, or a rule that makes no sense.
        """
        return Rule(
            **{key: _found(value, find, key) if self.is_name(key) else value for key, value in self.table.items()}
        )

    def is_name(self, key: str) -> bool:
        """Whether an argument is the name of something in the network, or several names."""
        value = self.table.get(key)
        if key in _NODES and isinstance(value, list):
            return any(isinstance(name, str) for name in value)
        return key in _NAMED and isinstance(value, str) and (key, value) != ("target_norm", "initial")


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings:
    """The [checkpoint] table."""

    folder: str | None = None  # where to, relative to the current folder; None where --checkpoint says it
    every_s: float = 600.0  # seconds of wall time between two checkpoints
    # Seconds of wall time before the end of the allocation at which the run writes a last one and stops
    grace_s: float = 60.0

    def __post_init__(self) -> None:
        if self.folder is not None and (not isinstance(self.folder, str) or not self.folder or "\0" in self.folder):
            raise RuleError(f"folder is {shown(self.folder)}; give the path of a folder")
        _positive(self.every_s, "every_s", "seconds")
        _positive(self.grace_s, "grace_s", "seconds")


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """The [log] table."""

    # Whether each measurement has a histogram of each rule's weights, or between which two weights
    weights: bool | tuple[float, float] = False
    # Targets whose weights are written after each measurement, by names or node IDs, into RUN.weights.csv
    record: list[str | int] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", checked_watch(self.weights))
        if not isinstance(self.record, list) or any(
            isinstance(name, bool) or not isinstance(name, str | int) for name in self.record
        ):
            raise RuleError(f'record is {shown(self.record)}; give a list of names or node IDs, such as ["1-5"]')

    def check(self, log: Path | None, *, goes_on: bool = False) -> None:
        """Refuse to record without a log, beside which it would be, or in place of a file, unless a run goes on."""
        if self.record and log is None:
            raise RuleError("log.record writes beside the run log; give --log FILE")
        if self.record and log is not None and not goes_on and os.path.lexists(beside(log)):
            raise RuleError(f"{beside(log)} exists already and is kept; give another --log, or move it away")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job file."""

    model: Path  # Python file with `build(...)`, relative to the job file
    parameters: dict[str, Any] = field(default_factory=dict)  # keyword arguments of `build`
    rules: list[RuleTable]  # what to normalize
    interval: Interval  # controller of the interval
    simulate_ms: float  # biological time to simulate in ms
    seed: int = 1  # seed of NEST's random numbers
    threads: int | str = "all"  # threads per rank; "all" is every core for one process, one thread per rank otherwise
    resolution_ms: float = 0.1  # time step of NEST in ms
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)  # checkpoints, if it says where to
    log: LogSettings = field(default_factory=LogSettings)  # what measurements have beside the drift
    sweeps: int = MOST_SWEEPS  # how often norms of both ways are rescaled in turn, at most
    sweep_tolerance: float = SWEEP_TOLERANCE  # drift of incoming norms at which that ends

    def rules_of(self, network: Any) -> list[Rule]:
        """The rules for a network that was built."""
        return rules_of(self.rules, lambda name, what: _named(network, name, what))

    def recorded(self, network: Any) -> Any:
        """Nodes whose weights are recorded in a network that was built; None for none."""
        return recorded(self.log, lambda name, what: _named(network, name, what))

    def num_threads(self, num_ranks: int) -> int:
        """Threads per rank."""
        if self.threads != "all":
            return int(self.threads)
        return len(os.sched_getaffinity(0)) if num_ranks == 1 else 1


def beside(log: Path) -> Path:
    """Where recorded weights are, of the run with this log."""
    return log.with_suffix(".weights.csv")


def recorded(settings: LogSettings, find: Find) -> Any:
    """Nodes whose weights are recorded; None for none."""
    return _found(settings.record, find, "log.record") if settings.record else None


def rules_of(settings: Sequence[RuleTable], find: Find) -> list[Rule]:
    """The rules for a network that stands."""
    return [_prefixed(f"rules[{i}].", table.rule, find) for i, table in enumerate(settings)]


def read_job(path: Path, settings: Sequence[str] = ()) -> Job:
    """Read a job file, with "key=value" settings on top ("table.key=value" inside a table).

    Raises:
        RuleError: The file cannot be read, or something in it makes no sense; the message names file and key.
    """
    content = read_toml(path, "job file")
    for setting in settings:
        override(content, setting)
    try:
        check_values(content)
        return _job(content, path.parent)
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from None


def rule_tables(given: Any) -> list[RuleTable]:
    """The [[rules]] tables, checked."""
    if not isinstance(given, list) or not given:
        raise RuleError("rules is not a list of tables; write [[rules]] above each rule")
    return [_rule(rule, f"rules[{i}].") for i, rule in enumerate(given)]


def _job(content: dict[str, Any], folder: Path) -> Job:
    given = dict(content)
    check_keys(Job, given, "")
    given["rules"] = rule_tables(given["rules"])
    given["interval"] = interval_table(given["interval"])
    model = folder / _typed(given["model"], str, "model")
    if not os.path.isfile(model):
        raise RuleError(f"model is {shorter(str(model))}, which is not a file; give a Python file with build(...)")
    given["model"] = model.absolute()  # the model may change the current folder
    given["parameters"] = _typed(given.get("parameters", {}), dict, "parameters")
    given["simulate_ms"] = _positive(given["simulate_ms"], "simulate_ms")
    given["resolution_ms"] = _positive(given.get("resolution_ms", 0.1), "resolution_ms")
    if given["resolution_ms"] > given["simulate_ms"]:
        raise RuleError(f"resolution_ms is {given['resolution_ms']}, more than simulate_ms of {given['simulate_ms']}")
    given["seed"] = _integer(given.get("seed", 1), "seed", 2**32 - 1)
    if given.get("threads", "all") != "all":
        given["threads"] = _integer(given["threads"], "threads", _MOST_THREADS, ', or "all"')
    given["checkpoint"] = _made(CheckpointSettings, given.get("checkpoint", {}), "checkpoint.")
    given["log"] = log_table(given)
    given |= sweep_settings(given)
    return Job(**given)


def _rule(given: Any, prefix: str) -> RuleTable:
    table = _typed(given, dict, prefix.rstrip("."))
    check_keys(Rule, table, prefix)
    return _prefixed(prefix, RuleTable, table)


def interval_table(given: Any) -> Interval:
    """The controller that the [interval] table describes."""
    table = dict(_typed(given, dict, "interval"))
    kind = table.pop("kind", None)
    if not isinstance(kind, str) or kind not in _INTERVALS:
        wrong = "missing" if kind is None else shown(kind)
        raise RuleError(f"interval.kind is {wrong}; choose one of {', '.join(_INTERVALS)}")
    return _made(_INTERVALS[kind], table, "interval.")


def log_table(content: Mapping[str, Any]) -> LogSettings:
    """The [log] table, or what holds without one."""
    return _made(LogSettings, content.get("log", {}), "log.")


def sweep_settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """`sweeps` and `sweep_tolerance` of a Normalizer, or what holds without them."""
    given = content.get("sweeps", MOST_SWEEPS), content.get("sweep_tolerance", SWEEP_TOLERANCE)
    return dict(zip(("sweeps", "sweep_tolerance"), checked_sweeps(*given), strict=True))


def _made(make: Callable[..., T], given: Any, prefix: str) -> T:
    table = _typed(given, dict, prefix.rstrip("."))
    check_keys(make, table, prefix)
    return _prefixed(prefix, make, **table)


def _prefixed(prefix: str, make: Callable[..., T], *arguments: Any, **table: Any) -> T:
    """Errors begin with the name of a field; say of which table."""
    try:
        return make(*arguments, **table)
    except RuleError as error:
        raise RuleError(f"{prefix}{error}") from None


def _found(given: Any, find: Find, what: str) -> Any:
    """What a name stands for, or several together."""
    if isinstance(given, str):
        return find(given, what)
    return union([find(nodes, what) if isinstance(nodes, str) else [nodes] for nodes in given], what)


def check_keys(schema: Any, given: Mapping[str, Any], prefix: str) -> None:
    """Refuse keys that are no fields of the schema, and miss those without a default."""
    known = {setting.name: setting for setting in fields(schema) if setting.init}
    for key in given:
        if key not in known:
            raise RuleError(f"unknown key {shorter(f'{prefix}{key}')}; known: {', '.join(known)}")
    for name, setting in known.items():
        if setting.default is MISSING and setting.default_factory is MISSING and name not in given:
            raise RuleError(f"{prefix}{name} is missing; known: {', '.join(known)}")


def _typed(value: Any, kind: type[T], name: str) -> T:
    if not isinstance(value, kind):
        raise RuleError(f"{name} is {shown(value)}; give {'a string' if kind is str else 'a table'}")
    return value


def _positive(value: Any, name: str, unit: str = "ms") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_MS:
        raise RuleError(f"{name} is {shown(value)}; give a positive number of {unit}, at most {LONGEST_MS:g}")
    return float(value)


def _integer(value: Any, name: str, most: int, alternative: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise RuleError(f"{name} is {shown(value)}; give a whole number from 1 to {most}{alternative}")
    return value


def _named(network: Any, name: str, what: str) -> Any:
    if not hasattr(network, name):
        known = [attribute for attribute in getattr(network, "__dict__", {}) if not attribute.startswith("_")]
        returned = ", ".join(known) or f"a {type(network).__name__}; return an object whose attributes name populations"
        also = ', nor is it "initial"' if what == "target_norm" else ""
        raise RuleError(f"{what} is {shown(name)}, which build(...) did not return{also}; it returned {returned}")
    return getattr(network, name)
