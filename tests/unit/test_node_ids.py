"""Sets of node IDs as runs, against the sets of Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distnorm import Rule, RuleError
from distnorm.rules.node_ids import LARGEST, Nodes, as_id_array, contains, count_of, overlap, range_of, runs_of, union

relaxed = settings(deadline=None)
id_sets = st.sets(st.integers(1, 40), min_size=1)


def ids_in(runs):
    return [node_id for first, last in runs.tolist() for node_id in range(first, last + 1)]


@relaxed
@given(id_sets, st.data())
def test_runs_hold_the_ids_sorted_and_apart(ids, data):
    runs = runs_of(data.draw(st.permutations(sorted(ids))), "targets")
    assert ids_in(runs) == sorted(ids)
    assert np.all(runs[1:, 0] > runs[:-1, 1] + 1)


@relaxed
@given(id_sets, st.lists(st.integers(0, 45)))
def test_contains_agrees_with_in(ids, asked):
    runs = runs_of(ids, "targets")
    assert contains(runs, np.array(asked, dtype=np.int64)).tolist() == [node_id in ids for node_id in asked]


@relaxed
@given(id_sets, id_sets)
def test_overlap_agrees_with_intersection(a, b):
    assert overlap(runs_of(a, "targets"), runs_of(b, "targets")) == bool(a & b)


@pytest.mark.parametrize(("a", "b"), [(None, None), (None, [3]), ([3], None)])
def test_all_nodes_overlap_with_any(a, b):
    assert overlap(*(None if ids is None else runs_of(ids, "targets") for ids in (a, b)))


@pytest.mark.parametrize("given_as", [list, tuple, iter, np.array, lambda ids: np.array(ids, dtype=np.uint32)])
def test_ids_come_in_the_given_order_as_int64(given_as):
    ids = as_id_array(given_as([7, 2, 9]), "targets")
    assert ids.tolist() == [7, 2, 9]
    assert ids.dtype == np.int64


@pytest.mark.parametrize(
    ("nodes", "value"),
    [
        ([], "empty"),
        (np.array([], dtype=np.int64), "empty"),
        (17, "17"),
        ("abc", "abc"),
        ([2.5], "2.5"),
        (["abc"], "abc"),
        ([True], "True"),
        ([[17, 18]], "17"),
        ([3, 0], "node ID 0"),
        ([3, -8], "node ID -8"),
        ([6, 17, 5, 17], "node ID 17 twice"),
        ([3, LARGEST + 1], f"node ID {LARGEST + 1}"),
        ([2**62], f"node ID {2**62}"),
        ([1, 2**63], f"node ID {2**63}"),
        ([2**64 - 1, 1], f"node ID {2**64 - 1}"),
        ([10**400], "node ID 1000"),
        ([1, "a", 2**63], "node ID 92"),
        (np.array([2**63], np.uint64), f"node ID {2**63}"),
        (range(LARGEST, LARGEST + 3), f"node ID {LARGEST + 2}"),
        (range(-3, 3), "node ID -3"),
        ([-(2**70)], "-1180591620717411303424"),
        (b"abc", "b'abc'"),
    ],
)
def test_a_refusal_names_the_argument_and_the_value(nodes, value):
    with pytest.raises(RuleError, match=rf"^sources .*{value}"):
        runs_of(nodes, "sources")


@relaxed
@given(st.lists(id_sets, min_size=1, max_size=4))
def test_a_union_holds_the_ids_of_all_once(parts):
    everything = [each for part in parts for each in sorted(part)]
    if len(set(everything)) < len(everything):
        with pytest.raises(RuleError, match=r"targets holds node ID \d+ twice"):
            union(parts, "targets")
        return
    nodes = union(parts, "targets")
    assert isinstance(nodes, Nodes) and nodes.tolist() == sorted(everything)
    assert runs_of(nodes, "targets") is nodes.runs and as_id_array(nodes, "targets").tolist() == sorted(everything)
    assert contains(nodes.runs, np.arange(45)).tolist() == [each in everything for each in range(45)]


def test_the_largest_node_id():
    assert runs_of([LARGEST, 1], "targets").tolist() == [[1, 1], [LARGEST, LARGEST]]


def test_a_range_is_not_spread_out():
    assert runs_of(range(1, LARGEST + 1), "targets").tolist() == [[1, LARGEST]]
    assert runs_of(range(1, 8, 3), "targets").tolist() == [[1, 1], [4, 4], [7, 7]]
    assert count_of(range(1, LARGEST + 1), "targets") == LARGEST


@pytest.mark.parametrize(
    ("text", "runs"), [("1-1", [[1, 1]]), ("3-800", [[3, 800]]), (f"1-{LARGEST}", [[1, LARGEST]]), ("007-9", [[7, 9]])]
)
def test_a_range_of_a_rules_file(text, runs):
    assert range_of(text, "targets").runs.tolist() == runs
    assert count_of(range_of(text, "targets"), "targets") == runs[0][1] - runs[0][0] + 1


@pytest.mark.parametrize(
    "text", ["", "-", "1-", "-3", "1-3-5", "iaf_psc_delta", "1 - 3", "\u0661-\u0663", "1-3\n", "0x1-0x3"]
)
def test_what_is_no_range(text):
    assert range_of(text, "targets") is None


@pytest.mark.parametrize("text", ["0-3", "3-1", f"1-{LARGEST + 1}", f"{2**63}-{2**64}", f"1-{'9' * 5000}", "0-0"])
def test_a_range_that_makes_no_sense(text):
    with pytest.raises(RuleError, match=r'^targets is .*; a range of node IDs is "FIRST-LAST", with 1 <= FIRST'):
        range_of(text, "targets")


def test_norms_of_a_range_without_end_are_counted_first():
    with pytest.raises(RuleError, match=rf"target_norm has 2 values for {LARGEST} targets"):
        Rule("stdp_synapse", targets=range_of(f"1-{LARGEST}", "targets"), target_norm=[1.0, 2.0])
