"""NEST's own example models, as installed with it and unmodified, with rules attached to all their synapse models.

plain     the script alone                        spikes, potentials
inspect   rules from its network, or from RULES   each target's norm is to be the median of all targets
observe   attached, no weight is changed          spikes and potentials must be those of the plain run
attach    attached and normalizing                must come to its end

`tests/launch/test_examples.py` runs short ones. `python tests/nest_examples.py [EXAMPLE ...]` prints the table of
docs/attach.md; all of it takes an hour.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from distnorm.errors import RuleError
from distnorm.mpi.launch import find_mpiexec

DIGEST = Path(__file__).parent / "launch" / "programs" / "digest.py"
DISTNORM = ("-m", "distnorm")
COLUMNS = ["| example | for | ranks | plain | observed | normalized |", "|---|---|---:|---|---|---|"]

# What each is here for, and the script's own limits.
EXAMPLES = {
    "brunel_delta_nest.py": "static synapses",
    "brunel_alpha_nest.py": "static synapses, plots",
    "brunel_exp_multisynapse_nest.py": "receptors",
    "brette_et_al_2007/cuba_stdp.py": "STDP",
    "clopath_synapse_small_network.py": "Clopath",
    "clopath_synapse_spike_pairing.py": "ResetKernel for each pairing",
    "store_restore_network.py": "STDP, four networks",
    "EI_clustered_network/run_simulation.py": "clustered; files beside it",
    "structural_plasticity.py": "connections come and go",
    "spatial/test_3d_gauss.py": "spatial, never simulated",
    "spatial/conncomp.py": "spatial, never simulated",
    "evaluate_quantal_stp_synapse.py": "RunManager",
    "evaluate_tsodyks2_synapse.py": "short-term plasticity",
    "sinusoidal_gamma_generator.py": "devices, ResetKernel",
    "multimeter_file.py": "recorders that write files",
    "urbanczik_synapse_example.py": "cannot be normalized",
    "gap_junctions_inhibitory_network.py": "gap junctions",
    "astrocytes/astrocyte_small_network.py": "tripartite",
    "wang_decision_making.py": "receptors, many models",
    "repeated_stimulation.py": "one neuron",
    "twoneurons.py": "two neurons",
}

# Where the network has no connections at its first Simulate, so that there is nothing to inspect.
RULES = {
    "structural_plasticity.py": """
[[rules]]
synapse_model = "synapse_ex"
target_norm = 20.0
only = "above"

[interval]
kind = "fixed"
interval_ms = 1000.0
""",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How examples are run.

    Attributes:
        folder: That of the examples.
        scratch: Where they write.
        seconds: After which one is given up.
    """

    folder: Path
    scratch: Path
    seconds: float


def run(names, ranks, seconds):
    """A table of what happened, as Markdown, printed as it grows.

    Args:
        names: Paths of examples in their folder; none for all of `EXAMPLES`.
        ranks: Numbers of ranks; 1 is without mpiexec.
        seconds: After which a run is given up.

    Raises:
        RuleError: There is no such example, or no mpiexec.
    """
    folder = examples_folder()
    for name in names:
        if not (folder / name).is_file():
            raise RuleError(f"{folder} has no example {name}; it has {', '.join(EXAMPLES)}")
    if max(ranks) > 1 and find_mpiexec() is None:
        raise RuleError(f"{max(ranks)} ranks need mpiexec, which was not found")
    lines = list(COLUMNS)
    print("\n".join(lines), flush=True)
    for name in names or EXAMPLES:
        with tempfile.TemporaryDirectory() as scratch:
            setting = Setting(folder=folder, scratch=Path(scratch), seconds=seconds)
            for number in ranks:
                cells = (f"`{name}`", EXAMPLES.get(name, ""), str(number), *_row(setting, name, number))
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    return "\n".join(lines)


def examples_folder():
    """Where NEST keeps its examples, asked in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import nest; print(nest.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(),
    )
    return Path(done.stdout.split()[-1]) / "doc" / "examples" / "pynest"


def _row(setting, name, ranks):
    """What happened in the plain run, observed, and normalized."""
    script = str(setting.folder / name)
    plain = _start(setting, ranks, DIGEST, "plain", "script", script)
    if plain is None or plain.returncode:
        return _failure(setting, plain), "", ""
    spikes = _digests(setting, "plain", ranks)
    events = sum(int(number) for number in re.findall(r'"events": (\d+)', spikes))
    networks = spikes.count('"digest"') // ranks
    text = f"{networks} network{'s' * (networks != 1)}, {events:,} events"
    if name in RULES:
        (setting.scratch / "all.toml").write_text(RULES[name])
    elif not (setting.scratch / "all.toml").exists():
        inspected = _start(setting, 1, *DISTNORM, "inspect", "-o", "all.toml", script)
        if inspected is None or inspected.returncode:
            return text, _failure(setting, inspected), ""
    if not _attach_all(setting.scratch):
        return text, "no synapse model to normalize", ""
    observed = _start(setting, ranks, DIGEST, "observed", "attach", "--observe", "all.toml", script)
    if observed is None or observed.returncode:
        return text, _failure(setting, observed), ""
    same = "same" if _digests(setting, "observed", ranks) == spikes else _differs(setting, ranks, script, spikes)
    normalized = _start(setting, ranks, *DISTNORM, "attach", "all.toml", script)
    if normalized is None or normalized.returncode:
        return text, same, _failure(setting, normalized)
    said = [line for line in normalized.stderr.splitlines() if line.startswith("distnorm: ")]
    counts = [match[1] for line in said if (match := re.search(r"normalized (\d+) times", line))]
    return text, same, f"{counts[-1]} times" if counts else "; ".join(line[10:] for line in said[-1:])


def _attach_all(scratch):
    """Uncomment every rule, and have it set each norm to the median; whether there is one."""
    path = scratch / "all.toml"
    text = re.sub(r"^# (?=\[\[rules|synapse_model|targets|target_norm)", "", path.read_text(), flags=re.MULTILINE)
    text = re.sub(r'"initial"(.* norms are \S+ / (\S+) / )', lambda m: m[2].replace(",", "") + m[1], text)
    path.write_text(text)
    return "[[rules]]" in text


def _differs(setting, ranks, script, spikes):
    again = _start(setting, ranks, DIGEST, "again", "script", script)
    if again is not None and _digests(setting, "again", ranks) != spikes:
        return "differs, as the plain run does from run to run"
    return "DIFFERS"


def _digests(setting, name, ranks):
    return "\n".join((setting.scratch / f"{name}{rank}").read_text() for rank in range(ranks))


def _start(setting, ranks, *program):
    """Finished Python in a folder of its own, with the rules that there are; None if it took too long."""
    launcher = [str(find_mpiexec()), "-n", str(ranks)] if ranks > 1 else []
    folder = setting.scratch / f"files-{len(list(setting.scratch.iterdir()))}"
    folder.mkdir()
    for path in setting.scratch.glob("*.toml"):
        (folder / path.name).write_text(path.read_text())
    try:
        done = subprocess.run(
            [*launcher, sys.executable, *program],
            capture_output=True,
            text=True,
            timeout=setting.seconds,
            check=False,
            cwd=folder,
            env=_environment(),
        )
    except subprocess.TimeoutExpired:
        return None
    for path in folder.iterdir():
        if path.is_file() and (path.suffix == ".toml" or path.name.startswith(("plain", "observed", "again"))):
            path.replace(setting.scratch / path.name)
    return done


def _environment():
    return os.environ | {"MPLBACKEND": "Agg", "PYNEST_QUIET": "1", "OMP_WAIT_POLICY": "passive"}


def _failure(setting, done):
    if done is None:
        return f"takes longer than {setting.seconds:g} s"
    printed = (done.stdout + done.stderr).splitlines()
    lines = [line.strip() for line in printed if line.strip() and not line.startswith("Abort(")]
    return f"exit code {done.returncode}: {lines[-1][:100] if lines else ''}"


def parser():
    made = argparse.ArgumentParser(description="NEST's own example models, unmodified, with rules attached.")
    made.add_argument("names", nargs="*", metavar="EXAMPLE", help="default: a selection")
    made.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4], help="default 1 2 4")
    made.add_argument("--seconds", type=int, default=600, help="give a run up after them (default 600)")
    return made


if __name__ == "__main__":
    options = parser().parse_args()
    run(options.names, options.ranks, options.seconds)
