"""A point of a scaling series: what one network did on so many ranks and threads with one seed. One JSON file each.

Ranks merge as in beNNch (Albers et al. 2022, Front Neuroinform 16:837549): times are means over ranks, memory and
counts are sums.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import RuleError
from ...files import outputs
from ...normalizer.measurement import PHASES

OWN = PHASES[1:]  # normalization: all but simulating
UNFINISHED = "did not finish: killed, crashed or still running"


@dataclass(frozen=True, kw_only=True)
class RankRecord:
    """What one rank measured.

    Attributes:
        construction_s: Wall time to build the network.
        seconds: Wall time of each phase, one value per interval; empty where points are not timed.
        waited_s: Wall time, of that to agree, of waiting for the slowest rank, one value per interval; likewise.
        timers: NEST's own timers over all intervals, mean over threads, in s; likewise.
        memory_bytes: Largest resident memory.
        connections: All connections of NEST on this rank.
        spikes: Of this rank's neurons.
        cores: Numbers of the cores that this rank may use.
    """

    construction_s: float | None
    seconds: dict[str, list[float]]
    waited_s: list[float]
    timers: dict[str, float]
    memory_bytes: int
    connections: int
    spikes: int
    cores: list[int]


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point; what was not measured, because of an error or of too few cores, is None or empty.

    Attributes:
        series: "weak" or "strong".
        job: Name of the job.
        ranks: Number of ranks.
        threads: Threads of each.
        seed: Of NEST.
        scale: Size of the network.
        parameters: Of the model.
        error: Why it broke; None if it did not.
        oversubscribed: Whether there were more threads than cores; such points have no times.
        provenance: Versions, machine, MPI, binding.
        neurons: In the network.
        targets: With incoming plastic connections.
        plastic_connections: Those of the rules.
        plastic_bytes: Of one of them.
        interval_ms: Mean time between normalizations.
        intervals: Simulated and measured, after the warm-up.
        allreduces: In these intervals.
        message_bytes: Of one Allreduce.
        per_rank: What each rank measured.
    """

    series: str
    job: str
    ranks: int
    threads: int
    seed: int
    scale: float
    parameters: dict[str, Any]
    error: str | None = UNFINISHED
    oversubscribed: bool = False
    provenance: dict[str, Any]
    neurons: int = 0
    targets: int = 0
    plastic_connections: int = 0
    plastic_bytes: int = 0
    interval_ms: float = 0.0
    intervals: int = 0
    allreduces: int = 0
    message_bytes: int = 0
    per_rank: list[RankRecord] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.series}-{self.job}-{self.split}-seed{self.seed}"

    @property
    def split(self) -> str:
        return f"{self.ranks}x{self.threads}"

    @property
    def virtual_processes(self) -> int:
        return self.ranks * self.threads

    @property
    def timed(self) -> bool:
        return self.error is None and not self.oversubscribed

    def total(self, phase: str) -> float:
        """Seconds in a phase over all intervals, mean over ranks."""
        return float(np.mean([sum(record.seconds[phase]) for record in self.per_rank]))

    @property
    def waited_s(self) -> float:
        """Seconds of waiting for the slowest rank over all intervals, mean over ranks."""
        return float(np.mean([sum(record.waited_s) for record in self.per_rank]))

    def typical(self, phase: str) -> float:
        """Seconds of a phase, or of "wait", in one interval, median over the intervals of the mean over ranks."""
        records = [record.waited_s if phase == "wait" else record.seconds[phase] for record in self.per_rank]
        return float(np.median(np.mean(records, axis=0)))

    @property
    def construction_s(self) -> float:
        return float(np.mean([record.construction_s for record in self.per_rank if record.construction_s is not None]))

    def summed(self, name: str) -> int:
        """Memory, connections or spikes over all ranks."""
        return sum(int(getattr(record, name)) for record in self.per_rank)


def path_of(point: Point, folder: Path) -> Path:
    """File of a point."""
    return folder / f"{point.name}.json"


def check_free(point: Point, folder: Path) -> None:
    """Refuse a point whose file is there already.

    Raises:
        RuleError: It is.
    """
    path = path_of(point, folder)
    if path.exists():
        raise RuleError(f"point {path} exists already and is kept; give another folder, or move it away")


def write(point: Point, folder: Path) -> None:
    """Write a point, whole or not at all, in place of an older version of itself.

    Raises:
        RuleError: It cannot be written.
    """
    outputs.results_folder(folder)
    outputs.write(path_of(point, folder), (json.dumps(asdict(point), indent=1) + "\n").encode())


def read(path: Path) -> Point | None:
    """The point in a file, or None if the file is something else.

    Raises:
        RuleError: It cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RuleError(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict) or set(content) != {attribute.name for attribute in fields(Point)}:
        return None
    per_rank = [RankRecord(**record) for record in content.pop("per_rank")]
    return Point(**content, per_rank=per_rank)


def read_folder(folder: Path) -> list[Point]:
    """All points of a folder, by name.

    Raises:
        RuleError: There are none, or one cannot be read.
    """
    found = [point for path in sorted(folder.glob("*.json")) if (point := read(path)) is not None]
    if not found:
        raise RuleError(f"{folder} holds no points; distnorm bench scaling makes them")
    return found
