"""`distnorm attach` with `kind = "exact"`: norms held by the script's own synapse models."""

import re

import numpy as np
import pytest
from launching import TESTS, said, start
from nest_examples import examples_folder

from distnorm.records.run_log import read_log

pytestmark = pytest.mark.timeout(900)  # the first test may compile the models

UNAWARE = TESTS / "launch" / "scripts" / "unaware.py"
MODELS = ("stdp_synapse", "copied")
EXACT = '[interval]\nkind = "exact"\naudit_ms = 20.0\n'


def rules(*models, target_norm=5.0):
    tables = [f'[[rules]]\nsynapse_model = "{model}"\ntarget_norm = {target_norm}\n' for model in models]
    return "".join(tables) + EXACT


def attach(folder, text, *arguments, ranks=0, options=()):
    (folder / "rules.toml").write_text(text)
    command = ("-m", "distnorm", "attach", *options, "rules.toml", *arguments)
    return start(folder, *command, ranks=ranks, timeout=600)


def results(folder, name, network, ranks):
    """Spikes of each rank, and norms of all neurons by model."""
    files = [np.load(folder / f"{name}-{network}-{rank}.npz") for rank in range(max(ranks, 1))]
    norms = {model: np.concatenate([file[model] for file in files]) for model in MODELS}
    assert all(len(each) == 40 for each in norms.values())
    return [file["spikes"] for file in files], norms


def off(norms, target_norm=5.0):
    return np.abs(norms / target_norm - 1.0).max()


@pytest.mark.parametrize("ranks", [0, 2])
def test_norms_are_held_through_resets_and_other_numbers_of_threads(ranks, tmp_path):
    done = attach(tmp_path, rules(*MODELS), UNAWARE, "held", 1e-3, 1, 2, 3, 1, ranks=ranks)
    assert done.returncode == 0 and "4 networks; of the last:" in done.stderr, done.stderr
    assert "held in every time slice: audited 3 times" in done.stderr
    for network in range(4):
        _, norms = results(tmp_path, "held", network, ranks)
        assert max(off(norms[model]) for model in MODELS) < 1e-13


@pytest.mark.parametrize(("held", "free"), [MODELS, MODELS[::-1]])
def test_models_that_no_rule_names_stay_as_they_are(held, free, tmp_path):
    done = attach(tmp_path, rules(held), UNAWARE, "held", 1e-3, 2)
    assert done.returncode == 0, done.stderr
    _, norms = results(tmp_path, "held", 0, 0)
    assert off(norms[held]) < 1e-13 and off(norms[free]) > 1e-3


@pytest.mark.parametrize("ranks", [0, 2])
def test_without_learning_spikes_and_norms_are_the_scripts_own(ranks, tmp_path):
    plain = start(tmp_path, UNAWARE, "plain", 0.0, 2, 1, ranks=ranks)
    done = attach(tmp_path, rules(*MODELS, target_norm='"initial"'), UNAWARE, "held", 0.0, 2, 1, ranks=ranks)
    assert plain.returncode == done.returncode == 0, done.stderr
    for network in range(2):
        spikes, norms = results(tmp_path, "plain", network, ranks)
        same_spikes, same_norms = results(tmp_path, "held", network, ranks)
        assert all(map(np.array_equal, spikes, same_spikes)) and spikes[0].shape[1] > 100 / max(ranks, 1)
        assert all(np.allclose(norms[model], same_norms[model], rtol=1e-14, atol=0) for model in MODELS)


def test_observed_nothing_is_replaced(tmp_path):
    plain = start(tmp_path, UNAWARE, "plain", 1e-3, 2)
    done = attach(tmp_path, rules(*MODELS), UNAWARE, "seen", 1e-3, 2, options=["--observe"])
    assert plain.returncode == done.returncode == 0 and "observed 3 times, not normalized" in done.stderr, done.stderr
    spikes, norms = results(tmp_path, "plain", 0, 0)
    same_spikes, same_norms = results(tmp_path, "seen", 0, 0)
    assert np.array_equal(spikes, same_spikes) and all(np.array_equal(norms[each], same_norms[each]) for each in MODELS)


@pytest.mark.parametrize("ranks", [0, 2])
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rules("static_synapse"), "'static_synapse' cannot hold norms by itself; .* are for stdp_synapse, "),
        (rules("stdp_synapze"), "NEST has no synapse model 'stdp_synapze'; similar: "),
        (
            rules("stdp_synapse").replace("[interval]", 'sign = "positive"\n[interval]'),
            "holds the norm of all connections of a model; instead of sign, give",
        ),
    ],
)
def test_what_cannot_be_held_is_one_line(text, message, options, ranks, tmp_path):
    done = attach(tmp_path, text, UNAWARE, "no", 1e-3, 2, ranks=ranks, options=options)
    (line,) = said(done)
    assert done.returncode == 2 and not done.stdout, done.stderr
    assert re.search(message, line), line


@pytest.mark.parametrize("ranks", [0, 2])
def test_a_norm_out_of_reach_is_counted_and_said_once(ranks, tmp_path):
    done = attach(tmp_path, rules("stdp_synapse", target_norm=1e4), UNAWARE, "no", 1e-3, 2, ranks=ranks)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in said(done) if "cannot have their target norm" in line]
    assert "40 of 40 targets" in line and "at most 93.60% from it" in line  # 10 connections at 64
    assert any("40 out of reach by up to 93.60%" in line for line in said(done))


@pytest.mark.parametrize("ranks", [0, 2])
def test_a_dry_run_lists_what_would_be_held(ranks, tmp_path):
    done = attach(tmp_path, rules("copied"), UNAWARE, "no", 1e-3, 2, ranks=ranks, options=["--dry-run"])
    assert done.returncode == 0 and done.stdout.splitlines()[1].startswith("copied         400 "), done.stderr


@pytest.mark.parametrize(
    ("name", "model", "target_norm", "measurements"),
    [
        ("clopath_synapse_spike_pairing.py", "clopath_synapse_rec", 0.4, 10),
        ("clopath_synapse_small_network.py", "clopath_exc_to_exc", 2.0, 1),
    ],
)
def test_an_example_of_nest_as_installed(name, model, target_norm, measurements, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    done = attach(
        tmp_path, rules(model, target_norm=target_norm), examples_folder() / name, options=["--log", "run.jsonl"]
    )
    assert done.returncode == 0, done.stderr
    logs = [read_log(path) for path in sorted(tmp_path.glob("run*.jsonl"))]
    assert len(logs) == measurements
    for log in logs:
        assert log.measurements[0].drifts[0].max > 0.1
        assert max(drift.max for measurement in log.measurements[1:] for drift in measurement.drifts) < 1e-10
