"""Which checkpoint to go on from: the newest that is whole, if it is of this run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import CheckpointError, RuleError
from ...mpi.ranks import Ranks
from ..job_file import Job
from . import folder as folders
from . import identity
from .claim import Claim
from .identity import Identity
from .manifest import Manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A whole checkpoint of this run."""

    path: Path  # where it is
    manifest: Manifest  # what it says


def find(claim: Claim, job: Job, observe: bool, resume: bool, ranks: Ranks) -> Found | None:
    """Claim the folder, and find the newest whole checkpoint to resume; None to begin. Collective.

    Raises:
        RuleError: The folder is not this run's, is in use, or the checkpoint is of another run.
        CheckpointError: There are some, but none is whole.
    """
    now = identity.of_job(job, job.num_threads(ranks.size) * ranks.size, observe)
    ranks.from_first(lambda: claim.take(now, resume))
    numbers = ranks.from_first(lambda: folders.numbers(claim.folder)) if resume else []
    for number in numbers:
        path = folders.path_of(claim.folder, number)
        try:
            found: Found = ranks.from_first(partial(_read, claim.folder, number, job, now))
            ranks.together(partial(_verify, found, ranks))
        except CheckpointError as error:
            if ranks.rank == 0:
                log.warning("checkpoint %s is not used: %s", path, error)
            continue
        return found
    if numbers:
        raise CheckpointError(f"no checkpoint in {claim.folder} is whole; move them away to begin anew")
    return None


def _read(folder: Path, number: int, job: Job, now: Identity) -> Found:
    manifest = Manifest.from_json(folders.read_manifest(folder, number))
    found = Found(path=folders.path_of(folder, number), manifest=manifest)
    check_same(found, now)
    steps_ms = manifest.memory.time_steps * job.resolution_ms
    if abs(steps_ms - manifest.time_ms) > 1e-9 * steps_ms:
        raise CheckpointError(f"its manifest is of {manifest.time_ms} ms, and its memory of {steps_ms} ms")
    return found


def _verify(found: Found, ranks: Ranks) -> None:
    """Read the files of the virtual processes of this rank through, before anything is built from them."""
    for part in found.manifest.parts[ranks.rank :: ranks.size]:
        for source in part.open(found.path, found.manifest.members).values():
            with source:
                source.skip()
                source.finish()


def check_same(found: Found, now: Identity, whole: bool = False) -> None:
    """Refuse a checkpoint of another run; `now` and `whole` as `identity.check` takes them."""
    try:
        identity.check(found.manifest.identity, now, whole)
    except RuleError as error:
        raise RuleError(f"cannot go on from checkpoint {found.path}: {error}") from None
