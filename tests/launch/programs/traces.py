"""Every kind of generator, recorder, neuron, coupling and growth that this NEST has: simulated plainly, and observed.

Each rank writes, as JSON, a hash of all that can be read afterwards, by case and by how it was simulated. What is drawn
from NEST's shared random numbers after the simulation is in it.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import nest
import numpy as np

import distnorm

OBSERVED_MS = (1.0, 7.0, 20.0)
GENERATORS = {
    "ac_generator": {"amplitude": 50.0, "frequency": 30.0},
    "dc_generator": {"amplitude": 50.0},
    "gamma_sup_generator": {"rate": 30.0, "gamma_shape": 3, "n_proc": 20},
    "inhomogeneous_poisson_generator": {"rate_times": [5.0, 25.0], "rate_values": [200.0, 800.0]},
    "mip_generator": {"rate": 200.0, "p_copy": 0.5},
    "noise_generator": {"mean": 100.0, "std": 300.0, "dt": 0.3},
    "poisson_generator": {"rate": 500.0},
    "poisson_generator_ps": {"rate": 500.0},
    "ppd_sup_generator": {"rate": 30.0, "dead_time": 5.0, "n_proc": 20, "frequency": 10.0, "relative_amplitude": 0.5},
    "pulsepacket_generator": {"pulse_times": [10.0, 30.0], "activity": 30, "sdev": 4.0},
    "sinusoidal_gamma_generator": {"rate": 300.0, "amplitude": 200.0, "frequency": 20.0, "order": 2.0},
    "sinusoidal_poisson_generator": {"rate": 300.0, "amplitude": 200.0, "frequency": 20.0},
    "spike_dilutor": {"p_copy": 0.5},
    "spike_generator": {"spike_times": [3.0, 17.0, 41.0]},
    "step_current_generator": {"amplitude_times": [5.0, 30.0], "amplitude_values": [100.0, -50.0]},
    "step_rate_generator": {"amplitude_times": [5.0, 30.0], "amplitude_values": [10.0, -5.0]},
}
RECORDERS = {
    "correlation_detector": {"tau_max": 5.0, "delta_tau": 0.5},
    "correlomatrix_detector": {"N_channels": 2, "tau_max": 5.0, "delta_tau": 0.5},
    "correlospinmatrix_detector": {"N_channels": 2, "tau_max": 5.0, "delta_tau": 0.5},
    "multimeter": {"record_from": ["V_m"], "interval": 0.3},
    "spike_recorder": {},
    "spin_detector": {},
    "voltmeter": {},
    "weight_recorder": {},
}
NOT_BY_THEMSELVES = ("cm_default", "spike_train_injector")  # neurons that NEST does not simulate as they are made
GROWTH_CURVES = ("linear", "gaussian", "sigmoid")


def base():
    """Neurons that spike, with plastic connections for a rule."""
    neurons = nest.Create("iaf_psc_alpha", 24)
    nest.Connect(nest.Create("poisson_generator", params={"rate": 12_000.0}), neurons, syn_spec={"weight": 20.0})
    plastic = {"synapse_model": "stdp_synapse", "weight": nest.random.uniform(5.0, 15.0), "Wmax": 30.0, "delay": 1.3}
    nest.Connect(neurons, neurons, {"rule": "fixed_indegree", "indegree": 6}, plastic)
    return neurons


def generator(model):
    neurons, made = base(), nest.Create(model, 1, GENERATORS[model])
    if model == "step_rate_generator":
        nest.Connect(made, nest.Create("lin_rate_ipn", 4), syn_spec={"synapse_model": "rate_connection_delayed"})
        return
    if model == "spike_dilutor":
        nest.Connect(nest.Create("poisson_generator", params={"rate": 500.0}), made)
    takes_current = model in ("ac_generator", "dc_generator", "noise_generator", "step_current_generator")
    nest.Connect(made, neurons if takes_current else nest.Create("parrot_neuron", 5), syn_spec={"weight": 1.0})


def recorder(model, **more):
    neurons, made = base(), nest.Create(model, 1, RECORDERS[model] | more)
    if model in ("spin_detector", "correlospinmatrix_detector"):
        neurons = nest.Create("ginzburg_neuron", 4)
    if model == "weight_recorder":
        recorded = {"weight_recorder": made, "weight": 10.0, "Wmax": 30.0}
        nest.CopyModel("stdp_synapse", "recorded", recorded)
        nest.Connect(neurons[:6], neurons[6:12], "all_to_all", "recorded")
    elif model.startswith("correl"):
        nest.Connect(neurons[0], made, syn_spec={"receptor_type": 0})
        nest.Connect(neurons[1], made, syn_spec={"receptor_type": 1})
    elif model in ("multimeter", "voltmeter"):
        nest.Connect(made, neurons)
    else:
        nest.Connect(neurons, made)


def neuron(model):
    base()
    nest.Create(model, 3)


def gap_junctions():
    base()
    pair = nest.Create("hh_psc_alpha_gap", 2, {"I_e": 100.0})
    pair[0].V_m = -10.0
    both = {"rule": "one_to_one", "make_symmetric": True}
    nest.Connect(pair[0], pair[1], both, {"synapse_model": "gap_junction", "weight": 0.5})


def rates():
    base()
    units = nest.Create("lin_rate_ipn", 6, {"sigma": 2.0})
    nest.Connect(units, units, "all_to_all", {"synapse_model": "rate_connection_instantaneous", "weight": 0.05})


def growth(curve):
    base()
    nest.structural_plasticity_update_interval = 20
    nest.CopyModel("static_synapse", "grown", {"weight": 1.0, "delay": 1.0})
    elements = {"post_synaptic_element": "Den", "pre_synaptic_element": "Axon"}
    nest.structural_plasticity_synapses = {"s": {"synapse_model": "grown", **elements}}
    grows = {"growth_curve": curve, "growth_rate": 0.1, "continuous": False, "eps": 0.3}
    nest.Create("iaf_psc_alpha", 12, {"synaptic_elements": {"Den": grows, "Axon": grows}, "I_e": 380.0})
    nest.EnableStructuralPlasticity()


def models_of(kind):
    return [model for model in nest.node_models if nest.GetDefaults(model).get("element_type") == kind]


def cases():
    stimulators = models_of("stimulator")
    if nest.local_num_threads > 1:
        stimulators.remove("spike_dilutor")  # NEST refuses it with threads
    made = {model: lambda model=model: generator(model) for model in stimulators}
    made |= {model: lambda model=model: recorder(model) for model in models_of("recorder")}
    for backend in ("ascii", "screen"):
        made[f"{backend} recorder"] = lambda backend=backend: recorder("spike_recorder", record_to=backend)
    if nest.num_processes * nest.local_num_threads == 1:  # the others behave alike, and take minutes
        neurons = [model for model in models_of("neuron") if model not in NOT_BY_THEMSELVES]
        made |= {model: lambda model=model: neuron(model) for model in neurons}
    made |= {"gap junctions": gap_junctions, "rates": rates}
    if nest.local_num_threads == 1:  # NEST refuses structural plasticity with threads
        made |= {f"growth, {curve}": lambda curve=curve: growth(curve) for curve in GROWTH_CURVES}
    return made


def simulate(time_ms, observed_ms):
    if observed_ms is None:
        nest.Simulate(time_ms)
        return
    rule = distnorm.Rule("stdp_synapse", target_norm="initial")
    normalizer = distnorm.Normalizer(rule, interval=observed_ms, observe=True, on_chunk=lambda _: None)
    with normalizer.attached():
        nest.Simulate(time_ms)
    assert len(normalizer.log) > time_ms / max(observed_ms, 1.3) - 1


def state():
    """All that can be read, and what is drawn next."""
    found = []
    for status in nest.GetStatus(nest.GetNodes(local_only=True)):
        found.append(repr(sorted((key, value) for key, value in status.items() if key != "filenames")))
    connections = nest.GetConnections(synapse_model="stdp_synapse")
    found += map(repr, zip(*connections.get(["source", "target", "weight", "Kplus"]).values(), strict=True))
    found.sort()
    status = nest.kernel_status
    found.append(repr([status[key] for key in ("biological_time", "local_spike_counter", "num_connections", "to_do")]))
    for path in sorted(Path().glob("*.dat")):
        found.append(path.read_text().partition("\n# ")[2])  # but for the line with NEST's version
        path.unlink()
    drawn = nest.Create("iaf_psc_alpha", 6, {"V_m": nest.random.uniform(-70.0, -60.0)})
    found += [repr(node.V_m) for node in drawn if node.local]
    return hashlib.sha1("\n".join(found).encode()).hexdigest()


def main(threads: str, folder: str) -> None:
    np.set_printoptions(threshold=sys.maxsize)
    hashes: dict[str, dict[str, str]] = {}
    mine = Path(folder, str(nest.Rank())).absolute()
    mine.mkdir()
    os.chdir(mine)  # where recorders write
    nest.local_num_threads = int(threads)
    neurons = models_of("neuron")
    for name, build in cases().items():
        plain = (None, None) if "growth" in name else (None,)  # the first to grow in a process is another one
        for observed_ms in (*plain, *(OBSERVED_MS[:1] if name in neurons else OBSERVED_MS)):
            nest.ResetKernel()
            nest.verbosity = nest.VerbosityLevel.ERROR
            nest.local_num_threads = int(threads)
            nest.rng_seed = 3
            build()
            simulate(45.0 if "growth" not in name else 200.0, observed_ms)
            hashes.setdefault(name, {})[str(observed_ms)] = state()
            nest.Simulate(5.0)
            hashes[name][str(observed_ms)] += state()
    mine.with_suffix(".json").write_text(json.dumps(hashes))


main(*sys.argv[1:])
