"""How the scripts of studies begin and end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from distnorm.errors import DistnormError
from distnorm.mpi.launch import is_first_rank


def main(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], str]) -> None:
    """Print what a study says; what makes no sense is one line and exit code 2, by rank 0."""
    options = parser.parse_args()
    try:
        text = run(options)
    except DistnormError as error:
        sys.exit(_refused(error))
    if text:
        print(text)


def _refused(error: DistnormError) -> int:
    if is_first_rank():
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
    return 2
