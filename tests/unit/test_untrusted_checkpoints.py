"""A checkpoint may come from anybody: reading it runs nothing and opens nothing else, and any nonsense is one error."""

import copy
import json
import os
import pickle
import zlib
from pathlib import Path

import made_up_checkpoints as made_up
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distnorm import checkpoint_table
from distnorm.errors import CheckpointError
from distnorm.intervals.adaptive import State
from distnorm.intervals.controller import Clock
from distnorm.intervals.growth import Growth, Point
from distnorm.mpi.ranks import Ranks
from distnorm.runs.checkpoint import folder as folders
from distnorm.runs.checkpoint.claim import Claim
from distnorm.runs.checkpoint.find import find
from distnorm.runs.checkpoint.identity import of_job
from distnorm.runs.checkpoint.manifest import Manifest
from distnorm.runs.job_file import read_job

STATE = State(
    clock=Clock(resolution_ms=0.1, min_delay_ms=1.5),
    growth=Growth(reach_ms=120.0, intervals=3, measurements=7, agreeing=2),
    before=Point(time_ms=5.0, grown_ms=5.0, drift=0.01),
)
JOB = """
model = "model.py"
simulate_ms = 100.0
threads = 2
[[rules]]
synapse_model = "stdp_synapse"
target_norm = 1.0
[interval]
kind = "adaptive"
bound = 0.05
"""
NONSENSE = [
    *(None, True, False, -1, 0, 1, 2**53, 2**63, -(2**63), 2**64, 10**400, -0.5, 1e-320, 1e308, "", "x", "inf", "nan"),
    *("../../etc/passwd", "/etc/passwd", "a\0b", "\ud800", [], {}, [[]], [None], {"class": "open"}, {"float": "inf"}),
    {"class": "open", "file": "victim", "mode": "w"},
    [0] * 1000,
]


@pytest.fixture
def good(tmp_path):
    """A whole checkpoint, and a function that replaces the content of its manifest."""
    made_up.checkpoint(tmp_path, 1, STATE)
    path = tmp_path / "00000001" / "manifest.json"
    content = json.loads(path.read_text())["content"]

    def replace(content):
        checksum = zlib.crc32(json.dumps(content).encode())
        path.write_text(json.dumps({"crc32": checksum, "content": content}))

    return content, replace


def places(content, path=()):
    """Paths of all values in JSON."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def put(content, path, value):
    """A copy of JSON with another value at the path."""
    if not path:
        return value
    content = copy.copy(content)
    content[path[0]] = put(content[path[0]], path[1:], value)
    return content


def outcome(folder, content):
    """Reading either works or is a CheckpointError, of one line and no great length."""
    try:
        Manifest.from_json(content)
        checkpoint_table(folder)
    except CheckpointError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return error
    return None


def test_the_checkpoint_that_is_changed_is_good(good, tmp_path):
    assert outcome(tmp_path, good[0]) is None
    table = checkpoint_table(tmp_path / "00000001")
    assert len(table) == 2 * made_up.ROWS and set(table["model"]) == {"stdp_synapse"} and np.all(table["weight"] == 0.5)
    assert Manifest.from_json(good[0]).memory.state == STATE


def test_any_value_in_any_place(good, tmp_path, monkeypatch):
    content, replace = good
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim").write_text("precious")
    tried = refused = 0
    for path in places(content):
        for value in NONSENSE:
            changed = put(content, path, value)
            replace(changed)
            refused += outcome(tmp_path, changed) is not None
            tried += 1
    assert (tmp_path / "victim").read_text() == "precious"
    assert tried > 2000 and refused > 0.7 * tried  # the rest are versions, and numbers that may be so


def test_a_missing_or_a_further_field(good, tmp_path):
    content, _ = good
    for path in places(content):
        fields = content
        for key in path:
            fields = fields[key]
        if isinstance(fields, dict) and path != ("identity",):
            for changed in ({**fields, "more": 1}, *({**fields, name: 1} for name in ("class", "float"))):
                assert outcome(tmp_path, put(content, path, changed)) is not None
            for name in fields:
                less = {key: value for key, value in fields.items() if key != name}
                assert outcome(tmp_path, put(content, path, less)) is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(json_values)
def test_any_json(value):
    with pytest.raises(CheckpointError, match="its manifest is not what a run writes"):
        Manifest.from_json(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b"null",
        b"\xff\xfe",
        b'{"crc32": NaN, "content": Infinity}',
        b'{"crc32": ' + b"9" * 5000 + b', "content": 1}',
        b'{"crc32": 0, "content": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"crc32": 0, "content": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
    ],
)
def test_a_manifest_that_is_none(text, good, tmp_path):
    (tmp_path / "00000001" / "manifest.json").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"manifest\.json is damaged|its manifest is not what"):
        checkpoint_table(tmp_path)


@pytest.mark.parametrize("depth", [10, 100, 400, 900, 3000])
def test_deep_content_with_a_sound_checksum(depth, good, tmp_path):
    text = "[" * depth + "]" * depth
    outer = f'{{"crc32": {zlib.crc32(text.encode())}, "content": {text}}}'
    (tmp_path / "00000001" / "manifest.json").write_text(outer)
    with pytest.raises(CheckpointError, match=r"manifest\.json is damaged|its manifest is not what"):
        checkpoint_table(tmp_path)


def precious(path):
    path.write_text("precious")


@pytest.mark.parametrize("name", ["manifest.json", "weights-00001.npy", "state-00000.npy", "norms-00001.npy"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_file_that_is_something_else(name, kind, good, tmp_path):
    path = tmp_path / "00000001" / name
    moved = path.rename(tmp_path / "moved")
    {"link": lambda: path.symlink_to(moved), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with pytest.raises(CheckpointError, match=rf"{name}.*(link|not a file)"):
        checkpoint_table(tmp_path)


class Harmful:
    def __reduce__(self):
        return precious, (Path("victim"),)


def test_a_pickle_in_place_of_an_array(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, replace = good
    path = tmp_path / "00000001" / "weights-00000.npy"
    np.save(path, np.array([Harmful()] * made_up.ROWS, object), allow_pickle=True)
    entry = {"name": path.name, "bytes": path.stat().st_size, "crc32": zlib.crc32(path.read_bytes())}
    changed = put(content, ("parts", 0, "weights"), entry)
    replace(changed)
    assert "is damaged" in str(outcome(tmp_path, changed)) and not (tmp_path / "victim").exists()
    pickle.loads(pickle.dumps(Harmful()))
    assert (tmp_path / "victim").exists()  # had it been read


@pytest.mark.parametrize("model", [1, 7, 65535])
def test_rows_of_a_model_that_is_not_there(model, good, tmp_path):
    content, replace = good
    path = tmp_path / "00000001" / "weights-00000.npy"
    rows = np.load(path)
    rows["model"][-1] = model
    np.save(path, rows)
    replace(put(content, ("parts", 0, "weights", "crc32"), zlib.crc32(path.read_bytes())))
    with pytest.raises(CheckpointError, match=rf"names model {model} of 1"):
        checkpoint_table(tmp_path)


CRAFTED = {
    "no reach": lambda m: m["memory"]["state"]["growth"].update(sxx=0.0),
    "time to come": lambda m: m["memory"].update(normalized_ms=1e9),
    "another time": lambda m: m.update(time_ms=10.0),
    "a path": lambda m: m["parts"][0]["weights"].update(name="../../victim"),
    "another file": lambda m: m["parts"][0]["weights"].update(name="weights-00001.npy"),
    "fewer rows": lambda m: m["parts"][0]["rows"].__setitem__(0, 1),
    "more rows": lambda m: m["parts"][0]["rows"].__setitem__(0, 10**15),
    "no parts": lambda m: m.update(parts=[]),
    "fewer members": lambda m: m["models"][0].update(state=["Kplus"]),
    "another model": lambda m: m["models"].append({"name": "x", "state": []}),
}


@pytest.mark.parametrize("change", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_checkpoint_is_left_for_the_one_before(change, tmp_path, caplog):
    (tmp_path / "model.py").touch()
    (tmp_path / "job.toml").write_text(JOB)
    job = read_job(tmp_path / "job.toml")
    now = of_job(job, 2, False)
    folder = tmp_path / "checkpoints"
    with Claim(folder) as claim:
        claim.take(now, False)
        claim.mark()
        for number in (1, 2):
            claim.begin()
            made_up.checkpoint(folder, number, STATE, identity=now)
    with Claim(folder) as claim:
        assert find(claim, job, False, True, Ranks()).path.name == "00000002"
    path = folder / "00000002" / "manifest.json"
    content = json.loads(path.read_text())["content"]
    change(content)
    path.write_text(json.dumps({"crc32": zlib.crc32(json.dumps(content).encode()), "content": content}))
    with Claim(folder) as claim:
        assert find(claim, job, False, True, Ranks()).path.name == "00000001"
    assert "00000002 is not used" in caplog.text


def test_numbers_are_those_of_folders_with_a_manifest(good, tmp_path):
    for name in ("00000002", "٠٠٠٠٠٠٠٣", "4", ".00000005-partial"):
        (tmp_path / name).mkdir()
    (tmp_path / "00000006").symlink_to("00000001")
    (tmp_path / "00000007").touch()
    assert folders.numbers(tmp_path) == [1]
