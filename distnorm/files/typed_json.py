"""Dataclasses as JSON and back.

What is read may come from anybody. The annotations of the classes are its schema: nothing that is written there names a
class, and a value of another kind, a missing or an unknown field is refused. Numbers come back exactly.
"""

from __future__ import annotations

import functools
import json
import types
import typing
from dataclasses import Field, fields, is_dataclass
from typing import Any, NoReturn

from ..errors import RuleError

NOT_WRITTEN = types.MappingProxyType({"json": False})
"""Metadata of a field with a default that is neither written nor read."""

_LARGEST = 1e100  # no time in ms, no drift and no wall time comes near it


def as_json(value: Any) -> Any:
    """A value that json can write.

    Raises:
        RuleError: A kind of value that it cannot keep.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in _written(value)}
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise RuleError(f"a checkpoint cannot keep {value!r} of a controller's state; use numbers, text and dataclasses")


def _written(kind: Any) -> list[Field[Any]]:
    return [field for field in fields(kind) if field.metadata.get("json", True)]


def loads(text: str | bytes) -> Any:
    """JSON as Python has it.

    Raises:
        ValueError: It is none, or too large or too deep to be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def from_json(given: Any, kind: Any, what: str) -> Any:
    """What `as_json` was given.

    Args:
        given: As `loads` returns it.
        kind: What it must be: a dataclass, bool, int, float, str, None, dict[str, X], tuple[X, ...], X | None, or Any.
        what: Its name, for the message.

    Raises:
        ValueError: It is something else; the message says what.
    """
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or (given is None and types.NoneType in choices):
        return given
    if origin in (types.UnionType, typing.Union):
        (kind,) = (choice for choice in choices if choice is not types.NoneType)
        return from_json(given, kind, what)
    if origin is tuple:
        return tuple(from_json(item, choices[0], f"{what}[{i}]") for i, item in enumerate(_of(given, list, what)))
    if origin is dict:
        items = _of(given, dict, what).items()
        return {key: from_json(item, choices[1], f"{what}[{shown(key)}]") for key, item in items}
    if is_dataclass(kind):
        return _dataclass(_of(given, dict, what), kind, what)
    return _plain(given, kind, what)


def _dataclass(given: dict[str, Any], kind: Any, what: str) -> Any:
    kinds = _kinds(kind)
    for name in kinds:
        if name not in given:
            raise ValueError(f"{what} has no {name}")
    for name in given:
        if name not in kinds:
            raise ValueError(f"{what} has an unknown field {shown(name)}; known: {', '.join(kinds)}")
    return kind(**{name: from_json(given[name], kind_of, f"{what}.{name}") for name, kind_of in kinds.items()})


@functools.cache
def _kinds(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in _written(kind)}


def _plain(given: Any, kind: Any, what: str) -> Any:
    if kind is float and type(given) is int and abs(given) < _LARGEST:
        return float(given)
    value = _of(given, types.NoneType if kind is None else kind, what)
    if kind is int and not -(2**63) <= value < 2**64:
        raise ValueError(f"{what} is {shown(value)}, which is too large")
    if kind is float and not abs(value) < _LARGEST:  # 1e999, too
        raise ValueError(f"{what} is {shown(value)}, which no run comes to")
    return value


def _of(given: Any, kind: type, what: str) -> Any:
    if type(given) is not kind:  # to isinstance, True is an int
        raise ValueError(f"{what} is {shown(given)}")
    return given


def shown(value: Any) -> str:
    """A value in a message, shortened where it is long."""
    try:
        return shorter(repr(value))
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "a whole number that is too long to be printed"


def shorter(text: str) -> str:
    """A text in a message, on one line, shortened where it is long."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text):,} characters)"


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
