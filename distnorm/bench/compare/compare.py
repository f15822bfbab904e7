"""One normalization by other means, and the same network in Brian2, beside distnorm; on one machine, in one run.

nest    the balanced network under mpiexec: the documented recipe, PyNEST in bulk, in place     compare_nest
brian2  the same network with Brian2's summed variable, where Brian2 is installed               compare_brian2

Each runs in processes of its own, one after the other.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DistnormError
from ...files.outputs import results_folder
from ...runs.job_file import read_job
from ..processes import ask, launcher
from ..tables import table, write_text

_IN_DEGREE = 200  # with the weights and the regime of jobs/balanced_stdp.py
_TIMEOUT_S = 3_600.0
_IDIOMS = {"summed": "summed variable", "regular": "sums by run_regularly"}

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What to compare.

    Attributes:
        job: jobs/balanced_stdp.toml.
        connections: Plastic ones.
        ranks: Of NEST.
        threads: Of each rank.
        simulate_ms: Biological time, normalized each 100 ms.
        neurons: That the documented recipe normalizes, of all.
    """

    job: Path
    connections: int
    ranks: int
    threads: int
    simulate_ms: float
    neurons: int

    def settings(self) -> Facts:
        """For the processes."""
        excitatory = max(self.connections // _IN_DEGREE, 2)
        return {
            "job": str(self.job),
            "n_excitatory": excitatory,
            "n_inhibitory": max(excitatory // 4, 1),
            "in_degree": _IN_DEGREE,
            "simulate_ms": self.simulate_ms,
            "neurons": self.neurons,
        }


def run(comparison: Comparison, folder: Path | None) -> str:
    """Measure all, and return the tables.

    Args:
        comparison: What to compare.
        folder: For compare.md; None for none.

    Raises:
        DistnormError: The job makes no sense, or NEST's part failed; what Brian2 fails at is said in its row.
    """
    read_job(comparison.job)
    if folder is not None:
        results_folder(folder)
    cores = comparison.ranks * comparison.threads
    settings = comparison.settings()
    python = [sys.executable, "-m"]
    start = [*launcher(comparison.ranks), *python, "distnorm.bench.compare.compare_nest"]
    nest = ask(start, settings | {"threads": comparison.threads}, _TIMEOUT_S)
    ways = [("summed", "cython", 1), ("regular", "cython", 1)]
    ways += [("regular", "cpp_standalone", threads) for threads in sorted({1, cores})]
    brian = [_brian(settings | {"idiom": idiom, "mode": mode, "threads": n}) for idiom, mode, n in ways]
    text = _report(comparison, nest, brian)
    if folder is not None:
        write_text(folder / "compare.md", text)
    return text


def _brian(settings: Facts) -> Facts:
    threads = f"{settings['threads']} thread{'s' * (settings['threads'] > 1)}"
    name = f"Brian2, {_IDIOMS[settings['idiom']]}, {settings['mode']}, {threads}"
    if importlib.util.find_spec("brian2") is None:
        return {"name": name, "error": 'Brian2 is not installed: pip install "distnorm[compare]"'}
    try:
        found = ask([sys.executable, "-m", "distnorm.bench.compare.compare_brian2"], settings, _TIMEOUT_S)
    except DistnormError as error:
        return {"name": name, "error": str(error)}
    return {"name": name.replace("Brian2", f"Brian2 {found['version']}"), **found}


def _report(comparison: Comparison, nest: Facts, brian: list[Facts]) -> str:
    where = f"{comparison.ranks} x {comparison.threads}"
    fast = nest["in_place_ns"]
    ways = [
        (f"documented recipe, made to work under MPI, {where} ({nest['neurons']:,} neurons)", nest["recipe_ns"]),
        (f"PyNEST in bulk, {where} ({nest['bulk_connections']:,} connections)", nest["bulk_ns"]),
        (f"distnorm in place, {where}", fast),
        *((each["name"], each["normalize_ns"]) for each in brian if "error" not in each),
    ]
    first = [[name, f"{ns:,.1f}", f"{ns / fast:,.1f}"] for name, ns in ways]
    simulators = [{"name": f"NEST and distnorm, {where}", **nest}, *brian]
    second = [_row(each) for each in simulators]
    heads = ("way", "ns per synapse", "times distnorm")
    columns = ("simulator", "wall time (s)", "normalization (%)", "spikes/s", "largest error of a norm")
    return "\n\n".join(
        [
            f"{nest['connections']:,} plastic connections of {nest['excitatory']:,} neurons, ranks x threads as given",
            "One normalization: wall time, all ranks and threads together, over the number of synapses",
            table(heads, first),
            f"The network with additive STDP, {comparison.simulate_ms:g} ms, normalized each 100 ms; building and "
            "compiling are left out",
            table(columns, second),
        ]
    )


def _row(facts: Facts) -> list[str]:
    if "error" in facts:
        return [facts["name"], facts["error"], "", "", ""]
    share = f"{facts['normalizing_s'] / facts['wall_s']:.2%}".rstrip("%")
    error = f"{facts['norm_error']:.1e}"
    return [facts["name"], f"{facts['wall_s']:.2f}", share, f"{facts['spikes_per_s']:.1f}", error]
