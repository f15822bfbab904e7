"""What a rule says, in a few bytes: the same on every rank, and in the run that goes on from a checkpoint."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from .rule import Rule

# As given to Rule; what it makes of them counts. Excluded pairs may be those of this rank's targets only.
_NOT_HASHED = ("synapse_model", "targets", "sources", "target_norm", "receptor_type", "label", "exclude", "excluded")


def rule_hash(rule: Rule) -> str:
    """Of what a rule says, norms per target included, excluded pairs apart."""
    digest = hashlib.sha256()
    for field in fields(rule):
        if field.name not in _NOT_HASHED:
            value = getattr(rule, field.name)
            if isinstance(value, np.ndarray):
                digest.update(f"{field.name}: {value.dtype} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).data)
            else:
                digest.update(f"{field.name}: {value!r}".encode())
    return digest.hexdigest()
