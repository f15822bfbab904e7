"""Short ones of NEST's own example models; `distnorm bench examples` runs the long ones, too."""

import pytest

from distnorm.bench import examples
from distnorm.launcher import find_mpiexec


@pytest.mark.timeout(900)
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    ("name", "plain", "normalized"),
    [
        ("twoneurons.py", "1 network, 1,998 events", "10 times"),
        ("clopath_synapse_spike_pairing.py", "10 networks, 55 events", "times"),
    ],
)
def test_an_example(name, plain, normalized, ranks):
    if ranks > 1 and not find_mpiexec():
        pytest.skip("no mpiexec here; tests/run.sh installs one")
    row = examples.run([name], [ranks], seconds=280).splitlines()[-1].split(" | ")
    assert plain in row[3] and row[4] == "same" and normalized in row[5], row
