"""Which checkpoint to go on from: the newest that is whole, if it is of this job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Job
from ..errors import CheckpointError, RuleError
from ..parallel import Ranks
from . import folder as folders
from . import identity
from .npy import Reader
from .rows import Part

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A whole checkpoint of this job.

    Attributes:
        path: Where it is.
        number: Its number.
        manifest: What it says.
    """

    path: Path
    number: int
    manifest: dict[str, Any]

    @property
    def time_ms(self) -> float:
        """Simulated time at the checkpoint."""
        return float(self.manifest["time_ms"])

    @property
    def resumes(self) -> int:
        """How often the run had been resumed."""
        return int(self.manifest["resumes"])

    @property
    def log_bytes(self) -> int | None:
        """Size of the run log at the checkpoint; None if there was none."""
        return self.manifest["log_bytes"]  # type: ignore[no-any-return]

    @property
    def parts(self) -> list[Part]:
        """Of all virtual processes, by number."""
        return [folders.part_from_json(each) for each in self.manifest["parts"]]


def find(folder: Path, job: Job, observe: bool, ranks: Ranks) -> Found | None:
    """The newest whole checkpoint; None if there is none at all. Collective.

    Raises:
        RuleError: It is of another job or another number of virtual processes.
        CheckpointError: There are some, but none is whole.
    """
    numbers = ranks.from_first(lambda: folders.numbers(folder))
    now = identity.of_job(job, job.num_threads(ranks.size) * ranks.size, observe)
    for number in numbers:
        path = folders.path_of(folder, number)
        try:
            manifest = ranks.from_first(lambda number=number: folders.read_manifest(folder, number))  # type: ignore[misc]
            found = Found(path=path, number=number, manifest=manifest)
            check_same(found, now)
            ranks.together(lambda found=found: _verify(found, ranks))  # type: ignore[misc]
        except CheckpointError as error:
            if ranks.rank == 0:
                log.warning("checkpoint %s is not used: %s", path, error)
            continue
        return found
    if numbers:
        raise CheckpointError(f"no checkpoint in {folder} is whole; move them away to begin anew")
    return None


def _verify(found: Found, ranks: Ranks) -> None:
    """Read the files of the virtual processes of this rank through, before anything is built from them."""
    for part in found.parts[ranks.rank :: ranks.size]:
        for entry, dtype in part.files():
            with Reader(found.path, entry, dtype) as source:
                source.skip()
                source.finish()


def check_same(found: Found, now: dict[str, Any]) -> None:
    """Refuse a checkpoint of another run; `now` as `identity` gives it.

    Raises:
        RuleError: With what differs.
    """
    try:
        identity.check(found.manifest["identity"], now)
    except RuleError as error:
        raise RuleError(f"cannot go on from checkpoint {found.path}: {error}") from None
