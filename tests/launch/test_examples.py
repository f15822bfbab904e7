"""Short ones of NEST's own example models; `python tests/nest_examples.py` runs the long ones, too."""

import nest_examples
import pytest

from distnorm.mpi.launch import find_mpiexec


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "ranks", "plain", "normalized"),
    [
        ("twoneurons.py", 1, "1 network, 1,998 events", "10 times"),
        ("twoneurons.py", 2, "1 network, 1,998 events", "10 times"),
        ("clopath_synapse_spike_pairing.py", 1, "10 networks, 55 events", "times"),  # hangs on 2 ranks by itself
    ],
)
def test_an_example(name, ranks, plain, normalized):
    if ranks > 1 and not find_mpiexec():
        pytest.skip("no mpiexec here; tests/run.sh installs one")
    row = nest_examples.run([name], [ranks], seconds=280).splitlines()[-1].split(" | ")
    assert plain in row[3] and row[4] == "same" and normalized in row[5], row
