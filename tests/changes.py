"""Ways in which a network changes between two normalizations, each on any number of ranks and threads."""

import nest

MODEL = "stdp_synapse"


def connect_more(population):
    """Connections onto some neurons that had some already, and onto new neurons."""
    added = nest.Create("iaf_psc_delta", 7)
    spec = {"synapse_model": MODEL, "weight": 0.7, "delay": 1.5}
    nest.Connect(population[:5], population[3:30] + added, "all_to_all", spec)


def create_neurons(population):
    """Neurons that nothing is connected to, so every thread's nodes are others than before."""
    nest.Create("iaf_psc_delta", 11)


def disconnect_by_rule(population):
    """One connection of each pair of some neurons, which then have one for sure: NEST sorts at the next chance."""
    spec = {"synapse_model": MODEL, "weight": 0.7, "delay": 1.5}
    nest.Connect(population[:4], population[20:40], "all_to_all", spec)
    nest.Disconnect(population[:4], population[20:40], conn_spec="all_to_all", syn_spec=MODEL)


def disconnect_a_collection(population):
    """Every third connection: only disabled, as this does not tell NEST to sort."""
    found = nest.GetConnections(source=population, synapse_model=MODEL)
    for i in range(0, len(found), 3):
        found[i].disconnect()


def structural_plasticity():
    """A network that grows plastic synapses in its first 200 ms and loses some in the next; needs one thread per rank.

    Returns:
        The neurons, and what to call to turn growing into shrinking.
    """
    nest.CopyModel(MODEL, "growing", {"weight": 0.5, "delay": 1.0})
    nest.structural_plasticity_synapses = {
        "grown": {"synapse_model": "growing", "pre_synaptic_element": "axon", "post_synaptic_element": "dendrite"}
    }
    nest.structural_plasticity_update_interval = 10.0
    element = {"growth_curve": "linear", "growth_rate": 0.05, "z": 0.0, "eps": 100.0, "tau_vacant": 0.1}
    neurons = nest.Create("iaf_psc_delta", 30, {"synaptic_elements": {"axon": element, "dendrite": element}})
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, neurons, syn_spec={"weight": 1.0})
    nest.EnableStructuralPlasticity()

    def shrink():
        less = element | {"growth_rate": -0.05}
        neurons.set({"synaptic_elements_param": {"axon": less, "dendrite": less}})

    return neurons, shrink


CHANGES = [connect_more, create_neurons, disconnect_by_rule, disconnect_a_collection]
