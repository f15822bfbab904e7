"""Connections on disk, one histogram of all weights, and weights recorded over time, on any number of ranks."""

import json

import nest
import numpy as np
import pytest
from networks import network, reset
from plastic import plastic_network

import distnorm
from distnorm.mpi.ranks import world

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(300)]

MODELS = ("stdp_synapse", "static_synapse")
COLUMNS = ("source", "target", "weight", "delay", "synapse_model")


def ranks():
    return world(nest.build_info["have_mpi"])


@pytest.fixture
def folder(tmp_path):
    """The same one on all ranks."""
    return ranks().from_first(lambda: tmp_path)


def built(threads=2):
    reset(virtual_processes=threads * nest.num_processes)
    return network(MODELS)


def everyones(table):
    """Rows of all ranks, sorted by all columns, on each of them."""
    parts = ranks().gather(np.asarray(table))
    return ranks().from_first(lambda: np.sort(np.concatenate(parts)))


def test_what_is_loaded_is_what_was_there(folder):
    built()
    written = distnorm.save_connections(folder / "all", columns=COLUMNS)
    expected = everyones(distnorm.connections(columns=COLUMNS))
    ranks().barrier()
    loaded = distnorm.load_connections(folder / "all")
    assert written == len(expected) == len(loaded)
    assert (np.diff(loaded["target"]) >= 0).all()
    assert np.array_equal(np.sort(np.asarray(loaded)), expected)
    assert set(loaded.models.values()) >= set(MODELS)
    index = json.loads((folder / "all" / "connections.json").read_text())
    for name, rows in index["rows"].items():
        part = np.load(folder / "all" / name)
        assert len(part) == rows
        assert set(part["target"] % nest.total_num_virtual_procs) == {int(name[3:9])}


def test_some_of_them(folder):
    population = built()
    chosen = population[3:9]
    distnorm.save_connections(folder / "some", "stdp_synapse", targets=chosen, columns=("target", "weight"))
    ranks().barrier()
    loaded = distnorm.load_connections(folder / "some")
    assert set(loaded["target"].tolist()) <= set(chosen.tolist()) and len(loaded)
    reset()
    assert distnorm.save_connections(folder / "none") == 0
    ranks().barrier()
    assert not len(distnorm.load_connections(folder / "none"))


def test_a_folder_with_something_in_it_is_kept(folder):
    built()
    if nest.Rank() == 0:
        (folder / "mine.txt").write_text("mine")
    with pytest.raises(distnorm.RuleError, match=r"is not empty"):
        distnorm.save_connections(folder)
    assert (folder / "mine.txt").read_text() == "mine"


def test_an_error_on_one_rank_leaves_nothing(folder, monkeypatch):
    built()
    if nest.Rank() == nest.num_processes - 1:
        monkeypatch.setattr("distnorm.tables.saved._of_processes", lambda *_: 1 / 0)
    with pytest.raises(Exception, match=r"division by zero|ZeroDivisionError"):
        distnorm.save_connections(folder / "all")
    ranks().barrier()
    assert not (folder / "all").exists()


@pytest.mark.parametrize("change", ["index", "rows", "part", "missing"])
def test_a_folder_that_is_not_whole(change, folder):
    built()
    distnorm.save_connections(folder / "all")
    index = folder / "all" / "connections.json"
    if nest.Rank() == 0:
        if change == "index":
            index.write_text("[]")
        elif change == "missing":
            index.unlink()
        elif change == "rows":
            index.write_text(index.read_text().replace('"rows": {', '"rows": {"vp-9.npy": 1,'))
        else:
            part = next((folder / "all").glob("vp-*.npy"))
            np.save(part, np.load(part)[:-1])
    ranks().barrier()
    with pytest.raises(distnorm.RuleError, match="cannot read connections"):
        distnorm.load_connections(folder / "all")


@pytest.mark.parametrize("limits", [None, (12.0, 15.0)])
def test_one_histogram_of_all_ranks(limits):
    built()
    nest.Simulate(20.0)
    found = distnorm.weight_histogram("stdp_synapse", limits=limits)
    weights = everyones(distnorm.connections("stdp_synapse", columns=("weight",)))["weight"]
    edges = np.array(found.edges)
    assert found.counts == tuple(np.histogram(weights, edges)[0].tolist())
    assert (found.below, found.above) == ((weights < edges[0]).sum(), (weights > edges[-1]).sum())
    assert found.mean == pytest.approx(weights.mean(), rel=1e-11)
    assert found.sd == pytest.approx(weights.std(), rel=1e-9)
    if limits is not None:
        assert found.edges[0] == 12.0 and found.edges[-1] == 15.0 and found.below and found.above


def test_a_histogram_of_what_is_not_finite_or_not_there():
    found = nest.GetConnections(built(), synapse_model="static_synapse")
    if nest.Rank() == nest.num_processes - 1:
        found[0].set({"weight": float("nan")})
    with pytest.raises(distnorm.WeightError, match="not all finite"):
        distnorm.weight_histogram()
    assert distnorm.weight_histogram("stdp_synapse").connections
    reset()
    assert distnorm.weight_histogram().connections == 0
    with pytest.raises(distnorm.RuleError, match="lower limit first"):
        distnorm.weight_histogram(limits=(1.0, 0.0))


def read(path):
    """Rows of a recorded file on all ranks."""
    ranks().barrier()
    return [tuple(line.split(",")) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("prepared", [False, True])
def test_recorded_weights_are_those_after_each_measurement(prepared, folder):
    population, _ = plastic_network("stdp_synapse")
    if nest.num_processes > 1:  # a smallest delay that differs between ranks
        nest.Connect(population[:1], population[:1], syn_spec={"delay": 7.0, "weight": 0.0})
    chosen = population[4:7]
    seen = []
    recorder = distnorm.WeightRecorder(folder / "w.csv", "stdp_synapse", targets=chosen)

    def both(measurement):
        recorder(measurement)
        table = everyones(distnorm.connections("stdp_synapse", targets=chosen))
        seen.extend((measurement.time_ms, *row) for row in table.tolist())

    rule = distnorm.Rule("stdp_synapse", target_norm=10.0)
    normalizer = distnorm.Normalizer(rule, interval=20.0, on_measurement=both)
    if prepared:
        nest.Prepare()
    with normalizer.attached():
        (nest.Run if prepared else nest.Simulate)(60.0)
    if prepared:
        nest.Cleanup()
    head, *rows = read(folder / "w.csv")
    assert head == ("time_ms", "synapse_model", "source", "target", "weight")
    assert len(seen) > 100
    got = sorted((float(time), int(source), int(target), float(weight)) for time, _, source, target, weight in rows)
    assert got == sorted(seen)


def test_a_run_that_goes_on_drops_what_comes_again(folder):
    population, _ = plastic_network("stdp_synapse")
    path = folder / "w.csv"
    recorder = distnorm.WeightRecorder(path, targets=population[:2])
    rule = distnorm.Rule("stdp_synapse", target_norm=10.0)
    distnorm.Normalizer(rule, interval=10.0, on_measurement=recorder).simulate(40.0)
    rows = read(path)
    if nest.Rank() == 0:
        with path.open("a") as file:
            file.write("40.0,stdp_")  # torn by a kill
    distnorm.WeightRecorder(path, from_ms=20.0, targets=population[:2])
    kept = read(path)
    assert kept == [rows[0], *(row for row in rows[1:] if float(row[0]) <= 20.0)] and 1 < len(kept) < len(rows)
    with pytest.raises(distnorm.RuleError, match="exists already"):
        distnorm.WeightRecorder(path, targets=population[:2])
    if nest.Rank() == 0:
        path.write_text("something else\n1,2\n")
    with pytest.raises(distnorm.RuleError, match="no file of recorded weights"):
        distnorm.WeightRecorder(path, from_ms=20.0, targets=population[:2])
    assert path.read_text() == "something else\n1,2\n"
