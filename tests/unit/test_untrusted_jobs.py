"""Job files, rules files and settings of any kind: a job, or one line that says what is wrong. Never another error."""

import copy
import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm.attach.rules_file import read_rules
from distnorm.errors import RuleError
from distnorm.runs.job_file import read_job

ADAPTIVE = {"kind": "adaptive", "bound": 0.05, "statistic": "max", "probes": 1, "minimum_ms": 1.0, "maximum_ms": 100.0}
RULE = {
    **{"synapse_model": "stdp_synapse", "target_norm": 1.0, "targets": [1, 2], "sources": "exc", "norm": "l1"},
    **{"receptor_type": 1, "label": [1], "sign": "positive", "exclude": [[1, 2]], "jointly": True, "tolerance": 0.1},
    **{"mode": "multiplicative", "rate": 0.5, "only": "above", "w_min": 0.0, "w_max": "Wmax", "zero": "skip"},
}
JOB = {
    **{"model": "model.py", "simulate_ms": 100.0, "seed": 1, "threads": "all", "resolution_ms": 0.1},
    **{"parameters": {"n": 10}, "rules": [RULE], "interval": {"kind": "fixed", "interval_ms": 10.0}},
    "checkpoint": {"folder": "checkpoints", "every_s": 10.0, "grace_s": 10.0},
    "log": {"weights": [0.0, 1.0]},
}
OTHERS = [
    JOB | {"interval": ADAPTIVE},
    JOB | {"interval": {"kind": "exact", "audit_ms": 10.0}},
    JOB | {"rules": [{"synapse_model": "stdp_synapse", "mean_weight": 1.0, "tau_ms": 10.0}]},
]
HUGE = 10**400


def nested(depth, kind):
    value = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


VALUES = {
    **{repr(each): each for each in (True, False, -1, 0, 1, 2**31, 2**32, 2**61 - 1, 2**62, 2**63 - 1, 2**63, 2**64)},
    **{str(each): each for each in (-0.5, 0.0, -0.0, 5e-324, 1e308, float("inf"), -float("inf"), float("nan"))},
    **{repr(each): each for each in ("", " ", "\n", "a\0b", "é", "../..", "/", "l1", "initial", "1-9", [], {}, [[]])},
    **{repr(each): each for each in ([1, "a"], ["a", "a"], [2**62], [2**63, 1], [[1, 2**64]], {"a": {"b": []}}, [{}])},
    "huge": HUGE,
    "long text": "x" * 5_000,
    "long name": "x" * 300,
    "list of huge": [HUGE],
    "longest": 10**4299,
    "date": datetime.date(2020, 1, 1),
    "time": datetime.time(1, 2, 3),
    "date and time": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    "deep list": nested(40, list),
    "deep table": nested(40, dict),
    "too deep list": nested(200, list),
    "too deep table": nested(200, dict),
}


def text_of(value):
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text_of(key)} = {text_of(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in value) + '"'
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else repr(value)


def document(content):
    return "".join(f"{text_of(key)} = {text_of(value)}\n" for key, value in content.items())


def outcome(read, path, *more):
    """A job, or what was said about it."""
    try:
        return read(path, *more)
    except RuleError as error:
        text = " ".join(str(error).split())
        assert len(text) < 2000, text
        return text


def read(folder, text):
    (folder / "model.py").touch()
    path = folder / "job.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return outcome(read_job, path), outcome(read_rules, path)


def places(content, path=()):
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def put(content, path, value):
    content = copy.deepcopy(content)
    there = content
    for key in path[:-1]:
        there = there[key]
    there[path[-1]] = value
    return content


@pytest.mark.parametrize("job", [JOB, *OTHERS])
def test_the_jobs_that_are_changed_are_good(job, tmp_path):
    assert not isinstance(read(tmp_path, document(job))[0], str)


@pytest.mark.parametrize("job", [JOB, *OTHERS])
def test_any_value_for_any_key(job, tmp_path):
    said = []
    for path in places(job):
        if job is JOB or path[0] in ("rules", "interval"):
            for value in VALUES.values():
                said += [each for each in read(tmp_path, document(put(job, path, value))) if isinstance(each, str)]
    assert len(set(said)) > 30 and all(each.startswith(str(tmp_path)) for each in said)


@pytest.mark.parametrize("job", [JOB, *OTHERS])
def test_any_value_on_the_command_line(job, tmp_path):
    read(tmp_path, document(job))
    values = [repr(value) for value in VALUES.values() if value != VALUES["longest"]]
    values += ["", "(", "None", "b'x'", "{1, 2}", "(1, 2)", "1j", "...", "{1: 2}", "{(1, 2): 3}", "nan", "'\\ud800'"]
    values += [
        "0x" + "f" * 5_000,
        "-" * 10_000 + "1",
        "(" * 10_000,
        "[" * 5_000,
        "1" * 5_000,
        "1+" * 5_000 + "1",
        "\udcff",
    ]
    for path in places(job):
        if all(isinstance(key, str) for key in path):
            for value in values:
                outcome(read_job, tmp_path / "job.toml", [f"{'.'.join(path)}={value}"])


@pytest.mark.parametrize(
    "name", ["", ".", "..", "parameters.", ".x", "a" * 100_000, "parameters." * 5_000 + "x", "é\n\0=", "rules.0"]
)
def test_any_name_on_the_command_line(name, tmp_path):
    read(tmp_path, document(JOB))
    assert isinstance(outcome(read_job, tmp_path / "job.toml", [f"{name}=1"]), str) or name.startswith("parameters.")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = " + "[" * 100_000, "nested more than 50 deep"),
        ("x = " + "{a=" * 100_000, "nested more than 50 deep"),
        (".".join("a" * 1_000) + " = 1", "a: nested more than 50 deep"),
        ("[" + ".".join("a" * 1_000) + "]", "a: nested more than 50 deep"),
        ("x = " + "9" * 5_000, "is not TOML: Exceeds the limit"),
        ("x = 0x" + "f" * 50_000, "x has a whole number of more than 4,000 digits"),
        ("x = [1, [0b" + "1" * 50_000 + "]]", "x has a whole number of more than 4,000 digits"),
        ("\ufeffseed = 1", "is not TOML"),
        ("x = \ud800", "is not TOML"),
        ("x = 2020-13-40", "is not TOML"),
    ],
)
def test_a_document_that_is_none(text, says, tmp_path):
    for said in read(tmp_path, text):
        assert isinstance(said, str) and says in said


@pytest.mark.parametrize(
    "text", ["{} = 1", "{} = 0x" + "f" * 50_000, "{} = " + "[" * 60 + "]" * 60, "parameters = 1\n{} = 1"]
)
@pytest.mark.parametrize("name", [r"\n", r"\u0000", r"\u001b[2J", r"\u2028", "x" * 5_000])
def test_a_name_is_printed_on_one_line(name, text, tmp_path):
    (tmp_path / "job.toml").write_text(text.format(f'"{name}"'))
    with pytest.raises(RuleError) as raised:
        read_job(tmp_path / "job.toml")
    assert str(raised.value).isprintable() and len(str(raised.value)) < 2_000


def test_a_job_file_is_utf_8_whatever_the_locale(tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.ISO-8859-1")
    job = read(tmp_path, document(JOB | {"parameters": {"name": "Größe"}}))[0]
    assert job.parameters == {"name": "Größe"}


toml_values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.times() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
paths = st.sampled_from(list(places(JOB)))


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(paths, toml_values), min_size=1, max_size=3))
def test_random_documents(tmp_path_factory, changes):
    job = JOB
    for path, value in changes:
        try:
            job = put(job, path, value)
        except (TypeError, KeyError, IndexError):  # what was put before has no such place
            continue
    read(tmp_path_factory.getbasetemp(), document(job))
