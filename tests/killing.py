"""Start runs of a small job with checkpoints, find their ranks, and kill them.

As a program: `python tests/killing.py 50` kills a run at so many random moments, checkpoints being written included,
resumes it each time on other ranks and threads, and says what was seen.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

from distnorm.mpi.launch import find_mpiexec
from distnorm.records.run_log import read_log
from distnorm.runs.checkpoint import folder as folders

JOB = """
model = "{model}"
simulate_ms = {simulate_ms}
seed = 7
[parameters]
n_excitatory = 200
n_inhibitory = 50
in_degree_excitatory = 40
[[rules]]
synapse_model = "balanced_stdp"
targets = "excitatory"
target_norm = "initial"
[interval]
kind = "adaptive"
bound = 0.05
[checkpoint]
every_s = {every_s}
"""
MODEL = Path(__file__).parents[1] / "jobs" / "balanced_stdp.py"
ENVIRONMENT = os.environ | {"OMP_WAIT_POLICY": "passive", "PYNEST_QUIET": "1"}
ENVIRONMENT = {key: value for key, value in ENVIRONMENT.items() if not key.startswith(("PMI_", "SLURM_"))}
RANK = (b"PMI_RANK=", b"OMPI_COMM_WORLD_RANK=")  # of MPICH, and of Open MPI


def write_job(folder, simulate_ms=1000.0, every_s=600.0, model=MODEL):
    """A job file in the folder."""
    path = folder / "job.toml"
    path.write_text(JOB.format(model=model, simulate_ms=simulate_ms, every_s=every_s))
    return path


def command(job, ranks, threads, *arguments, log="run.jsonl"):
    """To run the job with checkpoints; without mpiexec on one rank."""
    launcher = [find_mpiexec(), "-n", str(ranks)] if ranks > 1 else []
    folder = job.parent
    run = [sys.executable, "-m", "distnorm", "run", str(job), "--set", f"threads={threads}"]
    return [*launcher, *run, "--checkpoint", str(folder / "checkpoints"), "--log", str(folder / log), *arguments]


class Running:
    """A run in the background; its processes are found by a mark in their environment."""

    def __init__(self, arguments, **environment):
        self.mark = f"DISTNORM_TEST={uuid.uuid4()}"
        name, value = self.mark.split("=")
        self.process = subprocess.Popen(
            arguments,
            env=ENVIRONMENT | {name: value} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ranks(self):
        """Process IDs of the ranks, by number."""
        found = {}
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (each / "environ").read_bytes().split(b"\0")
                if self.mark.encode() in environment and b"distnorm" in (each / "cmdline").read_bytes().split(b"\0"):
                    ranks = [int(line.partition(b"=")[2]) for line in environment if line.startswith(RANK)]
                    if ranks or b"mpiexec" not in (each / "cmdline").read_bytes():
                        found[ranks[0] if ranks else 0] = int(each.name)
        return found

    def signal(self, number, rank=None):
        """To one rank, or to all."""
        for key, process in self.ranks().items():
            if rank is None or key == rank:
                with suppress(ProcessLookupError):
                    os.kill(process, number)

    def wait(self, timeout=60):
        """Exit code and what was printed."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"took longer than {timeout} s\n{out}\n{err}") from None
        return self.process.returncode, out, err


def run(arguments, timeout=60, **environment):
    """Exit code and what was printed, of a run in the foreground."""
    return Running(arguments, **environment).wait(timeout)


def wait_for(condition, seconds=30.0):
    """Until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def lines_of(path):
    """Whole lines of a file, none if it is not there."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def kill_and_resume(folder, kills, seed=1):
    """Kill a run so often at random moments, resuming it each time; then let it finish.

    Returns:
        How often there was a checkpoint to go on from, and a folder of one being written was left behind.
    """
    chance = random.Random(seed)
    job = write_job(folder, simulate_ms=1e7, every_s=0.01)
    log, checkpoints = folder / "run.jsonl", folder / "checkpoints"
    seen, resumed, cut_off = set(), 0, set()
    splits = [(1, 2), (2, 1)]
    for i in range(kills):
        start = time.monotonic()
        running = Running(command(job, *splits[i % 2], "--resume"))
        if i == 0:  # how long a start takes here
            wait_for(lambda: checkpoints.exists() and folders.numbers(checkpoints), 60)
            longest = 1.0 + 1.5 * (time.monotonic() - start)
        else:
            time.sleep(chance.uniform(0.1, longest))
        running.signal(signal.SIGKILL)
        _, _, err = running.wait()
        assert "is not used" not in err and "Traceback" not in err, err
        resumed += "going on from" in err
        cut_off.update((each.name, each.stat().st_ino) for each in checkpoints.glob(".*"))
        seen.update(line for line in lines_of(log) if b'"kind":"measurement"' in line)
        if lines_of(log):
            read_log(log)
    last = folders.numbers(checkpoints)[0]
    until = folders.read_manifest(checkpoints, last)["time_ms"] + 500.0
    job = write_job(folder, simulate_ms=until)
    code, _, err = run(command(job, *splits[0], "--resume"))
    assert code == 0, err
    times = [measurement.time_ms for measurement in read_log(log).measurements]
    assert times == sorted(set(times)) and read_log(log).end.reason == "finished"
    kept = {*lines_of(log), *lines_of(log.with_name("run.jsonl.undone"))}
    assert seen <= kept, f"{len(seen - kept)} lines of the log are lost"
    return resumed, len(cut_off)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        number = int(sys.argv[1])
        went_on, partial = kill_and_resume(Path(temporary), number, seed=time.time_ns())
        print(f"{number} kills: {went_on} runs went on from a checkpoint, {partial} kills while one was being written")
