"""What the manifest of a checkpoint says. It may come from anybody: each field is checked before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import CheckpointError
from ...files.typed_json import from_json
from ...normalizer.state import NormalizerState
from .part import Part

VIRTUAL = "virtual processes"
"""Key of the identity."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A synapse model."""

    name: str  # its name in NEST
    state: tuple[str, ...]  # names of the members that come beside the weight


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint is of."""

    distnorm: str  # version that wrote it
    nest: str  # version that simulated
    written: str  # when
    time_ms: float  # simulated time
    resumes: int  # how often the run had been resumed
    log_bytes: int | None  # size of the run log; None if there was none
    identity: dict[str, str]  # of the run, see identity.py
    memory: NormalizerState  # what the Normalizer knew
    models: tuple[ModelEntry, ...]  # in the order in which rows name them
    parts: tuple[Part, ...]  # of all virtual processes, by number

    @property
    def members(self) -> list[int]:
        """Of each model, how many come beside the weight."""
        return [len(model.state) for model in self.models]

    @classmethod
    def from_json(cls, given: Any) -> Manifest:
        """The manifest again."""
        try:
            manifest: Manifest = from_json(given, cls, "manifest")
            manifest._check()
        except ValueError as error:
            raise CheckpointError(f"its manifest is not what a run writes: {error}") from None
        return manifest

    def _check(self) -> None:
        self.memory.check()
        if not 0 <= self.time_ms < 1e100 or self.memory.normalized_ms > self.time_ms * (1 + 1e-9):
            raise ValueError(f"time_ms is {self.time_ms}, and memory.normalized_ms {self.memory.normalized_ms}")
        if not 0 <= self.resumes < 2**32:
            raise ValueError(f"resumes is {self.resumes}")
        if self.log_bytes is not None and self.log_bytes < 0:
            raise ValueError(f"log_bytes is {self.log_bytes}")
        if self.identity.get(VIRTUAL) != str(len(self.parts)):
            raise ValueError(f"{len(self.parts)} parts of {self.identity.get(VIRTUAL)} virtual processes")
        for number, part in enumerate(self.parts):
            part.check(number, self.members)
