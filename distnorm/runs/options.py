"""Arguments of several commands."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def count(text: str) -> int:
    """A whole number of at least 1, as 5000000 or 5e6."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value.is_integer():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return int(value)


def path(text: str) -> Path:
    """The path of a file or folder.

    Raises:
        ArgumentTypeError: It is empty, as a variable that was never set; to Python that is the current folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; perhaps a variable is not set")
    return Path(text)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add --set KEY=VALUE."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the job, as in parameters.g=6 or seed=2"
    )
