"""`distnorm attach` runs a script as Python does, alone and on several ranks."""

import numpy as np
import pytest
from launching import TESTS, own, said, start

from distnorm.records.run_log import read_log

SCRIPTS = TESTS / "launch" / "scripts"
RULES = """
[[rules]]
synapse_model = "stdp_synapse"
targets = "iaf_psc_delta"
target_norm = 5.0
[interval]
kind = "fixed"
interval_ms = 15.0
"""
ATTACH = ("-m", "distnorm", "attach", "rules.toml")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "data.txt").write_text("some data")
    return tmp_path


@pytest.mark.parametrize(
    ("script", "arguments", "code"),
    [
        ("ordinary.py", ["--log", "x y", "--observe"], 0),
        ("raises.py", ["raise"], 1),
        ("raises.py", ["exit"], 3),
        ("raises.py", ["text"], 1),
        ("raises.py", ["nest"], 1),
        ("raises.py", ["none"], 0),
        ("threads.py", [], 0),
        ("networks.py", [], 0),
    ],
)
def test_as_with_plain_python(script, arguments, code, folder):
    plain = start(folder, SCRIPTS / script, *arguments)
    observed = start(folder, *ATTACH, "--observe", SCRIPTS / script, *arguments)
    assert (plain.returncode, plain.stdout) == (observed.returncode, observed.stdout)
    assert plain.returncode == code and plain.stdout
    inside = [f'  File "{SCRIPTS.parents[2]}' in line for line in observed.stderr.splitlines()]
    if script == "raises.py" and arguments == ["nest"]:  # frames between nest.Simulate and NEST are distnorm's
        assert own(plain.stderr)[-1] == own(observed.stderr)[-1] and any(inside)
    else:
        assert own(plain.stderr) == own(observed.stderr)
    assert len(said(observed)) >= 1


@pytest.mark.parametrize("text", ["print('x'\n", "import nest\n  indented\n"])
def test_a_syntax_error(text, folder):
    (folder / "wrong.py").write_text(text)
    plain, attached = start(folder, "wrong.py"), start(folder, *ATTACH, "wrong.py")
    assert plain.returncode == attached.returncode == 1
    assert own(plain.stderr) == own(attached.stderr) and "Error" in plain.stderr


def test_an_interrupt(folder):
    plain, attached = (start(folder, *backend, SCRIPTS / "raises.py", "interrupt") for backend in ((), ATTACH))
    assert own(plain.stderr) == own(attached.stderr) and plain.returncode == attached.returncode


LAST_RUN = """
import os, subprocess, nest

neurons = nest.Create("iaf_psc_delta", 10_000)
inputs = {"rule": "fixed_indegree", "indegree": 1}
nest.Connect(neurons, neurons, inputs, {"synapse_model": "stdp_synapse", "weight": 0.5, "delay": 2000.0})
nest.Simulate(2000.0)
if nest.Rank() == nest.num_processes - 1:
    subprocess.Popen(["sh", "-c", f"sleep 0.05; kill -INT {os.getpid()}"])
nest.Simulate(2000.0)  # a slice, in which nothing is due
print("the end")
"""


@pytest.mark.parametrize("ranks", [0, 2])
def test_an_interrupt_in_the_last_run(ranks, folder):
    (folder / "rules.toml").write_text(RULES.replace("15.0", "1e9"))
    (folder / "last_run.py").write_text(LAST_RUN)
    done = start(folder, *ATTACH, "--log", "run.jsonl", "last_run.py", ranks=ranks, timeout=60)
    assert done.returncode in ((130, 2) if ranks else (130, -2)), done.stderr
    assert ("the end" in done.stdout) == bool(ranks) and ("Traceback" in done.stderr) == (not ranks)
    assert read_log(folder / "run.jsonl").end.reason == ("finished" if ranks else "KeyboardInterrupt: ")


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize(("how", "code"), [("raise", 1), ("exit", 3)])
def test_a_script_that_fails_on_one_rank_ends_all(how, code, ranks, folder):
    done = start(folder, *ATTACH, SCRIPTS / "raises.py", how, ranks - 1, ranks=ranks, timeout=30)
    # mpiexec may tell of a rank that it killed (9) before the one that asked for that, which it names all the same.
    assert done.returncode == code or (done.returncode == 9 and f"Abort({code}) on node {ranks - 1}" in done.stderr)
    assert "after" not in done.stdout
    if how == "raise":
        assert "ValueError: a mistake of the model" in done.stderr and f"{SCRIPTS / 'raises.py'}" in done.stderr
        assert done.stderr.count("The above exception was the direct cause") == 1


@pytest.mark.parametrize(("how", "code"), [("raise", 1), ("exit", 3), ("none", 0)])
def test_a_script_that_ends_on_all_ranks(how, code, folder):
    done = start(folder, *ATTACH, SCRIPTS / "raises.py", how, ranks=2, timeout=30)
    assert done.returncode == code and "Abort" not in done.stderr + done.stdout
    assert len([line for line in said(done) if "normalized" in line]) == 1


@pytest.mark.parametrize("ranks", [0, 2])
def test_callback_context_and_attach_give_the_same_weights(ranks, folder):
    for how in ("callback", "context"):
        done = start(folder, SCRIPTS / "stimuli.py", how, how, ranks=ranks)
        assert done.returncode == 0, done.stderr
    done = start(folder, *ATTACH, SCRIPTS / "stimuli.py", "attach", "attach", ranks=ranks)
    assert done.returncode == 0 and "normalized 100 times" in done.stderr, done.stderr
    for rank in range(max(ranks, 1)):
        callback, context, attach = (np.load(folder / f"{how}-{rank}.npy") for how in ("callback", "context", "attach"))
        assert len(callback) == 400 // max(ranks, 1)
        assert np.array_equal(callback, context) and np.array_equal(callback, attach)
        norms = np.bincount(callback[:, 1].astype(int), callback[:, 2])
        assert np.allclose(norms[norms > 0], 5.0, rtol=1e-12, atol=0)


@pytest.mark.parametrize("ranks", [0, 2])
def test_each_network_of_a_script_has_its_own_log(ranks, folder):
    done = start(folder, *ATTACH, "--log", "run.jsonl", SCRIPTS / "networks.py", ranks=ranks)
    assert done.returncode == 0 and "distnorm: 3 networks; of the last:" in done.stderr
    runs = [read_log(folder / name) for name in ("run.jsonl", "run-2.jsonl", "run-3.jsonl")]
    for run in runs:
        assert [measurement.time_ms for measurement in run.measurements] == [0.0, 15.0, 30.0, 45.0, 60.0]
        assert [drift.max for measurement in run.measurements for drift in measurement.drifts] == [
            drift.max for measurement in runs[0].measurements for drift in measurement.drifts
        ]
    assert [run.end.reason for run in runs] == ["nest.ResetKernel", "nest.ResetKernel", "finished"]
    report = start(folder, "-m", "distnorm", "report", "run-3.jsonl")
    *lines, _ = report.stdout.removeprefix("run-3.jsonl: ").splitlines()
    assert report.returncode == 0 and "60 ms simulated" in lines[0]
    assert [line.strip() for line in lines] == [line.removeprefix("distnorm: ") for line in said(done)[-len(lines) :]]


@pytest.mark.parametrize("ranks", [0, 2])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("iaf_psc_delta", "iaf_psc_alpha", "rules[0].targets is 'iaf_psc_alpha', and no node of that model is there"),
        ('"stdp_synapse"', '"stdp_synapze"', "NEST has no synapse model 'stdp_synapze'; similar: "),
        ("iaf_psc_delta", "30-50", "rules[0].targets holds node ID 50; the network has 41 nodes"),
        ("iaf_psc_delta", "7-3", 'a range of node IDs is "FIRST-LAST"'),
        ("target_norm = 5.0", 'target_norm = "mine"', "rules[0].target_norm is 'mine'; give a positive number"),
        ("[[rules]]", "model = 'x.py'\n[[rules]]", "unknown key model; known: rules, interval"),
        ("target_norm = 5.0", "target_norm = 5.0\nfactor = 2", "unknown key rules[0].factor; known: "),
        ("15.0", "-15.0", "interval.interval_ms is -15.0 ms; it must be positive and finite"),
    ],
)
def test_a_wrong_rule_is_one_line(old, new, message, ranks, folder):
    (folder / "rules.toml").write_text(RULES.replace(old, new))
    done = start(folder, *ATTACH, SCRIPTS / "networks.py", ranks=ranks)
    assert done.returncode == 2 and len(said(done)) == 1 and message in said(done)[0], done.stderr
    assert not own(done.stderr) and not done.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["attach", "no.toml", "x.py"], "cannot read rules file no.toml: No such file or directory"),
        (["attach", "rules.toml", "no.py"], "cannot read script no.py: No such file or directory"),
        (["attach", "--log", "data.txt", "rules.toml", "x.py"], "log data.txt exists already and is kept"),
        (["inspect", "no.py"], "cannot read script no.py: No such file or directory"),
    ],
)
def test_a_wrong_file_is_one_line(command, message, folder):
    done = start(folder, "-m", "distnorm", *command)
    assert done.returncode == 2 and len(said(done)) == 1 and message in said(done)[0], done.stderr


def test_a_script_that_does_not_simulate(folder):
    (folder / "no_nest.py").write_text("print('done')")
    done = start(folder, *ATTACH, "no_nest.py")
    assert done.returncode == 0 and said(done) == [
        "distnorm: nothing was simulated in this process, so nothing was normalized"
    ]


@pytest.mark.parametrize("ranks", [0, 2, 3])
def test_a_rule_that_matches_nothing_is_said_before_the_script_goes_on(ranks, folder):
    (folder / "rules.toml").write_text(RULES.replace('"stdp_synapse"\n', '"stdp_synapse_lbl"\nlabel = 7\n'))
    done = start(folder, *ATTACH, SCRIPTS / "networks.py", ranks=ranks, merged=True)
    told = "distnorm: rule 1 (stdp_synapse_lbl onto 1-40 label 7): matches no connection of this network so far"
    assert done.returncode == 0 and done.stdout.count(told) == 3
    assert done.stdout.index(told) < done.stdout.index("60.0")  # what the script prints once it has simulated


def test_rules_go_by_their_place_in_the_file(folder):
    more = '[[rules]]\nsynapse_model = ["tsodyks_synapse", "ht_synapse"]\njointly = false\ntarget_norm = 1.0\n'
    (folder / "rules.toml").write_text(more + RULES.replace("iaf_psc_delta", "41-41"))
    done = start(folder, *ATTACH, SCRIPTS / "networks.py")
    assert [line for line in said(done) if line.endswith("never matched a connection")] == [
        f"distnorm: rules[{i}] ({text}) never matched a connection"
        for i, text in ((0, "tsodyks_synapse"), (0, "ht_synapse"), (1, "stdp_synapse onto 41"))
    ]


def test_a_rule_that_never_matched(folder):
    (folder / "rules.toml").write_text(
        RULES + RULES.split("[interval]", maxsplit=1)[0].replace("stdp_synapse", "static_synapse")
    )
    done = start(folder, *ATTACH, SCRIPTS / "networks.py")
    assert done.returncode == 0 and said(done)[-1] == (
        "distnorm: rules[1] (static_synapse onto 1-40) never matched a connection"
    )


@pytest.mark.parametrize("ranks", [0, 2])
def test_a_dry_run_lists_what_would_be_normalized(ranks, folder):
    done = start(folder, *ATTACH[:3], "--dry-run", "rules.toml", SCRIPTS / "networks.py", ranks=ranks)
    assert done.returncode == 0, done.stderr
    head, row, _ = done.stdout.splitlines()
    assert head.split() == ["synapse", "model", "connections", "targets", "in-degree", "norm", "onto"]
    assert row.startswith("stdp_synapse   400          40       10 / 10 / 10  ") and row.endswith(
        "iaf_psc_delta  Wmax 100"
    )


def test_a_dry_run_tells_a_rule_without_connections(folder):
    (folder / "rules.toml").write_text(RULES.replace('"stdp_synapse"\n', '"stdp_synapse"\nreceptor_type = 7\n'))
    done = start(folder, *ATTACH[:3], "--dry-run", "rules.toml", SCRIPTS / "networks.py")
    assert done.returncode == 0 and done.stdout.splitlines()[1].endswith("matches no connection"), done.stdout


@pytest.mark.parametrize("ranks", [0, 2])
def test_inspect_writes_rules_that_attach_takes(ranks, folder):
    done = start(folder, "-m", "distnorm", "inspect", "-o", "found.toml", SCRIPTS / "networks.py", ranks=ranks)
    assert done.returncode == 0 and "plastic" in done.stdout, done.stderr
    attached = start(folder, *ATTACH[:3], "found.toml", SCRIPTS / "networks.py", ranks=ranks)
    assert attached.returncode == 0 and "400 connections onto 40 neurons" in attached.stderr, attached.stderr
    again = start(folder, "-m", "distnorm", "inspect", "-o", "found.toml", SCRIPTS / "networks.py", ranks=ranks)
    assert again.returncode == 2 and "found.toml exists already and is kept" in said(again)[-1]


def test_inspect_takes_a_network_that_is_never_simulated(folder):
    (folder / "builds.py").write_text(
        f"import sys\nsys.path.append({str(SCRIPTS)!r})\nimport common_model\ncommon_model.build()\n"
    )
    done = start(folder, "-m", "distnorm", "inspect", "builds.py")
    assert done.returncode == 0 and "stdp_synapse" in done.stdout and 'targets = ["iaf_psc_delta"]' in done.stdout
