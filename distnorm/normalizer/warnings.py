"""What a user should know of and is told once."""

from __future__ import annotations

import logging
import operator
from collections.abc import Sequence

import numpy as np

from ..norms.correction import Correction
from ..norms.drift import Drift
from ..norms.histogram import WeightHistogram
from ..outgoing.sweeps import Swept
from ..rules.node_ids import Int64Array
from ..rules.rule import Rule
from ..synapses.access import Synapses, run_all
from .measurement import Measurement

log = logging.getLogger(__name__)

_FAR = 2.0  # a drift above it at so many measurements in a row, each a fixed interval after a normalization, is told
_FAR_IN_A_ROW = 3
_OUTSIDE = 0.01  # of the weights, in no bin of a histogram


def explain(
    parrots: Int64Array,
    corrections: Sequence[Correction],
    synapses: Sequence[Synapses],
    records: Sequence[np.void],
) -> None:
    """Count in the records what is asked at the first measurement only.

    That is weights beyond their limits, "initial" norms of almost nothing, and targets of the node models that are
    parrots, by their numbers. Nothing is collective, as a rank with an error is not here.
    """
    found = run_all(synapses, [correction.counting for correction in corrections])
    for i, (correction, counted) in enumerate(zip(corrections, found, strict=True)):
        assert counted is not None
        above, below, close_to_zero = counted
        connected = correction.counts > 0
        records[i]["above_wmax"] = above.sum()
        records[i]["below_wmin"] = below.sum()
        if correction.rule.keeps_initial:
            records[i]["near_zero"] = (connected & (close_to_zero == correction.counts)).sum()
        records[i]["parrots"] = np.isin(synapses[i].target_models()[connected], parrots).sum()


class Warnings:
    """Warnings about a rule's targets, each once. On rank 0 only."""

    def __init__(self, rules: Sequence[Rule], *, fixed: bool) -> None:
        """Nothing was told yet; `fixed`: the interval is a fixed one, at whose ends norms are normalized."""
        self._rules = rules
        self._told: set[tuple[int, str]] = set()
        self._fixed = fixed
        self._said_sweeps = False
        self._far = [-1] * len(rules)  # measurements in a row with a drift above _FAR; the first tells nothing

    def tell(self, measurement: Measurement) -> None:
        """Warn of what a measurement shows for the first time."""
        for i, (rule, drift) in enumerate(zip(self._rules, measurement.drifts, strict=True)):
            far = self._fixed and not rule.soft and (drift.max > _FAR or self._far[i] < 0)
            self._far[i] = self._far[i] + 1 if far else 0
            texts = [*_texts(rule, drift), _far_text(self._far[i], drift)]
            texts += [_let_go_text(measurement.within_slices[i])] if measurement.within_slices else []
            texts += [_outside_text(measurement.weights[i])] if measurement.weights else []
            for name, number, text in texts:
                if number and (i, name) not in self._told:
                    self._told.add((i, name))
                    log.warning("rule %d (%s): %s", i + 1, rule.text, text)

    def tell_sweeps(self, swept: Swept) -> None:
        """Warn where incoming and outgoing norms could not be brought together, once."""
        if not swept.within and not any(rule.soft for rule in self._rules) and not self._said_sweeps:
            self._said_sweeps = True
            log.warning(
                "after %d sweeps incoming norms are up to %.3g %% from their targets while outgoing norms hold; both "
                "at once may be impossible for these connections, or take more sweeps",
                swept.sweeps,
                100 * swept.left,
            )


def _let_go_text(within_slices: Drift) -> tuple[str, int, str]:
    return (
        "let go",
        within_slices.zero_norm,
        f"all weights of {within_slices.zero_norm:,} targets became zero, which no factor changes; they are left alone "
        "until one of them is not zero",
    )


def _outside_text(weights: WeightHistogram) -> tuple[str, int, str]:
    return (
        "outside",
        weights.outside > _OUTSIDE,
        f"{weights.outside:.0%} of the weights, which are between {weights.least:g} and {weights.largest:g}, are "
        f"outside of the histogram's bins from {weights.edges[0]:g} to {weights.edges[-1]:g}, and only counted; give "
        "weights=(least, largest)",
    )


def _far_text(measurements: int, drift: Drift) -> tuple[str, int, str]:
    return (
        "far",
        measurements >= _FAR_IN_A_ROW,
        f"norms were more than {_FAR:.0%} from their targets at each of the last {measurements} measurements, "
        f"now up to {drift.max:.0%}; take a shorter interval or AdaptiveInterval, and see whether the learning rate "
        "is meant and whether something else sets these weights",
    )


_COUNTED = operator.attrgetter(
    *("zero_norm", "unreachable", "clipped_off", "above_wmax", "below_wmin", "near_zero", "late_initial", "parrots")
)


def _texts(rule: Rule, drift: Drift) -> list[tuple[str, int, str]]:
    if drift.connections and not any(_COUNTED(drift)):
        return []  # as at most measurements
    silent = "all of them, so nothing is normalized" if not drift.targets else f"beside {drift.targets:,} others"
    signs = "signs that stay" if rule.norm == "sum" else "their connections' Wmin and Wmax"
    why = "w_min and w_max" if rule.bounded else signs
    return [
        ("no connection", not drift.connections, "matches no connection of this network so far"),
        (
            "zero_norm",
            drift.zero_norm * (rule.zero == "skip"),
            f"{drift.zero_norm:,} {rule.names} have norm zero ({silent}), which no factor changes; they are left alone "
            'unless the rule has zero="equal"',
        ),
        (
            "unreachable",
            drift.unreachable,
            f"{drift.unreachable:,} of {drift.targets:,} {rule.names} cannot have their target norm with {why}; they "
            f"are brought as near as can be, at most {drift.unreachable_max:.2%} from it",
        ),
        (
            "clipped_off",
            drift.clipped_off,
            f"{drift.clipped_off:,} of {drift.targets:,} norms are off by up to {drift.clipped_off_max:.2%} after "
            'weights are clipped to their limits, as bounds="clip" asks; without it, norms are met within the limits',
        ),
        (
            "above_wmax",
            drift.above_wmax,
            f"{drift.above_wmax:,} weights are normalized to more than their synapse's Wmax, to which NEST clips them "
            'at the next spike; a rule with w_max="Wmax" keeps them below',
        ),
        (
            "below_wmin",
            drift.below_wmin,
            f"{drift.below_wmin:,} weights are normalized to less than their synapse's Wmin, to which NEST lifts them "
            'at the next spike; a rule with w_min="Wmin" and w_max="Wmax" keeps them inside',
        ),
        (
            "near_zero",
            drift.near_zero,
            f'{drift.near_zero:,} {rule.names} have an "initial" norm of less than 1/10,000 of what Wmax allows, so '
            "learning is pinned near zero; give target_norm as a number, or normalize only once the weights have grown",
        ),
        (
            "late_initial",
            drift.late_initial,
            f'{drift.late_initial:,} "initial" norms are those of now, after something was simulated: their targets '
            "had no weights when the Normalizer was made",
        ),
        (
            "parrots",
            drift.parrots,
            f"{drift.parrots:,} targets are parrot neurons, which repeat spikes whatever the weight; leave them out "
            "with targets=",
        ),
    ]
