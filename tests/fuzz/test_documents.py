"""Random job files: a job, or one line that says what is wrong. Never another error, and nothing is written."""

import os
import subprocess
import sys
from random import Random
from types import SimpleNamespace

import pytest
from fuzz.documents import document, setting

from distnorm.attach.rules_file import read_rules
from distnorm.errors import DistnormError
from distnorm.runs.job_file import read_job

SEEDS = 600
LONGEST = 2_000  # characters of a message
PROGRAMS = 12


def outcome(read, *arguments):
    """What was read, or the line that says what is wrong."""
    try:
        return read(*arguments)
    except DistnormError as error:
        said = str(error)
        assert said.splitlines() == [said] and said.isprintable() and len(said) < LONGEST, ascii(said[:LONGEST])
        return said


def write(folder, random):
    (folder / "model.py").touch()
    path = folder / "job.toml"
    path.write_bytes(document(random))
    return path


def test_a_job_or_one_line(seed, tmp_path):
    random = Random(seed)
    path = write(tmp_path, random)
    settings = [setting(random) for _ in range(random.choice([0, 0, 1, 2]))]
    job = outcome(read_job, path, settings)
    if not isinstance(job, str):
        outcome(job.rules_of, SimpleNamespace(exc=[1, 2], excitatory=range(1, 9), target_norm_mV=2.0, target_norm_pA=1))
    outcome(read_rules, path)
    assert sorted(os.listdir(tmp_path)) == ["job.toml", "model.py"]


def refused(folder, number):
    """So many files of which a job cannot be made, each in a folder of its own."""
    for seed in range(SEEDS):
        folder_of_it = folder / str(seed)
        folder_of_it.mkdir()
        path = write(folder_of_it, Random(seed))
        if isinstance(outcome(read_job, path), str):
            yield path
            number -= 1
        if not number:
            return


@pytest.mark.timeout(300)
def test_the_command_line_says_one_line(tmp_path):
    for path in refused(tmp_path, PROGRAMS):
        command = [sys.executable, "-m", "distnorm", "run", path]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 2 and done.stdout == b""
        assert done.stderr.startswith(b"distnorm: ") and len(done.stderr.splitlines()) == 1, done.stderr
        assert sorted(os.listdir(path.parent)) == ["job.toml", "model.py"]
