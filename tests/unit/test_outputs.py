"""What commands write replaces what distnorm made, and nothing else."""

import os

import pytest
import run_logs
from matplotlib.figure import Figure

from distnorm.errors import RuleError
from distnorm.files.outputs import check, results_folder, write, write_figure
from distnorm.records.report import report

MEASUREMENTS = [run_logs.measurement(10.0, 10.0, 0.01), run_logs.measurement(20.0, 10.0, 0.02)]
KEPT = r"exists already, and distnorm did not make it; give another path, or move it away"


def figure():
    made = Figure(figsize=(2, 2))
    made.subplots().plot([1, 2])
    return made


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.pdf", "a.svg", "a.eps", "a.ps"])
def test_a_figure_is_made_anew(name, tmp_path):
    log = run_logs.write(tmp_path / "a.jsonl", MEASUREMENTS)
    for _ in range(2):
        assert str(tmp_path / name) in report(log, tmp_path / name)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["a.jsonl", name])


def thesis(path):
    path.write_text("A thesis about distnorm\n")


def empty(path):
    path.touch()


def other_figure(path):
    figure().savefig(path)


OTHERS = {
    "a text": thesis,
    "an empty file": empty,
    "another figure": other_figure,
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg", ".eps", ".jpg"])
@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_what_is_no_figure_of_distnorm_is_kept(make, suffix, tmp_path):
    log, path = run_logs.write(tmp_path / "a.jsonl", MEASUREMENTS), tmp_path / f"precious{suffix}"
    make(path)
    before = path.is_file() and path.read_bytes()
    with pytest.raises(RuleError, match=rf"precious\{suffix} {KEPT}"):
        report(log, path)
    assert (path.is_file() and path.read_bytes()) == before and len(list(tmp_path.iterdir())) == 2


def test_the_default_figure_of_a_report_is_no_exception(tmp_path):
    log = run_logs.write(tmp_path / "run.jsonl", MEASUREMENTS)
    (tmp_path / "run.png").write_text("precious")
    with pytest.raises(RuleError, match=rf"run\.png {KEPT}"):
        report(log)
    (tmp_path / "run.png").unlink()
    assert report(log) == report(log)


def test_a_log_is_not_replaced_by_its_figure(tmp_path):
    log = run_logs.write(tmp_path / "run.png", MEASUREMENTS)
    before = log.read_bytes()
    with pytest.raises(RuleError, match=KEPT):
        report(log)
    assert log.read_bytes() == before


def test_a_link_is_followed_to_what_is_ours_only(tmp_path):
    log = run_logs.write(tmp_path / "a.jsonl", MEASUREMENTS)
    (tmp_path / "link.png").symlink_to("made.png")
    report(log, tmp_path / "made.png")
    report(log, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    (tmp_path / "made.png").write_text("precious")
    with pytest.raises(RuleError, match=KEPT):
        report(log, tmp_path / "link.png")
    assert (tmp_path / "made.png").read_text() == "precious"


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path):
    for path, says in (
        (tmp_path / "a.xyz", r"cannot write figure .*a\.xyz: Format 'xyz' is not supported"),
        (tmp_path / "none" / "a.png", r"cannot write figure .*a\.png: No such file or directory"),
        (tmp_path / ("x" * 300 + ".png"), "File name too long"),
    ):
        with pytest.raises(RuleError, match=says):
            write_figure(figure(), path)
    assert list(tmp_path.iterdir()) == []


def test_results_are_made_anew_in_a_folder_of_their_own(tmp_path):
    folder = tmp_path / "results"
    for _ in range(2):
        results_folder(folder)
        write(folder / "table.md", b"a table")
    results_folder(tmp_path / "a" / "b")


@pytest.mark.parametrize("name", ["table.md", ".hidden", "sub"])
def test_a_folder_with_something_else_is_refused(name, tmp_path):
    (tmp_path / name).mkdir() if name == "sub" else thesis(tmp_path / name)
    with pytest.raises(
        RuleError, match=rf"holds {name}, and distnorm did not make it; give a folder for results alone"
    ):
        results_folder(tmp_path)
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(RuleError, match=KEPT):
        write(tmp_path / name, b"a table")
    check(tmp_path / "another")


def test_a_folder_that_cannot_be(tmp_path):
    thesis(tmp_path / "a")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(RuleError, match="cannot make folder"):
            results_folder(path)
