"""A balanced random network whose excitatory weights need normalization.

The network is that of Brunel (2000); its excitatory-to-excitatory synapses
follow additive spike-timing-dependent plasticity (Song, Miller & Abbott 2000).
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
        spikes: Spike recorder on the first excitatory neurons.
        weight_mV: J, the mean excitatory weight.
        target_norm_mV: Sum of weights to keep for each excitatory neuron,
            in-degree times J.
    """

    excitatory: nest.NodeCollection
    inhibitory: nest.NodeCollection
    spikes: nest.NodeCollection
    weight_mV: float
    target_norm_mV: float


def build(
    *,
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
        n_excitatory: Number of excitatory neurons.
        n_inhibitory: Number of inhibitory neurons.
        in_degree_excitatory: Excitatory inputs of each neuron, C_E.
        in_degree_inhibitory: Inhibitory inputs of each neuron; a quarter of
            the excitatory by default.
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
        n_recorded: At most so many excitatory neurons are recorded.

    Returns:
        The populations, the recorder, and the norm to keep.
    """
    J = WEIGHT_SCALE_MV / math.sqrt(in_degree_excitatory) if weight_mV is None else weight_mV
    if in_degree_inhibitory is None:
        in_degree_inhibitory = in_degree_excitatory // 4

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
    external_hz = 1000.0 * eta * THRESHOLD_MV / (J * TAU_MEMBRANE_MS)
    external = nest.Create("poisson_generator", params={"rate": external_hz})
    spikes = nest.Create("spike_recorder", params={"record_to": "memory"})

    # Through the model's defaults, where variants with common parameters
    # (`_hom`) take them too.
    nest.CopyModel(
        synapse_model,
        PLASTIC_MODEL,
        {
            "Wmax": max_weight * J,
            "lambda": learning_rate,
            "alpha": alpha,
            "mu_plus": 0.0,
            "mu_minus": 0.0,
            "tau_plus": tau_plus_ms,
        },
    )
    plastic = {
        "synapse_model": PLASTIC_MODEL,
        # Cut symmetrically, so that the mean is J.
        "weight": nest.math.redraw(nest.random.normal(J, weight_spread * J), 0.0, 2.0 * J),
        "delay": delay_ms,
    }
    exciting = {"weight": J, "delay": delay_ms}
    inhibiting = {"weight": -g * J, "delay": delay_ms}

    from_excitatory = _fixed_in_degree(in_degree_excitatory)
    from_inhibitory = _fixed_in_degree(in_degree_inhibitory)
    nest.Connect(excitatory, excitatory, from_excitatory, plastic)
    nest.Connect(excitatory, inhibitory, from_excitatory, exciting)
    nest.Connect(inhibitory, everyone, from_inhibitory, inhibiting)
    nest.Connect(external, everyone, "all_to_all", exciting)
    nest.Connect(excitatory[:n_recorded], spikes, "all_to_all", {"delay": delay_ms})

    return Populations(
        excitatory=excitatory,
        inhibitory=inhibitory,
        spikes=spikes,
        weight_mV=J,
        target_norm_mV=in_degree_excitatory * J,
    )


def _fixed_in_degree(in_degree: int) -> dict[str, str | int | bool]:
    return {"rule": "fixed_indegree", "indegree": in_degree, "allow_autapses": False}
