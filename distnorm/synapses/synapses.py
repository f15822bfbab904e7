"""What any backend can do with the connections of a rule."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..norms.passes import Pass
from ..norms.sums import BoolArray, FloatArray
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule


class Synapses(ABC):
    """The connections of one rule whose targets are on this rank.

    Attributes:
        kernel: The compiled kernel; None where only PyNEST serves.
        backend: How the weights are reached, for logs.
        rule: The rule.
        node_ids: Node IDs of the possible targets on this rank, shape (n,); may change with `measure`.
        holds: Whether the synapse models hold the norms by themselves, so that no weight is written.
    """

    backend: str
    rule: Rule
    node_ids: Int64Array
    holds: bool = False
    kernel: ctypes.CDLL | None = None

    @abstractmethod
    def run(self, a_pass: Pass) -> FloatArray:
        """Make one pass over the connections.

        Returns:
            For "measure" rows 0 to 2, for "tally" all rows of `bounds.ROWS`, each of shape (n,); for "histogram"
            those of `histogram`, of all targets together; else nothing.
        """

    @abstractmethod
    def target_models(self) -> Int64Array:
        """Number of the node model of each target, shape (n,)."""

    @abstractmethod
    def labels(self) -> dict[int, int]:
        """Number of connections on this rank by synapse label, -1 for none; where all models of the rule have them."""

    @abstractmethod
    def sample(self, name: str, turn: int) -> npt.NDArray[np.void]:
        """At most SAMPLE connections of one of the rule's models, some of which may be no connection of the rule.

        Args:
            name: Of the model.
            turn: Another number gives other connections.

        Returns:
            Array of shape (n,) and dtype PLACE. Right after a pass nothing is collective.
        """

    @abstractmethod
    def weights_now(self, name: str, places: npt.NDArray[np.void]) -> FloatArray:
        """Weights of the last sample, shape (n,); NaN where connections may have moved. As `sample`."""

    @abstractmethod
    def close(self) -> None:
        """Free what is held."""

    @classmethod
    def run_together(cls, several: Sequence[Any], passes: Sequence[Pass]) -> list[FloatArray]:
        """Make a pass for each; results as `run`."""
        return [synapses.run(a_pass) for synapses, a_pass in zip(several, passes, strict=True)]

    def check_settable(self, counting: Pass) -> None:  # noqa: B027
        """Refuse a change that would be refused half-way, before any weight is set.

        Args:
            counting: The change, to be counted.

        Raises:
            RuleError: Weights beyond limits that NEST enforces.
        """

    @property
    def is_behind(self) -> bool:
        """Whether postsynaptic spikes change weights later than they happen, and it is known how."""
        return False

    def check_current(self, *, written: bool) -> None:
        """Refuse models whose weights cannot be brought up to date.

        Args:
            written: Whether they are to be changed, not only read.

        Raises:
            RuleError: With the model and the reason.
        """
        raise RuleError(f'weights is "current", which the compiled kernel alone knows; they are reached {self.backend}')

    def reachable(self, target_norms: FloatArray) -> FloatArray:
        """The target norms, shape (n,), or what is nearest to them where models that hold norms cannot reach them."""
        return target_norms

    def count_unreachable(self, record: npt.NDArray[np.void], present: BoolArray) -> None:  # noqa: B027
        """Put into a drift record how many of the targets that are present cannot have the norms last asked for."""

    def farthest_norms(self) -> FloatArray | None:
        """Each norm as it was farthest from its target at the end of a slice, shape (n,); None if no model holds it."""
        return None

    def put_in_force(self) -> None:  # noqa: B027
        """From now on hold the norms last found reachable, where models hold norms."""

    def follow(self, target_norms: Callable[[Int64Array], FloatArray]) -> None:  # noqa: B027
        """Hold targets that were made since, where models hold norms; nothing is collective.

        Args:
            target_norms: From node IDs to target norms; NaN: what the norm is when a spike first arrives.
        """
