"""What a Normalizer is given, checked: one line that says what, the value, and what to give."""

from __future__ import annotations

import math
import numbers
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from ..errors import CallbackError, DistnormError, RuleError
from ..files.typed_json import shown
from ..intervals.adaptive import AdaptiveInterval
from ..intervals.controller import Clock, FixedInterval, Interval
from ..intervals.exact import ExactInterval
from ..rules.digest import rule_hash
from ..rules.overlap import check_disjoint
from ..rules.rule import Rule, with_drawn_norms
from ..rules.validation import as_number
from ..synapses.access import Backend
from ..synapses.synapse_models import check_models, check_selection

OURS = (FixedInterval, AdaptiveInterval, ExactInterval)  # controllers that decide the same on all ranks
_OBSERVE_MS = 20.0  # between measurements where no fixed interval is given
_CLOCK_TICS = 2**60  # its smallest units of time


def checked_rules(rules: Rule | Sequence[Rule]) -> tuple[Rule, ...]:
    """One rule or several, as those that have one norm each."""
    several = (rules,) if isinstance(rules, Rule) else rules
    if (
        not isinstance(several, Iterable)
        or not (given := tuple(several))
        or not all(isinstance(r, Rule) for r in given)
    ):
        raise RuleError(f"rules is {rules!r}; give a distnorm.Rule or several")
    made = tuple(with_drawn_norms(part) for rule in given for part in rule.parts())
    check_disjoint(made)
    return made


def check_arguments(backend: Any, callbacks: Mapping[str, Any]) -> None:
    """Check what a Normalizer is given beside rules and interval."""
    if backend not in get_args(Backend):
        raise RuleError(f'backend is {backend!r}; choose "auto", "inplace" or "pynest"')
    for name, callback in callbacks.items():
        if callback is not None and not callable(callback):
            raise RuleError(f"{name} is {callback!r}; give a function of one argument")


def of_user(name: str, function: Callable[[Any], object]) -> Callable[[Any], None]:
    """A function of the user's, whose errors say that they are."""

    def call(argument: Any) -> None:
        try:
            function(argument)
        except (DistnormError, KeyboardInterrupt):  # such as an Interruption
            raise
        except BaseException as error:
            raise CallbackError(f"{name} raised {type(error).__name__}: {error}") from error

    return call


def digests(rules: Sequence[Rule], interval: Any, observe: bool, backend: str, **more: Any) -> dict[str, int]:
    """Numbers that tell whether ranks were given the same."""
    controller = repr(interval) if isinstance(interval, OURS) else type(interval).__qualname__
    given = {
        "rules": "".join(rule_hash(rule) for rule in rules),
        "interval": repr(float(interval)) if isinstance(interval, numbers.Real) else controller,
        "observe": repr(bool(observe)),
        "backend": backend,
        **{name: repr(value) for name, value in more.items()},
    }
    return {name: zlib.crc32(value.encode()) for name, value in given.items()}


def checked_interval(interval: Interval | float, observe: bool, rules: Sequence[Rule], clock: Clock) -> Interval:
    """A controller, or a fixed interval in ms; a fixed one to observe."""
    if isinstance(interval, int | float | numbers.Real):  # numpy's numbers, too
        return FixedInterval(interval)
    if not all(callable(getattr(interval, name, None)) for name in ("first", "decide")) or isinstance(interval, type):
        raise RuleError(
            f"interval is {interval!r}; give a number of ms, or a controller such as AdaptiveInterval(0.05)"
        )
    if observe and not isinstance(interval, FixedInterval):
        return FixedInterval(max(round(_OBSERVE_MS / clock.resolution_ms), 1) * clock.resolution_ms)
    if isinstance(interval, AdaptiveInterval) and any(rule.soft or rule.clips for rule in rules):
        raise RuleError(
            "an adaptive interval keeps the drift below a bound by correcting all of it, and a rule has rate, tau_ms "
            'or bounds="clip"; give a fixed interval'
        )
    if isinstance(interval, ExactInterval) and any(rule.of == "outgoing" for rule in rules):
        raise RuleError(
            "an exact interval has each synapse hold a norm of its target, and a rule has outgoing norms, of which a "
            "rank knows a part only; give a fixed or an adaptive interval"
        )
    return interval


def check_network(nest: Any, rules: Sequence[Rule]) -> None:
    """Compare rules with the network that stands; the same answer on every rank."""
    nodes = int(nest.network_size)
    if nodes == 0:
        raise RuleError("the network has no nodes yet; make the Normalizer when it stands")
    for i, rule in enumerate(rules):
        check_models(nest, rule.synapse_models)
        check_selection(nest, rule)
        for name, runs in (("targets", rule.target_runs), ("sources", rule.source_runs)):
            if runs is not None and runs[-1, 1] > nodes:
                raise RuleError(f"rules[{i}].{name} holds node ID {runs[-1, 1]}; the network has {nodes} nodes")


def whole_steps(time_ms: Any, what: str, resolution_ms: float, tic_ms: float) -> int:
    """Number of time steps in a time, as NEST rounds it.

    Args:
        time_ms: Zero or more ms, a multiple of the resolution.
        what: Its name, for the message.
        resolution_ms: Time step of NEST.
        tic_ms: Its smallest unit of time.
    """
    time_ms, given = as_number(time_ms), time_ms
    if not math.isfinite(time_ms):
        raise RuleError(f"{what} is {shown(given)}; give a number of ms")
    if time_ms >= _CLOCK_TICS * tic_ms:
        raise RuleError(f"{what} is {time_ms} ms; the clock of NEST ends at {_CLOCK_TICS * tic_ms:g} ms")
    if time_ms < 0:
        raise RuleError(f"{what} is {time_ms} ms; give zero or more")
    steps: int = round(time_ms / resolution_ms)
    if abs(steps * resolution_ms - time_ms) > tic_ms / 2:
        near = max(steps, 1) * resolution_ms
        raise RuleError(
            f"{what} is {time_ms} ms, not a multiple of the resolution of {resolution_ms} ms; {near:g} ms would be"
        )
    return steps


def is_time(time_ms: Any) -> bool:
    """Whether NEST takes something for a time at all, whatever its size: as C takes a double."""
    try:
        math.ldexp(time_ms, 0)
    except TypeError:
        return False
    except OverflowError:
        pass
    return True


def whole_interval(time_ms: Any, resolution_ms: float, tic_ms: float) -> int:
    """Number of time steps in an interval, at least one."""
    steps = whole_steps(time_ms, "interval", resolution_ms, tic_ms)
    if steps == 0:
        raise RuleError(f"interval is {time_ms} ms, less than the resolution of {resolution_ms} ms")
    return steps
