"""Commands in README and docs are commands: each is parsed, none is run."""

import re
import shlex
from pathlib import Path

import pytest

from distnorm.cli import _parser

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
_SUBCOMMANDS = r"(?:run|build|report|attach|inspect|snapshot|doctor|bench|watch|example|install-nest)"
_COMMAND = re.compile(rf"(?:^|[\s;&$(])distnorm ({_SUBCOMMANDS}\b.*)")
_PLACEHOLDERS = ("...", "…", "[")


def commands_of(text):
    """Commands in blocks of shell code, and whole ones in a line of text."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    for line in lines:
        found = _COMMAND.search(line.partition(" #")[0])
        if found and not any(sign in found[1] for sign in _PLACEHOLDERS):
            yield re.split(r"\s(?:&&|\||;|>)|\)", found[1])[0]


FOUND = [(page.name, command) for page in PAGES for command in commands_of(page.read_text(encoding="utf-8"))]


def test_there_are_many():
    assert len(FOUND) > 60


@pytest.mark.parametrize(("page", "command"), FOUND, ids=lambda text: text[:60])
def test_it_is_a_command(page, command, capsys):
    try:
        _parser().parse_args(shlex.split(command))
    except SystemExit as ended:  # prose may name a command, or an option, without its arguments
        said = capsys.readouterr().err
        assert ended.code == 0 or "are required" in said or "expected one argument" in said, said
