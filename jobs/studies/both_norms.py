"""How many sweeps incoming and outgoing norms at once take, over the density of the connections.

python jobs/studies/both_norms.py             # a minute
"""

from __future__ import annotations

import argparse

import nest
import numpy as np
import study

import distnorm
from distnorm.bench.shared.networks import one_process, reset
from distnorm.bench.shared.tables import table

_INDEGREES = (5, 10, 20, 50, 100, 200, 500)
_COLUMNS = ("connections of each neuron", "sweeps", "incoming sums off by", "outgoing sums off by", "ms per sweep")
_TOLERANCE = 1e-10


def run(options: argparse.Namespace) -> str:
    """Bring both together in networks of several densities; a table."""
    one_process(nest, "this study")
    return table(_COLUMNS, [_row(indegree, options.neurons) for indegree in _INDEGREES])


def _row(indegree: int, neurons: int) -> tuple[str, ...]:
    """Each neuron has as many inputs as outputs on average, and the totals to and from all are the same."""
    reset(nest, 2)
    population = nest.Create("iaf_psc_delta", neurons)
    synapse = {"synapse_model": "stdp_synapse", "Wmax": 100.0, "weight": nest.random.uniform(0.1, 1.9)}
    nest.Connect(population, population, {"rule": "fixed_indegree", "indegree": indegree}, synapse)
    senders = len(np.unique(distnorm.connections(columns=("source",))["source"]))
    rules = [
        distnorm.Rule("stdp_synapse", target_norm=float(indegree)),
        distnorm.Rule("stdp_synapse", of="outgoing", target_norm=indegree * neurons / senders),
    ]
    normalizer = distnorm.Normalizer(rules, interval=20.0, sweeps=5_000, sweep_tolerance=_TOLERANCE)
    done = normalizer.normalize()
    found = distnorm.connections()
    off = []
    for name, wanted in (("target", float(indegree)), ("source", indegree * neurons / senders)):
        sums = np.bincount(found[name], found["weight"])
        off.append(float(np.abs(sums[sums > 0] / wanted - 1).max()))
    seconds = done.seconds["rescale"] / max(done.sweeps, 1)
    sweeps = f"{done.sweeps:,}" if done.left_by_sweeps <= _TOLERANCE else f"{done.sweeps:,}, not reached"
    return f"{indegree:,}", sweeps, f"{off[0]:.1e}", f"{off[1]:.1e}", f"{seconds * 1e3:.1f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=2_000)
    study.main(parser, run)


if __name__ == "__main__":
    main()
