"""Names of node models in rules files, whatever they are."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distnorm.attach.rules_file import _nodes_named, quoted, read_rules
from distnorm.errors import RuleError
from distnorm.files.toml_file import tomllib

NODES = {"iaf": np.array([[1, 4]]), "1-5": np.array([[5, 9]])}
MODELS = {*NODES, "2-3"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('a "b" \\ \t\n\x7f\x00 é 😀 # ]')
def test_a_name_is_read_as_it_was_written(name):
    written = f"targets = [{quoted(name)}]  # comment\n# targets = [{quoted(name)}]"
    assert tomllib.loads(written) == {"targets": [name]}


@pytest.mark.parametrize(
    ("name", "runs"), [("iaf", [[1, 4]]), ("1-5", [[5, 9]]), ("1-6", [[1, 6]]), ("007-8", [[7, 8]])]
)
def test_a_model_comes_before_a_range(name, runs):
    assert _nodes_named(NODES, MODELS, name, "targets").runs.tolist() == runs


@pytest.mark.parametrize("name", ["2-3", "none", "", "1-", "1-2-3", "-1-2", "٣-٤"])
def test_an_unknown_name_is_one_line_with_those_there_are(name):
    with pytest.raises(RuleError, match=r'and no node of that model is there; there are "iaf", "1-5"$'):
        _nodes_named(NODES, MODELS, name, "targets")


@pytest.mark.parametrize("name", ["3-2", "0-4", "1-" + "9" * 400])
def test_a_range_that_is_none(name):
    with pytest.raises(RuleError, match='a range of node IDs is "FIRST-LAST"'):
        _nodes_named(NODES, MODELS, name, "targets")


@pytest.mark.parametrize(
    ("text", "weights"),
    [("", False), ("[log]", False), ("log.weights = true", True), ("[log]\nweights = [0, 2.5]", (0.0, 2.5))],
)
def test_weights_to_be_watched(tmp_path, text, weights):
    path = tmp_path / "rules.toml"
    rules = 'rules = [{synapse_model = "stdp_synapse", target_norm = 1.0}]\ninterval = {kind = "exact"}\n'
    path.write_text(rules + text)
    assert read_rules(path).log.weights == weights


def test_sweeps_of_norms_of_both_ways(tmp_path):
    path = tmp_path / "rules.toml"
    rules = 'rules = [{synapse_model = "stdp_synapse", target_norm = 1.0}]\ninterval = {kind = "exact"}\n'
    for text, sweeps in (("", (100, 1e-10)), ("sweeps = 7\nsweep_tolerance = 0.1", (7, 0.1))):
        path.write_text(rules + text)
        read = read_rules(path)
        assert (read.sweeps, read.sweep_tolerance) == sweeps
    for text, error in (("sweeps = 0", "sweeps is 0; give a whole"), ("sweep_tolerance = 1", "sweep_tolerance is 1;")):
        path.write_text(rules + text)
        with pytest.raises(RuleError, match=error):
            read_rules(path)


def test_anything_else_of_the_log_is_one_line(tmp_path):
    path = tmp_path / "rules.toml"
    rules = 'rules = [{synapse_model = "stdp_synapse", target_norm = 1.0}]\ninterval = {kind = "exact"}\n'
    for text, error in (("log.weights = 1", "log.weights is 1; give True"), ("log.more = 1", "unknown key log.more")):
        path.write_text(rules + text)
        with pytest.raises(RuleError, match=error):
            read_rules(path)
