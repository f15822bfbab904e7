"""The clock of all benchmarks: wall time of an action, and the memory that it takes beside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ...mpi.ranks import Ranks


def seconds_of(action: Callable[[], object]) -> float:
    """Wall time of an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def seconds_of_all(action: Callable[[], object], ranks: Ranks) -> float:
    """Wall time of an action that all ranks begin together, until the last one is done. Collective."""

    def until_all_are_done() -> None:
        action()
        ranks.barrier()

    ranks.barrier()
    return seconds_of(until_all_are_done)


def cost_of(action: Callable[[], object]) -> tuple[float, float]:
    """Wall time of an action, and by how many bytes resident memory grew at most meanwhile."""
    before = begin_peak()
    seconds = seconds_of(action)
    return seconds, peak() - before


def resident() -> float:
    """Memory of this process in bytes, as Linux says it."""
    return _status("VmRSS")


def begin_peak() -> float:
    """Let the peak of memory begin anew; what it begins from, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """The most memory in bytes since `begin_peak`."""
    return _status("VmHWM")


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{field}:"))) * 1024
