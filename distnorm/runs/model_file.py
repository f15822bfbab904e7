"""Models to run: a Python file with `build(...)`, whose signature says which parameters there are."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from ..errors import RuleError
from ..files.typed_json import shown
from ..files.views import Views


def load_build(path: Path) -> Callable[..., Any]:
    """The function `build` of a Python file, which may import what lies beside it."""
    if not os.path.isfile(path):
        raise RuleError(f"model is {path}, which is not a file; give a Python file with a function build(...)")
    views = Views([str(path.resolve().parent), *sys.path])
    loader = SourceFileLoader(path.stem, str(path))  # whatever its suffix
    spec = importlib.util.spec_from_file_location(path.stem, path, loader=loader)
    assert spec is not None and spec.loader is not None  # with a loader, it has both
    module = importlib.util.module_from_spec(spec)
    try:
        with views.theirs():
            sys.modules[path.stem] = module
            spec.loader.exec_module(module)
    except Exception as error:
        raise RuleError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    build = getattr(module, "build", None)
    if not callable(build):
        raise RuleError(
            f"{path} has no function build(...); write one that makes the network and returns its populations"
        )

    @functools.wraps(build)
    def build_in_its_view(*arguments: Any, **parameters: Any) -> Any:
        with views.theirs():
            return build(*arguments, **parameters)

    return build_in_its_view


def check_parameters(build: Callable[..., Any], given: Iterable[str]) -> None:
    """Check names of parameters against the signature of `build`.

    Raises:
        RuleError: A name that `build` does not have; the message lists those it has.
    """
    signature = inspect.signature(build).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.values()):
        return
    for name in given:
        if name not in signature:
            raise RuleError(f"build(...) has no parameter {shown(name)}; it has {', '.join(signature)}")
