"""A script for the Python of an environment that has scikit-build-core: build a wheel, or go on with a stopped build.

NEST writes into a header where its files are put, and scikit-build-core takes a new temporary folder for that each
time, so that everything would be compiled again. Here temporary folders have names that stay.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


def build(source: str, wheels: str, staging: str, settings: dict[str, str]) -> None:
    """Build.

    Args:
        source: Folder of the source.
        wheels: Folder for the wheel.
        staging: Folder for temporary ones.
        settings: As of pip's --config-settings.
    """
    numbers = itertools.count()

    @contextlib.contextmanager
    def temporary(*_: object, **__: object) -> Iterator[str]:
        folder = Path(staging, str(next(numbers)))
        folder.mkdir(parents=True)
        yield str(folder)

    shutil.rmtree(staging, ignore_errors=True)
    os.makedirs(wheels, exist_ok=True)
    os.chdir(source)
    tempfile.TemporaryDirectory = temporary  # type: ignore[assignment,misc]
    importlib.import_module("scikit_build_core.build").build_wheel(wheels, settings)


if __name__ == "__main__":
    _, source, wheels, staging, settings = sys.argv
    build(source, wheels, staging, json.loads(settings))
