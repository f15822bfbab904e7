"""Models to run: a Python file with `build(...)`, whose signature says which parameters there are."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .errors import RuleError


def load_build(path: Path) -> Callable[..., Any]:
    """The function `build` of a Python file.

    Raises:
        RuleError: No such file, or no such function in it.
    """
    if not path.is_file():
        raise RuleError(f"model is {path}, which is not a file; give a Python file with a function build(...)")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # a file with this suffix has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    build = getattr(module, "build", None)
    if not callable(build):
        raise RuleError(
            f"{path} has no function build(...); write one that makes the network and returns its populations"
        )
    return build  # type: ignore[no-any-return]


def parameters(build: Callable[..., Any], settings: Sequence[str]) -> dict[str, Any]:
    """Keyword arguments of `build` from "name=value" settings, values being Python literals or else strings.

    Raises:
        RuleError: Not of that form, or a name that `build` does not have.
    """
    known = list(inspect.signature(build).parameters)
    result: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or name not in known:
            raise RuleError(f"setting is {setting!r}; give NAME=VALUE with NAME one of {', '.join(known)}")
        try:
            result[name] = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            result[name] = text
    return result
