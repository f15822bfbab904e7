"""Normalizing by PyNEST, as one does without distnorm. Both say how many connections they normalized."""

from __future__ import annotations

from typing import Any

import numpy as np


def normalize_one_by_one(nest: Any, neurons: Any, synapse_model: str, target_norm: float, mpi: bool = False) -> int:
    """The loop of NEST's documentation (synapses/weight_normalization), with its GetConnections per neuron.

    Args:
        nest: The imported module.
        neurons: Those of this rank.
        synapse_model: Name.
        target_norm: L1 norm.
        mpi: Set weights by a list of dictionaries; an array, as documented, raises under MPI.
    """
    done = 0
    for neuron in neurons:
        connections = nest.GetConnections(target=neuron, synapse_model=synapse_model)
        weights = np.array(connections.weight)
        normalized = target_norm * weights / np.abs(weights).sum()
        if mpi:
            connections.set([{"weight": weight} for weight in normalized.tolist()])
        else:
            connections.weight = normalized
        done += len(weights)
    return done


def normalize_in_bulk(connections: Any, target_norm: float) -> int:
    """All connections by one get and one set."""
    status = connections.get(["target", "weight"])
    targets, weights = np.array(status["target"]), np.array(status["weight"])
    norms = np.bincount(targets, np.abs(weights))
    connections.set([{"weight": weight} for weight in (weights * target_norm / norms[targets]).tolist()])
    return len(weights)
