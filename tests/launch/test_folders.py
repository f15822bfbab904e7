"""Runs and folders of others: what a run did not write is refused, kept, and never followed out of its folder."""

import json
import shutil
import signal
import sys
import zlib

import pytest
from killing import MODEL, Running, command, run, wait_for, write_job

from distnorm.records.run_log import read_log
from distnorm.runs.checkpoint import folder as folders


def tree(folder):
    """All that is there, by name, with when and by what it was last changed."""
    return sorted((str(path), path.lstat().st_mtime_ns, path.lstat().st_ino) for path in folder.rglob("*"))


def refused(arguments, *words):
    code, out, err = run(arguments)
    assert (code, out.strip(), len(err.splitlines())) == (2, "", 1), (code, out, err)
    assert [word for word in words if word not in err] == [], err


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_folder_of_the_users(ranks, resume, tmp_path):
    mine = tmp_path / "checkpoints"
    for name in ("20250101", "20250102", "00000001", ".20200101-raw", ".00000002-partial"):
        (mine / name).mkdir(parents=True)
        (mine / name / "weights-00000.npy").write_text("precious")
    (mine / "20240101.").write_text("precious")
    before = tree(tmp_path / "checkpoints")
    job = write_job(tmp_path)
    refused(
        command(job, ranks, 2, *resume), "holds .00000002-partial, .20200101-raw, 00000001 and 3 more, which this run"
    )
    assert tree(mine) == before and not (tmp_path / "run.jsonl").exists()


@pytest.mark.parametrize("ranks", [1, 2])
def test_checkpoints_of_another_run(ranks, tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    assert run(command(job, 1, 2))[0] == 0
    before = tree(tmp_path / "checkpoints")
    other = command(job, ranks, 2 // ranks, "--set", "seed=2", log="other.jsonl")
    refused(
        other, "holds checkpoints of the run that started at 20", "; --resume goes on with it, or give another folder"
    )
    refused([*other, "--resume"], "cannot go on", "seed 7, and here it is 2; make them the same")
    refused(command(job, ranks, 2 // ranks, log="other.jsonl"), "holds checkpoints of the run that started")
    assert tree(tmp_path / "checkpoints") == before and not (tmp_path / "other.jsonl").exists()


@pytest.mark.parametrize("ranks", [1, 2])
def test_two_runs_at_once(ranks, tmp_path):
    job = write_job(tmp_path, simulate_ms=1e7, every_s=0.05)
    running = Running(command(job, ranks, 2 // ranks))
    wait_for(lambda: (tmp_path / "checkpoints").exists() and folders.numbers(tmp_path / "checkpoints"))
    for resume in ([], ["--resume"]):
        code, _, err = run(command(job, ranks, 2 // ranks, *resume, log="other.jsonl"))
        assert code == 2 and ("another run is at work in" in err or "holds checkpoints of" in err), err
        assert not (tmp_path / "other.jsonl").exists()
    assert "another run is at work" in err
    running.signal(signal.SIGKILL)
    running.wait()
    last = folders.read_manifest(tmp_path / "checkpoints", folders.numbers(tmp_path / "checkpoints")[0])["time_ms"]
    code, _, err = run(command(write_job(tmp_path, simulate_ms=last + 20.0), ranks, 2 // ranks, "--resume"))
    assert code == 0 and "going on from" in err, err
    assert read_log(tmp_path / "run.jsonl").end.reason == "finished"


def test_of_two_that_start_together_one_is_whole(tmp_path):
    job = write_job(tmp_path, simulate_ms=300.0, every_s=0.02)
    both = [Running(command(job, 1, 1, "--set", f"seed={seed}", log=f"{seed}.jsonl")) for seed in (1, 2)]
    (whole, _, _), (code, _, err) = sorted(each.wait() for each in both)
    assert (whole, code, len(err.splitlines())) == (0, 2, 1)
    assert "another run is at work in" in err or "holds checkpoints of the run" in err, err
    manifest = folders.read_manifest(tmp_path / "checkpoints", folders.numbers(tmp_path / "checkpoints")[0])
    seed = manifest["identity"]["seed"]
    assert manifest["time_ms"] == 300.0 and read_log(tmp_path / f"{seed}.jsonl").end.reason == "finished"


def test_a_run_that_is_refused_leaves_no_trace(tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    before = tree(tmp_path)
    for setting, says in (
        ("parameters.nonsense=1", "has no parameter 'nonsense'"),
        ("parameters.in_degree_excitatory=-3", "build(...)"),
        ("rules=[{'synapse_model':'stdp_synapsis','target_norm':1}]", "no synapse model 'stdp_synapsis'"),
    ):
        refused([*command(job, 1, 1, "--set", setting)], says)
    assert tree(tmp_path) == before


def test_a_log_among_checkpoints(tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    (tmp_path / "checkpoints").mkdir()
    refused(
        command(job, 1, 1, log="checkpoints/run.jsonl"), "is in", "which is for checkpoints alone; give another path"
    )


def test_a_model_that_changes_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    model = tmp_path / "model.py"
    change = f"    import os\n    os.chdir({str(tmp_path / 'elsewhere')!r})\n    if weight_mV is None:\n"
    model.write_text(MODEL.read_text().replace("    if weight_mV is None:\n", change, 1))
    write_job(tmp_path, simulate_ms=50.0, model="model.py")
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--set", "simulate_ms=80", "--resume"]):
        arguments = ["--log", "run.jsonl", "--checkpoint", "checkpoints", "--set", "threads=2", *more]
        code, _, err = run([sys.executable, "-m", "distnorm", "run", "job.toml", *arguments])
        assert code == 0, err
    assert folders.numbers(tmp_path / "checkpoints") == [4, 3] and list((tmp_path / "elsewhere").iterdir()) == []
    assert len(read_log(tmp_path / "run.jsonl").resumes) == 1


def test_a_folder_that_is_a_link_is_where_it_leads(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "checkpoints").symlink_to("scratch")
    job = write_job(tmp_path, simulate_ms=50.0)
    assert run(command(job, 1, 2))[0] == 0
    assert folders.numbers(tmp_path / "scratch") == [2, 1]
    assert run(command(write_job(tmp_path, simulate_ms=60.0), 1, 2, "--resume"))[0] == 0


def test_a_thesis_given_as_log(tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("Introduction\n" + 10_000 * "word ")
    before = thesis.read_bytes()
    code, _, err = run(command(job, 1, 2, "--resume", log="thesis.txt"))
    assert code == 2 and "thesis.txt is not of the run that goes on, and is kept" in err, err
    assert run(command(job, 1, 2, "--resume"))[0] == 0
    code, _, err = run(command(job, 1, 2, "--resume", log="thesis.txt"))
    assert code == 2 and "thesis.txt is not of the run that goes on, and is kept" in err, err
    assert thesis.read_bytes() == before and not (tmp_path / "thesis.txt.undone").exists()


def test_the_log_of_another_run_is_not_gone_on_with(tmp_path):
    job = write_job(tmp_path, simulate_ms=50.0)
    assert run(command(job, 1, 2))[0] == 0
    (tmp_path / "other").mkdir()
    assert run(command(write_job(tmp_path / "other", simulate_ms=80.0), 1, 2))[0] == 0
    shutil.copy(tmp_path / "other" / "run.jsonl", tmp_path / "other.jsonl")
    before = (tmp_path / "other.jsonl").read_bytes()
    code, _, err = run(command(job, 1, 2, "--resume", log="other.jsonl"))
    assert code == 2 and "other.jsonl is not of the run that goes on, and is kept" in err
    assert (tmp_path / "other.jsonl").read_bytes() == before


def changed_manifest(checkpoint, change):
    path = checkpoint / "manifest.json"
    outer = json.loads(path.read_text())
    change(outer["content"])
    outer["crc32"] = zlib.crc32(json.dumps(outer["content"]).encode())
    path.write_text(json.dumps(outer))


CRAFTED = {  # more in tests/unit/test_untrusted_checkpoints.py
    "a class": lambda m: m["memory"].update(state={"class": "open", "file": "victim.txt", "mode": "w"}),
    "no state": lambda m: m["memory"].update(state=None),
    "another clock": lambda m: m["memory"]["state"]["clock"].update(min_delay_ms=0.1),
    "members renamed": lambda m: m["models"][0].update(state=["a", "b"]),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    assert run(command(write_job(folder, simulate_ms=50.0), 1, 2))[0] == 0
    return folder


@pytest.mark.parametrize("change", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_checkpoint(change, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "victim.txt").write_text("precious")
    for checkpoint in (tmp_path / "checkpoints").glob("0*"):
        changed_manifest(checkpoint, change)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(command(write_job(tmp_path, simulate_ms=100.0), 1, 2, "--resume"))
    assert code == 2 and "Traceback" not in out + err and len(err.splitlines()) <= 4, err
    assert "is whole; move them away" in err or "build(...) made another network" in err, err
    assert (tmp_path / "victim.txt").read_text() == "precious"


@pytest.mark.parametrize("file", ["manifest.json", "weights-00000.npy", "state-00001.npy", "norms-00000.npy"])
def test_a_link_in_a_checkpoint_is_not_followed(file, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    for checkpoint in (tmp_path / "checkpoints").glob("0*"):
        (checkpoint / file).rename(tmp_path / f"{checkpoint.name}-{file}")
        (checkpoint / file).symlink_to(tmp_path / f"{checkpoint.name}-{file}")
    code, _, err = run(command(write_job(tmp_path, simulate_ms=100.0), 1, 2, "--resume"))
    assert code == 2 and err.count("it is a link") == 2 and "is whole; move them away" in err, err


HELPER = "from helper import weight\nimport nest\n"


def model_with_helper(folder):
    (folder / "helper.py").write_text("def weight():\n    return None\n")
    model = folder / "model.py"
    model.write_text(MODEL.read_text().replace("import nest\n", HELPER, 1))
    return model


@pytest.mark.parametrize("file", ["model.py", "helper.py"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model_that_has_changed(file, ranks, tmp_path):
    model = model_with_helper(tmp_path)
    (tmp_path / "unused.py").touch()
    assert run(command(write_job(tmp_path, simulate_ms=50.0, model=model), 1, 2), PYTHONPATH=str(tmp_path))[0] == 0
    arguments = command(write_job(tmp_path, simulate_ms=80.0, model=model), ranks, 2 // ranks, "--resume")
    (tmp_path / "unused.py").write_text("changed")
    marker = (tmp_path / "checkpoints" / "distnorm.jsonl").read_bytes()
    content = (tmp_path / file).read_text()
    (tmp_path / file).write_text(content + "# another\n")
    code, _, err = run(arguments, PYTHONPATH=str(tmp_path))
    assert code == 2 and f"it is of a run with another file {file}; a run goes on with the model that it" in err, err
    assert (tmp_path / "checkpoints" / "distnorm.jsonl").read_bytes() == marker
    (tmp_path / file).write_text(content)
    assert run(arguments, PYTHONPATH=str(tmp_path))[0] == 0


HUGE = "1" + 400 * "0"
EXCLUDING = """\
from types import SimpleNamespace
import nest
def build(first=5):
    exc = nest.Create("iaf_psc_delta", 40)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, exc, syn_spec={"weight": 1.0})
    synapses = {"synapse_model": "stdp_synapse", "Wmax": 1.0, "weight": 0.5}
    nest.Connect(exc, exc, {"rule": "fixed_indegree", "indegree": 10}, synapses)
    frozen = nest.GetConnections(source=exc[:first], synapse_model="stdp_synapse")
    everywhere = [(1, target) for target in exc.tolist()]
    return SimpleNamespace(frozen=frozen, everywhere=everywhere, one=[(1, 2)])
"""
RULE = '[[rules]]\nsynapse_model = "stdp_synapse"\ntarget_norm = 5.0\nexclude = "{}"\n'
EXCLUDING_JOB = """\
model = "model.py"
simulate_ms = {}
{}
[interval]
kind = "fixed"
interval_ms = 10.0
"""


@pytest.mark.parametrize("exclude", ["frozen", "everywhere", "one"])
def test_excluded_pairs_are_the_same_on_any_split(exclude, tmp_path):
    (tmp_path / "model.py").write_text(EXCLUDING)
    job = tmp_path / "job.toml"
    for i, (ranks, threads) in enumerate([(2, 2), (4, 1), (1, 4)]):
        job.write_text(EXCLUDING_JOB.format(20.0 * (i + 1), RULE.format(exclude)))
        code, _, err = run(command(job, ranks, threads, "--resume"))
        assert code == 0 and ("going on from" in err) == (i > 0), err
    other = "one" if exclude == "frozen" else "frozen"
    job.write_text(EXCLUDING_JOB.format(100.0, RULE.format(other)))
    code, _, err = run(command(job, 2, 2, "--resume"))
    assert code == 2 and "it is of a run with other rules" in err, err


@pytest.mark.parametrize("value", ["nan", "-inf", HUGE, "[{a = [inf, 1e400]}, 2020-01-01]", '"{1, 2, 3}"'])
def test_any_parameter_can_be_kept_and_gone_on_with(value, tmp_path):
    (tmp_path / "model.py").write_text(EXCLUDING.replace("first=5", "first=5, x=None"))
    job = tmp_path / "job.toml"
    for until in (20.0, 40.0):
        job.write_text(EXCLUDING_JOB.format(until, f"[parameters]\nx = {value}\n{RULE.format('one')}"))
        code, _, err = run(command(job, 1, 2, "--resume"))
        assert code == 0 and ("going on from" in err) == (until == 40.0), err
    code, _, err = run(command(job, 1, 2, "--resume", "--set", "parameters.x=3"))
    assert code == 2 and "parameters.x" in err and "and here it is 3; make them the same" in err, err
