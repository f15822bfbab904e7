"""What a Normalizer knows beside the network, as JSON and back.

Numbers come back exactly. JSON has neither tuples nor infinity nor classes: lists come back as tuples, what is not
finite travels as text, and a dataclass by its name, looked up where the controller's own state is defined.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from .errors import RuleError


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a Normalizer knows beside the network and norms.

    Attributes:
        time_steps: Simulated time since the very beginning, in steps of the resolution.
        steps_left: Steps to the next look.
        normalized_ms: Time of the last normalization since the very beginning in ms.
        hint: Whether a change was announced that no look has followed yet.
        state: Of the controller.
    """

    time_steps: int
    steps_left: int
    normalized_ms: float
    hint: bool
    state: Any

    def as_json(self) -> dict[str, Any]:
        """For `from_json`.

        Raises:
            RuleError: The controller's state holds something that cannot be kept.
        """
        return vars(self) | {"state": as_json(self.state)}

    @classmethod
    def from_json(cls, given: dict[str, Any], like: Memory) -> Memory:
        """The memory again; `like` is another one with the same controller."""
        return cls(**given | {"state": from_json(given["state"], like.state)})


def as_json(value: Any) -> Any:
    """A value that json can write.

    Raises:
        RuleError: A kind of value that it cannot keep.
    """
    if is_dataclass(value) and not isinstance(value, type):
        of_fields = {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
        return {"class": type(value).__name__} | of_fields
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise RuleError(f"a checkpoint cannot keep {value!r} of a controller's state; use numbers, text and dataclasses")


def from_json(value: Any, like: Any) -> Any:
    """The value again; `like` is of the same class as the outermost dataclass, whose module knows the others."""
    if isinstance(value, list):
        return tuple(from_json(each, like) for each in value)
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    kind = getattr(sys.modules[type(like).__module__], value["class"])
    return kind(**{name: from_json(each, like) for name, each in value.items() if name != "class"})
