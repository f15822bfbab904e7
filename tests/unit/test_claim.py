"""A folder for checkpoints is ours by its marker: nothing else is written into, and nothing of others removed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import made_up_checkpoints as made_up
import pytest

from distnorm.errors import CheckpointError, DistnormError, RuleError
from distnorm.runs.checkpoint import folder as folders
from distnorm.runs.checkpoint.claim import Claim

IDENTITY = made_up.IDENTITY
HOLD = """
import sys, time
from pathlib import Path
from distnorm.runs.checkpoint.claim import Claim
with Claim(Path(sys.argv[1])) as claim:
    claim.take({identity}, False)
    claim.mark()
    print("taken", flush=True)
    time.sleep(100)
"""


def tree(folder):
    """All that is there: names, what links lead to, contents."""
    return sorted(
        (str(path), os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
    )


def taken(folder, resume=False, identity=IDENTITY):
    claim = Claim(folder)
    claim.take(identity, resume)
    claim.mark()
    return claim


def save(claim):
    """As a run does."""
    number, _ = claim.begin()
    made_up.checkpoint(claim.folder, number)
    claim.tidy()
    return number


def run(folder, checkpoints, **options):
    """A whole run that writes so many checkpoints; its number."""
    with taken(folder, **options) as claim:
        for _ in range(checkpoints):
            save(claim)
        return claim.run


def link(target):
    return lambda path: path.symlink_to(target)


def folder_of(*names):
    def make(path):
        path.mkdir()
        for name in names:
            (path / name).write_text("precious")

    return make


OTHERS = {
    "a file": ("notes.txt", lambda path: path.write_text("precious")),
    "a hidden file": (".notes", lambda path: path.write_text("precious")),
    "a folder named by date": ("20250101", folder_of("a")),
    "an empty folder named by date": ("20250101", folder_of()),
    "a number": ("00000007", folder_of("manifest.json", "weights-00000.npy")),
    "a number that is a file": ("00000001", lambda path: path.write_text("precious")),
    "half a checkpoint": (".00000001-partial", folder_of("weights-00000.npy")),
    "begins like half a checkpoint": (".20200101-raw", folder_of()),
    "a file named as the lock": ("distnorm.lock", lambda path: path.write_text("precious notes")),
    "a link": ("00000001", link("..")),
    "a link to nowhere": ("data", link("nowhere")),
}
others = pytest.mark.parametrize(("name", "make"), OTHERS.values(), ids=OTHERS)


@others
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_something_else_is_refused(name, make, resume, tmp_path):
    make(tmp_path / name)
    before = tree(tmp_path)
    with pytest.raises(RuleError, match="which this run did not write"), Claim(tmp_path) as claim:
        claim.take(IDENTITY, resume)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(("name", "make"), [each for each in OTHERS.values() if "0000001" not in each[0]])
def test_something_else_beside_checkpoints_is_refused(name, make, tmp_path):
    run(tmp_path, 3)
    make(tmp_path / name)
    before = tree(tmp_path)
    with pytest.raises(RuleError, match="which this run did not write"), Claim(tmp_path) as claim:
        claim.take(IDENTITY, True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["00000003", "00000001", ".00000002-partial"])
def test_a_link_in_place_of_a_checkpoint_is_refused(name, tmp_path):
    run(tmp_path / "ours", 3)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "weights-00000.npy").write_text("precious")
    path = tmp_path / "ours" / name
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "theirs")
    before = tree(tmp_path)
    with pytest.raises(RuleError, match=f"holds {name}, which"), Claim(tmp_path / "ours") as claim:
        claim.take(IDENTITY, True)
    assert tree(tmp_path) == before


def test_all_that_is_in_the_way_is_counted(tmp_path):
    for i in range(7):
        (tmp_path / f"a{i}").touch()
    with pytest.raises(RuleError, match="holds a0, a1, a2 and 4 more, which"):
        taken(tmp_path)


def test_checkpoints_of_an_earlier_run_are_refused(tmp_path):
    run(tmp_path, 1)
    before = tree(tmp_path)
    with pytest.raises(RuleError, match=r"holds checkpoints of the run that started at .*; --resume goes on"):
        taken(tmp_path)
    with pytest.raises(RuleError, match=r"cannot go on .* it is of a run with seed 1, and here it is 2"):
        taken(tmp_path, resume=True, identity=IDENTITY | {"seed": "2"})
    assert tree(tmp_path) == before


def test_a_run_that_goes_on_is_the_same_run(tmp_path):
    first = run(tmp_path, 3)
    assert run(tmp_path, 1, resume=True) == first
    assert folders.numbers(tmp_path) == [4, 3]


def test_a_run_that_wrote_no_checkpoint_leaves_the_folder_free(tmp_path):
    first = run(tmp_path, 0)
    assert run(tmp_path, 0, resume=True) == first
    other = run(tmp_path, 0, resume=True, identity=IDENTITY | {"seed": "2"})
    assert other != first and run(tmp_path, 1) not in (first, other)


@pytest.mark.parametrize("content", [b"", b"{", b'{"run":"1","start":"1"'])
def test_a_run_that_was_killed_while_it_marked_leaves_the_folder_free(content, tmp_path):
    (tmp_path / "distnorm.lock").touch()
    (tmp_path / "distnorm.jsonl").write_bytes(content)
    run(tmp_path, 1)
    run(tmp_path, 1, resume=True)


@pytest.mark.parametrize("exists", [False, True])
def test_a_run_that_fails_before_its_network_stands_leaves_no_trace(exists, tmp_path):
    if exists:
        (tmp_path / "a" / "b").mkdir(parents=True)
    before = tree(tmp_path)
    with Claim(tmp_path / "a" / "b") as claim:
        claim.take(IDENTITY, False)
        assert tree(tmp_path) != before
    assert tree(tmp_path) == before


def test_the_last_two_are_kept_and_what_was_left_half_written_is_removed(tmp_path):
    with taken(tmp_path) as claim:
        for number in (1, 2, 3):
            assert save(claim) == number
        assert folders.numbers(tmp_path) == [3, 2]
        _, partial = claim.begin()
        (partial / "weights-00001.npy").touch()
    with taken(tmp_path, resume=True) as claim:
        assert partial.exists()
        assert save(claim) == 5
    assert not partial.exists() and folders.numbers(tmp_path) == [5, 3]


def test_a_file_of_the_users_in_a_checkpoint_stays(tmp_path):
    with taken(tmp_path) as claim:
        save(claim)
        mine = tmp_path / "00000001" / "analysis.npy"
        mine.write_text("precious")
        for _ in range(4):
            save(claim)
    assert mine.read_text() == "precious" and [each.name for each in mine.parent.iterdir()] == ["analysis.npy"]
    assert folders.numbers(tmp_path) == [5, 4]
    run(tmp_path, 1, resume=True)


def test_a_link_in_an_old_checkpoint_is_removed_and_not_followed(tmp_path):
    with taken(tmp_path / "ours") as claim:
        save(claim)
        (tmp_path / "precious").write_text("precious")
        path = tmp_path / "ours" / "00000001" / "weights-00000.npy"
        path.unlink()
        path.symlink_to(tmp_path / "precious")
        for _ in range(2):
            save(claim)
    assert not path.parent.exists() and (tmp_path / "precious").read_text() == "precious"


def test_what_appears_under_the_next_number_is_not_replaced(tmp_path):
    with taken(tmp_path) as claim:
        number, _ = claim.begin()
        folders.path_of(tmp_path, number).mkdir()
        with pytest.raises(CheckpointError, match="there is something of this name"):
            folders.commit(tmp_path, number, made_up.manifest())
        claim.tidy()
    assert [each.name for each in tmp_path.iterdir() if each.is_dir()] == []


def test_two_runs_at_once(tmp_path):
    folder = tmp_path / "checkpoints"
    command = [sys.executable, "-c", HOLD.format(identity=IDENTITY), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "taken\n"
        before = tree(folder)
        for resume in (False, True):
            with (
                pytest.raises(RuleError, match=rf"another run is at work in .*process {first.pid}\)"),
                Claim(folder) as us,
            ):
                us.take(IDENTITY, resume)
        assert tree(folder) == before
        first.send_signal(signal.SIGKILL)
    run(folder, 1, resume=True)


def test_a_lock_from_another_node_is_waited_for_when_a_run_goes_on(tmp_path):
    """The node may be gone; the file server takes its lock back after some time."""
    folder = tmp_path / "checkpoints"
    command = [sys.executable, "-c", HOLD.format(identity=IDENTITY), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "taken\n"
        descriptor = os.open(folder / "distnorm.lock", os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, b"another-node 123")
        with pytest.raises(RuleError, match=r"at work in .* \(host another-node, process 123\)"):
            taken(folder)
        threading.Timer(1.5, first.kill).start()
        start = time.monotonic()
        run(folder, 1, resume=True)
        assert 1.0 < time.monotonic() - start < 30.0
        os.close(descriptor)


def test_without_locks_the_later_start_wins_and_the_earlier_stops(tmp_path):
    """A process has a lock once however often it takes it, as two have it where each node has its own locks."""
    with taken(tmp_path) as earlier:
        later = taken(tmp_path)
        save(later)
        before = tree(tmp_path)
        for write in (earlier.begin, earlier.tidy):
            with pytest.raises(CheckpointError, match=r"another run has started there: .*, process \d+, at 20"):
                write()
        assert tree(tmp_path) == before
        save(later)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"3",
        b"[]",
        b'{"checkpoint":"1"}',
        b'{"checkpoint":1,"more":2}',
        b'{"checkpoint":true}',
        b'{"checkpoint":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"\xff",
        b'{"run":1}',
        b"NaN",
        b"",
    ],
)
def test_a_marker_that_is_none_is_refused(line, tmp_path):
    run(tmp_path, 1)
    with (tmp_path / "distnorm.jsonl").open("ab") as file:
        file.write(line + b"\n")
    before = tree(tmp_path)
    with pytest.raises(DistnormError, match=r"distnorm\.jsonl, line 3: "):
        taken(tmp_path, resume=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("content", [b"precious", b'{"checkpoint":1}\n', b"\n", b'{"kind":"header"}\n', b"\0\0\0"])
def test_a_file_of_the_users_in_place_of_a_marker_is_kept(content, tmp_path):
    (tmp_path / "distnorm.jsonl").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"distnorm\.jsonl(, line 1: | is not the marker)"):
        taken(tmp_path)
    assert (tmp_path / "distnorm.jsonl").read_bytes() == content and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["distnorm.jsonl", "distnorm.lock"])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_marker_or_lock_that_is_no_file(name, kind, tmp_path):
    (tmp_path / "precious").write_text("precious")
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    path = folder / name
    {"link": lambda: path.symlink_to("../precious"), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    before = tree(tmp_path)
    with pytest.raises(DistnormError, match=r"cannot (read|write)|is not a file|holds distnorm\.lock, which"):
        taken(folder)
    assert tree(tmp_path) == before and (tmp_path / "precious").read_text() == "precious"


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    for folder, says in (
        (tmp_path / "file", "cannot make checkpoint folder .*file: File exists|Not a directory"),
        (tmp_path / "file" / "x", "cannot (make|read) .*file/x: Not a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path(f"{tmp_path}/a\0b"), "null byte"),
    ):
        with pytest.raises(CheckpointError, match=says):
            taken(folder)
    assert folders.numbers(tmp_path / "none") == []
