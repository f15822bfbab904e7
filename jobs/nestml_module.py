"""Generates and compiles a NEST module with an STDP synapse of NESTML's own, for the NEST that is installed.

python jobs/nestml_module.py FOLDER

NESTML asks NEST's nest-config how to compile. That of a NEST from pip names a folder of its build that is gone, so
NESTML gets a stand-in here, with answers for the installed files.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

import nest

from distnorm.synapses.compiling.compiler import LTDL_STAND_IN, find_compiler
from distnorm.synapses.compiling.library import nest_flags

MODULE = "stdpmodule"
NEURON = "iaf_psc_delta_neuron__with_stdp_synapse"
SYNAPSE = "stdp_synapse__with_iaf_psc_delta_neuron"
# As NEST was compiled with Boost, but perhaps not on this machine; only functions depend on it.
_WITHOUT_BOOST = """#include "config.h"
#if not __has_include( <boost/sort/spreadsort/spreadsort.hpp> )
#undef HAVE_BOOST
#endif
"""


def generate(folder: Path) -> Path:
    """Generate and compile the module; takes half a minute.

    Args:
        folder: For the generated code (in code/) and the module.

    Returns:
        The header of the synapse, for `distnorm build --synapse`.
    """
    files = [model_file("iaf_psc_delta_neuron"), model_file("stdp_synapse")]
    generate_pair(folder, MODULE, files, ["post_spikes"])
    return folder.resolve() / "code" / f"{SYNAPSE}.h"


def generate_pair(folder: Path, module: str, files: list[Path], post_ports: list[str | tuple[str, str]]) -> None:
    """Generate and compile a module of a neuron and a synapse with weight w, from files that are named as they are.

    Args:
        folder: For the generated code (in code/) and the module.
        module: Its name.
        files: Of the neuron, and of the synapse.
        post_ports: Inputs of the synapse that come from the neuron.
    """
    from pynestml.frontend.pynestml_frontend import generate_nest_target

    folder = folder.resolve()
    neuron, synapse = (file.stem for file in files)
    generate_nest_target(
        input_path=[str(file) for file in files],
        target_path=str(folder / "code"),
        install_path=str(folder),
        module_name=module,
        logging_level="WARNING",
        codegen_opts={
            "nest_path": str(_stand_in(folder / "nest")),
            "neuron_synapse_pairs": [{"neuron": neuron, "synapses": {synapse: {"post_ports": post_ports}}}],
            "weight_variable": {synapse: "w"},
        },
    )


def install(folder: Path, module: str = MODULE) -> None:
    """Install the module into this process's NEST; once more after each reset of the kernel."""
    path = os.environ.get("LD_LIBRARY_PATH", "")
    if str(folder.resolve()) not in path.split(":"):
        os.environ["LD_LIBRARY_PATH"] = f"{folder.resolve()}:{path}"
    nest.Install(module)


def model_file(name: str) -> Path:
    """The file of one of NESTML's own models."""
    files = importlib.metadata.files("nestml") or []
    return Path(str(next(file.locate() for file in files if file.name == f"{name}.nestml")))


def _stand_in(folder: Path) -> Path:
    """A folder with bin/nest-config, and headers in place of Boost's and ltdl's where they are not installed."""
    for name, text in (("first/without_boost.h", _WITHOUT_BOOST), ("last/ltdl.h", LTDL_STAND_IN)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    flags = ["-std=c++20", "-O2", "-DNDEBUG", "-fopenmp", *nest_flags(nest, nest.build_info["prefix"])]
    flags += ["-include", str(folder / "first" / "without_boost.h"), "-idirafter", str(folder / "last")]
    answers = {
        "--compiler": " ".join(find_compiler()),
        "--cflags": " ".join(flags),
        "--prefix": str(folder),
        "--libdir": "lib",
        "--static-libraries": "OFF",
        "--includes": "",
        "--libs": "",
    }
    cases = "".join(f"{option}) echo '{answer}' ;;\n" for option, answer in answers.items())
    config = folder / "bin" / "nest-config"
    config.parent.mkdir(exist_ok=True)
    config.write_text(f"#!/bin/sh\ncase $1 in\n{cases}esac\n")
    config.chmod(0o755)
    return folder


if __name__ == "__main__":
    print(generate(Path(sys.argv[1])))
