"""What the clock network's papers look for: weights between clusters, eigenvalues, and replay of the order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from clock import PLASTIC_MODEL, Clock

import distnorm

Matrix = npt.NDArray[np.float64]

_BIN_MS = 5.0
_ACTIVE = 0.1  # of a cluster's neurons that fire in a bin, for it to be active


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Mean weights between clusters in mV, shape (clusters, clusters): row by target, column by source."""

    between: Matrix

    @property
    def within(self) -> float:
        """Mean weight within clusters."""
        return float(np.diag(self.between).mean())

    @property
    def forward(self) -> float:
        """Mean weight from a cluster to the next one, the last to the first included."""
        return float(np.mean([self.between[(k + 1) % len(self.between), k] for k in range(len(self.between))]))

    @property
    def others(self) -> float:
        """Mean weight of all other pairs of clusters."""
        number = len(self.between)
        rest = ~np.eye(number, dtype=bool) & ~np.roll(np.eye(number, dtype=bool), 1, axis=0)
        return float(self.between[rest].mean())


def structure(clock: Clock) -> Structure | None:
    """Mean weights between clusters; None but on rank 0. Collective."""
    number = clock.size.clusters
    each, first = clock.size.excitatory // number, clock.excitatory[0].global_id
    found = distnorm.connections(PLASTIC_MODEL, gather=True)
    if not len(found):
        return None
    pair = (found["target"] - first) // each * number + (found["source"] - first) // each
    sums, counts = np.bincount(pair, found["weight"], number**2), np.bincount(pair, minlength=number**2)
    return Structure(between=(sums / np.maximum(counts, 1)).reshape(number, number))


def eigenvalues(clock: Clock) -> npt.NDArray[np.complex128] | None:
    """Those of the matrix of excitatory weights in mV, largest real part first. None but on rank 0. Collective.

    Weights onto inhibitory neurons are conductances here, and left out.
    """
    found = distnorm.connections(PLASTIC_MODEL, gather=True)
    if not len(found):
        return None
    matrix = found.to_sparse(targets=clock.excitatory, sources=clock.excitatory).toarray()
    values = np.linalg.eigvals(matrix).astype(np.complex128)
    return values[np.argsort(-values.real)]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Order in which clusters become active without a stimulus.

    Attributes:
        changes: How often another cluster became the most active one.
        forward: In how many of these it was the next one.
        active: Share of the bins in which some cluster is active.
        rates: Share of a cluster's neurons that fire, shape (bins, clusters).
    """

    changes: int
    forward: int
    active: float
    rates: Matrix

    @property
    def share(self) -> float:
        """Share of the changes that go to the next cluster; at random it is 1 / (clusters - 1)."""
        return self.forward / self.changes if self.changes else float("nan")


def replay(clock: Clock, begin_ms: float, end_ms: float, times: Matrix, senders: npt.NDArray[np.int64]) -> Replay:
    """Find the order in spikes of excitatory neurons between two times."""
    number = clock.size.clusters
    each, first = clock.size.excitatory // number, clock.excitatory[0].global_id
    bins = int((end_ms - begin_ms) / _BIN_MS)
    place = ((times - begin_ms) / _BIN_MS).astype(np.int64)
    inside = (place >= 0) & (place < bins)
    index = place[inside] * number + (senders[inside] - first) // each
    rates = np.bincount(index, minlength=bins * number).reshape(bins, number) / each
    active = rates.max(axis=1) >= _ACTIVE
    winners = rates.argmax(axis=1)[active]
    changed = winners[1:] != winners[:-1]
    forward = changed & (winners[1:] == (winners[:-1] + 1) % number)
    return Replay(changes=int(changed.sum()), forward=int(forward.sum()), active=float(active.mean()), rates=rates)
