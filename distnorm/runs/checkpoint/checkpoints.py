"""Writing checkpoints of a run, and going on from one."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import nest
import numpy as np
import numpy.typing as npt

from ...errors import CheckpointError, RuleError
from ...mpi.ranks import Ranks
from ...normalizer.normalizer import Normalizer
from ...normalizer.state import NormalizerState
from ...synapses.connection_rows import Connections
from ..job_file import Job
from . import folder as folders
from . import identity
from .claim import Claim
from .find import Found, check_same
from .manifest import Manifest, ModelEntry
from .part import NORM, Part
from .rows import fingerprints, on_each, read_part, write_part

log = logging.getLogger(__name__)

_ANOTHER = "build(...) made another network than the one it is of"


class Checkpoints:
    """The checkpoints of a run."""

    def __init__(
        self, claim: Claim, job: Job, observe: bool, normalizer: Normalizer, ranks: Ranks, resumes: int
    ) -> None:
        """Find the connections to keep, of a run that was resumed so often, this time included. Collective."""
        self._claim = claim
        self._normalizer = normalizer
        self._ranks = ranks
        self._resumes = resumes
        models = [name for rule in normalizer.rules for name in rule.synapse_models]
        self._connections = Connections(nest, ranks, models)
        of_job = identity.of_job(job, self._connections.num_virtual, observe)
        self._of_rules = of_job | identity.of_rules(normalizer.rules, ranks)
        self._identity = self._of_rules | ranks.from_first(lambda: identity.of_files(job.model))
        if self._connections.left_out and ranks.rank == 0:
            log.warning(
                "checkpoints are without %s: the kernel does not know it", ", ".join(self._connections.left_out)
            )

    def open(self, found: Found | None) -> None:
        """Bring the network to where the checkpoint was, if there is one; then the folder is this run's. Collective.

        Raises:
            RuleError: Connections, rules or model are not those of the checkpoint; nothing has been changed.
            CheckpointError: A file was damaged since it was found whole, or the folder cannot be written.
        """
        if found is not None:
            self._resume(found)
        self._ranks.from_first(self._claim.mark)

    def save(self, log_bytes: int | None) -> tuple[Path, int]:
        """Write a checkpoint; where it is, and its bytes. `log_bytes` is the size of rank 0's run log. Collective.

        Raises:
            CheckpointError: It cannot be written; those before it are as they were.
        """
        now_ms = float(nest.biological_time)
        state = self._normalizer.state()
        try:
            number, partial = self._ranks.from_first(self._claim.begin)
            parts = self._ranks.gather(self._ranks.together(lambda: self._write(partial, now_ms, state)))
            size = self._ranks.from_first(lambda: self._commit(number, state, parts, log_bytes))
        finally:
            if self._ranks.rank == 0:
                with suppress(CheckpointError):
                    self._claim.tidy()
        return folders.path_of(self._claim.folder, number), size

    def _write(self, partial: Path, now_ms: float, state: NormalizerState) -> list[Part]:
        norms, connections = _table(state), self._connections
        by_virtual = norms["target"] % connections.num_virtual
        return on_each(
            connections,
            lambda thread: write_part(
                partial, connections, thread, now_ms, norms[by_virtual == connections.virtual[thread]]
            ),
        )

    def _commit(
        self, number: int, state: NormalizerState, parts: list[list[Part]] | None, log_bytes: int | None
    ) -> int:
        every = sorted((part for of_rank in parts or [] for part in of_rank), key=lambda part: part.virtual)
        manifest = Manifest(
            distnorm=version("distnorm"),
            nest=nest.__version__,
            written=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            time_ms=state.time_steps * float(nest.resolution),
            resumes=self._resumes,
            log_bytes=log_bytes,
            identity=self._identity,
            memory=state,
            models=self._models,
            parts=tuple(every),
        )
        folders.commit(self._claim.folder, number, manifest)
        return sum(part.bytes for part in every)

    @property
    def _models(self) -> tuple[ModelEntry, ...]:
        return tuple(ModelEntry(name=model.name, state=model.state) for model in self._connections.models)

    def _resume(self, found: Found) -> None:
        """Put weights, state, norms and the controller's state back. Collective."""
        check_same(found, self._of_rules)
        self._connections.sort()
        parts, connections = found.manifest.parts, self._connections
        now_ms, now = float(nest.biological_time), self._normalizer.state()
        self._ranks.together(lambda: self._check_network(found, now))
        check_same(found, self._identity, whole=True)
        tables = self._ranks.together(
            lambda: on_each(
                connections,
                lambda thread: read_part(found.path, connections, thread, parts[connections.virtual[thread]], now_ms),
            )
        )
        norms = np.concatenate(tables)
        initial = tuple(
            (of_one["target"].astype(np.int64), of_one["norm"])
            for of_one in (norms[norms["of"] == of] for of in range(len(now.initial_norms)))
        )
        self._normalizer.restore(replace(found.manifest.memory, initial_norms=initial))

    def _check_network(self, found: Found, now: NormalizerState) -> None:
        """Compare models, connections and controller with those of a checkpoint."""
        refused = f"cannot go on from checkpoint {found.path}: {_ANOTHER}"
        saved = found.manifest.models
        if saved != self._models:
            raise RuleError(f"{refused} (models {_named(self._models)}; it has {_named(saved)})")
        was, is_now = found.manifest.memory.state, now.state
        if type(was) is not type(is_now) or (was is not None and is_now is not None and was.clock != is_now.clock):
            raise RuleError(f"{refused} (the controller knew {was}, and begins with {is_now})")
        live = on_each(self._connections, lambda thread: fingerprints(self._connections, thread))
        for thread, virtual in enumerate(self._connections.virtual):
            part = found.manifest.parts[virtual]
            for i, model in enumerate(self._connections.models):
                count = self._connections.count(thread, model)
                if (count, live[thread][i]) != (part.rows[i], part.fingerprints[i]):
                    raise RuleError(
                        f"{refused} (connections of {model.name} on virtual process {virtual}: {count:,}; it has "
                        f"{part.rows[i]:,}, or others)"
                    )


def _table(state: NormalizerState) -> npt.NDArray[np.void]:
    """Initial norms of the targets on this rank, dtype NORM."""
    tables = [np.zeros(0, NORM)]
    for of, (targets, norms) in enumerate(state.initial_norms):
        table = np.zeros(len(targets), NORM)
        table["of"], table["target"], table["norm"] = of, targets, norms
        tables.append(table)
    return np.concatenate(tables)


def _named(models: tuple[ModelEntry, ...]) -> str:
    return ", ".join(model.name for model in models) or "none"
