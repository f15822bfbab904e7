"""The network of NEST's community benchmark: balanced, random, with power-law STDP.

Leaky integrate-and-fire neurons with alpha-shaped currents, 9,000 excitatory and 2,250 inhibitory inputs per neuron
drawn from 9,000 and 2,250 times `scale` neurons, one Poisson input each. Excitatory-to-excitatory synapses follow
power-law STDP, which settles at the initial weight (Morrison, Aertsen & Diesmann 2007, Neural Comput 19:1437; sizes and
parameters as in Kunkel et al. 2014, Front Neuroinform 8:78, and in `hpc_benchmark` of NEST 3.10, which notes that the
initial membrane potentials differ from those of the paper).

The published network has scale 100 and more. Below 10, inputs are correlated and the neurons synchronize in time, so
the rates, and the wall time with them, are those of another network; the cost of a connection is not.

A deviation, for machines with little memory: `in_degree_share` below 1 takes that share of all in-degrees. Weights
grow with 1 / sqrt(share), which keeps the variance of the recurrent input; inhibition grows so that the mean recurrent
input per spike rate stays, which keeps rates low; the external rate keeps the mean potential at eta times the
threshold; and the depression `alpha` changes with the weight so that STDP still settles at it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import nest

PLASTIC_MODEL = "hpc_plastic"
"""Name of the plastic synapse model that `build` makes."""

EXCITATORY, INHIBITORY = 9_000, 2_250
"""Neurons at scale 1, and inputs of each neuron at any."""

CAPACITANCE_PF = 250.0
TAU_MEMBRANE_MS = 10.0
TAU_SYNAPSE_MS = 0.32582722403722841  # peak of the potential 1.700759 ms after a spike
PEAK_MS = 1.700759
THRESHOLD_MV = 20.0
PSP_MV = 0.14
DELAY_MS = 1.5
G = -5.0
ETA = 1.685
LEARNING_RATE, ALPHA, MU, TAU_PLUS_MS, TAU_MINUS_MS = 0.1, 0.0513, 0.4, 15.0, 30.0


@dataclass(frozen=True, kw_only=True)
class Populations:
    """What `build` made.

    Attributes:
        excitatory: Excitatory neurons, the targets of the plastic synapses.
        inhibitory: Inhibitory neurons.
        recorded: The first excitatory neurons, whose spikes are recorded.
        spikes: Spike recorder on them.
        synapse_model: Name of the plastic synapse model.
        weight_pA: Initial weight of the excitatory synapses.
        target_norm_pA: Sum of weights to keep for each excitatory neuron.
    """

    excitatory: nest.NodeCollection
    inhibitory: nest.NodeCollection
    recorded: nest.NodeCollection
    spikes: nest.NodeCollection
    synapse_model: str
    weight_pA: float
    target_norm_pA: float


def build(*, scale: float = 1.0, in_degree_share: float = 1.0, n_recorded: int = 1_000) -> Populations:
    """Build the network in the present kernel.

    Collective: every rank makes the same call. Resolution, seed and threads are the caller's.

    Args:
        scale: Number of neurons, in 11,250.
        in_degree_share: In-degrees, as a share of the published ones; 1 is the published network.
        n_recorded: Record so many excitatory neurons, or all of them if they are fewer.

    Returns:
        The populations, the recorder, and the norm to keep.
    """
    in_degree = max(round(EXCITATORY * in_degree_share), 1)
    from_excitatory = _fixed_in_degree(in_degree)
    from_inhibitory = _fixed_in_degree(max(round(INHIBITORY * in_degree_share), 1))
    stronger = 1.0 / math.sqrt(in_degree_share)
    weight_pA = stronger * PSP_MV / _psp_mV_per_pA()

    excitatory = nest.Create("iaf_psc_alpha", round(EXCITATORY * scale), params=_neuron())
    inhibitory = nest.Create("iaf_psc_alpha", round(INHIBITORY * scale), params=_neuron())
    everyone = excitatory + inhibitory
    noise = nest.Create("poisson_generator", params={"rate": _external_hz(weight_pA)})
    spikes = nest.Create("spike_recorder", params={"record_to": "memory"})

    nest.CopyModel("static_synapse_hpc", "hpc_excitatory", {"weight": weight_pA, "delay": DELAY_MS})
    nest.CopyModel(
        "static_synapse_hpc", "hpc_inhibitory", {"weight": _inhibition(stronger) * weight_pA, "delay": DELAY_MS}
    )
    nest.CopyModel("stdp_pl_synapse_hom_hpc", PLASTIC_MODEL, _plasticity(stronger) | {"weight": weight_pA})

    nest.Connect(noise, everyone, "all_to_all", {"synapse_model": "hpc_excitatory"})
    nest.Connect(excitatory, excitatory, from_excitatory, {"synapse_model": PLASTIC_MODEL})
    nest.Connect(inhibitory, excitatory, from_inhibitory, {"synapse_model": "hpc_inhibitory"})
    nest.Connect(excitatory, inhibitory, from_excitatory, {"synapse_model": "hpc_excitatory"})
    nest.Connect(inhibitory, inhibitory, from_inhibitory, {"synapse_model": "hpc_inhibitory"})
    recorded = excitatory[: min(n_recorded, len(excitatory))]
    nest.Connect(recorded, spikes, "all_to_all", {"delay": DELAY_MS})

    return Populations(
        excitatory=excitatory,
        inhibitory=inhibitory,
        recorded=recorded,
        spikes=spikes,
        synapse_model=PLASTIC_MODEL,
        weight_pA=weight_pA,
        target_norm_pA=in_degree * weight_pA,
    )


def _neuron() -> dict[str, object]:
    return {
        "E_L": 0.0,
        "C_m": CAPACITANCE_PF,
        "tau_m": TAU_MEMBRANE_MS,
        "t_ref": 0.5,
        "V_th": THRESHOLD_MV,
        "V_reset": 0.0,
        "tau_syn_ex": TAU_SYNAPSE_MS,
        "tau_syn_in": TAU_SYNAPSE_MS,
        "tau_minus": TAU_MINUS_MS,
        "V_m": nest.random.normal(5.7, 7.2),
    }


def _inhibition(stronger: float) -> float:
    """Inhibitory weight relative to the excitatory one, for the published mean of all recurrent inputs together."""
    inputs = EXCITATORY / INHIBITORY
    return inputs * ((1.0 + G / inputs) * stronger - 1.0)


def _plasticity(stronger: float) -> dict[str, float]:
    """Potentiation w^mu and depression alpha w balance at a weight that grows with alpha^(1 / (mu - 1))."""
    return {
        "alpha": ALPHA * stronger ** (MU - 1.0),
        "lambda": LEARNING_RATE,
        "mu": MU,
        "tau_plus": TAU_PLUS_MS,
        "delay": DELAY_MS,
    }


def _fixed_in_degree(in_degree: int) -> dict[str, int | str | bool]:
    return {"rule": "fixed_indegree", "indegree": in_degree, "allow_autapses": False, "allow_multapses": True}


def _psp_mV_per_pA() -> float:
    """Peak of the membrane potential after a spike over an alpha-shaped current of 1 pA."""
    rate = 1.0 / TAU_SYNAPSE_MS - 1.0 / TAU_MEMBRANE_MS
    fast, slow = math.exp(-PEAK_MS / TAU_SYNAPSE_MS), math.exp(-PEAK_MS / TAU_MEMBRANE_MS)
    return math.e / (TAU_SYNAPSE_MS * CAPACITANCE_PF * rate) * ((slow - fast) / rate - PEAK_MS * fast)


def _external_hz(weight_pA: float) -> float:
    """Rate, over all external inputs of a neuron, that moves its mean potential to ETA times the threshold."""
    charge_mV_ms = weight_pA * math.e * TAU_SYNAPSE_MS * TAU_MEMBRANE_MS / CAPACITANCE_PF
    return 1_000.0 * ETA * THRESHOLD_MV / charge_mV_ms
