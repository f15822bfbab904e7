"""Random rules for a random network, as arguments of `Rule`."""

import numpy as np
from fuzz.random_networks import COMMON, PER_CONNECTION, RANGED

NORMS = ("l1", "l1", "l2", "l3", "l1.5", "l8", "l9.25", "linf", "sum")


LIMITED = PER_CONNECTION + COMMON + RANGED


def arguments(rng, plan):
    """Arguments that may or may not make sense together."""
    norm = str(rng.choice(NORMS))
    shifts = rng.random() < (0.5 if norm in ("l1", "sum") else 0.02)
    rule = {"norm": norm, "mode": "subtractive" if shifts else "multiplicative"}
    if rng.random() < 0.2:
        rule["of"] = "outgoing"
    rule |= _selection(rng, plan)
    rule |= _target(rng, plan, rule)
    rule |= _course(rng)
    if norm != "sum" or shifts or rng.random() < 0.02:
        rule |= _box(rng, plan, rule["synapse_model"])
    if rng.random() < (0.25 if shifts or rule.keys() & {"w_min", "w_max"} else 0.02):
        rule["bounds"] = "clip"
    if rng.random() < 0.3:
        rule["zero"] = str(rng.choice(["skip", "equal", "equal", "raise"]))
    return rule


def _size(plan):
    """A size of weights of the network."""
    return float(np.median(np.concatenate([np.abs(each.arrays["weight"]) for each in plan.projections])))


def _chosen(rng, plan):
    nodes = np.arange(1, plan.neurons + 1)
    return rng.permutation(nodes)[: int(rng.integers(1, plan.neurons + 1))].tolist()


def _selection(rng, plan):
    models = [each.model for each in plan.projections]
    chosen = models[: int(rng.integers(1, len(models) + 1))]
    rule = {"synapse_model": chosen if len(chosen) > 1 or rng.random() < 0.5 else chosen[0]}
    if rng.random() < 0.4:
        rule["targets"] = _chosen(rng, plan)
    if rng.random() < 0.3:
        rule["sources"] = _chosen(rng, plan)
    if rng.random() < 0.25:
        rule["sign"] = str(rng.choice(["positive", "negative"]))
    if rng.random() < 0.15:
        rule["receptor_type"] = [1, 3] if rng.random() < 0.5 else int(rng.integers(0, 3))
    if rng.random() < (0.5 if all(model.endswith("_lbl") for model in chosen) else 0.01):
        rule["label"] = [0, 1] if rng.random() < 0.5 else 1
    if rng.random() < 0.2:
        of = plan.projections[0]
        rule["exclude"] = list(zip(of.sources[::3].tolist(), of.targets[::3].tolist(), strict=True))
    if rng.random() < 0.2:
        rule["jointly"] = False
    return rule


def _target(rng, plan, rule):
    size = _size(plan) * float(rng.choice([0.1, 1.0, 3.0, 30.0])) * float(rng.uniform(0.5, 2.0))
    if rule["norm"] == "sum":
        size *= float(rng.choice([1.0, -1.0, 0.0] if rule["mode"] == "subtractive" else [1.0, -1.0]))
    kind = rng.random()
    if kind < 0.2:
        return {"target_norm": "initial"}
    if kind < 0.4:
        return {"mean_weight": size}
    named = rule.get("sources" if "of" in rule else "targets")
    if kind < 0.6 and named:
        return {"target_norm": (size * rng.uniform(0.5, 2.0, len(named))).tolist()}
    return {"target_norm": size}


def _course(rng):
    rule = {}
    if rng.random() < 0.2:
        rule["rate"] = float(rng.uniform(0.05, 1.0))
    elif rng.random() < 0.1:
        rule["tau_ms"] = float(rng.uniform(1.0, 100.0))
    if rng.random() < 0.2:
        rule["only"] = str(rng.choice(["above", "below"]))
    if rng.random() < 0.2:
        rule["tolerance"] = float(rng.choice([0.0, 0.01, 0.5, 0.99]))
    return rule


def _box(rng, plan, models):
    size, rule = _size(plan), {}
    names = [models] if isinstance(models, str) else models
    least, most = (0.5 if all(name in having for name in names) else 0.03 for having in (RANGED, LIMITED))
    if rng.random() < 0.3:
        rule["w_min"] = "Wmin" if rng.random() < least else size * float(rng.choice([0.0, 1e-3, 0.3, 1.0]))
    if rng.random() < 0.45:
        rule["w_max"] = "Wmax" if rng.random() < most else size * float(rng.choice([0.5, 1.0, 3.0, 100.0]))
    return rule
