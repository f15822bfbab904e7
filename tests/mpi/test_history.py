"""What a Normalizer did, as a figure, as a table, and while it runs; and a look at a network that stands."""

import sys

import nest
import numpy as np
import pytest
from networks import TARGET_NORM, connections, network, norms_by_target, reset, slow_plasticity

import distnorm
from distnorm.mpi.ranks import world
from distnorm.records.history import header_of
from distnorm.records.run_log import RunLog, read_log
from distnorm.synapses.access import nodes_by_model

pytestmark = pytest.mark.mpi


def simulated(**settings):
    reset()
    slow_plasticity()
    population = network()
    rules = [
        distnorm.Rule("stdp_synapse", targets=half, target_norm=TARGET_NORM)
        for half in (population[:30], population[30:])
    ]
    normalizer = distnorm.Normalizer(rules, interval=15.0, **settings)
    normalizer.simulate(60.0)
    return normalizer


def test_a_table_has_a_row_per_look_and_rule():
    normalizer = simulated()
    frame = distnorm.to_pandas(normalizer)
    assert frame.shape[0] == 2 * len(normalizer.log) == 10
    second = frame[frame.rule == 1]
    assert second.time_ms.tolist() == [measurement.time_ms for measurement in normalizer.log]
    assert second["max"].tolist() == [measurement.drifts[1].max for measurement in normalizer.log]
    assert frame.targets.unique().tolist() == [30] and (frame.measure_s > 0).all()


@pytest.mark.parametrize("observe", [False, True])
def test_a_figure_from_the_log(observe):
    normalizer = simulated(observe=observe)
    figure = distnorm.plot(normalizer)
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "largest"]
    assert line.get_xdata().tolist() == [15.0, 30.0, 45.0, 60.0]
    assert np.allclose(line.get_ydata(), [100 * measurement.drift_max for measurement in normalizer.log[1:]])


@pytest.mark.parametrize("observe", [False, True])
def test_a_log_gives_the_measurements_of_the_memory(observe, tmp_path):
    path = tmp_path / f"{nest.Rank()}.jsonl"
    with RunLog(path) as log:
        seen = []
        normalizer = simulated(observe=observe, on_measurement=seen.append)
        log.write(header_of(nest, normalizer._loop))
        for measurement in seen:
            log.write(measurement)
    assert read_log(path).measurements == normalizer.log == seen


def test_no_figure_before_the_first_measurement():
    reset()
    network()
    with pytest.raises(distnorm.RuleError, match="log of this Normalizer is empty"):
        distnorm.plot(distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM)))


def test_progress_is_shown_on_rank_0_and_changes_nothing(capsys):
    weights = []
    for progress in (False, True):
        reset()
        slow_plasticity()
        network()
        normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM), interval=15.0)
        normalizer.simulate(20.0, progress=progress)
        normalizer.simulate(40.0, progress=progress)
        weights.append(connections(["stdp_synapse"])[2])
    shown = capsys.readouterr().err
    assert np.array_equal(*weights)
    assert (
        ("60 of 60 ms (100%), drift " in shown) == (nest.Rank() == 0) and "20 of 20 ms (100%)" in shown
    ) or not shown


def test_in_a_notebook_it_is_a_bar(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    reset()
    network()
    normalizer = distnorm.Normalizer(distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM), interval=15.0)
    normalizer.simulate(60.0, progress=True)
    shown = capsys.readouterr().err
    assert ("100%|" in shown and "60/60 ms, drift " in shown) == (nest.Rank() == 0)


def test_a_survey_of_a_network():
    reset()
    population = network(["stdp_synapse", "static_synapse"], neurons=50)
    nest.Connect(population[:5], population[:5], syn_spec={"synapse_model": "static_synapse_hom_w"})
    found = {each.name: each for each in distnorm.inspect().found}
    assert list(found) == sorted(found) and len(found) == 3
    stdp, static, refused = (found[name] for name in ("stdp_synapse", "static_synapse", "static_synapse_hom_w"))
    assert (stdp.connections, stdp.targets, stdp.plastic) == (750, 50, True)
    assert (static.connections, static.plastic) == (750, False)  # none of those from devices
    assert stdp.in_degree.smallest == stdp.in_degree.median == stdp.in_degree.largest == 15
    everyone = world(nest.build_info["have_mpi"]).gather(list(norms_by_target(["stdp_synapse"]).values()))
    if everyone is not None:
        norms = sorted(norm for each in everyone for norm in each)
        assert stdp.norm.smallest == pytest.approx(norms[0], rel=1e-15) and stdp.norm.largest == pytest.approx(
            norms[-1]
        )
        assert stdp.norm.median == pytest.approx(norms[24], rel=1e-3)
    assert refused.refused.startswith("it has one weight for all its connections") and refused.connections == 25
    text = distnorm.inspect().rules()
    assert '\nsynapse_model = "stdp_synapse"\n' in text and '\n# synapse_model = "static_synapse"\n' in text
    assert "hom_w" not in text


@pytest.mark.parametrize("compiled", [True, False])
def test_a_survey_tells_limits_and_offers_no_homeostatic_model(compiled, monkeypatch, tmp_path):
    if not compiled:
        monkeypatch.setenv("CXX", "no-such-compiler")
        monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path))
        monkeypatch.setattr("distnorm.synapses.kernel_library.loaded.normalized", None)
    reset()
    population = nest.Create("aeif_psc_delta_clopath", 60)  # NEST 3.10 crashes where fewer follow a larger network
    nest.CopyModel("vogels_sprekeler_synapse", "inhibition", {"Wmax": -9.0, "weight": -1.0})
    some = {"rule": "fixed_indegree", "indegree": 15}
    nest.Connect(population, population, some, {"synapse_model": "inhibition"})
    nest.Connect(population, population, some, {"synapse_model": "clopath_synapse", "Wmin": 0.5, "Wmax": 2.5})
    several = nest.math.redraw(nest.random.uniform(1.0, 3.0), min=1.0, max=3.0)
    nest.Connect(population, population, some, {"synapse_model": "stdp_synapse", "weight": 0.5, "Wmax": several})
    nest.Connect(population, population, some, {"synapse_model": "static_synapse"})
    survey = distnorm.inspect()
    inhibition, clopath, stdp, static = (
        next(each for each in survey.found if each.name == name)
        for name in ("inhibition", "clopath_synapse", "stdp_synapse", "static_synapse")
    )
    assert (inhibition.homeostatic, inhibition.limits, inhibition.has_least) == (True, (-9.0, -9.0), False)
    assert (clopath.homeostatic, clopath.limits, clopath.has_least) == (False, (0.5, 2.5), True)
    mine = np.atleast_1d(nest.GetConnections(synapse_model="stdp_synapse").get("Wmax"))
    every = world(nest.build_info["have_mpi"]).gather([mine.min(initial=9.0), mine.max(initial=0.0)])
    if every is not None:
        assert stdp.limits == (min(low for low, _ in every), max(high for _, high in every))
    assert static.limits == (np.inf, -np.inf)
    for text in ("Wmin 0.5, Wmax 2.5", "homeostatic: it holds rates, so no norm by default, Wmax -9", "Wmax 1."):
        assert text in str(survey)
    rules = survey.rules()
    assert '\nsynapse_model = "clopath_synapse"\n' in rules and '\n# synapse_model = "inhibition"\n' in rules


@pytest.mark.parametrize("compiled", [True, False])
def test_nodes_by_model(compiled, monkeypatch, tmp_path):
    if not compiled:
        monkeypatch.setenv("CXX", "no-such-compiler")
        monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path))
        monkeypatch.setattr("distnorm.synapses.kernel_library.loaded.normalized", None)
        monkeypatch.setattr("distnorm.synapses.node_models._NODES_AT_ONCE", 4)
    reset()
    odd = "model=x, size=9, first=1)\n"
    nest.CopyModel("iaf_psc_alpha", "mine")
    nest.CopyModel("iaf_psc_alpha", odd)
    for model, number in (("iaf_psc_alpha", 1), ("mine", 7), ("poisson_generator", 2), ("iaf_psc_alpha", 3)):
        nest.Create(model, number)
    nest.Create("mine", positions=nest.spatial.grid([2, 3]))
    for _ in range(3):
        nest.Create(odd)
        nest.Create("iaf_psc_alpha", 2)
    runs = {model: each.tolist() for model, each in nodes_by_model(nest, world(nest.build_info["have_mpi"])).items()}
    assert runs == {
        "iaf_psc_alpha": [[1, 1], [11, 13], [21, 22], [24, 25], [27, 28]],
        "mine": [[2, 8], [14, 19]],
        "poisson_generator": [[9, 10]],
        odd: [[20, 20], [23, 23], [26, 26]],
    }


def test_a_survey_tells_labels_and_what_cannot_be_normalized():
    reset()
    nest.CopyModel("static_synapse_hom_w", "a copy of it")
    nest.CopyModel("iaf_psc_alpha", '"L2/3", (exc)')
    population = nest.Create('"L2/3", (exc)', 20)
    for label in (4, 2):
        syn = {"synapse_model": "stdp_synapse_lbl", "synapse_label": label, "delay": 1.5}
        nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": label}, syn)
    nest.Connect(population, population, "one_to_one", {"synapse_model": "a copy of it"})
    survey = distnorm.inspect()
    copy, stdp = sorted(survey.found, key=lambda each: each.name)
    assert (stdp.labels, stdp.target_models) == ({2: 40, 4: 80}, ('"L2/3", (exc)',))
    assert copy.refused.startswith("it has one weight for all its connections")
    assert "plastic, Wmax 100, labels 2 (40), 4 (80)" in str(survey)
    assert 'targets = ["\\"L2/3\\", (exc)"]' in survey.rules()
