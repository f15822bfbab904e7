"""Python in README, docs and the notebook runs as it stands."""

import json
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


def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = json.loads((TOP / "docs" / "network_to_figure.ipynb").read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "network_to_figure.ipynb", "exec"), names)
    assert "norms between" in capsys.readouterr().out
    measurements = names["normalizer"].log
    assert len(measurements) > 10 and all(each.drift_max < 0.06 for each in measurements if each.elapsed_ms)
