"""What rules say of arguments that make no sense, alone or together, in Python and in a table of a file alike."""

import math

import numpy as np
import pytest

from distnorm import Rule, RuleError
from distnorm.rules.overlap import check_disjoint
from distnorm.runs.job_file import RuleTable

WRONG = [
    ({"norm": "l21"}, "norm is 'l21'; give"),
    ({"norm": "max"}, "norm is 'max'; give"),
    ({"norm": 2}, "norm is 2; give"),
    ({"mode": "additive"}, "mode is 'additive'; choose"),
    ({"mode": "subtractive", "norm": "l2"}, 'it goes with "l1" or "sum"'),
    ({"mode": "subtractive", "zero": "equal"}, "has nothing to skip"),
    ({"norm": "sum", "w_max": 2.0}, 'give mode="subtractive"'),
    ({"norm": "sum", "zero": "equal"}, 'give mode="subtractive"'),
    ({"norm": "sum", "target_norm": 0.0}, 'give mode="subtractive"'),
    ({"target_norm": -1.0}, "positive and finite"),
    ({"target_norm": None}, "either target_norm or mean_weight"),
    ({"mean_weight": 0.5}, "either target_norm or mean_weight"),
    ({"target_norm": None, "mean_weight": -0.5}, "mean_weight is -0.5"),
    ({"rate": 0.0}, "rate is 0.0"),
    ({"rate": 1.5}, "rate is 1.5"),
    ({"rate": 0.5, "tau_ms": 100.0}, "give one of them"),
    ({"tau_ms": -1.0}, "tau_ms is -1.0"),
    ({"only": "over"}, "only is 'over'; choose"),
    ({"w_max": -2.0}, "bounds the size"),
    ({"w_max": "Wmin"}, "w_max is 'Wmin'"),
    ({"w_min": "Wmax"}, "w_min is 'Wmax'"),
    ({"w_min": 2.0, "w_max": 1.0}, "no size of a weight lies between"),
    ({"w_max": 0.0}, "no size of a weight lies between"),
    ({"bounds": "clip"}, "there are none; give w_min"),
    ({"bounds": "clip", "norm": "linf", "w_max": 1.0}, "limits meet exactly"),
    ({"bounds": "soft"}, "bounds is 'soft'; choose"),
    ({"zero": "ignore"}, "zero is 'ignore'; choose"),
    ({"sign": "+"}, "sign is '\\+'; choose"),
    ({"label": -3}, "label is -3"),
    ({"exclude": [1, 2]}, "give pairs"),
    ({"exclude": [[1, 0]]}, "give pairs"),
    ({"jointly": "no"}, "jointly is 'no'"),
]


@pytest.mark.parametrize(("wrong", "text"), WRONG)
@pytest.mark.parametrize("make", [Rule, lambda **table: RuleTable(table)], ids=["Python", "table"])
def test_a_refusal_says_what_to_give(make, wrong, text):
    with pytest.raises(RuleError, match=text):
        make(**{"synapse_model": "a", "target_norm": 1.0} | wrong)


@pytest.mark.parametrize(
    ("norm", "power"), [("l1", 1), ("l2", 2), ("l1.5", 1.5), ("l3", 3), ("linf", math.inf), ("sum", 1)]
)
def test_norms_have_their_power(norm, power):
    assert Rule("a", norm=norm, target_norm=1.0).power == power


def test_a_signed_sum_may_have_any_target():
    assert Rule("a", norm="sum", target_norm=-3.0).target_norms(np.array([1])).tolist() == [-3.0]
    assert Rule("a", norm="sum", mode="subtractive", target_norm=0.0).target_norms(np.array([1])).tolist() == [0.0]


def test_each_by_itself_is_a_rule_per_model():
    parts = Rule(["a", "b"], target_norm=2.0, w_max=1.0, jointly=False).parts()
    assert [part.synapse_models for part in parts] == [("a",), ("b",)] and {part.w_max for part in parts} == {1.0}
    assert len(Rule(["a", "b"], target_norm=2.0).parts()) == 1


@pytest.mark.parametrize("apart", [{"sign": "negative"}, {"label": [3, 4]}, {"receptor_type": 2}])
def test_rules_apart_by_sign_label_or_receptor_are_accepted(apart):
    first = Rule("a", target_norm=1.0, sign="positive", label=[1, 2], receptor_type=1)
    check_disjoint([first, Rule("a", target_norm=1.0, **apart)])
    with pytest.raises(RuleError, match="both normalize"):
        check_disjoint([first, Rule("a", target_norm=1.0)])


def test_fractions_of_a_time_constant():
    rule = Rule("a", target_norm=1.0, tau_ms=50.0)
    assert rule.fraction(0.0) == 0.0 and rule.fraction(50.0) == pytest.approx(1 - math.exp(-1))
    assert Rule("a", target_norm=1.0, rate=0.25).fraction(1.0) == 0.25
