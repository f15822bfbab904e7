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
    """A synapse model.

    Attributes:
        name: Its name in NEST.
        state: Names of the members that come beside the weight.
    """

    name: str
    state: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint is of.

    Attributes:
        distnorm: Version that wrote it.
        nest: Version that simulated.
        written: When.
        time_ms: Simulated time.
        resumes: How often the run had been resumed.
        log_bytes: Size of the run log; None if there was none.
        identity: Of the run, see identity.py.
        memory: What the Normalizer knew.
        models: In the order in which rows name them.
        parts: Of all virtual processes, by number.
    """

    distnorm: str
    nest: str
    written: str
    time_ms: float
    resumes: int
    log_bytes: int | None
    identity: dict[str, str]
    memory: NormalizerState
    models: tuple[ModelEntry, ...]
    parts: tuple[Part, ...]

    @property
    def members(self) -> list[int]:
        """Of each model, how many come beside the weight."""
        return [len(model.state) for model in self.models]

    @classmethod
    def from_json(cls, given: Any) -> Manifest:
        """The manifest again.

        Raises:
            CheckpointError: It is not what a run writes.
        """
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
