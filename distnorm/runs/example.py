"""`distnorm example`: the job and the model of the quickstart, for who has no clone of the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import RuleError

NAMES = ("balanced_stdp.toml", "balanced_stdp.py")
_PLACES = (Path(__file__).parents[1] / "jobs", Path(__file__).parents[2] / "jobs")  # in a wheel, and in a clone


def write_example(folder: Path) -> list[Path]:
    """Copy the files into a folder, which is made if it is not there.

    Raises:
        RuleError: There is such a file already, or it cannot be written.
    """
    place = next(place for place in _PLACES if (place / NAMES[0]).is_file())
    targets = [folder / name for name in NAMES]
    for target in targets:
        if target.exists():
            raise RuleError(f"{target} exists already and is kept; give another folder, or move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            shutil.copyfile(place / target.name, target)
    except OSError as error:
        raise RuleError(f"cannot write into {folder}: {error.strerror}") from None
    return targets
