"""A real SLURM of four nodes on this machine: slurmctld, four slurmd and munge, started and stopped here."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from killing import MODEL, wait_for, write_job

ROOT = Path(__file__).parents[2]
NODES = 4
DAEMONS = ("slurmctld", "slurmd", "munged", "sbatch")

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
FirstJobId={first}
AuthType=auth/munge
AuthInfo=socket={base}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd-%n.pid
SlurmctldLogFile={base}/log/slurmctld
SlurmdLogFile={base}/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=8
KillWait=10
MpiDefault=none
TmpFS={base}/tmp/%n
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
PlugStackConfig=/dev/null
{nodes}
PartitionName=test Nodes=n[1-{number}] Default=YES MaxTime=1440 State=UP
"""


def free_ports(number):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster:
    """The daemons, and what a user does with them."""

    def __init__(self, base):
        self.base = base
        self.daemons = {}
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "PMI"))}
        self.environment["SLURM_CONF"] = str(base / "slurm.conf")
        for folder in (
            "state",
            "log",
            "munge",
            *(f"{kind}/n{i + 1}" for kind in ("spool", "tmp") for i in range(NODES)),
        ):
            (base / folder).mkdir(parents=True)
        base.chmod(0o755)  # munge looks at the whole path
        self._configure()

    def _configure(self):
        host, ports = socket.gethostname().split(".")[0], free_ports(NODES + 1)
        nodes = "\n".join(
            f"NodeName=n{i + 1} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[i + 1]} CPUs=8 State=UNKNOWN"
            for i in range(NODES)
        )
        text = CONFIGURATION.format(
            host=host, ports=ports, base=self.base, nodes=nodes, number=NODES, first=secrets.randbelow(10**7) + 1000
        )  # not a number used before: MPICH names shared memory after it, and a job that was killed leaves it behind
        (self.base / "slurm.conf").write_text(text)
        key = self.base / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        (self.base / "environment.sh").write_text(
            f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={ROOT} OMP_WAIT_POLICY=passive\n"
            "export OMP_PROC_BIND=false  # these nodes share the cores\n"
        )

    def start(self):
        munge = self.base / "munge"
        files = [f"--{kind}={munge / kind}" for kind in ("socket", "pid-file", "log-file", "seed-file")]
        self._daemon("munged", "munged", "--foreground", "--force", f"--key-file={munge / 'key'}", *files)
        wait_for((munge / "socket").exists)
        self._daemon("slurmctld", "slurmctld", "-D")
        for i in range(NODES):
            self.start_node(f"n{i + 1}")
        wait_for(lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() == str(NODES))

    def start_node(self, name):
        self._daemon(name, "slurmd", "-D", "-N", name)

    def _daemon(self, name, *command):
        with (self.base / "log" / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [shutil.which(command[0], path=PATH), *command[1:]], env=self.environment, stdout=out, stderr=out
            )

    def stop(self):
        self.run("scancel", "--signal=KILL", "--user=root")
        self.run("scancel", "--user=root")
        with suppress(AssertionError):
            wait_for(lambda: not self.run("squeue", "-h").stdout.strip(), 15)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def kill_node(self, name):
        """The node is gone from one moment to the next: its slurmd, and all it had started."""
        doomed = self._below(self.daemons[name].pid) | set(self._steps(name))
        for process in doomed:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.daemons.pop(name).wait()

    def _steps(self, name):
        """slurmstepd processes of a node, which are no children of its slurmd, and all below them."""
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"SLURMD_NODENAME={name}".encode() in (each / "environ").read_bytes().split(b"\0") and (
                    f"SLURM_CONF={self.base}/slurm.conf".encode() in (each / "environ").read_bytes().split(b"\0")
                ):
                    yield int(each.name)
                    yield from self._above(int(each.name))

    @staticmethod
    def _parents():
        parents = {}
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                name, fields = (each / "stat").read_text().rsplit(")", 1)
                parents[int(each.name)] = (int(fields.split()[1]), name.split("(", 1)[1])
        return parents

    def _above(self, process):
        parents = self._parents()
        while process in parents:
            process, name = parents[process][0], parents.get(parents[process][0], (0, ""))[1]
            if not name.startswith("slurmstepd"):
                return
            yield process

    def _below(self, process):
        parents, found = self._parents(), {process}
        while more := {child for child, (parent, _) in parents.items() if parent in found} - found:
            found |= more
        return found

    def run(self, *command, **environment):
        """A finished command of SLURM."""
        return subprocess.run(
            command,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=ROOT,
        )

    def submit(self, script, *arguments, options=(), folder, **environment):
        """A batch job: its number."""
        done = self.run(
            "sbatch",
            "--parsable",
            f"--output={folder}/%x-%a-%j.out",
            *options,
            str(ROOT / "slurm" / script),
            *map(str, arguments),
            DISTNORM_ENV=str(self.base / "environment.sh"),
            DISTNORM_RESULTS=str(folder / "results"),
            **environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split(";")[0]

    def state(self, job):
        """State of a job, its reason, its exit code and how often it was requeued."""
        shown = self.run("scontrol", "show", "job", "--oneliner", job).stdout
        fields = dict(each.split("=", 1) for each in shown.split() if "=" in each)
        return fields.get("JobState"), fields.get("ExitCode"), int(fields.get("Restarts", 0))

    def wait(self, job, seconds=120):
        """Its state when it has ended."""
        going = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED")
        end = time.monotonic() + seconds
        while (state := self.state(job))[0] in going:
            if time.monotonic() > end:
                shown = self.run("scontrol", "show", "job", job).stdout
                self.run("scancel", job)
                pytest.fail(f"job {job} goes on after {seconds} s: {shown}")
            time.sleep(0.2)
        return state


PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@pytest.fixture(scope="session")
def cluster():
    """A SLURM of four nodes."""
    missing = [name for name in DAEMONS if not shutil.which(name, path=PATH)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (Debian: slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("starting a SLURM of one's own needs root")
    with tempfile.TemporaryDirectory(prefix="distnorm-slurm-", dir="/tmp") as base:
        started = Cluster(Path(base))
        try:
            started.start()
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="session", autouse=True)
def kernel():
    """The kernel is in the cache, as after `distnorm build` on a login node."""
    subprocess.run([sys.executable, "-m", "distnorm", "build"], check=True, capture_output=True, timeout=200)


@pytest.fixture
def job(tmp_path):
    """A small job file."""
    return write_job(tmp_path, simulate_ms=300.0, model=MODEL)
