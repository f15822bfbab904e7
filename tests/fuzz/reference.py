"""What a normalization must have done, by plain numpy on what PyNEST told before and after it.

For each target there is one factor c (or shift s) such that each weight is what c (or s) makes of it, clipped to its
bounds, and its norm is the one to be reached, or all weights are at the bounds on the way to it.
"""

import math
from dataclasses import dataclass

import numpy as np

CLOSE = 1e-12
LEAST = 5e-324  # stands for zero where a model refuses zero


def norm_of(weights, norm):
    """Norm of some weights of any size."""
    largest = np.abs(weights).max(initial=0.0)
    if norm == "sum":
        return math.fsum(weights)
    if norm == "linf" or largest == 0:
        return largest
    power = float(norm[1:])
    return largest * math.fsum((np.abs(weights) / largest) ** power) ** (1 / power)


def negative_side(table):
    """Which connections are negative; a zero is on the side of its limits, if they are on one."""
    least, most, weight = table["Wmin"], table["Wmax"], table["weight"]
    negative, positive = (most < 0) | ((most == 0) & (least < 0)), (most >= 0) & ~(least < 0)
    return np.where(weight != 0, weight < 0, negative | (~positive & np.signbit(weight)))


def box(rule, table, negative):
    """Smallest and largest size of each connection."""
    least, most = table["Wmin"], table["Wmax"]
    ranged = ~np.isnan(least)
    own_low = np.where(ranged, np.maximum(np.where(negative, -most, least), 0.0), 0.0)
    own_high = np.where(ranged, np.maximum(np.where(negative, -least, most), 0.0), np.abs(most))
    low, high = rule.get("w_min", 0.0), rule.get("w_max", math.inf)
    low = own_low if low == "Wmin" else np.full(len(least), low)
    high = np.where(np.isnan(own_high), np.inf, own_high) if high == "Wmax" else np.full(len(least), high)
    return np.minimum(low, high), high


def chosen(rule, table, negative):
    """Which connections belong to a rule."""
    models = rule["synapse_model"]
    mine = table["model"] < (1 if isinstance(models, str) else len(models))  # the first ones
    for argument, column in (("targets", "target"), ("sources", "source")):
        if argument in rule:
            mine &= np.isin(table[column], rule[argument])
    for argument, column in (("receptor_type", "receptor"), ("label", "synapse_label")):
        if argument in rule:
            mine &= np.isin(table[column], rule[argument])
    if "sign" in rule:
        mine &= negative == (rule["sign"] == "negative")
    excluded = set(rule.get("exclude", ()))
    pairs = zip(table["source"].tolist(), table["target"].tolist(), strict=True)
    return mine & np.array([pair not in excluded for pair in pairs], bool)


def groups(rule, table, negative):
    """Connections that have one norm together: (part of the rule, target, or source) and their numbers."""
    mine, jointly = chosen(rule, table, negative), rule.get("jointly", True)
    end = "source" if rule.get("of") == "outgoing" else "target"
    part = np.zeros(len(mine), int) if jointly else table["model"]
    found = {}
    for i in np.flatnonzero(mine).tolist():
        found.setdefault((int(part[i]), int(table[end][i])), []).append(i)
    return {key: np.array(which) for key, which in found.items()}


def target_norm(rule, target, number, initial):
    """What the norm should be; NaN where nothing is known."""
    if "mean_weight" in rule:
        power = 1.0 if rule["norm"] == "sum" else math.inf if rule["norm"] == "linf" else float(rule["norm"][1:])
        return rule["mean_weight"] * number ** (1 / power)
    given = rule["target_norm"]
    if isinstance(given, str):
        return initial or math.nan
    named = rule.get("sources" if rule.get("of") == "outgoing" else "targets")
    return given[named.index(target)] if isinstance(given, list) else given


def deviation(rule, norm, target, scale):
    """Distance from the target norm that counts, positive above it."""
    size = max(scale, abs(target))
    found = (norm / size if size else 0.0) if target == 0 else norm / target - 1
    found = -found if target < 0 else found
    return {"above": max(found, 0.0), "below": min(found, 0.0)}.get(rule.get("only"), found)


@dataclass
class Group:
    """Weights of one target before and after, and what bounds them."""

    rule: dict
    before: np.ndarray
    after: np.ndarray
    low: np.ndarray
    high: np.ndarray
    negative: np.ndarray
    target: float
    fraction: float
    is_off: bool = False  # after clipping, from the norm that was wanted

    def __post_init__(self):
        self.norm = norm_of(self.before, self.rule["norm"])
        self.scale = math.fsum(np.abs(self.before))
        self.shifts = self.rule["mode"] == "subtractive"
        signed = self.rule["norm"] == "sum" and not self.shifts
        cancelled = abs(self.norm) <= 2.0**-20 * self.scale if signed else self.norm == 0
        self.is_zero = bool(cancelled) and not self.shifts
        self.is_opposite = signed and not self.is_zero and self.norm * np.sign(self.target) < 0
        self.bounded = "w_min" in self.rule or "w_max" in self.rule

    @property
    def is_wild(self):
        """Whether the norm is so far from its target norm that this may be refused."""
        return not abs(self.target) > 1e-11 * max(abs(self.norm), 1e-320)

    def check(self):
        """Whether the norm was missed, which only bounds and signs excuse."""
        flat = self.is_zero and self.rule.get("zero") == "equal" and not math.isnan(self.target)
        if math.isnan(self.target) or (self.is_zero and not flat) or self.is_opposite:
            np.testing.assert_array_equal(self.after.view(np.int64), self.before.view(np.int64))
            return self.is_opposite
        due = flat or abs(deviation(self.rule, self.norm, self.target, self.scale)) > self.rule.get("tolerance", 0.0)
        wanted = self._next_norm(due, flat)
        old, new = self._values(flat)
        low, high = self._ends()
        assert (new >= low).all() and (new <= high).all()
        if self.rule.get("bounds") == "clip":
            self._check_clipped(wanted, old, new, low, high, flat)
            return False
        self._check_one_change(old, new, low, high)
        return self._check_next_norm(wanted, old, new, low, high)

    def _next_norm(self, due, flat):
        if flat or (due and self.fraction == 1):
            return self.target
        return self.norm + self.fraction * (self.target - self.norm) if due else self.norm

    def _signed(self):
        return self.shifts and self.rule["norm"] == "sum"

    def _values(self, flat):
        """What is multiplied or shifted, before and after."""
        sign = np.where(self.negative, -1.0, 1.0)
        new = np.where(np.abs(self.after) == LEAST, 0.0, np.abs(self.after))
        assert (np.sign(self.after) * sign >= 0).all()
        if self._signed():
            return self.before, sign * new
        return np.ones(len(new)) if flat else np.abs(self.before), new

    def _ends(self):
        if not self._signed():
            return self.low, self.high
        return np.where(self.negative, -self.high, self.low), np.where(self.negative, -self.low, self.high)

    def _check_clipped(self, wanted, old, new, low, high, flat):
        """An ordinary change, and then each weight is brought to its limits."""
        with np.errstate(all="ignore"):
            if self.shifts:
                shift = (wanted - self.norm) / len(old)
                expected, room = np.clip(old + shift, low, high), np.maximum(np.abs(old), abs(shift))
            else:
                norm = norm_of(old, self.rule["norm"]) if flat else self.norm
                expected = np.clip(old * (wanted / norm), low, high)
                room = expected
        known = np.isfinite(expected)
        assert (np.abs(new - expected)[known] <= CLOSE * np.maximum(room, 1e-300)[known]).all()
        reached = norm_of(self.after, self.rule["norm"])
        scale = max(abs(wanted), self.scale * 1e-3 if self.shifts else 0.0)
        self.is_off = abs(reached - wanted) > 1e-6 * scale

    def _check_one_change(self, old, new, low, high):
        free = (new > low) & (new < high) & ((old != 0) | self.shifts) & ((new > 1e-300) | self.shifts)
        at_low, at_high = (new == low) & (low < high), (new == high) & (low < high)
        if not free.any():
            return
        room = CLOSE * max(np.abs(old).max(), np.abs(new).max())
        if self.shifts:
            change = (new - old)[free]
            assert np.ptp(change) <= room
            assert (old + change.max() >= new - room)[at_high].all()
            assert (old + change.min() <= new + room)[at_low].all()
            return
        factors = new[free] / old[free]
        assert factors.max() / factors.min() <= 1 + CLOSE
        assert (old * factors.max() >= new * (1 - CLOSE))[at_high].all()
        assert (old * factors.min() <= new * (1 + CLOSE))[at_low & (old > 0)].all()

    def _check_next_norm(self, wanted, old, new, low, high):
        reached = norm_of(self.after, self.rule["norm"])
        # What is subtracted is exact while the norm is below a thousand times its target.
        size = max(abs(wanted), self.scale * (1e-3 if self.shifts else 0.0), abs(self.norm) * (self.fraction != 1))
        size = max(size, math.fsum(np.abs(new))) if self.rule["norm"] == "sum" else size
        if abs(reached - wanted) <= CLOSE * size:
            return False
        assert self.bounded or self.shifts, (reached, wanted)
        # A weight is shifted by the distance from its bound, in the last bits of what it was.
        room = CLOSE * np.maximum(np.abs(new), np.abs(old) if self.shifts else 0.0)
        if self.rule["norm"] == "linf":
            able = high[old > 0].max(initial=0.0)
            nearest = np.clip(wanted, low.max(), max(able, low.max()))
            assert abs(reached - nearest) <= CLOSE * nearest
        elif reached < wanted:
            assert (new >= high - room)[(old > 0) | self.shifts].all()
        else:
            assert (new <= low + room).all()
        return True


def of_network(rule, before, after, initial, fraction):
    """Groups of a rule by (part, target); `initial` has norms by the same, where they were taken before."""
    negative = negative_side(before)
    low, high = box(rule, before, negative)
    result = {}
    for key, which in groups(rule, before, negative).items():
        target = target_norm(rule, key[1], len(which), initial.get(key))
        arrays = (each[which] for each in (before["weight"], after["weight"], low, high, negative))
        result[key] = Group(rule, *arrays, target, fraction)
    return result
