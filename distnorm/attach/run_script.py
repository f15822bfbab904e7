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
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

from ..errors import DistnormError, RuleError
from ..files.views import adds_folder


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a script ended."""

    reason: str = "finished"  # in words
    code: int = 0  # exit code
    error: BaseException | None = None  # what it raised; a SystemExit, too. None if it came to its end.


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script before it runs."""

    name: str  # as it was given: a path, or with `python -m` the name of a module
    arguments: Sequence[str]  # what follows in `sys.argv`
    source: bytes | None  # what is in the file; None for a module

    @classmethod
    def at(cls, path: str, arguments: Sequence[str]) -> Script:
        """A Python file."""
        try:
            source = Path(path).read_bytes()
        except OSError as error:
            raise RuleError(f"cannot read script {path}: {error.strerror}") from None
        if b"\0" in source:
            raise RuleError(f"{path} is no text, such as a zip file or a compiled module; give a Python file")
        return cls(name=path, arguments=arguments, source=source)

    @property
    def path(self) -> list[str]:
        """The `sys.path` that Python would give it."""
        folder = os.getcwd() if self.source is None else os.path.dirname(os.path.realpath(self.name))
        return [folder, *sys.path] if adds_folder else sys.path[:]

    def find(self) -> tuple[Callable[[], types.CodeType], dict[str, Any]]:
        """What compiles it, and the names that its `__main__` begins with."""
        if self.source is not None:
            source, filename = self.source, os.path.join(os.getcwd(), self.name)  # not tidied up, as Python's
            names = {"__file__": filename, "__loader__": SourceFileLoader("__main__", filename)}
            return lambda: compile(source, filename, "exec", dont_inherit=True), names
        spec = importlib.util.find_spec(self.name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{self.name}.__main__")
        if spec is None or not isinstance(spec.loader, InspectLoader):
            error = RuleError(f"there is no module {self.name} to run")
            claim(error)
            raise error
        loader, name = spec.loader, spec.name
        names = {"__file__": spec.origin, "__loader__": loader, "__package__": spec.parent, "__spec__": spec}
        return lambda: loader.get_code(name), names  # type: ignore[return-value]


def claim(error: DistnormError) -> None:
    """Mark an error as one for distnorm to report, not the script's; in another process that gets it, too."""
    error.__dict__["claimed"] = True


def is_claimed(error: BaseException | None) -> bool:
    """Whether an error is for distnorm to report."""
    return isinstance(error, DistnormError) and "claimed" in error.__dict__


def run_script(script: Script) -> Ending:
    """Run a script to its end, that of its threads included, in a module of its own that stays `__main__`.

    An exception that reaches the top is printed here unless it is claimed.
    """
    main = types.ModuleType("__main__")
    vars(main).update(__builtins__=builtins, __cached__=None)
    if "__annotations__" in vars(sys.modules["__main__"]):  # until Python 3.13
        main.__annotations__ = {}
    sys.modules["__main__"] = main
    sys.argv[:] = [script.name, *script.arguments]
    ending = Ending()
    try:
        compiled, names = script.find()
        vars(main).update(names)
        sys.argv[0] = names["__file__"] if script.source is None else script.name
        exec(compiled(), vars(main))
    except SystemExit as stop:
        ending = Ending(reason=f"sys.exit({stop.code!r})", code=_exit_code(stop.code), error=stop)
    except BaseException as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
        ending = Ending(reason=f"{type(error).__name__}: {error}", code=code, error=error)
        if not is_claimed(error):
            error.__traceback__ = _from_script(error.__traceback__, vars(main).get("__file__"))  # what the hook prints
            sys.excepthook(type(error), error, error.__traceback__)
    for thread in threading.enumerate():  # as the interpreter does before it ends
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    return ending


def _exit_code(code: Any) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0)
    return 1


def _from_script(trace: types.TracebackType | None, filename: str | None) -> types.TracebackType | None:
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
