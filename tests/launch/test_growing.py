"""Structural plasticity on several ranks, in processes of their own: NEST crashes with it after an earlier network."""

import json

import pytest
from launching import launch


@pytest.mark.parametrize("backend", ["inplace", "pynest"])
def test_synapses_that_grow_and_are_deleted(backend):
    done = launch(2, "growing.py", backend, timeout=110)
    assert done.returncode == 0, done.stderr
    measurements = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[[")))
    numbers, errors, targets = zip(*measurements, strict=True)
    assert numbers[0] == 0 and max(numbers) > 100 and 0 < numbers[-1] < max(numbers) / 2
    assert targets[0] == 0 and targets[4] == 30 and max(errors) <= 1e-12
