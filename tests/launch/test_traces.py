"""Neither a measurement nor a checkpoint leaves a trace in the simulation."""

import json

import pytest
from launching import launch


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("ranks", "threads"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_what_is_observed_is_what_would_have_been(ranks, threads, tmp_path):
    done = launch(ranks, "traces.py", threads, tmp_path, timeout=550)
    assert done.returncode == 0, done.stderr[-2000:]
    for rank in range(ranks):
        cases = json.loads((tmp_path / f"{rank}.json").read_text())
        assert len(cases) > 25
        left_traces = [f"{name}: {hashes}" for name, hashes in cases.items() if len(set(hashes.values())) > 1]
        assert not left_traces
