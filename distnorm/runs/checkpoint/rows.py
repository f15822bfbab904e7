"""The files of one virtual process: its connections, their state, and initial norms of its targets.

weights-00003.npy  a row per connection (synapses/export.py), model after model, by source within a model
state-00003.npy    the other members that change, row after row, as the models have them; absent where none has any
norms-00003.npy    norms at the start of a run, where a rule or observing needs them

A virtual process is the same whatever ranks and threads it is on, so any split of the same ones reads back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ...errors import CheckpointError
from ...norms.sums import FloatArray
from ...synapses.connection_rows import KEY_BYTES, ROW, Connections
from .npy import Entry, Reader, Writer
from .part import DOUBLE, NORM, Part, file_name

T = TypeVar("T")

_BLOCK = 32_768  # rows at a time


def on_each(connections: Connections, action: Callable[[int], T]) -> list[T]:
    """Results of action(thread) for the threads of this rank, at the same time: NEST's code leaves the interpreter."""
    threads = range(len(connections.virtual))
    if len(threads) == 1:
        return [action(0)]
    with ThreadPoolExecutor(len(threads)) as pool:
        return list(pool.map(action, threads))


def write_part(folder: Path, connections: Connections, thread: int, now_ms: float, norms: npt.NDArray[np.void]) -> Part:
    """Write the files of the virtual process that a thread is.

    Args:
        folder: Where to.
        connections: Those of this rank.
        thread: The thread.
        now_ms: Time on NEST's clock, from which times in the state are counted.
        norms: Initial norms of its targets, shape (n,), dtype NORM.
    """
    virtual = connections.virtual[thread]
    counts = tuple(connections.count(thread, model) for model in connections.models)
    doubles = sum(n * len(model.state) for n, model in zip(counts, connections.models, strict=True))
    weights_path, state_path, norms_path = (folder / file_name(kind, virtual) for kind in ("weights", "state", "norms"))
    try:
        state_out = Writer(state_path, DOUBLE, doubles) if doubles else None
        with Writer(weights_path, ROW, sum(counts)) as out:
            fingerprints = tuple(
                _write_model(connections, thread, model, counts[model], now_ms, out, state_out)
                for model in range(len(counts))
            )
            weights, state = out.finish(), state_out.finish() if state_out else None
        norms_entry = _write_norms(norms_path, norms) if len(norms) else None
    except OSError as error:
        raise CheckpointError(f"cannot write checkpoint {folder}: {error.strerror}") from None
    return Part(
        virtual=virtual, rows=counts, fingerprints=fingerprints, weights=weights, state=state, norms=norms_entry
    )


def _write_model(
    connections: Connections, thread: int, model: int, count: int, now_ms: float, out: Writer, state_out: Writer | None
) -> int:
    fingerprint = 0
    for _, rows, state in _blocks(connections, thread, model, count):
        fingerprint += connections.fingerprint(rows)
        out.write(rows)
        if state.size and state_out is not None:
            state[:, connections.models[model].times] -= now_ms
            state_out.write(state)
    return fingerprint % 2**64


def _write_norms(path: Path, norms: npt.NDArray[np.void]) -> Entry:
    with Writer(path, NORM, len(norms)) as out:
        out.write(norms)
        return out.finish()


def fingerprints(connections: Connections, thread: int) -> tuple[int, ...]:
    """Sums of hashes of the live connections of each model."""
    counts = [connections.count(thread, model) for model in connections.models]
    return tuple(
        sum(connections.fingerprint(rows) for _, rows, _ in _blocks(connections, thread, model, counts[model])) % 2**64
        for model in range(len(counts))
    )


def _blocks(connections: Connections, thread: int, model: int, count: int) -> Any:
    """Number of the first row, rows and state of each block; the arrays are used again for the next."""
    rows = np.zeros(min(_BLOCK, count), ROW)
    state = np.zeros((len(rows), len(connections.models[model].state)))
    for first in range(0, count, _BLOCK):
        n = min(_BLOCK, count - first)
        connections.read(thread, model, first, rows[:n], state[:n])
        yield first, rows[:n], state[:n]


def read_part(folder: Path, connections: Connections, thread: int, part: Part, now_ms: float) -> npt.NDArray[np.void]:
    """Put weights and state back into the live connections, which have the fingerprints of the part.

    Args:
        folder: Where from.
        connections: Of this rank.
        thread: Thread of the virtual process.
        part: What the manifest says of it.
        now_ms: Time on NEST's clock.

    Returns:
        Norms of its targets, shape (n,), dtype NORM.

    Raises:
        CheckpointError: A file is damaged; weights may have been changed.
    """
    members = [len(model.state) for model in connections.models]
    with ExitStack() as stack:
        readers = {kind: stack.enter_context(reader) for kind, reader in part.open(folder, members).items()}
        for model, count in enumerate(part.rows):
            _read_model(connections, thread, model, count, now_ms, readers["weights"], readers.get("state"))
        norms = np.zeros(readers["norms"].count if part.norms else 0, NORM)
        if part.norms:
            readers["norms"].read(norms)
            if not np.isfinite(norms["norm"]).all():
                raise CheckpointError(f"{readers['norms'].path} is damaged: a norm is not finite")
        for reader in readers.values():
            reader.finish()
    return norms


def _read_model(
    connections: Connections, thread: int, model: int, left: int, now_ms: float, source: Reader, states: Reader | None
) -> None:
    """Block by block, each up to the end of a source, as NEST may have sorted its targets otherwise."""
    rows = np.zeros(min(_BLOCK, left), ROW)
    state = np.zeros((len(rows), len(connections.models[model].state)))
    live, live_state = np.zeros_like(rows), np.zeros_like(state)
    first = have = 0
    while have or left:
        n = min(len(rows) - have, left)
        source.read(rows[have : have + n])
        if state.size and states is not None:
            states.read(state[have : have + n])
        have, left = have + n, left - n
        whole = have if not left else _before_last_source(rows[:have])
        if whole == 0:  # one source has more targets here than fit
            rows = np.concatenate((rows, np.zeros_like(rows)))
            state = np.concatenate((state, np.zeros_like(state)))
            live, live_state = np.zeros_like(rows), np.zeros_like(state)
            continue
        connections.read(thread, model, first, live[:whole], live_state[:whole])
        placed, placed_state = _placed(rows[:whole], state[:whole], live[:whole], source.path)
        placed_state[:, connections.models[model].times] += now_ms
        connections.write(thread, model, first, placed, placed_state)
        first, have = first + whole, have - whole
        rows[:have], state[:have] = rows[whole : whole + have].copy(), state[whole : whole + have].copy()


def _before_last_source(rows: npt.NDArray[np.void]) -> int:
    others = np.flatnonzero(rows["source"] != rows["source"][-1])
    return int(others[-1]) + 1 if len(others) else 0


def _placed(
    rows: npt.NDArray[np.void], state: FloatArray, live: npt.NDArray[np.void], path: Path
) -> tuple[npt.NDArray[np.void], FloatArray]:
    """Rows and state in the order of the live connections."""
    if np.array_equal(_keys(live), _keys(rows)):
        return rows, state
    order, live_order = _order(rows), _order(live)
    placed, placed_state = np.zeros_like(rows), np.zeros_like(state)
    placed[live_order], placed_state[live_order] = rows[order], state[order]
    if not np.array_equal(_keys(live), _keys(placed)):
        raise CheckpointError(f"{path} is damaged: it holds connections that were not written")
    return placed, placed_state


def _keys(rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """What tells the rows apart, as columns of whole words."""
    return rows.view(np.uint64).reshape(len(rows), -1)[:, : KEY_BYTES // 8]


def _order(rows: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """By what tells connections apart; those that nothing does stay in their order."""
    return np.lexsort([rows[name] for name in ("receptor", "delay_steps", "target", "source")])
