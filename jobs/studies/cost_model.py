"""What a normalization costs a rank, fitted on measured points and tested on points kept out.

    measure + rescale = c (a + b bytes + d bytes (v - 1))
    agree             = f + g log2(ranks)
    wait              = h E(ranks)

c: connections on the fullest virtual process, each of so many bytes; the ranks wait for it. v: virtual processes that
share the memory of a machine, and its bandwidth. The Allreduce sends one message, which every rank merges at each of
log2(ranks) steps, as MPI libraries do with messages of one element (recursive doubling; Thakur, Rabenseifner & Gropp
2005, Int J High Perform Comput Appl 19:49). Ranks come to it at different times, as far apart as normal numbers with
the standard deviation h, and wait for the last one: E is the expected largest of so many standard normal numbers. All
lines are fitted by themselves: they are measured apart. Coefficients are not negative.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.optimize import lsq_linear

from distnorm.bench.scaling.points import Point
from distnorm.errors import RuleError
from distnorm.norms.sums import FloatArray


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a rank has to do at one normalization.

    Attributes:
        connections: On the fullest virtual process.
        connection_bytes: Of one of them.
        sharing: Virtual processes of a machine.
        ranks: In all.
    """

    connections: float
    connection_bytes: float
    sharing: float
    ranks: int

    @property
    def of_passes(self) -> list[float]:
        """What measuring and rescaling take time for."""
        size = self.connections * self.connection_bytes
        return [self.connections, size, size * (self.sharing - 1)]

    @property
    def of_agreement(self) -> list[float]:
        """What the Allreduce takes time for."""
        return [1.0, math.log2(self.ranks)]

    @property
    def of_waiting(self) -> float:
        """How late the last rank is, in standard deviations."""
        return expected_largest(self.ranks)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A measured point, over its seeds.

    Attributes:
        name: Of its series, job and split.
        load: What it had to do.
        passes_s: Of measuring and rescaling once, median over the seeds of medians over intervals.
        agree_s: Of the agreement in between, without waiting.
        wait_s: Of waiting for the slowest rank, mean over ranks.
    """

    name: str
    load: Load
    passes_s: float
    agree_s: float
    wait_s: float

    @property
    def seconds(self) -> float:
        return self.passes_s + self.agree_s + self.wait_s


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """Coefficients, in s.

    Attributes:
        passes: Per connection, per byte of connections, and per byte and other virtual process, shape (3,).
        agreement: Once and per step, shape (2,).
        spread_s: Standard deviation of the moments at which ranks come to the agreement.
    """

    passes: FloatArray
    agreement: FloatArray
    spread_s: float

    def passes_s(self, load: Load) -> float:
        return float(np.dot(self.passes, load.of_passes))

    def agree_s(self, load: Load) -> float:
        return float(np.dot(self.agreement, load.of_agreement))

    def wait_s(self, load: Load) -> float:
        return self.spread_s * load.of_waiting

    def text(self) -> str:
        connection, byte, shared = self.passes * 1e9
        fixed, step = self.agreement * 1e6
        return (
            f"measure and rescale: {connection:.2f} ns per connection of a virtual process + {byte:.4f} ns per byte of "
            f"it + {shared:.4f} ns per byte for each other virtual process of the machine; agree: {fixed:.0f} µs + "
            f"{step:.0f} µs per step of the Allreduce; ranks come to it with a standard deviation of "
            f"{self.spread_s * 1e6:.0f} µs"
        )


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A point that was kept out, and the seconds that the model fitted on the others said of it."""

    sample: Sample
    predicted: float

    @property
    def error(self) -> float:
        """As a fraction of what was measured, with its sign."""
        return self.predicted / self.sample.seconds - 1.0


def samples(points: Sequence[Point]) -> list[Sample]:
    """Points with times, seeds together.

    Raises:
        RuleError: Too few of them to fit and test.
    """
    by_name: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        if point.timed:
            by_name[f"{point.series} {point.job} {point.split}"].append(point)
    found = [
        Sample(
            name=name,
            load=load_of(seeds[0]),
            passes_s=float(np.median([point.typical("measure") + point.typical("rescale") for point in seeds])),
            agree_s=float(np.median([point.typical("agree") - point.typical("wait") for point in seeds])),
            wait_s=float(np.median([point.typical("wait") for point in seeds])),
        )
        for name, seeds in by_name.items()
    ]
    if len(found) < 4:
        raise RuleError(f"{len(found)} points with times; the model needs 4 or more, of weak and strong series")
    return found


def load_of(point: Point) -> Load:
    """What a rank of a point had to do; its network has fixed in-degrees."""
    processes = point.virtual_processes
    return Load(
        connections=point.plastic_connections / processes * fullest(point.targets, processes),
        connection_bytes=point.plastic_bytes,
        sharing=processes / point.provenance["machines"],
        ranks=point.ranks,
    )


def fullest(targets: float, processes: int, in_degree: float = 1.0, in_degree_spread: float = 0.0) -> float:
    """Connections on the fullest virtual process, relative to the mean of all.

    NEST deals targets round like cards, so their numbers differ by one at most. Random in-degrees add the expected
    largest of so many normal numbers.

    Args:
        targets: In all.
        processes: Virtual ones.
        in_degree: Mean.
        in_degree_spread: Standard deviation; sqrt(in-degree) for connections drawn independently.
    """
    most = math.ceil(targets / processes)
    spread = math.sqrt(most) * in_degree_spread / in_degree
    return (most + expected_largest(processes) * spread) / (targets / processes)


def expected_largest(number: int) -> float:
    """Of so many standard normal numbers (Blom 1958, Statistical Estimates and Transformed Beta-Variables)."""
    return NormalDist().inv_cdf((number - 0.375) / (number + 0.25)) if number > 1 else 0.0


def fit(chosen: Sequence[Sample]) -> Model:
    """Least squares of relative errors; of absolute ones for waiting, as a single rank has none."""
    late = np.array([sample.load.of_waiting for sample in chosen])
    waited = np.array([sample.wait_s for sample in chosen])
    return Model(
        passes=_fit([sample.load.of_passes for sample in chosen], [sample.passes_s for sample in chosen]),
        agreement=_fit([sample.load.of_agreement for sample in chosen], [sample.agree_s for sample in chosen]),
        spread_s=float(late @ waited / (late @ late)) if late.any() else 0.0,
    )


def _fit(loads: list[list[float]], seconds: list[float]) -> FloatArray:
    """Coefficients that are not negative, shape (terms,)."""
    relative = np.array(loads) / np.array(seconds)[:, None]
    largest = relative.max(axis=0)
    scale = np.where(largest > 0, largest, 1.0)  # coefficients of very different sizes become alike
    found = lsq_linear(relative / scale, np.ones(len(seconds)), (0.0, np.inf), method="bvls")
    coefficients: FloatArray = found.x / scale
    return coefficients


def keep_out(chosen: Sequence[Sample]) -> list[Tested]:
    """Each point predicted by the model fitted on the others.

    Points with the same load, such as those of a weak and a strong series that meet, are kept out together.
    """
    tested = []
    for sample in chosen:
        model = fit([other for other in chosen if other.load != sample.load])
        predicted = model.passes_s(sample.load) + model.agree_s(sample.load) + model.wait_s(sample.load)
        tested.append(Tested(sample=sample, predicted=predicted))
    return tested
