"""Python in README and docs runs as it stands."""

import re
from pathlib import Path

import pytest
from networks import reset

TOP = Path(__file__).parents[2]
PAGES = [
    page
    for page in (TOP / "README.md", *sorted((TOP / "docs").glob("*.md")))
    if "```python" in page.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    reset()
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(block, str(page), "exec"), names)
    if page.name != "weights.md":  # which is without one
        normalizer = names["normalizer"]
        assert len(normalizer.log) > 1 and normalizer.log[-1].drifts[0].targets > 0
