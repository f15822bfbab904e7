"""What benchmarks run on: random networks made here, and the networks of jobs. `nest` is handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import RuleError
from ...mpi.ranks import Ranks, world
from ...rules.rule import Rule
from ...runs.job_file import Job
from ...synapses.access import open_synapses, verify
from ...synapses.in_place import InPlace

DELAY_MS = 1.5
_LARGEST_INDEGREE = 100  # of a driven network


def one_process(nest: Any, what: str) -> Ranks:
    """The ranks of a benchmark, or `what` it is, that measures one process.

    Raises:
        RuleError: There are several.
    """
    ranks = world(nest.build_info["have_mpi"])
    if ranks.size > 1:
        raise RuleError(f"{what} was started on {ranks.size} ranks; it measures one process")
    return ranks


def reset(nest: Any, threads: int) -> None:
    """Begin a new network."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.local_num_threads = threads


def add_neurons(
    nest: Any,
    neurons: int,
    indegree: int,
    synapse: Mapping[str, Any],
    neuron_model: str = "iaf_psc_delta",
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Add neurons that have random inputs from each other; `synapse` as nest.Connect takes it, less the delay."""
    population = nest.Create(neuron_model, neurons, dict(parameters or {}))
    inputs = {"rule": "fixed_indegree", "indegree": indegree}
    nest.Connect(population, population, inputs, {"delay": DELAY_MS, **synapse})


def driven_network(nest: Any, ranks: int, connections: int, threads: int) -> Rule:
    """Build a network with so many plastic connections on each rank, driven by noise; the rule that keeps its norms."""
    reset(nest, threads)
    indegree = min(_LARGEST_INDEGREE, connections // 10) or 1
    neurons = max(connections * ranks // indegree, 1)
    plastic = {"synapse_model": "stdp_synapse", "weight": nest.random.uniform(0.05, 0.15), "Wmax": 100.0}
    add_neurons(nest, neurons, indegree, plastic)
    noise = nest.Create("poisson_generator", params={"rate": 18_000.0})
    nest.Connect(noise, nest.NodeCollection(range(1, neurons + 1)), syn_spec={"weight": 1.0, "delay": DELAY_MS})
    finish(nest)
    return Rule("stdp_synapse", target_norm=0.1 * indegree)


def finish(nest: Any) -> None:
    """Simulate for a moment: NEST sorts the connections at the first Simulate, as in any run."""
    nest.Simulate(DELAY_MS)


def open_in_place(nest: Any, rules: Sequence[Rule], ranks: Ranks) -> list[InPlace]:
    """The connections of rules as the kernel reaches them, verified. Collective."""
    opened = open_synapses(nest, rules, ranks, "inplace")
    for synapses in opened:
        verify(nest, synapses, ranks)
    return [synapses for synapses in opened if isinstance(synapses, InPlace)]  # all of them, as asked


@dataclass(frozen=True, kw_only=True)
class JobNetwork:
    """The network of a job as it stands.

    Attributes:
        made: What `build(...)` returned.
        rules: Those of the job.
        ranks: All ranks.
        split: Ranks and threads, in words.
    """

    made: Any
    rules: list[Rule]
    ranks: Ranks
    split: str


def network_of(job: Job) -> JobNetwork:
    """Build the network of a job. Collective.

    Raises:
        RuleError: The job does not fit the model.
    """
    import nest

    from ...runs.run import build_network

    ranks = world(nest.build_info["have_mpi"])
    made = build_network(job, ranks)
    split = f"{ranks.size} ranks x {job.num_threads(ranks.size)} threads"
    return JobNetwork(made=made, rules=job.rules_of(made), ranks=ranks, split=split)
