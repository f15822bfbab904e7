"""Is a checkpoint one of this run? What must be the same, as texts by name, and the sentence where something is not."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import RuleError
from ...mpi.ranks import Ranks
from ...rules.digest import rule_hash
from ...rules.node_ids import Int64Array
from ...rules.rule import Rule
from ..job_file import Job
from .manifest import VIRTUAL

Identity = dict[str, str]

FORMAT = 3
_PARAMETERS = "parameters."
_FILES = "file "


def of_job(job: Job, num_virtual: int, observe: bool) -> Identity:
    """What is known before the network is built."""
    return {
        "checkpoint format": str(FORMAT),
        VIRTUAL: str(num_virtual),
        "model": job.model.name,
        "seed": str(job.seed),
        "resolution_ms": str(job.resolution_ms),
        "interval": repr(job.interval),
        "--observe": str(observe),
    } | {f"{_PARAMETERS}{name}": _text(value) for name, value in job.parameters.items()}


def of_rules(rules: Sequence[Rule], ranks: Ranks) -> Identity:
    """What is known when it stands, of the rules. Collective."""
    pairs = ranks.gather([sum_of_pairs(rule.excluded, ranks) for rule in rules])

    def on_first() -> Identity:
        sums = np.array(pairs, np.uint64).sum(axis=0, dtype=np.uint64).tolist()
        texts = [f"{rule_hash(rule)} {of_pairs:x}" for rule, of_pairs in zip(rules, sums, strict=True)]
        return {"rules": ", ".join(texts)}

    return ranks.from_first(on_first)


def of_files(model: Path) -> Identity:
    """The model's file and the modules beside it that were imported, packages included, by a hash of their content."""
    folder = model.resolve().parent
    paths = {model.name: model} | {str(path.relative_to(folder)): path for path in _imported_from(folder)}
    return {f"{_FILES}{name}": _hash(path) for name, path in paths.items()}


def _imported_from(folder: Path) -> list[Path]:
    """Files of modules that `import` finds in the folder itself; what is installed somewhere below it is none."""
    there = {name.split(".")[0] for name in os.listdir(folder)} - {__name__.split(".")[0]}
    found = []
    for name, module in list(sys.modules.items()):
        names, file = name.split("."), getattr(module, "__file__", None)
        if names[0] in there and isinstance(file, str):
            path = Path(file).resolve()
            place = [*path.parent.parts, path.name.split(".")[0]]
            if place in ([*folder.parts, *names], [*folder.parts, *names, "__init__"]):
                found.append(path)
    return found


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RuleError(f"cannot read {path}, of which the model is made: {error.strerror}") from None


def sum_of_pairs(excluded: Int64Array, ranks: Ranks) -> int:
    """Sum of hashes of the pairs whose target is on this rank, modulo 2^64; over all ranks the same on any split."""
    mine = excluded[excluded[:, 0] % ranks.size == ranks.rank].astype(np.uint64)
    return int(_mixed(_mixed(mine[:, 0]) ^ mine[:, 1]).sum(dtype=np.uint64))


def _mixed(x: Any) -> Any:
    """The finalizer of splitmix64 (https://prng.di.unimi.it/splitmix64.c)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _text(value: Any) -> str:
    """A parameter; tables and sets are without order."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{key!r}: {_text(item)}' for key, item in value.items()))}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value)


def check(saved: Identity, now: Identity, whole: bool = False) -> None:
    """Refuse what is of another run.

    Args:
        saved: Of the run that wrote it.
        now: Of this one.
        whole: Whether that is all there will be to know of it.
    """
    more = [key for key in saved if whole or key.startswith(_PARAMETERS)]
    for key in sorted({*now, *more}):
        if saved.get(key) != now.get(key):
            raise RuleError(_difference(key, saved.get(key, "left out"), now.get(key, "left out")))


def _difference(key: str, was: str, is_now: str) -> str:
    if key == VIRTUAL:
        return (
            f"it is of {was} virtual processes, and this run has {is_now}; "
            f"start ranks and threads of which the product is {was}"
        )
    if key == "rules":
        return "it is of a run with other rules; a run goes on with the same ones"
    if key.startswith(_FILES):
        return f"it is of a run with another {key}; a run goes on with the model that it began with"
    return f"it is of a run with {key} {was}, and here it is {is_now}; make them the same"
