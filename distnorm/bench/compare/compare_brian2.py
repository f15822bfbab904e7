"""The network of jobs/balanced_stdp.py in Brian2, normalized by a sum over synapses in one of two idioms.

summed   a summed variable, as Brian2's documentation has it; Brian2 renews it at each time step
regular  `run_regularly`: the sums are set to zero, added up and used each 100 ms only

Spikes take the delay on their way to the synapse, where NEST's take it on the way to the soma: pairs of spikes are
shifted by as much; rates and work are the same.

Started as `python -m distnorm.bench.compare.compare_brian2 SETTINGS`; prints the answer as JSON. Imports no NEST.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from typing import Any

import brian2
import numpy as np
from brian2 import Hz, defaultclock, ms

_STEPS = 1_000  # of an interval
_INTERVAL = 100 * ms
_DELAY = 1.5 * ms
_THRESHOLD, _ETA, _G = 20.0, 2.0, 8.0
_SCALE = 5.66  # weight times the square root of the in-degree, as in the job
_NEURON = "dv/dt = -v / (20*ms) : 1 (unless refractory)\nnorm : 1"
_STDP = {
    "model": "w : 1\ndpre/dt = -pre / (20*ms) : 1 (event-driven)\ndpost/dt = -post / (20*ms) : 1 (event-driven)",
    "on_pre": "v_post += w * int(not_refractory_post)\npre += 1\nw = clip(w - 0.9 * step * post, 0, w_max)",
    "on_post": "post += 1\nw = clip(w + step * pre, 0, w_max)",
}


def measure(settings: dict[str, Any], folder: str) -> dict[str, Any]:
    """Build, simulate, and say what it took."""
    standalone = settings["mode"] == "cpp_standalone"
    if standalone:
        brian2.set_device("cpp_standalone", directory=folder)
        if settings["threads"] > 1:
            brian2.prefs.devices.cpp_standalone.openmp_threads = settings["threads"]
    else:
        brian2.prefs.codegen.target = settings["mode"]
    brian2.seed(1)
    defaultclock.dt = 0.1 * ms
    weight = _SCALE / math.sqrt(settings["in_degree"])
    network, plastic, spikes = _network(settings, weight)
    elapsed = []
    report = None if standalone else lambda seconds, *_: elapsed.append(float(seconds / brian2.second))
    steps = round(settings["simulate_ms"] / 0.1) + 1  # the last one normalizes at the end
    network.run(steps * defaultclock.dt, profile=True, report=report)
    wall = brian2.device._last_run_time if standalone else elapsed[-1]  # without compiling
    normalizing, nanoseconds = _cost(network, settings, steps)
    sums = np.bincount(np.array(plastic.j), np.array(plastic.w))
    return {
        "version": brian2.__version__,
        "wall_s": wall,
        "normalizing_s": normalizing,
        "normalize_ns": nanoseconds,
        "spikes_per_s": int(spikes.num_spikes) / settings["n_excitatory"] / settings["simulate_ms"] * 1e3,
        "norm_error": float(np.abs(sums / (settings["in_degree"] * weight) - 1).max()),
    }


def _cost(network: Any, settings: dict[str, Any], steps: int) -> tuple[float, float]:
    """Seconds of all normalizing, and nanoseconds per synapse of doing it once."""
    profile = {name: float(seconds / brian2.second) for name, seconds in network.profiling_info}
    synapses = settings["n_excitatory"] * settings["in_degree"]
    own = {name: seconds for name, seconds in profile.items() if "normalize" in name or "summed" in name}
    times = {name: steps if "summed" in name else math.ceil(steps / _STEPS) for name in own}
    return sum(own.values()), sum(own[name] / times[name] for name in own) / synapses * 1e9


def _network(settings: dict[str, Any], weight: float) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(1)
    n_excitatory, n_inhibitory = settings["n_excitatory"], settings["n_inhibitory"]
    in_degree = settings["in_degree"]
    constants = {"w_max": 4 * weight, "step": 0.005 * 4 * weight, "target": in_degree * weight}
    groups = [_group(number, rng) for number in (n_excitatory, n_inhibitory)]
    excitatory, inhibitory = groups
    external = 1e3 * _ETA * _THRESHOLD / (weight * 20.0) * Hz
    noise = [brian2.PoissonInput(g, "v", 1_000, external / 1_000, f"{weight} * int(not_refractory)") for g in groups]
    summed = settings["idiom"] == "summed"
    stdp = _STDP | {"model": _STDP["model"] + "\nnorm_post = w : 1 (summed)" * summed}
    plastic = brian2.Synapses(excitatory, excitatory, delay=_DELAY, namespace=constants, name="plastic", **stdp)
    _connect(plastic, n_excitatory, n_excitatory, in_degree, rng)
    plastic.w = np.clip(rng.normal(weight, 0.3 * weight, n_excitatory * in_degree), 0, 2 * weight)
    if not summed:
        excitatory.run_regularly("norm = 0", dt=_INTERVAL, when="end", order=0, name="normalize_clear")
        plastic.run_regularly("norm_post += w", dt=_INTERVAL, when="end", order=1, name="normalize_sum")
    plastic.run_regularly("w *= target / norm_post", dt=_INTERVAL, when="end", order=2, name="normalize_scale")
    static = []
    for source, target, inputs, jump in (
        (excitatory, inhibitory, in_degree, weight),
        (inhibitory, excitatory, in_degree // 4, -_G * weight),
        (inhibitory, inhibitory, in_degree // 4, -_G * weight),
    ):
        on_pre = f"v_post += {jump} * int(not_refractory_post)"
        static.append(brian2.Synapses(source, target, on_pre=on_pre, delay=_DELAY))
        _connect(static[-1], len(source), len(target), inputs, rng)
    spikes = brian2.SpikeMonitor(excitatory, record=False)
    return brian2.Network(*groups, *noise, plastic, *static, spikes), plastic, spikes


def _group(number: int, rng: np.random.Generator) -> Any:
    group = brian2.NeuronGroup(
        number, _NEURON, threshold=f"v > {_THRESHOLD}", reset="v = 10", refractory=2 * ms, method="exact"
    )
    group.v = rng.uniform(0, _THRESHOLD, number)
    return group


def _connect(synapses: Any, sources: int, targets: int, in_degree: int, rng: np.random.Generator) -> None:
    """Random sources of each target, in NEST's order: by target, each with its in-degree."""
    i = rng.integers(0, sources, targets * in_degree)
    synapses.connect(i=i, j=np.repeat(np.arange(targets), in_degree))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(json.loads(sys.argv[1]), scratch)))
