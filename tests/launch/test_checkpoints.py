"""Runs that are stopped, killed, resumed on other ranks and threads, and refused."""

import shutil
import signal
import time

import numpy as np
import pytest
from killing import MODEL, Running, command, kill_and_resume, lines_of, run, wait_for, write_job

import distnorm
from distnorm import checkpoint_table
from distnorm.records.run_log import read_log
from distnorm.records.summary import summary
from distnorm.runs.checkpoint import folder as folders

SPLITS = [(1, 4), (2, 2), (4, 1)]


def finished(job, ranks, threads, *arguments, **settings):
    code, out, err = run(command(job, ranks, threads, *arguments, **settings))
    assert code == 0, err
    return out, err


def newest(folder):
    return folders.path_of(folder, folders.numbers(folder)[0])


def manifest(path):
    return folders.read_manifest(path.parent, int(path.name))


def contents(path):
    """All rows with their state, in an order that does not depend on how the run was split."""
    rows, states = [], []
    for part in manifest(path)["parts"]:
        rows.append(np.load(path / part["weights"]["name"]))
        states.append(np.load(path / part["state"]["name"]).reshape(len(rows[-1]), -1))
    rows, states = np.concatenate(rows), np.concatenate(states)
    order = np.lexsort([*states.T, rows["weight"], rows["delay_steps"], rows["target"], rows["source"]])
    return rows[order], states[order]


@pytest.mark.parametrize("written", SPLITS)
def test_any_split_reads_what_any_other_wrote(written, tmp_path):
    job = write_job(tmp_path, simulate_ms=100.0)
    finished(job, *written)
    first = newest(tmp_path / "checkpoints")
    rows, states = contents(first)
    assert len(rows) == 200 * 40 and np.any(states[:, 0] > 0) and np.all(states[:, 1] <= 0)
    for split in SPLITS:
        shutil.copytree(tmp_path / "checkpoints", tmp_path / "copy", dirs_exist_ok=True)
        code, _, err = run(
            [
                *command(job, *split, "--resume", log="none.jsonl")[:-3],
                "--resume",
                "--checkpoint",
                str(tmp_path / "copy"),
            ]
        )
        assert code == 0, err  # nothing is left to simulate: it reads, and writes a checkpoint at the end
        again = contents(newest(tmp_path / "copy"))
        assert newest(tmp_path / "copy").name != first.name
        assert np.array_equal(again[0], rows)
        np.testing.assert_allclose(again[1], states, rtol=0, atol=1e-9)  # times are counted from now
        shutil.rmtree(tmp_path / "copy")


def test_goes_on_the_same_however_it_is_split(tmp_path):
    """Weights, log and controller after a resume do not depend on the split before or after it."""
    outcomes = []
    for i, (before, after) in enumerate([((1, 4), (2, 2)), ((2, 2), (1, 4)), ((4, 1), (1, 4))]):
        folder = tmp_path / str(i)
        folder.mkdir()
        finished(write_job(folder, simulate_ms=100.0), *before)
        finished(write_job(folder, simulate_ms=500.0), *after, "--resume")
        measurements = [
            (each.time_ms, each.elapsed_ms, each.drifts) for each in read_log(folder / "run.jsonl").measurements
        ]
        outcomes.append((measurements, contents(newest(folder / "checkpoints"))[0].tobytes()))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert len(outcomes[0][0]) > 5


def test_log_goes_on_and_noise_is_new(tmp_path):
    out, _ = finished(write_job(tmp_path, simulate_ms=250.0), 2, 1)
    lines = out.splitlines()[1:]
    assert lines[0].startswith("  250 of 250 ms simulated in ") and lines[0].endswith(", finished")
    assert [line.strip() for line in lines] == summary(read_log(tmp_path / "run.jsonl"))
    out, err = finished(write_job(tmp_path, simulate_ms=700.0), 1, 2, "--resume")
    assert "going on from" in err and "700 ms (100%)" in err.replace("of 700", "700") and "from 250 ms" in out
    log = read_log(tmp_path / "run.jsonl")
    times = [measurement.time_ms for measurement in log.measurements]
    assert times == sorted(set(times)) and len(log.resumes) == 1
    assert log.resumes[0].time_ms == 250.0 and log.resumes[0].seed != log.header.seed
    normalized = [0.0, *(measurement.time_ms for measurement in log.measurements if measurement.normalized)]
    for measurement in log.measurements[1:]:
        since = max(each for each in normalized if each < measurement.time_ms)
        assert measurement.elapsed_ms == pytest.approx(measurement.time_ms - since)


def start(tmp_path, ranks=2, threads=1, model=MODEL, **settings):
    running = Running(command(write_job(tmp_path, simulate_ms=1e7, model=model, **settings), ranks, threads))
    wait_for(lambda: folders.numbers(tmp_path / "checkpoints") if (tmp_path / "checkpoints").exists() else False)
    return running


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 75)])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_any_rank_stops_all_with_a_checkpoint(number, code, rank, tmp_path):
    running = start(tmp_path)
    running.signal(number, rank)
    ended, _, err = running.wait(20)
    assert (ended, "Traceback" in err) == (code, False), err
    assert f"stopped (rank {rank}: {signal.Signals(number).name})" in err and "--resume goes on" in err
    log = read_log(tmp_path / "run.jsonl")
    last = newest(tmp_path / "checkpoints")
    assert last.name == "00000002" and manifest(last)["time_ms"] >= log.end.time_ms
    finished(write_job(tmp_path, simulate_ms=manifest(last)["time_ms"] + 50.0), 2, 1, "--resume")
    assert len(read_log(tmp_path / "run.jsonl").resumes) == 1


def test_a_signal_while_the_network_is_built(tmp_path):
    model = tmp_path / "slow.py"
    slow = "    import os, signal\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    model.write_text(MODEL.read_text().replace("    if weight_mV is None:\n", slow + "    if weight_mV is None:\n", 1))
    code, _, err = run(command(write_job(tmp_path, model=model), 2, 1))
    assert code == 143 and "stopped (" in err and "SIGTERM)" in err
    assert folders.numbers(tmp_path / "checkpoints") == [1]


def test_the_end_of_the_allocation(tmp_path):
    job = write_job(tmp_path, simulate_ms=1e7)
    end = time.time() + 8.0
    arguments = command(job, 2, 1, "--set", "checkpoint.grace_s=4")
    code, _, err = run(arguments, SLURM_JOB_END_TIME=str(end))
    assert code == 75 and time.time() < end, err
    assert "4 s before the allocation ends at" in err and "s are left of the allocation" in err
    code, _, err = run([*arguments[:-2], "--resume"], SLURM_JOB_END_TIME="soon")
    assert code == 2 and "SLURM_JOB_END_TIME is 'soon'" in err


def test_a_grace_period_that_is_too_short_is_told(tmp_path):
    job = write_job(tmp_path, simulate_ms=300.0)
    arguments = command(job, 1, 2, "--set", "checkpoint.grace_s=0.001")
    _, _, err = run(arguments, SLURM_JOB_END_TIME=str(time.time() + 1000))
    assert "give a longer grace_s" in err


def test_killed_at_random_moments(tmp_path):
    resumed, _ = kill_and_resume(tmp_path, kills=5)
    assert resumed >= 1


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory):
    """A folder with a job that finished, and in it `other`, the same with another seed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "other").mkdir()
    finished(write_job(folder, simulate_ms=100.0), 1, 2)
    finished(write_job(folder / "other", simulate_ms=100.0), 1, 2, "--set", "seed=8")
    return folder


def flip(path, _):
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 1
    path.write_bytes(content)


def cut(path, _):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove(path, _):
    path.unlink()


def swap(path, other):
    shutil.copy(other / path.name, path)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("weights-00000.npy", flip),
        ("weights-00001.npy", cut),
        ("weights-00001.npy", swap),
        ("state-00001.npy", flip),
        ("norms-00001.npy", flip),
        ("norms-00000.npy", remove),
        ("manifest.json", flip),
        ("manifest.json", cut),
    ],
)
def test_a_damaged_checkpoint_is_left_for_the_one_before(file, damage, two_checkpoints, tmp_path):
    shutil.copytree(two_checkpoints, tmp_path, dirs_exist_ok=True)
    damage(newest(tmp_path / "checkpoints") / file, newest(tmp_path / "other" / "checkpoints"))
    code, _, err = run(command(write_job(tmp_path, simulate_ms=100.0), 2, 1, "--resume"))
    assert code == 0, err
    assert "00000002 is not used" in err and file in err and f"going on from {tmp_path}/checkpoints/00000001" in err
    assert read_log(tmp_path / "run.jsonl").end.reason == "finished"


def test_a_manifest_of_another_run(two_checkpoints, tmp_path):
    shutil.copytree(two_checkpoints, tmp_path, dirs_exist_ok=True)
    swap(newest(tmp_path / "checkpoints") / "manifest.json", newest(tmp_path / "other" / "checkpoints"))
    code, _, err = run(command(write_job(tmp_path, simulate_ms=100.0), 2, 1, "--resume"))
    assert code == 2 and "it is of a run with seed 8, and here it is 7" in err


def test_no_whole_checkpoint(two_checkpoints, tmp_path):
    shutil.copytree(two_checkpoints, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "checkpoints").glob("0*"):
        (path / "weights-00001.npy").unlink()
    code, _, err = run(command(write_job(tmp_path, simulate_ms=100.0), 1, 2, "--resume"))
    assert code == 2 and "no checkpoint in" in err and "is whole; move them away" in err


@pytest.mark.parametrize("checkpointed", [False, True])
def test_what_build_simulates_comes_before_simulate_ms(checkpointed, tmp_path):
    model = tmp_path / "model.py"
    returns = "    return Populations("
    model.write_text(MODEL.read_text().replace(returns, f"    nest.Simulate(30.0)\n{returns}"))
    assert "nest.Simulate(30.0)" in model.read_text()
    job = write_job(tmp_path, simulate_ms=120.0, model=model)
    fixed = 'interval={"kind":"fixed","interval_ms":60.0}'
    arguments = command(job, 1, 1, "--set", fixed)
    if checkpointed:
        assert run(arguments)[0] == 0
        arguments = command(job, 1, 1, "--set", fixed, "--set", "simulate_ms=240", "--resume")
    else:
        arguments = [each for each in arguments if each != "--checkpoint" and not each.endswith("checkpoints")]
        arguments += ["--set", "simulate_ms=240"]
    code, out, err = run(arguments)
    assert code == 0 and "270 of 270 ms (100%)" in err, err
    assert f"{120 if checkpointed else 240} ms simulated in" in out
    log = read_log(tmp_path / "run.jsonl")
    assert [measurement.time_ms for measurement in log.measurements] == [30.0, 90.0, 150.0, 210.0, 270.0]
    assert log.end.time_ms == 270.0


@pytest.mark.parametrize(
    ("ranks", "settings", "says"),
    [
        (4, [], "it is of 2 virtual processes, and this run has 4"),
        (2, ["seed=2"], "seed 7, and here it is 2"),
        (2, ["parameters.g=7"], "parameters.g left out, and here it is 7"),
        (2, ["resolution_ms=0.05"], "resolution_ms 0.1, and here it is 0.05"),
        (2, ["interval.bound=0.1"], "bound=0.05"),
        (2, ['rules=[{"synapse_model":"balanced_stdp","target_norm":3.0}]'], "other rules"),
        (2, ["simulate_ms=50"], "simulate_ms is 50, and checkpoint"),
    ],
)
def test_another_run_is_refused(ranks, settings, says, two_checkpoints, tmp_path):
    shutil.copytree(two_checkpoints, tmp_path, dirs_exist_ok=True)
    before = lines_of(tmp_path / "run.jsonl")
    job = write_job(tmp_path, simulate_ms=100.0)
    code, _, err = run(command(job, ranks, 1, "--resume", *[word for each in settings for word in ("--set", each)]))
    assert code == 2 and says in err and len([line for line in err.splitlines() if "distnorm:" in line]) <= 3, err
    assert lines_of(tmp_path / "run.jsonl") == before


def test_another_network_is_refused(tmp_path):
    model = tmp_path / "model.py"
    model.write_text(MODEL.read_text())
    job = write_job(tmp_path, simulate_ms=100.0, model=model)
    finished(job, 2, 1)
    model.write_text(MODEL.read_text().replace('"allow_autapses": False', '"allow_autapses": True'))
    code, _, err = run(command(job, 2, 1, "--resume"))
    assert code == 2 and "build(...) made another network" in err


def test_stimuli_are_shifted(tmp_path):
    model = tmp_path / "model.py"
    model.write_text(
        MODEL.read_text().replace(
            "    n_recorded: int = 500,\n) -> Populations:",
            "    n_recorded: int = 500,\n    start_ms: float = 0.0,\n) -> Populations:\n    print('start', start_ms)",
        )
    )
    out, _ = finished(write_job(tmp_path, simulate_ms=100.0, model=model), 1, 2)
    assert "start 0.0" in out
    out, err = finished(write_job(tmp_path, simulate_ms=200.0, model=model), 1, 2, "--resume")
    assert "start 100.0" in out and "begin again" not in err


def test_table(two_checkpoints):
    checkpoints = two_checkpoints / "checkpoints"
    table = checkpoint_table(checkpoints)
    assert table.dtype.names == ("source", "target", "model", "weight")
    assert len(table) == 8000 and set(table["model"]) == {"balanced_stdp"}
    assert np.array_equal(table, checkpoint_table(newest(checkpoints)))
    norms = np.bincount(table["target"], table["weight"])[1:]
    assert len(norms) == 200 and norms.mean() == pytest.approx(40 * 5.66 / 40**0.5, rel=0.1)
    with pytest.raises(distnorm.RuleError, match="there is no checkpoint in"):
        checkpoint_table(two_checkpoints)
