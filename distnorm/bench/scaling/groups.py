"""Points that differ in their seed only: they give mean and standard deviation."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .points import OWN, Point


@dataclass(frozen=True, kw_only=True)
class Number:
    """Mean and standard deviation over seeds."""

    mean: float
    spread: float

    @staticmethod
    def of(values: Sequence[float]) -> Number:
        return Number(mean=statistics.fmean(values), spread=statistics.stdev(values) if len(values) > 1 else 0.0)

    def text(self, digits: int, factor: float = 1.0) -> str:
        return f"{self.mean * factor:,.{digits}f} ± {self.spread * factor:,.{digits}f}"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Points that differ in their seed only.

    Attributes:
        points: All of them.
        timed: Those that have times.
    """

    points: list[Point]

    @property
    def timed(self) -> list[Point]:
        return [each for each in self.points if each.timed]

    @property
    def label(self) -> str:
        return f"{self.points[0].ranks}x{self.points[0].threads}"

    @property
    def whole(self) -> list[Point]:
        """Those that did not break."""
        return [each for each in self.points if each.error is None]

    def over_seeds(self, value: Callable[[Point], float]) -> Number:
        return Number.of([value(each) for each in self.timed])


Series = dict[tuple[str, str], list[Group]]


def group(points: Sequence[Point]) -> Series:
    """Groups by series and job, from few to many virtual processes."""
    found: dict[tuple[str, str], dict[tuple[int, int], list[Point]]] = defaultdict(lambda: defaultdict(list))
    for each in points:
        found[each.series, each.job][each.virtual_processes, each.ranks].append(each)
    return {key: [Group(points=split[size]) for size in sorted(split)] for key, split in sorted(found.items())}


def efficiency(groups: Sequence[Group], value: Callable[[Point], float]) -> dict[str, Number]:
    """Of each group with times, against the first: the time it would ideally take / the time it took.

    Weak: the same time on more virtual processes. Strong: a time that falls with their number.
    """
    timed = [each for each in groups if each.timed]
    if not timed:
        return {}
    first = timed[0].over_seeds(value).mean
    fewest = timed[0].points[0].virtual_processes

    def of(point: Point) -> float:
        more = point.virtual_processes / fewest if point.series == "strong" else 1.0
        return first / (value(point) * more)

    return {each.label: each.over_seeds(of) for each in timed}


def own_s(point: Point) -> float:
    """Seconds of normalization over all intervals, mean over ranks."""
    return sum(point.total(phase) for phase in OWN)
