"""What the arguments of a `Rule` may be: one function each, and the combinations that make no sense."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuleError
from ..files.typed_json import shown
from .node_ids import LARGEST, Int64Array, as_id_array, count_of

_POWER = re.compile(r"l([0-9]+(?:\.[0-9]+)?)", re.ASCII)
LARGEST_POWER = 20.0  # |w|^p of weights from 1e-15 to 1e15 stays a double


def names_of(synapse_model: Any) -> tuple[str, ...]:
    """Names of synapse models, as a tuple."""
    names = (synapse_model,) if isinstance(synapse_model, str) else synapse_model
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) and name for name in names):
        raise RuleError(f"synapse_model is {shown(synapse_model)}; give the name of a synapse model, or several")
    if len(set(names)) != len(names):
        raise RuleError(f"synapse_model names {max(names, key=list(names).count)!r} twice; name each model once")
    return tuple(map(str, names))  # numpy's strings, too


def power_of(norm: Any) -> float:
    """The p of a norm; 1 for the signed sum."""
    if isinstance(norm, str) and norm in ("sum", "linf"):
        return 1.0 if norm == "sum" else math.inf
    given = _POWER.fullmatch(norm) if isinstance(norm, str) else None
    power = float(given[1]) if given else math.nan
    if not 1 <= power <= LARGEST_POWER:
        raise RuleError(
            f'norm is {shown(norm)}; give "l1", "l2", "linf", "sum", or another "lP" with P from 1 to {LARGEST_POWER:g}'
        )
    return power


def whole_numbers(given: Any, name: str, what: str) -> tuple[int, ...]:
    """Whole numbers from 0, one or several, sorted; none for None."""
    if given is None:
        return ()
    several = [given] if isinstance(given, numbers.Integral) else given
    sound = isinstance(several, Sequence) and all(isinstance(n, numbers.Integral) for n in several)
    if not sound or not several or any(isinstance(n, bool) or not 0 <= int(n) < 2**63 for n in several):
        raise RuleError(f"{name} is {shown(given)}; give a {what}, a whole number from 0 to {2**63 - 1}, or several")
    return tuple(sorted({int(number) for number in several}))


def pairs_of(exclude: Any) -> Int64Array:
    """(target, source) of excluded connections, shape (n, 2), sorted; from a SynapseCollection or (source, target)."""
    if exclude is None or (hasattr(exclude, "sources") and len(exclude) == 0):
        return np.zeros((0, 2), np.int64)
    try:
        if hasattr(exclude, "sources"):  # a SynapseCollection
            given = np.column_stack([list(exclude.sources()), list(exclude.targets())])
        else:
            given = np.array([tuple(pair) for pair in exclude])
        sound = given.ndim == 2 and given.shape[1] == 2 and np.issubdtype(given.dtype, np.integer) and given.min() > 0
    except (TypeError, ValueError):
        sound = False
    if not sound or given.max() > LARGEST:
        raise RuleError(
            f"exclude is {shown(exclude)}; give pairs (source, target) of node IDs, or nest.GetConnections(...)"
        )
    return np.unique(given[:, ::-1].astype(np.int64), axis=0)


def bound_of(given: Any, name: str, own: str) -> float:
    """A bound of |w| as a number; NaN for the synapse's own."""
    if given == own and isinstance(given, str):
        return math.nan
    bound = as_number(given)
    if not bound >= 0:
        raise RuleError(
            f"{name} is {shown(given)}; it bounds the size |w|, of inhibitory weights too: give a number from 0, or "
            f'"{own}", the synapse\'s own'
        )
    return bound


def as_number(value: object) -> float:
    """A real number as a double; NaN for anything else, and for a whole number beyond all doubles."""
    if not is_number(value):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.nan


def is_number(value: object) -> bool:
    """Whether a value is a real number, which True is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_parameter(value: object) -> bool:
    """Whether a value is a NEST Parameter, such as nest.random.uniform(...)."""
    return type(value).__name__ == "Parameter" and hasattr(value, "apply")


def norms_given(target_norm: Any, named: Any, names: str, signed: bool) -> npt.NDArray[np.float64] | None:
    """Target norms by ascending node ID, shape (number of neurons,) or (1,); None where they are not yet known.

    Args:
        target_norm: As of `Rule`.
        named: The neurons that have the norms; None for all.
        names: "targets" or "sources", which they are.
        signed: Whether a norm may be zero or below.
    """
    expected = f'give a positive number, one per {names[:-1]}, "initial", or a NEST Parameter'
    if is_parameter(target_norm):
        if type(named).__name__ != "NodeCollection":
            raise RuleError(f"target_norm is a NEST Parameter but {names} is no NodeCollection; name the {names}")
        return None
    if isinstance(target_norm, str):
        if target_norm != "initial":
            raise RuleError(f"target_norm is {shown(target_norm)}; {expected}")
        return None
    try:
        given = np.asarray(target_norm)
        if given.dtype.kind == "c":
            raise TypeError  # numpy would drop the imaginary part
        values = np.atleast_1d(given.astype(np.float64))
    except OverflowError:
        raise RuleError(f"target_norm is {shown(target_norm)}; a norm to be kept is positive and finite") from None
    except (TypeError, ValueError):
        given = np.array(False)
    # numpy would take node IDs, or True, for numbers.
    if given.dtype == np.bool_ or type(target_norm).__name__ == "NodeCollection":
        raise RuleError(f"target_norm is {shown(target_norm)}; {expected}")
    wrong = ~(np.isfinite(values) & ((values > 0) | signed))
    if wrong.any():
        raise RuleError(
            f"target_norm is {values[wrong][0]}; a norm to be kept is {'' if signed else 'positive and '}finite"
        )
    return values if np.ndim(target_norm) == 0 else _by_node(values, named, names)


def _by_node(values: npt.NDArray[np.float64], named: Any, names: str) -> npt.NDArray[np.float64]:
    if named is None:
        raise RuleError(f"target_norm has {values.size} values but {names} is None; name the {names} they belong to")
    count = count_of(named, names)
    if values.shape != (count,):
        raise RuleError(
            f"target_norm has {values.size} values for {count} {names}; give one per {names[:-1]}, or one number"
        )
    return values[np.argsort(as_id_array(named, names))]


def check_choice(given: Any, name: str, choices: Iterable[str | None]) -> None:
    """Refuse what is not among the choices."""
    known = list(choices)
    if given not in known:
        choice = ", ".join(f'"{value}"' for value in known if value is not None)
        raise RuleError(f"{name} is {shown(given)}; choose {choice}" + (" or None" if None in known else ""))


def check_numbers(rule: Any) -> None:
    """Check `rate`, `tau_ms`, `tolerance` and `mean_weight` of a rule."""
    if not 0 <= as_number(rule.tolerance) < 1:
        raise RuleError(f"tolerance is {shown(rule.tolerance)}; give a drift from 0 to below 1, such as 0.001")
    if not 0 < as_number(rule.rate) <= 1:
        raise RuleError(f"rate is {shown(rule.rate)}; give a fraction of the correction, above 0 and at most 1")
    if rule.tau_ms is not None and not 0 < as_number(rule.tau_ms) < math.inf:
        raise RuleError(f"tau_ms is {shown(rule.tau_ms)}; give a positive number of ms, or None")
    mean = 1.0 if rule.mean_weight is None else as_number(rule.mean_weight)
    if not math.isfinite(mean) or not (mean > 0 or rule.norm == "sum"):
        raise RuleError(f"mean_weight is {shown(rule.mean_weight)}; give a positive number")


def check_together(rule: Any) -> None:
    """Refuse arguments that make no sense together, and say what to give instead."""
    bounded = rule.bounded
    shifts = rule.mode == "subtractive"
    lower, upper = rule.box
    if rule.target_norm is None and rule.mean_weight is None:
        raise RuleError("target_norm is missing; give either target_norm or mean_weight: what the norm should be")
    if rule.target_norm is not None and rule.mean_weight is not None:
        raise RuleError("target_norm and mean_weight are given; give either target_norm or mean_weight")
    if rule.tau_ms is not None and rule.rate != 1:
        raise RuleError(f"rate is {rule.rate} and tau_ms is {rule.tau_ms}; give one of them")
    if lower > upper or upper == 0:
        raise RuleError(f"w_min is {rule.w_min} and w_max is {rule.w_max}; no size of a weight lies between")
    if shifts and rule.norm not in ("l1", "sum"):
        raise RuleError(f'mode is "subtractive" and norm is {shown(rule.norm)}; it goes with "l1" or "sum"')
    if shifts and rule.zero != "skip":
        raise RuleError(f'zero is {shown(rule.zero)} and mode is "subtractive", which has nothing to skip at norm zero')
    if rule.norm == "sum" and not shifts and bounded:
        raise RuleError(
            'norm is "sum" and weights are bounded: of weights of both signs no factor need reach the sum; '
            'give mode="subtractive", or a rule with norm="l1" for each sign'
        )
    if rule.norm == "sum" and rule.zero == "equal":
        raise RuleError('zero is "equal" and norm is "sum"; give mode="subtractive", which moves weights off zero')
    if rule.of == "outgoing" and rule.weights == "current":
        raise RuleError('of is "outgoing" and weights is "current"; outgoing norms are of stored weights')
    if rule.clips and not (bounded or shifts):
        raise RuleError('bounds is "clip", and there are none; give w_min, w_max or mode="subtractive"')
    if rule.clips and rule.power == math.inf:
        raise RuleError('bounds is "clip" and norm is "linf", which limits meet exactly; leave bounds out')
    zero = rule.mean_weight == 0 or (rule.norms_by_target is not None and bool((rule.norms_by_target == 0).any()))
    if zero and not shifts:
        raise RuleError('target_norm is 0; no factor leads there: give mode="subtractive"')
