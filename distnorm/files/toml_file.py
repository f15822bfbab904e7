"""TOML files and settings on top of them, as values that can be handled: not endless, not deep."""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import RuleError
from .typed_json import shorter, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DEEPEST = 50  # values within values
_LONGEST_BITS = 13_300  # of a whole number: Python prints 4,300 digits
_AS_IN_TOML = {"true": True, "false": False}
_TOO_DEEP = f"nested more than {_DEEPEST} deep; no parameter of a model needs that"


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a file; `what` it is, for the message."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"cannot read {what} {path}: {error.strerror}") from None
    except ValueError as error:
        raise RuleError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise RuleError(f"{path}: {_TOO_DEEP}") from None
    try:
        check_values(content)
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from None
    return content


def check_values(content: dict[str, Any]) -> None:
    """Refuse what could not even be printed: values within values without end, and endless numbers."""
    values: list[tuple[str, Any]] = list(content.items())
    for _ in range(_DEEPEST):
        for name, value in values:
            if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
                raise RuleError(
                    f"{shorter(name)} has a whole number of more than 4,000 digits; no parameter of a model is so large"
                )
        values = [(name, inner) for name, value in values for inner in _within(value)]
        if not values:
            return
    raise RuleError(f"{shorter(values[0][0])}: {_TOO_DEEP}")


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return itertools.chain(value.keys(), value.values())
    return value if isinstance(value, list | tuple | set) else ()


def override(content: dict[str, Any], setting: str) -> None:
    """Put a "key=value" setting on top ("table.key=value" inside a table)."""
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise RuleError(f"--set {shown(setting)} is not KEY=VALUE")
    *tables, name = key.split(".")
    table = content
    for key in tables:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise RuleError(f"--set {shown(setting)}: {shorter(key)} is not a table")
    try:
        table[name] = parsed(text)
    except RuleError as error:
        raise RuleError(f"--set {shown(setting)}: {error}") from None


def parsed(text: str) -> Any:
    """A value from the command line: a Python literal (numbers, lists, True), true or false as in TOML, or the text."""
    try:
        return _AS_IN_TOML[text] if text in _AS_IN_TOML else ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError):
        return text
    except (RecursionError, MemoryError):
        raise RuleError(_TOO_DEEP) from None
