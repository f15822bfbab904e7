"""Random rules on random networks: what numpy expects of them, and the same bits in place and through PyNEST."""

import nest
import numpy as np
import pytest
from fuzz import random_networks as networks
from fuzz import random_rules, reference

import distnorm

SEEDS = 520
ELAPSED_MS = 6.0


def a_rule(rng, plan):
    """Arguments that make sense together."""
    while True:
        arguments = random_rules.arguments(rng, plan)
        try:
            distnorm.Rule(**arguments)
        except distnorm.RuleError:
            continue
        return arguments


def change_weights(models, factors):
    """Write other weights through PyNEST, so that norms are not the initial ones."""
    for model in models:
        found = nest.GetConnections(synapse_model=model)
        weights = np.atleast_1d(found.get("weight")) if len(found) else np.zeros(0)
        some = np.flatnonzero(weights)
        if len(some):
            new = weights[some] * factors[np.atleast_1d(found.get("target"))[some]]
            nest.SynapseCollection([found._datum[i] for i in some]).set([{"weight": each} for each in new.tolist()])


def bits(table):
    return table["weight"].view(np.int64).tolist()


class Outcome:
    """A network before and after a normalization; what it found, or the error that it raised."""

    def __init__(self, plan, rule, backend, factors):
        networks.build(plan)
        models = [each.model for each in plan.projections]
        self.fraction, self.measurement, self.error = rule.get("rate", 1.0), None, None
        initial = networks.table(models)
        try:
            normalizer = distnorm.Normalizer(distnorm.Rule(**rule), backend=backend)
            change_weights(models, factors)
            self.before = networks.table(models)
            self.measurement = self._normalize(normalizer, rule, models)
        except distnorm.DistnormError as error:
            self.error = error
        self.after = networks.table(models)
        self.initial = self._norms(rule, initial)

    def _normalize(self, normalizer, rule, models):
        if "tau_ms" in rule:  # the first one, after no time, only brings weights inside their bounds
            normalizer()
            nest.Simulate(ELAPSED_MS)
            self.before = networks.table(models)
            self.fraction = -np.expm1(-ELAPSED_MS / rule["tau_ms"])
        return normalizer()

    @staticmethod
    def _norms(rule, table):
        found = reference.groups(rule, table, reference.negative_side(table))
        return {key: reference.norm_of(table["weight"][which], rule["norm"]) for key, which in found.items()}

    @property
    def told(self):
        """All that is said of it, to compare."""
        return str(self.error) if self.measurement is None else repr(self.measurement.drifts)


def check_counts(groups, missed, measurement, rule):
    """Counts of one process are those that numpy finds."""
    drifts = measurement.drifts
    assert sum(each.connections for each in drifts) == sum(len(group.before) for group in groups.values())
    zero = sum(group.is_zero for group in groups.values())
    assert sum(each.zero_norm for each in drifts) == zero
    off, exact = sum(group.is_off for group in groups.values()), rule.get("bounds") != "clip"
    assert exact or sum(each.clipped_off for each in drifts) >= off
    assert off or all(each.clipped_off_max < 1e-5 for each in drifts)
    assert not exact or all(each.clipped_off == each.clipped_off_max == 0 for each in drifts)
    unreachable = sum(each.unreachable for each in drifts)
    assert unreachable <= missed if rule.keys() & {"rate", "tau_ms", "only", "tolerance"} else unreachable == missed


def check_refused(groups, outcome, rule):
    """An error has its reason, and nothing has changed."""
    assert bits(outcome.after) == bits(outcome.before)
    zero = rule.get("zero") == "raise" and any(group.is_zero for group in groups)
    assert zero or any(group.is_wild for group in groups), outcome.error


def check_others(rule, outcome):
    """What does not belong to the rule keeps its bits."""
    mine = reference.groups(rule, outcome.before, reference.negative_side(outcome.before))
    others = np.setdiff1d(np.arange(len(outcome.before["weight"])), np.concatenate([[], *mine.values()]))
    assert np.array(bits(outcome.after))[others].tolist() == np.array(bits(outcome.before))[others].tolist()


def test_a_rule(seed):
    rng = np.random.default_rng(seed)
    plan = networks.plan(rng, nest.num_processes)
    rule = a_rule(rng, plan)
    factors = rng.uniform(0.5, 2.0, plan.neurons + 1)
    if "of" in rule and nest.num_processes > 1:
        pytest.skip("numpy has the connections of one rank only; tests/mpi/test_outgoing.py gathers them")
    first = Outcome(plan, rule, "inplace", factors)
    if "of" not in rule:  # of outgoing norms the kernel alone knows
        second = Outcome(plan, rule, "pynest", factors)
        assert first.told == second.told and bits(first.after) == bits(second.after)
    if isinstance(first.error, distnorm.RuleError):  # asks for what the models do not have, both ways say
        return
    groups = reference.of_network(rule, first.before, first.after, first.initial, first.fraction)
    if first.error is not None:
        check_refused(groups.values(), first, rule)
        return
    missed = sum(group.check() for group in groups.values())
    check_others(rule, first)
    if nest.num_processes == 1:
        check_counts(groups, missed, first.measurement, rule)
