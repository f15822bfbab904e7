"""Connections as rows: what the kernel reads is what PyNEST says, and what is written back is what was read."""

import nest
import numpy as np
import pytest
from networks import connections, network, reset

from distnorm.errors import CheckpointError
from distnorm.mpi.ranks import world
from distnorm.runs.checkpoint import rows as parts
from distnorm.synapses.connection_rows import ROW, Connections
from distnorm.synapses.synapse_models import SYNAPSE_MODELS

MODELS = [model.name + variant for model in SYNAPSE_MODELS for variant in ("", "_hpc", "_lbl")]
MODELS = [model for model in MODELS if not (model.startswith("eprop") and model.endswith("_lbl"))]  # NEST has none
NOT_KEPT = {"quantal_stp_synapse": {"a"}, "stdp_dopamine_synapse": {"Kplus", "c", "n"}}  # as synapse_models.py says


def opened(model):
    found = Connections(nest, world(nest.build_info["have_mpi"]), [model])
    found.sort()
    return found


def shown(sources, model):
    """All numbers that PyNEST shows of connections, by their names, in the order of source, target and weight."""
    status = nest.GetConnections(source=sources, synapse_model=model).get()
    numbers = {key: np.array(values) for key, values in status.items() if isinstance(values[0], int | float)}
    order = np.lexsort((numbers["weight"], numbers["target"], numbers["source"]))
    return {key: values[order] for key, values in numbers.items()}


def everything(kept, thread=0):
    """All rows and state of a thread, model after model."""
    read = [
        (rows.copy(), state.copy())
        for model in range(len(kept.models))
        for _, rows, state in parts._blocks(kept, thread, model, kept.count(thread, kept.models[model]))
    ]
    return np.concatenate([rows for rows, _ in read]), [state for _, state in read]


@pytest.mark.parametrize("model", [model for model in MODELS if not model.startswith("stdp_dopamine_synapse_lbl")])
def test_every_model_comes_back(model, tmp_path):
    if model not in nest.synapse_models:
        pytest.skip(f"this NEST was built without {model}")
    reset(virtual_processes=1)
    population = network([model])
    nest.Simulate(30.0)
    kept = opened(model)
    before, state = everything(kept)
    shown_before = shown(population, model)
    for each, expected in zip(("source", "target", "weight"), connections([model]), strict=True):
        assert np.array_equal(np.sort(before[each]), np.sort(expected))
    part = parts.write_part(tmp_path, kept, 0, nest.biological_time, np.zeros(0, parts.NORM))
    nest.Simulate(50.0)
    nest.GetConnections(synapse_model=model).weight = 0.25
    now = nest.biological_time
    parts.read_part(tmp_path, kept, 0, part, now)
    after, state_after = everything(kept)
    assert np.array_equal(after, before)
    for saved, restored, each in zip(state, state_after, kept.models, strict=True):
        saved[:, each.times] += now - 30.0
        np.testing.assert_allclose(restored, saved, rtol=0, atol=1e-9)
    shown_after = shown(population, model)
    changed = {key for key, values in shown_before.items() if not np.array_equal(values, shown_after[key])}
    assert changed == NOT_KEPT.get(model.removesuffix("_hpc").removesuffix("_lbl"), set())


def test_targets_in_another_order_within_a_source(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_BLOCK", 64)  # less than the targets of one source, so that blocks grow
    reset(virtual_processes=1)
    network(["stdp_synapse"], neurons=80, indegree=70)
    kept = opened("stdp_synapse")
    before, _ = everything(kept)
    pairs = before[["source", "target"]]
    assert len(np.unique(pairs)) < len(pairs)  # multapses
    part = parts.write_part(tmp_path, kept, 0, 0.0, np.zeros(0, parts.NORM))
    path = tmp_path / part.weights.name
    shuffled = np.load(path)
    order = np.random.default_rng(1).permutation(len(shuffled))
    shuffled = shuffled[order][np.argsort(shuffled["source"][order], kind="stable")]
    assert not np.array_equal(shuffled, before)
    with parts.Writer(tmp_path / "other.npy", ROW, len(shuffled)) as out:
        out.write(shuffled)
        entry = out.finish()
    nest.GetConnections(synapse_model="stdp_synapse").weight = 0.25
    parts.read_part(tmp_path, kept, 0, parts.Part(**vars(part) | {"weights": entry}), 0.0)
    after, _ = everything(kept)
    names = ["source", "target", "weight"]
    assert np.array_equal(np.sort(after[names], order=names), np.sort(before[names], order=names))
    once = np.array([np.sum(pairs == pair) == 1 for pair in pairs])
    assert np.array_equal(after[once], before[once])


def test_rows_that_are_not_there(tmp_path):
    reset(virtual_processes=1)
    network(["stdp_synapse"])
    kept = opened("stdp_synapse")
    part = parts.write_part(tmp_path, kept, 0, 0.0, np.zeros(0, parts.NORM))
    wrong = np.load(tmp_path / part.weights.name)
    wrong["target"][5] += 1
    with parts.Writer(tmp_path / "other.npy", ROW, len(wrong)) as out:
        out.write(wrong)
        entry = out.finish()
    with pytest.raises(CheckpointError, match="connections that were not written"):
        parts.read_part(tmp_path, kept, 0, parts.Part(**vars(part) | {"weights": entry}), 0.0)


def test_fixed_models_are_kept_for_a_rule_only():
    reset(virtual_processes=1)
    network(["static_synapse", "stdp_synapse", "tsodyks_synapse"])
    assert [model.name for model in opened("stdp_synapse").models] == ["stdp_synapse", "tsodyks_synapse"]
    names = [model.name for model in opened("static_synapse").models]
    assert names == ["static_synapse", "stdp_synapse", "tsodyks_synapse"]


def test_models_that_the_kernel_does_not_know_are_named():
    reset(virtual_processes=1)
    neurons = nest.Create("iaf_psc_alpha", 4)
    nest.Connect(neurons, neurons, syn_spec={"synapse_model": "stdp_facetshw_synapse_hom", "delay": 1.0})
    assert opened("stdp_synapse").left_out == ["stdp_facetshw_synapse_hom"]
