"""Run a Python script as the interpreter itself would: its `sys.argv`, `__main__`, folder, traceback and exit code."""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

from .errors import RuleError


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a script ended.

    Attributes:
        reason: In words.
        code: Exit code.
        error: What it raised; a SystemExit, too. None if it came to its end.
    """

    reason: str = "finished"
    code: int = 0
    error: BaseException | None = None


def run_script(path: Path, arguments: Sequence[str], ours: Callable[[BaseException], bool]) -> Ending:
    """Run a script to its end, that of its threads included, in a module of its own that stays `__main__`.

    Args:
        path: Python file.
        arguments: What follows in `sys.argv`.
        ours: Whether an exception that reaches the top is for the caller to report; others are printed here.

    Raises:
        RuleError: The file cannot be read.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise RuleError(f"cannot read script {path}: {error.strerror}") from None
    filename = os.path.abspath(path)
    main = types.ModuleType("__main__")
    vars(main).update(
        __builtins__=builtins, __cached__=None, __file__=filename, __loader__=SourceFileLoader("__main__", filename)
    )
    if "__annotations__" in vars(sys.modules["__main__"]):  # until Python 3.13
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    sys.argv[:] = [str(path), *arguments]
    if not getattr(sys.flags, "safe_path", False):  # from Python 3.11
        sys.path[0] = str(path.resolve().parent)
    ending = Ending()
    try:
        exec(compile(source, filename, "exec", dont_inherit=True), vars(main))
    except SystemExit as stop:
        ending = Ending(reason=f"sys.exit({stop.code!r})", code=_exit_code(stop.code), error=stop)
    except BaseException as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
        ending = Ending(reason=f"{type(error).__name__}: {error}", code=code, error=error)
        if not ours(error):
            error.__traceback__ = _from_script(error.__traceback__, filename)  # what the hook prints
            sys.excepthook(type(error), error, error.__traceback__)
    for thread in threading.enumerate():  # as the interpreter does before it ends
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    return ending


def _exit_code(code: Any) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0)
    return 1


def _from_script(trace: types.TracebackType | None, filename: str) -> types.TracebackType | None:
    """The part of a traceback from the script on; None where it was not reached, as for a syntax error."""
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return trace


def after_import(name: str, action: Callable[[], None]) -> None:
    """Run an action right after a module is first imported, so that a script decides when that is."""
    if name in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _AfterImport(name, action))


class _AfterImport:
    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self._name = name
        self._action = action

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                self._action()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
