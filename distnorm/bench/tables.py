"""Tables as Markdown and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RuleError


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown; the first column is text, the others numbers."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *lines))


def write_text(path: Path, text: str) -> None:
    """Write a text, and the folder for it.

    Raises:
        RuleError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise RuleError(f"cannot write {path}: {error.strerror}") from None


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the columns of the first, and the folder for them.

    Raises:
        RuleError: They cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise RuleError(f"cannot write {path}: {error.strerror}") from None
