"""Is a checkpoint one of this job? What must be the same, and the sentence if it is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..config import Job
from ..errors import RuleError
from ..rule import Rule

FORMAT = 1
# As given to Rule; what it makes of them counts.
_INPUTS = ("synapse_model", "targets", "sources", "target_norm", "receptor_type", "label", "exclude")


def of_job(job: Job, num_virtual: int, observe: bool) -> dict[str, Any]:
    """What is known before the network is built, as JSON."""
    return {
        "checkpoint format": FORMAT,
        "virtual processes": num_virtual,
        "model": job.model.name,
        "seed": job.seed,
        "resolution_ms": job.resolution_ms,
        "parameters": json.loads(json.dumps(job.parameters, default=repr, sort_keys=True)),
        "interval": repr(job.interval),
        "--observe": observe,
    }


def of_rules(rules: Sequence[Rule]) -> dict[str, Any]:
    """What is known when it stands, as JSON."""
    return {"rules": [rule_hash(rule) for rule in rules]}


def rule_hash(rule: Rule) -> str:
    """Of all that a rule says, norms per target included."""
    digest = hashlib.sha256()
    for each in fields(rule):
        if each.name not in _INPUTS:
            value = getattr(rule, each.name)
            if isinstance(value, np.ndarray):
                digest.update(f"{each.name}: {value.dtype} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).data)
            else:
                digest.update(f"{each.name}: {value!r}".encode())
    return digest.hexdigest()


def check(saved: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse a checkpoint of another run.

    Raises:
        RuleError: With what differs.
    """
    for key, value in now.items():
        if saved.get(key) == value:
            continue
        if key == "virtual processes":
            raise RuleError(
                f"it is of {saved[key]} virtual processes, and this run has {value}; "
                f"start ranks and threads of which the product is {saved[key]}"
            )
        if key == "rules":
            raise RuleError("it is of a run with other rules; a run goes on with the same ones")
        if key == "parameters":
            name, was, is_now = _first_difference(saved[key], value)
            raise RuleError(f"it is of a run with parameters.{name} {was}, and here it is {is_now}; make them the same")
        raise RuleError(f"it is of a run with {key} {saved.get(key)}, and here it is {value}; make them the same")


def _first_difference(saved: dict[str, Any], now: dict[str, Any]) -> tuple[str, Any, Any]:
    key = next(key for key in sorted({*saved, *now}) if saved.get(key) != now.get(key))
    return key, saved.get(key, "left out"), now.get(key, "left out")
