"""A checkpoint changes nothing in the run: the same spikes, potentials and files, whenever it is written."""

import json

import pytest
from launching import start

MODEL = """
import atexit
import hashlib
from pathlib import Path
from types import SimpleNamespace

import nest
import numpy as np

GENERATORS = {
    "pulsepacket_generator": {"pulse_times": [20.0, 40.0, 160.0], "activity": 80, "sdev": 3.0},
    "mip_generator": {"rate": 100.0, "p_copy": 0.5},
    "ac_generator": {"amplitude": 5.0, "frequency": 30.0},
}


def build(kind="mip_generator", record_to="memory", grows=False):
    exc = nest.Create("iaf_psc_delta", 40)
    nest.Connect(nest.Create("poisson_generator", params={"rate": 18_000.0}), exc, syn_spec={"weight": 1.0})
    plastic = {"synapse_model": "stdp_synapse", "Wmax": 1.0, "weight": 0.5}
    nest.Connect(exc, exc, {"rule": "fixed_indegree", "indegree": 20}, plastic)
    stimulus, parrots = nest.Create(kind, params=GENERATORS[kind]), nest.Create("parrot_neuron", 5)
    nest.Connect(stimulus, exc if kind == "ac_generator" else parrots)
    potentials = nest.Create("multimeter", params={"record_from": ["V_m"]})
    nest.Connect(potentials, exc)
    to_file = {"record_to": "ascii", "label": "rec"} if record_to == "ascii" else {}
    spikes = nest.Create("spike_recorder", params=to_file)
    nest.Connect(exc + parrots, spikes)
    if grows:
        nest.structural_plasticity_update_interval = 20
        nest.CopyModel("static_synapse", "grown", {"weight": 0.5, "delay": 1.0})
        elements = {"post_synaptic_element": "Den", "pre_synaptic_element": "Axon"}
        nest.structural_plasticity_synapses = {"s": {"synapse_model": "grown", **elements}}
        curve = {"growth_curve": "gaussian", "growth_rate": 0.05, "continuous": False, "eta": 0.0, "eps": 0.1}
        nest.Create("iaf_psc_alpha", 20, {"synaptic_elements": {"Den": curve, "Axon": curve}, "I_e": 380.0})
        nest.EnableStructuralPlasticity()

    def tell():
        events = potentials.events
        order = np.lexsort((events["senders"], events["times"]))
        weights = sorted(nest.GetConnections().get("weight"))
        found = events["V_m"][order].tobytes() + repr((spikes.n_events, weights)).encode()
        Path(f"rank{nest.Rank()}.hash").write_text(hashlib.sha1(found).hexdigest())

    atexit.register(tell)
    return SimpleNamespace(exc=exc)
"""
RULE = {"synapse_model": "stdp_synapse", "target_norm": 10.0}


def write_job(folder, **settings):
    (folder / "model.py").write_text(MODEL)
    tables = {"simulate_ms": 300.0, "threads": 1, "interval": {"kind": "fixed", "interval_ms": 50.0}} | settings
    parameters = tables.pop("parameters", {})
    lines = ['model = "model.py"', *(f"{key} = {toml(value)}" for key, value in tables.items())]
    lines += [f"parameters = {toml(parameters)}", f"rules = [{toml(RULE)}]"]
    (folder / "job.toml").write_text("\n".join(lines))


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def run(folder, *arguments, ranks=0):
    done = start(folder, "-m", "distnorm", "run", "job.toml", *arguments, ranks=ranks)
    assert done.returncode == 0, done.stderr
    return [path.read_text() for path in sorted(folder.glob("rank*.hash"))], done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("ranks", "parameters"),
    [
        *((0, {"kind": kind}) for kind in ("pulsepacket_generator", "mip_generator", "ac_generator")),
        (0, {"grows": True}),
        (0, {"record_to": "ascii"}),
        (2, {"grows": True}),
        (2, {"record_to": "ascii"}),
    ],
    ids=str,
)
def test_the_same_with_and_without_checkpoints(parameters, ranks, tmp_path):
    write_job(tmp_path, parameters=parameters)
    seen, files = [], []
    for every_s in (None, 0.02, 600):
        folder = tmp_path / f"every-{every_s}"
        more = [] if every_s is None else ["--checkpoint", folder, "--set", f"checkpoint.every_s={every_s}"]
        seen.append(run(tmp_path, *more, ranks=ranks)[0])
        written = sorted(tmp_path.glob("rec*.dat"))
        files.append([path.read_text() for path in written])
        for path in written:
            path.unlink()
    assert seen[0] and all(hashes == seen[0] for hashes in seen)
    assert all(texts == files[0] for texts in files) and bool(files[0]) == ("record_to" in parameters)


def test_a_recorder_that_writes_files_goes_on_under_another_name(tmp_path):
    write_job(tmp_path, parameters={"record_to": "ascii"})
    run(tmp_path, "--checkpoint", "kept")
    (first,) = tmp_path.glob("*.dat")
    before = first.read_text()
    names = []
    for until_ms in (400, 500):
        _, said = run(tmp_path, "--checkpoint", "kept", "--resume", "--set", f"simulate_ms={until_ms}")
        (name,) = {path.name for path in tmp_path.glob("*.dat")} - {first.name, *names}
        names.append(name)
        assert (
            f"spike_recorder: NEST cannot append to files of recorders; what they record from {until_ms - 100}" in said
        )
        times = [float(line.split()[1]) for line in (tmp_path / name).read_text().splitlines()[3:]]
        assert times and max(times) <= 100.0  # NEST's clock begins anew
    assert [name[: name.index("-") + 1] for name in names] == ["resumed1-", "resumed2-"]
    assert first.read_text() == before
