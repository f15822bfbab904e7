"""Two views of Python's modules in one process: that of distnorm, and that of the script or model that it runs.

theirs  as under plain Python: the script's folder comes first on `sys.path`, and an import finds what it would find
        there, a statistics.py beside the script too. Modules that distnorm has imported are set aside; an import that
        finds the same file gets them back, so that none is there twice.
ours    `sys.path` as distnorm was started with, and no module of the script's whose name means another file there.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# What a program has, more or less, when it begins: this is the first module of distnorm that is imported.
_BEFORE = {name.partition(".")[0] for name in sys.modules} - {"distnorm"}
_ONE_PER_PROCESS = ("nest", "mpi4py.MPI")  # from wherever they were imported first

adds_folder = not getattr(sys.flags, "safe_path", sys.flags.isolated)  # safe_path: from Python 3.11
_folder_is_first = adds_folder


def leave_folder() -> None:
    """Take from `sys.path` the folder that Python put first: that of the program or, with -m, the current one."""
    global _folder_is_first  # noqa: PLW0603
    if _folder_is_first:
        del sys.path[0]
        _folder_is_first = False


def _is_program() -> bool:
    """Whether this is `python -m distnorm`, which imports the package before anything of it can run."""
    if sys.argv[:1] != ["-m"]:
        return False
    given = iter(sys.orig_argv[1:])
    option = next((argument for argument in given if argument.startswith("-m")), "")
    return (option[2:] or next(given, "")).partition(".")[0] == "distnorm"


if _is_program():
    leave_folder()


class Views:
    """The views of one process; distnorm's is in force at first."""

    def __init__(self, path: Sequence[str]) -> None:
        """Prepare the other view, in which `sys.path` is this path."""
        self._is_ours = True
        self._other_path = list(path)
        self._shared = {name for name in sys.modules if _top(name) in _BEFORE}
        self._aside: dict[str, ModuleType] = {}  # ours, which they have not imported
        self._foreign: dict[str, ModuleType] = {}  # theirs whose names mean other files to us
        self._same: dict[str, ModuleType] = {}  # top-level modules that are the same file in both
        self._their_number = 0
        sys.meta_path.insert(0, _Again(self._aside))

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Distnorm's view, while this lasts."""
        yield from self._while_in(True)

    @contextmanager
    def theirs(self) -> Iterator[None]:
        """The script's view, while this lasts."""
        yield from self._while_in(False)

    def hand_over(self) -> None:
        """The script's view, from now on."""
        self._switch(False)

    def _while_in(self, ours: bool) -> Iterator[None]:
        before = self._is_ours
        self._switch(ours)
        try:
            yield
        finally:
            self._switch(before)

    def _switch(self, ours: bool) -> None:
        if ours == self._is_ours:
            return
        self._is_ours = ours
        if ours:
            self._bring_ours()
        else:
            self._bring_theirs()
        self._other_path, sys.path[:] = sys.path[:], self._other_path

    def _bring_ours(self) -> None:
        if len(sys.modules) != self._their_number:  # they have imported more
            self._look_at_theirs()
        for name in self._foreign:
            sys.modules.pop(name, None)
        sys.modules.update(self._aside)

    def _look_at_theirs(self) -> None:
        """Find what they have imported where the name means another file to us."""
        shared = {_top(name) for name in _ONE_PER_PROCESS if name in sys.modules}
        tops = {_top(name) for name in sys.modules} - _BEFORE - shared
        new = {top for top in tops if top in sys.modules and sys.modules[top] is not self._same.get(top)}
        found = {top: PathFinder.find_spec(top, self._other_path) for top in new}
        foreign = {top for top, spec in found.items() if spec and spec.origin != _origin(sys.modules[top])}
        self._same |= {top: sys.modules[top] for top in new - foreign}
        self._foreign = {name: module for name, module in sys.modules.items() if _top(name) in foreign}
        self._shared = set(sys.modules) - set(self._foreign)

    def _bring_theirs(self) -> None:
        if len(sys.modules) != len(self._shared) + len(self._aside):  # we have imported more
            self._look_at_ours()
        for name in self._aside:
            sys.modules.pop(name, None)
        sys.modules.update(self._foreign)
        self._their_number = len(sys.modules)

    def _look_at_ours(self) -> None:
        """Find what only we have imported; what we have imported of a package that they have, they have, too."""
        for name in set(sys.modules) - self._shared - set(self._aside):
            if _top(name) in self._shared:
                self._shared.add(name)
            else:
                self._aside[name] = sys.modules[name]


class _Again:
    """Finds modules that were set aside, for an import that finds the same file."""

    def __init__(self, aside: dict[str, ModuleType]) -> None:
        self._aside = aside

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if path is not None or name not in self._aside:
            return None
        finders = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        found = next((spec for finder in finders if (spec := finder.find_spec(name, None))), None)
        if found is not None and found.origin == _origin(self._aside[name]):
            found.loader = _Loader(self._aside)  # type: ignore[assignment]
        return found


class _Loader:
    """Puts a module that was set aside, and what belongs to it, back where it was."""

    def __init__(self, aside: dict[str, ModuleType]) -> None:
        self._aside = aside

    def create_module(self, spec: ModuleSpec) -> None:
        """Nothing of its own: what Python makes then is replaced."""

    def exec_module(self, module: ModuleType) -> None:
        for name in [name for name in self._aside if _top(name) == module.__name__]:
            sys.modules[name] = self._aside.pop(name)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _origin(module: ModuleType | None) -> str | None:
    return getattr(getattr(module, "__spec__", None), "origin", None)
