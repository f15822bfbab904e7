"""Made-up checkpoints: whole, of two virtual processes, without NEST."""

from dataclasses import replace

import numpy as np

from distnorm.normalizer.state import NormalizerState
from distnorm.runs.checkpoint import folder as folders
from distnorm.runs.checkpoint.manifest import VIRTUAL, Manifest, ModelEntry
from distnorm.runs.checkpoint.npy import Writer
from distnorm.runs.checkpoint.part import NORM, Part, file_name
from distnorm.synapses.connection_rows import ROW

IDENTITY = {VIRTUAL: "2", "seed": "1"}
ROWS = 5


def manifest(state=None, parts=()):
    """Of so many parts; without any it is of none."""
    return Manifest(
        distnorm="0.1.0",
        nest="3.10.0",
        written="2026-01-01T12:00:00+00:00",
        time_ms=12.5,
        resumes=0,
        log_bytes=None,
        identity=IDENTITY | {VIRTUAL: str(len(parts))},
        memory=NormalizerState(time_steps=125, steps_left=4, normalized_ms=12.0, hint=False, state=state),
        models=(ModelEntry(name="stdp_synapse", state=("Kplus", "t_lastspike")),),
        parts=tuple(parts),
    )


def _array(path, array):
    with Writer(path, array.dtype, array.size) as out:
        out.write(array)
        return out.finish()


def _part(folder, virtual):
    rows = np.zeros(ROWS, ROW)
    rows["source"], rows["target"], rows["weight"] = np.arange(ROWS), virtual + 1, 0.5
    norms = np.zeros(1, NORM)
    return Part(
        virtual=virtual,
        rows=(ROWS,),
        fingerprints=(2**64 - 1,),
        weights=_array(folder / file_name("weights", virtual), rows),
        state=_array(folder / file_name("state", virtual), np.zeros((ROWS, 2))),
        norms=_array(folder / file_name("norms", virtual), norms),
    )


def checkpoint(folder, number, state=None, identity=IDENTITY):
    """Write a whole checkpoint; its manifest. Where it was begun, go on there."""
    partial = folder / f".{number:08}-partial"
    if not partial.exists():
        folders.begin(folder, number)
    made = manifest(state, [_part(partial, virtual) for virtual in (0, 1)])
    folders.commit(folder, number, replace(made, identity=identity))
    return made
