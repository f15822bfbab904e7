"""Files of recorders in a run that goes on: NEST cannot append to them, so they go on under other names."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ...mpi.ranks import Ranks

_INTO_FILES = ("ascii", "sionlib")


def name_anew(nest: Any, ranks: Ranks, time_ms: float) -> str:
    """Give the files of all recorders names that none has yet, when a run goes on from `time_ms`.

    Collective, before the network is prepared.

    Returns:
        What was done, for the user; empty where no recorder writes a file.
    """
    recorders = nest.GetNodes({"element_type": "recorder"})
    backends = [recorder.get("record_to") for recorder in recorders] if len(recorders) else []
    writing = sorted({recorder.model for recorder, to in zip(recorders, backends, strict=True) if to in _INTO_FILES})
    if not writing:
        return ""
    folder, prefix = Path(nest.data_path or "."), nest.data_prefix
    nest.data_prefix = new = ranks.from_first(lambda: _free(folder, prefix))
    return (
        f"{', '.join(writing)}: NEST cannot append to files of recorders; what they record from {time_ms:g} ms on goes "
        f"to files that begin with {new!r}, and files of before may hold some of it, too"
    )


def _free(folder: Path, prefix: str) -> str:
    taken = {path.name for path in folder.iterdir()}
    candidates = (f"{prefix}resumed{number}-" for number in itertools.count(1))
    return next(candidate for candidate in candidates if not any(name.startswith(candidate) for name in taken))
