"""The slice rule, followed by a serial program that knows nothing of NEST's code."""

import math

import nest
import numpy as np
import pytest
from networks import reset

import distnorm

pytestmark = pytest.mark.timeout(600)  # the first test may compile the models

INPUTS, TARGET_NORM, MIN_DELAY = 8, 12.0, 1.0
TAU_PLUS, TAU_MINUS, RATE, ALPHA, MU, WMAX = 20.0, 20.0, 0.02, 1.1, 0.6, 8.0


def recorded(model, norm):
    """Trains of spikes (ms), delays and weights before; weights of events and after; from NEST."""
    reset(seed=3)
    nest.resolution = 0.1
    distnorm.install_models()
    recorder = nest.Create("weight_recorder")
    nest.CopyModel(model, "held", {"weight_recorder": recorder})
    rng = np.random.default_rng(5)
    trains = [np.unique(np.round(rng.uniform(1.0, 990.0, 160), 1)) for _ in range(INPUTS)]
    sources = nest.Create("spike_generator", INPUTS, params=[{"spike_times": train} for train in trains])
    relays = nest.Create("parrot_neuron", INPUTS)
    target = nest.Create("iaf_psc_delta", params={"t_ref": 1.0})
    kicks = nest.Create("spike_generator", params={"spike_times": np.unique(np.round(rng.uniform(2.0, 990.0, 120), 1))})
    spikes = nest.Create("spike_recorder")
    nest.Connect(sources, relays, "one_to_one", {"delay": MIN_DELAY})
    nest.Connect(kicks, target, syn_spec={"weight": 1000.0, "delay": MIN_DELAY})
    delays = np.round(rng.uniform(MIN_DELAY, 3.0, INPUTS), 1)
    before = rng.uniform(0.5, 2.0, INPUTS)
    learning = {"lambda": RATE, "alpha": ALPHA, "mu_plus": MU, "mu_minus": MU, "Wmax": WMAX, "tau_plus": TAU_PLUS}
    for relay, weight, delay in zip(relays, before, delays, strict=True):
        nest.Connect(relay, target, syn_spec={"synapse_model": "held", "weight": weight, "delay": delay, **learning})
    nest.Connect(target, spikes)
    target.tau_minus = TAU_MINUS
    rule = distnorm.Rule("held", norm=norm, target_norm=TARGET_NORM)
    distnorm.Normalizer(rule, interval=distnorm.ExactInterval(audit_ms=400.0)).simulate(1_000.0)
    events = recorder.events
    seen = sorted(zip(events["senders"] - relays[0].global_id, events["times"], events["weights"], strict=True))
    found = nest.GetConnections(relays, target).get(["source", "weight"])
    after = [w for _, w in sorted(zip(found["source"], found["weight"], strict=True))]
    return [train + MIN_DELAY for train in trains], spikes.events["times"], delays, before, seen, after


def serial(trains, post, delays, raw, power):
    """Weight of each event (input, time, weight), and weights after, by the slice rule."""
    raw = raw.copy()
    trace, last = np.zeros(INPUTS), np.zeros(INPUTS)
    events = []
    arrivals = sorted((t, i) for i, train in enumerate(trains) for t in train if t <= 1_000.0 - MIN_DELAY + 1e-6)
    steps_per_slice = round(MIN_DELAY / 0.1)
    slices = [(round(t / 0.1) - 1) // steps_per_slice for t, _ in arrivals]
    factor, current = None, None
    for (t, i), now in zip(arrivals, slices, strict=True):
        if now != current:  # everything learned in earlier slices counts from here
            factor, current = TARGET_NORM / sum(abs(raw) ** power) ** (1 / power), now
        w = raw[i] * factor
        for p in post[(post > last[i] - delays[i] + 1e-6) & (post <= t - delays[i] + 1e-6)]:
            pair = trace[i] * math.exp((last[i] - p - delays[i]) / TAU_PLUS)
            w = min(WMAX, w + RATE * WMAX * (1 - w / WMAX) ** MU * pair)
        pairs = sum(math.exp((p - t + delays[i]) / TAU_MINUS) for p in post[post < t - delays[i] - 1e-6])
        w = max(0.0, w - ALPHA * RATE * WMAX * (w / WMAX) ** MU * pairs)
        trace[i] = trace[i] * math.exp((last[i] - t) / TAU_PLUS) + 1.0
        last[i], raw[i] = t, w / factor
        events.append((i, t, w))
    return sorted(events), raw * TARGET_NORM / sum(abs(raw) ** power) ** (1 / power)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("model", ["stdp_synapse_normalized", "stdp_synapse_normalized_hpc"])
def test_a_thousand_events_agree(model, norm):
    trains, post, delays, before, seen, after = recorded(model, norm)
    events, expected = serial(trains, post, delays, before, {"l1": 1, "l2": 2}[norm])
    assert len(seen) == len(events) > 1_000 and len(post) > 80
    assert [(i, round(t, 1)) for i, t, _ in seen] == [(i, round(t, 1)) for i, t, _ in events]
    assert np.ptp([w for _, _, w in events]) > 1.0
    assert np.allclose([w for _, _, w in seen], [w for _, _, w in events], rtol=1e-9, atol=0)
    assert np.allclose(after, expected, rtol=1e-9, atol=0)
