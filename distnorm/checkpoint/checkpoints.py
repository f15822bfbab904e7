"""Writing checkpoints of a run, and going on from one."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path

import nest
import numpy as np
import numpy.typing as npt

from .. import __version__
from ..config import Job
from ..errors import CheckpointError, RuleError
from ..memory import Memory
from ..normalizer import Normalizer
from ..parallel import Ranks
from ..synapses.export import Connections
from . import folder as folders
from . import identity
from .find import Found, check_same
from .rows import NORM, Part, fingerprints, on_each, read_part, write_part

log = logging.getLogger(__name__)

_ANOTHER = "build(...) made another network than the one it is of"


class Checkpoints:
    """The checkpoints of a run."""

    def __init__(
        self, folder: Path, job: Job, observe: bool, normalizer: Normalizer, ranks: Ranks, resumes: int
    ) -> None:
        """Find the connections to keep. Collective.

        Args:
            folder: Where to; made if need be.
            job: The job.
            observe: Whether weights are only measured.
            normalizer: Of the network as it stands.
            ranks: All ranks.
            resumes: How often the run has been resumed, this time included.

        Raises:
            CheckpointError: The folder cannot be made.
            DistnormError: Connections of this network cannot be kept.
        """
        self._folder = folder
        self._normalizer = normalizer
        self._ranks = ranks
        self._resumes = resumes
        ranks.from_first(lambda: folders.make(folder))
        models = [name for rule in normalizer.rules for name in rule.synapse_models]
        self._connections = Connections(nest, ranks, models)
        of_job = identity.of_job(job, self._connections.num_virtual, observe)
        self._identity = of_job | identity.of_rules(normalizer.rules)
        if self._connections.left_out and ranks.rank == 0:
            log.warning(
                "checkpoints are without %s: the kernel does not know it", ", ".join(self._connections.left_out)
            )

    def save(self, log_bytes: int | None) -> tuple[Path, int]:
        """Write a checkpoint. Collective.

        Args:
            log_bytes: Size of the run log by now, on rank 0.

        Returns:
            Where it is, and its bytes.

        Raises:
            CheckpointError: It cannot be written; those before it are as they were.
        """
        now_ms = float(nest.biological_time)
        memory = self._normalizer.schedule.memory(now_ms)
        numbers = self._ranks.from_first(lambda: folders.numbers(self._folder))
        number = numbers[0] + 1 if numbers else 1
        try:
            partial = self._ranks.from_first(lambda: folders.begin(self._folder, number))
            parts = self._ranks.gather(self._ranks.together(lambda: self._write(partial, now_ms)))
            size = self._ranks.from_first(lambda: self._commit(number, memory, parts, log_bytes))
        except CheckpointError:
            if self._ranks.rank == 0:
                folders.discard(self._folder)
            raise
        return folders.path_of(self._folder, number), size

    def _write(self, partial: Path, now_ms: float) -> list[Part]:
        norms, connections = self._norms(), self._connections
        by_virtual = norms["target"] % connections.num_virtual
        return on_each(
            connections,
            lambda thread: write_part(
                partial, connections, thread, now_ms, norms[by_virtual == connections.virtual[thread]]
            ),
        )

    def _commit(self, number: int, memory: Memory, parts: list[list[Part]] | None, log_bytes: int | None) -> int:
        every = sorted((part for of_rank in parts or [] for part in of_rank), key=lambda part: part.virtual)
        manifest = {
            "distnorm": __version__,
            "nest": nest.__version__,
            "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "time_ms": self._normalizer.schedule.time_of(memory),
            "resumes": self._resumes,
            "log_bytes": log_bytes,
            "identity": self._identity,
            "memory": memory.as_json(),
            "models": [{"name": model.name, "state": list(model.state)} for model in self._connections.models],
            "parts": [folders.part_as_json(part) for part in every],
        }
        folders.commit(self._folder, number, manifest)
        return sum(entry.bytes for part in every for entry, _ in part.files())

    def _norms(self) -> npt.NDArray[np.void]:
        """Initial norms of the targets on this rank, dtype NORM."""
        tables = []
        for of, initial in enumerate(self._normalizer.weights.initial_norms):
            targets, norms = initial.known()
            table = np.zeros(len(targets), NORM)
            table["of"], table["target"], table["norm"] = of, targets, norms
            tables.append(table)
        return np.concatenate(tables) if tables else np.zeros(0, NORM)

    def resume(self, found: Found) -> None:
        """Put weights, state, norms and the controller's state back. Collective.

        Raises:
            RuleError: The connections, or the rules, are not those of the checkpoint; nothing has been changed.
            CheckpointError: A file was damaged since it was found whole.
        """
        check_same(found, self._identity)
        self._connections.sort()
        parts, connections = found.parts, self._connections
        self._ranks.together(lambda: self._check_connections(found, parts))
        now_ms = float(nest.biological_time)
        tables = self._ranks.together(
            lambda: on_each(
                connections,
                lambda thread: read_part(found.path, connections, thread, parts[connections.virtual[thread]], now_ms),
            )
        )
        norms = np.concatenate(tables)
        for of, initial in enumerate(self._normalizer.weights.initial_norms):
            mine = norms[norms["of"] == of]
            initial.recall(mine["target"].astype(np.int64), mine["norm"])
        schedule = self._normalizer.schedule
        schedule.recall(Memory.from_json(found.manifest["memory"], schedule.memory(now_ms)))

    def _check_connections(self, found: Found, parts: list[Part]) -> None:
        names = [model.name for model in self._connections.models]
        saved = [model["name"] for model in found.manifest["models"]]
        if names != saved:
            raise RuleError(f"cannot go on from checkpoint {found.path}: {_ANOTHER} (models {names}; it has {saved})")
        live = on_each(self._connections, lambda thread: fingerprints(self._connections, thread))
        for thread, virtual in enumerate(self._connections.virtual):
            for i, name in enumerate(names):
                if live[thread][i] != parts[virtual].fingerprints[i]:
                    raise RuleError(
                        f"cannot go on from checkpoint {found.path}: {_ANOTHER} (connections of {name} on virtual "
                        f"process {virtual}: {self._connections.count(thread, self._connections.models[i]):,}; it has "
                        f"{parts[virtual].rows[i]:,}, or others)"
                    )
