"""One normalization by other means, and the same network in Brian2, beside distnorm; on one machine, in one run.

nest    the balanced network under mpiexec: the documented recipe, PyNEST in bulk, in place     compare_nest
brian2  the same network with Brian2's summed variable, where Brian2 is installed               compare_brian2

Each runs in processes of its own, one after the other.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

from ...errors import DistnormError
from ...files.outputs import results_folder
from ...runs.job_file import read_job
from ...runs.options import count, path
from ..shared.arguments import add_command
from ..shared.processes import ask, launcher
from ..shared.tables import table, write_text

_IN_DEGREE = 200  # with the weights and the regime of jobs/balanced_stdp.py
_TIMEOUT_S = 3_600.0
_IDIOMS = {"summed": "summed variable", "regular": "sums by run_regularly"}
_MEANS = ("way", "ns per synapse", "times distnorm")
_SIMULATORS = ("simulator", "wall time (s)", "normalization (%)", "spikes/s", "largest error of a norm")

Facts = dict[str, Any]


def add_to(commands: Any) -> None:
    """Add `bench compare`."""
    parser = add_command(commands, "compare", "the documented recipe, PyNEST, and Brian2, beside distnorm", run)
    parser.add_argument("--connections", type=count, default=1_000_000, help="plastic ones (default 1000000)")
    parser.add_argument("--job", type=path, default=Path("jobs/balanced_stdp.toml"), help="where the network is")
    parser.add_argument("--ranks", type=count, default=2, help="of NEST (default 2)")
    parser.add_argument("--threads", type=count, default=1, help="of each rank (default 1)")
    parser.add_argument("--simulate", type=count, default=1_000, metavar="MS", help="biological time (default 1000)")
    parser.add_argument("--neurons", type=count, default=200, help="that the recipe normalizes (default 200)")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=path, help="also write compare.md there")


def run(options: argparse.Namespace) -> None:
    """Measure all, and print the tables.

    Raises:
        DistnormError: The job makes no sense, or NEST's part failed; what Brian2 fails at is said in its row.
    """
    read_job(options.job)
    if options.output is not None:
        results_folder(options.output)
    excitatory = max(options.connections // _IN_DEGREE, 2)
    settings = {
        "job": str(options.job),
        "n_excitatory": excitatory,
        "n_inhibitory": max(excitatory // 4, 1),
        "in_degree": _IN_DEGREE,
        "simulate_ms": float(options.simulate),
        "neurons": options.neurons,
    }
    start = [*launcher(options.ranks), sys.executable, "-m", "distnorm.bench.compare.compare_nest"]
    nest = ask(start, settings | {"threads": options.threads}, _TIMEOUT_S)
    idioms = [("summed", "cython", 1), ("regular", "cython", 1)]
    idioms += [("regular", "cpp_standalone", threads) for threads in sorted({1, options.ranks * options.threads})]
    brian = [_brian(settings | {"idiom": idiom, "mode": mode, "threads": n}) for idiom, mode, n in idioms]
    text = _report(nest, brian, f"{options.ranks} x {options.threads}", options.simulate)
    if options.output is not None:
        write_text(options.output / "compare.md", text)
    print(text)


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


def _report(nest: Facts, brian: list[Facts], split: str, simulate_ms: int) -> str:
    means = [
        (f"documented recipe, made to work under MPI, {split} ({nest['neurons']:,} neurons)", nest["recipe_ns"]),
        (f"PyNEST in bulk, {split} ({nest['bulk_connections']:,} connections)", nest["bulk_ns"]),
        (f"distnorm in place, {split}", nest["in_place_ns"]),
        *((facts["name"], facts["normalize_ns"]) for facts in brian if "error" not in facts),
    ]
    first = [(name, f"{ns:,.1f}", f"{ns / nest['in_place_ns']:,.1f}") for name, ns in means]
    second = [_row(facts) for facts in ({"name": f"NEST and distnorm, {split}", **nest}, *brian)]
    return "\n\n".join(
        [
            f"{nest['connections']:,} plastic connections of {nest['excitatory']:,} neurons, ranks x threads as given",
            "One normalization: wall time, all ranks and threads together, over the number of synapses",
            table(_MEANS, first),
            f"The network with additive STDP, {simulate_ms:g} ms, normalized each 100 ms; building and "
            "compiling are left out",
            table(_SIMULATORS, second),
        ]
    )


def _row(facts: Facts) -> list[str]:
    if "error" in facts:
        return [facts["name"], facts["error"], "", "", ""]
    share = f"{100 * facts['normalizing_s'] / facts['wall_s']:.2f}"
    return [
        facts["name"],
        f"{facts['wall_s']:.2f}",
        share,
        f"{facts['spikes_per_s']:.1f}",
        f"{facts['norm_error']:.1e}",
    ]
