"""Weights brought up to date: with what postsynaptic spikes have yet to do to them (kernel/passes/pending.h)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..mpi.ranks import world
from ..norms.passes import Pass
from ..norms.sums import FloatArray
from ..rules.rule import Rule
from ..synapses.in_place import InPlace
from ..synapses.kernel_interface import PLACE
from ..synapses.synapse_models import check_models
from .selection import kept_kernel


def current_weights(connections: Any) -> FloatArray:
    """Weights with what postsynaptic spikes have yet to do to them; nothing is changed. Collective.

    PyNEST reads a weight as of the last presynaptic spike. NEST applies later postsynaptic spikes when the next
    presynaptic one arrives. Here they are applied up to the moment up to which presynaptic spikes were delivered: one
    `min_delay` ago at the end of a slice.

    Args:
        connections: What nest.GetConnections returned on this rank, between neurons; NEST may move connections when it
            simulates or makes others, so ask it anew then.

    Returns:
        The weights, shape (number of connections,), in the order of the connections; as stored where NEST defers
        nothing.

    Raises:
        RuleError: A synapse model of which it is not known, with the reason.
        KernelError: The kernel cannot be compiled, or a connection is not where it was, or from a device.
    """
    import nest

    ranks = world(nest.build_info["have_mpi"])
    kernel = kept_kernel(nest, ranks)

    def read() -> FloatArray:
        places = np.zeros(len(connections), PLACE)
        if len(places):
            keys = {"thread": "target_thread", **{key: key for key in ("synapse_id", "port", "target", "weight")}}
            columns = connections.get([*keys.values(), "synapse_model"])
            for key, column in keys.items():
                places[key] = columns[column]
            _check(nest, kernel, tuple(sorted(set(np.atleast_1d(columns["synapse_model"]).tolist()))), written=False)
        weights = np.zeros(len(places))
        kernel.dn_current_weights(len(places), places, weights)
        return weights

    return ranks.together(read)


def bring_up_to_date(synapse_model: str | Sequence[str]) -> None:
    """Have postsynaptic spikes change the weights on all ranks now, not at the next presynaptic spikes. Collective.

    Weights, traces and the time of the last update change together, so that but for rounding all that NEST computes
    later is as it would have been. Up to which moment: see `current_weights`.

    Args:
        synapse_model: Name of a synapse model of NEST, or several; of all their connections between neurons.

    Raises:
        RuleError: A synapse model that has no place for it, with the reason.
        KernelError: The kernel cannot be compiled.
    """
    import nest

    ranks = world(nest.build_info["have_mpi"])
    rule = Rule(synapse_model, target_norm=1.0)
    ranks.together(lambda: check_models(nest, rule.synapse_models))
    kernel = kept_kernel(nest, ranks)
    ranks.together(lambda: _check(nest, kernel, rule.synapse_models, written=True))
    ranks.together(lambda: _update(InPlace(nest, rule, kernel)))


def _update(synapses: InPlace) -> None:
    synapses.run(Pass(kind="update"))
    synapses.close()


def _check(nest: Any, kernel: ctypes.CDLL, models: tuple[str, ...], *, written: bool) -> None:
    InPlace(nest, Rule(models, target_norm=1.0), kernel).check_current(written=written)
