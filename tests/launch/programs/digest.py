"""What a script's networks did, in a few bytes: recorded events, and the last bits of all membrane potentials.

Runs a script as `python digest.py FILE script SCRIPT`, or attached as `... FILE attach ARGUMENTS`, and writes a list
with an entry for each network, to FILE followed by the rank. Python's and numpy's own generators, which some scripts
draw from without a seed, begin at the same seed each time.
"""

import hashlib
import json
import random
import runpy
import sys
from pathlib import Path

import numpy as np

from distnorm.attach.run_script import Script, after_import, run_script
from distnorm.files.views import Views, leave_folder
from distnorm.synapses.node_models import model_of_each


def main(arguments):
    """Run a script and write what it did."""
    leave_folder()
    output, how, *rest = arguments
    entries = []
    after_import("nest", lambda: _before_each_reset(entries))
    random.seed(1)
    np.random.seed(1)
    code = 1
    try:
        if how == "script":
            script = Script.at(rest[0], rest[1:])
            Views(script.path).hand_over()
            code = run_script(script).code
        else:
            sys.argv[1:] = ["attach", *rest]
            runpy.run_module("distnorm", run_name="__main__")
    except SystemExit as stop:
        code = int(stop.code or 0)
    if "nest" in sys.modules:
        _add(sys.modules["nest"], entries)
        Path(f"{output}{sys.modules['nest'].Rank()}").write_text(json.dumps(entries))
    return code


def _before_each_reset(entries):
    import nest
    from nest import nestkernel_api

    reset = nestkernel_api.llapi_reset_kernel

    def digest_and_reset():
        _add(nest, entries)
        reset()

    nestkernel_api.llapi_reset_kernel = digest_and_reset


def _add(nest, entries):
    if nest.biological_time == 0.0:
        return
    digest = hashlib.sha256()
    events = 0
    for recorder in nest.GetNodes({"element_type": "recorder"}):
        recorded = recorder.get().get("events")
        if isinstance(recorded, dict) and recorded:
            columns = [np.asarray(recorded[name], dtype=np.float64) for name in sorted(recorded)]
            events += len(columns[0])
            for column in np.array(columns)[:, np.lexsort(columns)]:  # threads write in any order
                digest.update(column.tobytes())
    for potentials in _potentials(nest):
        digest.update(potentials.tobytes())
    entries.append({"time_ms": nest.biological_time, "events": events, "digest": digest.hexdigest()})


def _potentials(nest):
    local = np.array(nest.GetNodes({"element_type": "neuron"}, local_only=True).tolist(), dtype=np.int64)
    models = model_of_each(nest, local)
    found = []
    for number in dict.fromkeys(models.tolist()):
        mine = local[models == number].tolist()
        if "V_m" in nest.NodeCollection(mine[:1]).get():
            found.append(np.atleast_1d(nest.NodeCollection(mine).get("V_m")))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
