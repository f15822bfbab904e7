"""A balanced random network whose plastic weights run away unless normalized.

Excitatory and inhibitory leaky integrate-and-fire neurons with delta synapses
and fixed in-degrees, driven by Poisson input (Brunel 2000, J Comput Neurosci
8:183). The excitatory-to-excitatory synapses follow additive spike-timing-
dependent plasticity (Song, Miller & Abbott 2000, Nat Neurosci 3:919).

Measured with the defaults (C_E = 200, 0.8 M plastic connections), a resolution
of 0.1 ms and each neuron's incoming plastic weights scaled to the sum C_E * J
every 100 ms:

- Without normalization, three seeds: mean weight / J from 1 to 1.05 in 2 s and
  1.43-1.56 in 3 s, the rate over the last 0.5 s from 20 to 28 and 120-135
  spikes/s. In 3.5 s (one seed) 3.5, close to Wmax, and 317 spikes/s, where
  simulating is ten times slower.
- With it: mean weight / J stays 1 and the rate 19.7-21.0 spikes/s for 30 s,
  asynchronous and irregular: CV of the intervals 1.2-1.3, mean pairwise
  correlation of 3 ms counts 0.006 (C_E = 800: 0.012). The largest drift of a
  sum in 100 ms is 1.8-2.4 %, the mean drift +0.2 %. Only the spread of the
  weights grows, from 0.30 J to 0.32 J.

Other in-degrees keep the regime with J proportional to 1 / sqrt(C_E), the
default; the rate falls and the run-away slows as C_E grows. With normalization
for 4 to 10 s, and without it the time when the rate passes 60 spikes/s:

    C_E   J (mV)   rate (spikes/s)   CV    largest drift   without: end
    100   0.57     28                1.4   3.2 %           2.5 s
    200   0.40     20                1.2   2.4 %           3 s
    400   0.28     15                1.1   1.8 %           3.5 s
    800   0.20     10                1.1   1.5 %           5 s

J proportional to 1 / C_E (eta = 1.6, no plasticity, 1 s) holds the rate better,
14.6 spikes/s at C_E = 200 and 10.7 at 800, but the CV falls from 1.0 to 0.65.
Song et al. have alpha = 1.05; here the mean weight then sinks slowly instead, to
0.98 J in 16 s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import nest

PLASTIC_MODEL = "balanced_stdp"
"""Name of the plastic synapse model that `build` makes."""

TAU_MEMBRANE_MS = 20.0
THRESHOLD_MV = 20.0
RESET_MV = 10.0
REFRACTORY_MS = 2.0

WEIGHT_SCALE_MV = 5.66
"""Default J times the square root of the excitatory in-degree."""


@dataclass(frozen=True, kw_only=True)
class Populations:
    """What `build` made.

    Attributes:
        excitatory: Excitatory neurons, the targets of the plastic synapses.
        inhibitory: Inhibitory neurons.
        recorded: The first excitatory neurons, whose spikes are recorded.
        spikes: Spike recorder on them.
        synapse_model: Name of the plastic synapse model.
        weight_mV: J, the mean excitatory weight.
        target_norm_mV: Sum of weights to keep for each excitatory neuron,
            in-degree times J.
    """

    excitatory: nest.NodeCollection
    inhibitory: nest.NodeCollection
    recorded: nest.NodeCollection
    spikes: nest.NodeCollection
    synapse_model: str
    weight_mV: float
    target_norm_mV: float


def build(
    *,
    scale: float = 1.0,
    n_excitatory: int = 4000,
    n_inhibitory: int = 1000,
    in_degree_excitatory: int = 200,
    in_degree_inhibitory: int | None = None,
    weight_mV: float | None = None,
    weight_spread: float = 0.3,
    g: float = 8.0,
    eta: float = 2.0,
    delay_ms: float = 1.5,
    synapse_model: str = "stdp_synapse",
    max_weight: float = 4.0,
    learning_rate: float = 0.005,
    alpha: float = 0.9,
    tau_plus_ms: float = 20.0,
    tau_minus_ms: float = 20.0,
    n_recorded: int = 500,
) -> Populations:
    """Build the network in the present kernel.

    Collective: every rank makes the same call. Resolution, seed and threads
    are the caller's; call it once per `ResetKernel`.

    Args:
        scale: The numbers of neurons below are multiplied by it.
        n_excitatory: Number of excitatory neurons.
        n_inhibitory: Number of inhibitory neurons.
        in_degree_excitatory: Excitatory inputs of each neuron, C_E.
        in_degree_inhibitory: Inhibitory inputs of each neuron; a quarter of
            C_E by default.
        weight_mV: J, the jump of the membrane potential at an excitatory
            spike; `WEIGHT_SCALE_MV / sqrt(C_E)` by default.
        weight_spread: Standard deviation of the initial plastic weights, in J.
        g: Inhibitory weight relative to J.
        eta: Mean external input relative to the threshold.
        delay_ms: The delay of every connection, so `min_delay = max_delay`.
        synapse_model: The NEST model to copy to `PLASTIC_MODEL`: one with the
            parameters of `stdp_synapse`, such as `stdp_synapse_hom_hpc`.
        max_weight: Wmax, in J.
        learning_rate: Potentiation of a pair at zero lag, in Wmax (A+ of Song
            et al.; NEST's `lambda`).
        alpha: Depression relative to potentiation (A-/A+).
        tau_plus_ms: Time constant of potentiation.
        tau_minus_ms: Time constant of depression.
        n_recorded: Record so many excitatory neurons, at least 1, or all of them
            if they are fewer.

    Returns:
        The populations, the recorder, and the norm to keep.
    """
    if weight_mV is None:
        weight_mV = WEIGHT_SCALE_MV / math.sqrt(in_degree_excitatory)
    if in_degree_inhibitory is None:
        in_degree_inhibitory = in_degree_excitatory // 4
    n_excitatory, n_inhibitory = round(n_excitatory * scale), round(n_inhibitory * scale)

    neuron = {
        "C_m": 1.0,
        "tau_m": TAU_MEMBRANE_MS,
        "t_ref": REFRACTORY_MS,
        "E_L": 0.0,
        "V_th": THRESHOLD_MV,
        "V_reset": RESET_MV,
        "V_m": nest.random.uniform(0.0, THRESHOLD_MV),
        "tau_minus": tau_minus_ms,
    }
    excitatory = nest.Create("iaf_psc_delta", n_excitatory, params=neuron)
    inhibitory = nest.Create("iaf_psc_delta", n_inhibitory, params=neuron)
    everyone = excitatory + inhibitory
    # Brunel's nu_ext, summed over the external inputs of a neuron.
    external_hz = 1000.0 * eta * THRESHOLD_MV / (weight_mV * TAU_MEMBRANE_MS)
    external = nest.Create("poisson_generator", params={"rate": external_hz})
    spikes = nest.Create("spike_recorder", params={"record_to": "memory"})

    # Through the model's defaults, where variants with common parameters
    # (`_hom`) take them too.
    nest.CopyModel(
        synapse_model,
        PLASTIC_MODEL,
        {
            "Wmax": max_weight * weight_mV,
            "lambda": learning_rate,
            "alpha": alpha,
            "mu_plus": 0.0,
            "mu_minus": 0.0,
            "tau_plus": tau_plus_ms,
        },
    )
    # Cut symmetrically, so that the mean is J.
    initial_weight = nest.math.redraw(nest.random.normal(weight_mV, weight_spread * weight_mV), 0.0, 2.0 * weight_mV)
    plastic = {
        "synapse_model": PLASTIC_MODEL,
        "weight": initial_weight,
        "delay": delay_ms,
    }
    exciting = {"weight": weight_mV, "delay": delay_ms}
    inhibiting = {"weight": -g * weight_mV, "delay": delay_ms}

    from_excitatory = _fixed_in_degree(in_degree_excitatory)
    from_inhibitory = _fixed_in_degree(in_degree_inhibitory)
    nest.Connect(excitatory, excitatory, from_excitatory, plastic)
    nest.Connect(excitatory, inhibitory, from_excitatory, exciting)
    nest.Connect(inhibitory, everyone, from_inhibitory, inhibiting)
    nest.Connect(external, everyone, "all_to_all", exciting)
    recorded = excitatory[: min(n_recorded, n_excitatory)]
    nest.Connect(recorded, spikes, "all_to_all", {"delay": delay_ms})

    return Populations(
        excitatory=excitatory,
        inhibitory=inhibitory,
        recorded=recorded,
        spikes=spikes,
        synapse_model=PLASTIC_MODEL,
        weight_mV=weight_mV,
        target_norm_mV=in_degree_excitatory * weight_mV,
    )


def _fixed_in_degree(in_degree: int) -> dict[str, str | int | bool]:
    return {"rule": "fixed_indegree", "indegree": in_degree, "allow_autapses": False}
