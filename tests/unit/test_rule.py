"""Rules: what they refuse, whose norm is which, and which of them would touch the same connection."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm import Rule, RuleError
from distnorm.rules.overlap import check_disjoint

ALL_NODES = range(1, 7)

relaxed = settings(deadline=None)
some_nodes = st.sets(st.sampled_from(ALL_NODES), min_size=1, max_size=3) | st.none()
models = st.lists(st.sampled_from(["a", "b"]), min_size=1, unique=True)
rules = st.builds(Rule, models, targets=some_nodes, sources=some_nodes, target_norm=st.just(1.0))


class Node:
    def __init__(self, global_id):
        self.global_id = global_id


class NodeCollection:
    """As much of NEST's as a rule sees; recognised by its name."""

    def __init__(self, *ids):
        self.ids = ids
        self.lists_made = 0

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        return Node(self.ids[index])

    def tolist(self):
        self.lists_made += 1
        return list(self.ids)


def touched_by(rule):
    parts = (rule.synapse_models, rule.targets or ALL_NODES, rule.sources or ALL_NODES)
    return set(product(*parts))


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ({"target_norm": 0}, "target_norm is 0"),
        ({"target_norm": -3.5}, "target_norm is -3.5"),
        ({"target_norm": math.nan}, "target_norm is nan"),
        ({"target_norm": math.inf}, "target_norm is inf"),
        ({"target_norm": "first"}, "target_norm is 'first'"),
        ({"target_norm": {}}, "target_norm is {}"),
        ({"target_norm": [1.0, -3.5]}, "target_norm is -3.5"),
        ({"target_norm": [1.0, "x"]}, r"target_norm is \[1.0, 'x'\]"),
        ({"target_norm": [1.0, 2.0, 3.0]}, "3 values for 2 targets"),
        ({"target_norm": 4 + 1j}, r"target_norm is \(4\+1j\)"),
        ({"target_norm": []}, "0 values for 2 targets"),
        ({"target_norm": np.ones(5), "targets": None}, "5 values but targets is None"),
        ({"norm": "l0.5"}, "norm is 'l0.5'; give "),
        ({"norm": "l1_0"}, "norm is 'l1_0'; give "),
        ({"norm": "l 2"}, "norm is 'l 2'; give "),
        ({"synapse_model": ""}, "synapse_model is ''"),
        ({"synapse_model": []}, r"synapse_model is \[\]"),
        ({"synapse_model": ["a", ""]}, r"synapse_model is \['a', ''\]"),
        ({"synapse_model": 17}, "synapse_model is 17"),
        ({"synapse_model": ["a", "b", "a"]}, "'a' twice"),
        ({"targets": []}, "targets is empty"),
        ({"targets": NodeCollection()}, "targets is empty"),
        ({"targets": 17}, "targets is 17"),
        ({"targets": [4, 0]}, "targets holds node ID 0"),
        ({"targets": [4, 9, 4]}, "targets holds node ID 4 twice"),
        ({"targets": [2.5]}, r"targets is .*2\.5"),
        ({"sources": []}, "sources is empty"),
        ({"sources": [9, 9]}, "sources holds node ID 9 twice"),
    ],
)
def test_a_refusal_names_the_value(wrong, value):
    with pytest.raises(RuleError, match=value):
        Rule(**{"synapse_model": "a", "targets": [4, 9], "target_norm": 1.0} | wrong)


def test_models_may_be_one_or_several():
    assert Rule("a", target_norm=1.0).synapse_models == ("a",)
    assert Rule(["a", "b"], target_norm=1.0).synapse_models == ("a", "b")


def test_names_of_numpy_are_names():
    given = list(np.array(["a", "b"]))
    assert [type(each) for each in Rule(given, target_norm=1.0).synapse_models] == [str, str]
    assert type(Rule(given[0], target_norm=1.0).synapse_models[0]) is str


@pytest.mark.parametrize("name", ["targets", "sources"])
def test_nodes_may_be_an_iterator(name):
    rule = Rule(["a", "b"], **{"targets": [9, 4], name: iter([9, 4])}, target_norm=[1.0, 2.0], jointly=False)
    for part in rule.parts():
        assert part.target_norms(np.array([4, 9])).tolist() == [2.0, 1.0]
        assert getattr(part, f"{name[:-1]}_runs").tolist() == [[4, 4], [9, 9]]


def test_power_is_that_of_the_norm():
    assert [Rule("a", norm=norm, target_norm=1.0).power for norm in ("l1", "l2")] == [1, 2]


@relaxed
@given(st.dictionaries(st.integers(1, 30), st.floats(1e-3, 1e3), min_size=1), st.data())
def test_norms_belong_to_the_ids_in_the_order_given(norm_of, data):
    ids = data.draw(st.permutations(sorted(norm_of)))
    rule = Rule("a", targets=ids, target_norm=[norm_of[node_id] for node_id in ids])
    asked = data.draw(st.lists(st.sampled_from(ids)))
    assert rule.target_norms(np.array(asked, dtype=np.int64)).tolist() == [norm_of[node_id] for node_id in asked]


def test_norms_follow_a_node_collection():
    rule = Rule("a", targets=NodeCollection(3, 4, 8), target_norm=np.array([1.0, 2.0, 3.0]))
    assert rule.target_norms(np.array([8, 3, 4])).tolist() == [3.0, 1.0, 2.0]


def test_changing_the_array_later_does_not_change_the_rule():
    norms = np.array([1.0, 2.0])
    rule = Rule("a", targets=[3, 4], target_norm=norms)
    norms[:] = 9.0
    assert rule.target_norms(np.array([3, 4])).tolist() == [1.0, 2.0]


def test_one_norm_is_for_all():
    rule = Rule("a", target_norm=40)
    assert rule.norms_by_target is not None
    assert rule.target_norms(np.array([5, 2])).tolist() == [40.0, 40.0]


def test_initial_norms_are_not_given():
    assert Rule("a", target_norm="initial").norms_by_target is None


def test_a_contiguous_node_collection_is_one_run_and_never_a_list():
    nodes = NodeCollection(*range(3, 1000))
    rule = Rule("a", targets=nodes, sources=nodes, target_norm=1.0)
    assert rule.target_runs.tolist() == rule.source_runs.tolist() == [[3, 999]]
    assert nodes.lists_made == 0


def test_a_node_collection_with_a_gap_is_several_runs():
    assert Rule("a", targets=NodeCollection(3, 4, 8), target_norm=1.0).target_runs.tolist() == [[3, 4], [8, 8]]


def test_none_is_all():
    rule = Rule("a", target_norm=1.0)
    assert rule.target_runs is None
    assert rule.source_runs is None


@settings(relaxed, max_examples=400)
@given(st.lists(rules, min_size=2, max_size=3))
def test_rules_are_refused_where_two_share_a_connection(several):
    if any(touched_by(a) & touched_by(b) for a, b in combinations(several, 2)):
        with pytest.raises(RuleError, match="both normalize"):
            check_disjoint(several)
    else:
        check_disjoint(several)


@pytest.mark.parametrize("other", [{"targets": [5, 9]}, {"sources": [5, 9]}, {"synapse_model": "c"}])
def test_rules_apart_in_one_respect_are_accepted(other):
    given_to_both = {"synapse_model": ["a", "b"], "targets": [1, 7], "sources": [2, 8], "target_norm": 1.0}
    check_disjoint([Rule(**given_to_both), Rule(**given_to_both | other)])


def test_the_refusal_of_two_rules_names_both_and_the_model():
    several = [Rule(["a", "c"], target_norm=1.0), Rule("b", target_norm=1.0), Rule(["d", "c"], target_norm=1.0)]
    with pytest.raises(RuleError, match="rules 1 and 3 both normalize 'c'"):
        check_disjoint(several)
