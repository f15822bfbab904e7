"""Random job files as bytes: good ones, in which a few values, names, tables, lines or bytes become others."""

import copy
import datetime
import math
from pathlib import Path

from distnorm.files.toml_file import tomllib

JOBS = Path(__file__).parents[2] / "jobs"
RULE = {
    **{"synapse_model": "stdp_synapse", "target_norm": 1.0, "targets": [1, 2], "sources": "exc", "norm": "l1"},
    **{"receptor_type": 1, "label": [1], "sign": "positive", "exclude": [[1, 2]], "jointly": True, "tolerance": 0.1},
    **{"mode": "multiplicative", "rate": 0.5, "only": "above", "w_min": 0.0, "w_max": "Wmax", "zero": "skip"},
}
INTERVALS = [
    {"kind": "fixed", "interval_ms": 10.0},
    {"kind": "exact", "audit_ms": 10.0},
    {"kind": "adaptive", "bound": 0.05, "statistic": "q99", "probes": 1, "minimum_ms": 1.0, "maximum_ms": 100.0},
]
KEYS = [
    "a",
    "",
    "é",
    "x" * 300,
    "a.b",
    "\n",
    "\0",
    "kind",
    "rules",
    "targets",
    "__class__",
    "self",
    "\u2028",
    "target_runs",
]
TEXTS = [
    "",
    " ",
    "a\nb",
    "\r",
    "\x85",
    "\u2028\u2029",
    "a\0b",
    "é𝄞",
    "../..",
    "/",
    "l1",
    "l0.5",
    "l1e999",
    "lnan",
    "linf",
    "l 2",
]
TEXTS += [
    "initial",
    "1-9",
    "9-1",
    "x" * 5_000,
    "Wmax",
    "Wmin",
    "all",
    "sum",
    "adaptive",
    "\ud7ff",
    "\x1b[31m",
    "l" + "9" * 400,
]
NUMBERS = [0, 1, -1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400, -(10**400), 10**4299]
NUMBERS += [0.0, -0.0, 0.5, -0.5, 5e-324, 1e308, math.inf, -math.inf, math.nan, 1e-320, 1e15, 1e16, 1e18]
PUT_IN = [b"[" * 30_000, b"9" * 5_000, b"\n[a]\n", b"\xef\xbb\xbf", b"\0", b'"""']
DATES = [datetime.date(2020, 1, 1), datetime.time(1, 2, 3), datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)]


def good(random):
    """The content of a job file that is sound."""
    if random.random() < 0.3:
        return tomllib.loads((JOBS / random.choice(["balanced_stdp.toml", "hpc_benchmark.toml"])).read_text())
    keys = random.sample(sorted(RULE), random.randint(2, len(RULE)))
    rule = {key: RULE[key] for key in {"synapse_model", "target_norm", *keys}}
    return {
        **{"model": "model.py", "simulate_ms": 100.0, "seed": 1, "threads": "all", "resolution_ms": 0.1},
        **{"parameters": {"n": 10}, "rules": [rule], "interval": random.choice(INTERVALS)},
        "checkpoint": {"folder": "checkpoints", "every_s": 10.0, "grace_s": 10.0},
    }


def value(random, depth=0):
    """Any value that TOML has."""
    kind = random.random()
    if kind < 0.3:
        return random.choice(NUMBERS)
    if kind < 0.55:
        return random.choice(TEXTS)
    if kind < 0.65:
        return random.choice([True, False, *DATES])
    if kind < 0.7:
        return nested(random, random.choice([5, 49, 50, 51, 60, 200]))
    if depth == 3:
        return random.uniform(-10, 10)
    inner = [value(random, depth + 1) for _ in range(random.randint(0, 4))]
    return inner if kind < 0.9 else dict(zip(random.sample(KEYS, len(inner)), inner, strict=True))


def nested(random, depth):
    result = random.choice(NUMBERS)
    for _ in range(depth):
        result = random.choice([[result], {"a": result}])
    return result


def places(content, path=()):
    """Where a value stands, however deep."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, inner in items:
        yield (*path, key)
        if len(path) < 6:
            yield from places(inner, (*path, key))


def changed(random, content):
    """One value becomes another, goes, is doubled or moved, or gets a neighbour."""
    content = copy.deepcopy(content)
    path = random.choice(list(places(content)) or [("a",)])
    there = content
    for key in path[:-1]:
        there = there[key]
    kind = random.random()
    if kind < 0.6:
        there[path[-1]] = value(random)
    elif kind < 0.7:
        there.pop(path[-1])
    elif kind < 0.8:
        content[random.choice(KEYS)] = there[path[-1]]
    elif isinstance(there, list):
        there += [value(random)] * random.choice([1, 2, 1000])
    else:
        there[random.choice(KEYS + sorted(RULE))] = value(random)
    return content


def written(thing):
    """A value as TOML, on one line."""
    if isinstance(thing, bool):
        return str(thing).lower()
    if isinstance(thing, dict):
        return "{" + ", ".join(f"{written(key)} = {written(each)}" for key, each in thing.items()) + "}"
    if isinstance(thing, list):
        return "[" + ", ".join(map(written, thing)) + "]"
    if isinstance(thing, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in thing) + '"'
    return thing.isoformat() if isinstance(thing, datetime.date | datetime.time) else repr(thing)


def garbled(random, data):
    """Lines doubled, left out or in another order; bytes that are others, cut off or put in."""
    lines = data.split(b"\n")
    kind = random.random()
    if kind < 0.2:
        return b"\n".join([*lines, random.choice(lines)])
    if kind < 0.4:
        random.shuffle(lines)
        return b"\n".join(lines)
    at = random.randrange(len(data) + 1)
    if kind < 0.6:
        return data[:at]
    put_in = random.choice(
        [random.randbytes(5), b"[" * 30_000, b"9" * 5_000, b"\n[a]\n", b"\xef\xbb\xbf", b"\0", b'"""']
    )
    return data[:at] + put_in + data[at + random.choice([0, 1, 5]) :]


def document(random):
    """A job file; model.py is beside it."""
    content = good(random)
    for _ in range(random.choice([0, 1, 1, 1, 2, 3, 8])):
        content = changed(random, content)
    if "model" in content and random.random() < 0.9:
        content["model"] = "model.py"
    data = "".join(f"{written(key)} = {written(each)}\n" for key, each in content.items())
    data = data.encode("utf-8", "surrogatepass")
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        data = garbled(random, data)
    return data if random.random() > 0.02 else random.randbytes(random.randrange(2_000))


def setting(random):
    """A --set of the command line."""
    path = random.choice(list(places(good(random))))
    text = random.choice([repr(value(random)) if random.random() < 0.6 else random.choice(TEXTS), "((", "1" * 4_000])
    return f"{'.'.join(map(str, path))}{random.choice(['=', '=', '=', ''])}{text}"
