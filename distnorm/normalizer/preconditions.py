"""Whether a Normalizer can keep its norms here and now: its network, NEST's clock, and other Normalizers."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RuleError
from ..rules.overlap import overlapping
from ..rules.rule import Rule
from .nest_calls import NestCalls

_GONE = "the network of this Normalizer is gone (nest.ResetKernel); make a new Normalizer"
_SET_BACK = (
    "nest.biological_time was set back to 0: the last spikes of synapses then lie in the future, and their weights run "
    "away; leave the clock alone and shift the times of stimuli, or make a new Normalizer"
)


class Preconditions:
    """The network that stands when this is made, and a claim on the weights that are to be changed by rules.

    The same on every rank.
    """

    def __init__(self, calls: NestCalls, changes: Sequence[Rule]) -> None:
        self._calls = calls
        self._changes = changes
        self._network, self._set_backs = calls.resets, calls.set_backs

    @property
    def stands(self) -> bool:
        """Whether the network is the one this was made for."""
        return self._network == self._calls.resets

    @property
    def ended_ms(self) -> float | None:
        """Simulated time at the end of the network, in ms; None while it stands."""
        return None if self.stands else self._calls.ended_ms[self._network]

    @property
    def unchanged(self) -> bool:
        """Whether the network stands and its clock was not set back, if that matters."""
        return self.stands and (self._calls.set_backs == self._set_backs or not self._changes)

    def check(self) -> None:
        """Refuse a network that is gone, a clock that was set back, and weights that an attached Normalizer changes."""
        if not self.stands:
            raise RuleError(_GONE)
        if not self.unchanged:
            raise RuleError(_SET_BACK)
        for other in self._calls.drivers:
            if other.changes is not self._changes and (both := overlapping(other.changes, self._changes)):
                raise RuleError(
                    f"two Normalizers change the same connections at the same time, by the rules {both[0]} and "
                    f"{both[1]}; let one of them observe, or attach one after the other"
                )

    def check_holder(self) -> None:
        """Refuse weights whose norms another Normalizer holds in each slice."""
        for name in self._models():
            if self._calls.holders.get(name, self) is not self:
                raise RuleError(
                    f"{name}: norms are held by an earlier distnorm.ExactInterval(); go on with that, or start anew "
                    "with nest.ResetKernel()"
                )

    def hold(self) -> None:
        """The norms are held in each slice from now on."""
        self._calls.holders.update(dict.fromkeys(self._models(), self))

    @property
    def holds(self) -> bool:
        """Whether that was said of this network."""
        return any(holder is self for holder in self._calls.holders.values())

    def _models(self) -> list[str]:
        return [name for rule in self._changes for name in rule.synapse_models]
