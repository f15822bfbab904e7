"""Whether the agreement costs what its steps through a network cost: four ranks, each a host of its own, far apart.

python jobs/studies/latency.py --latency 50 500 5000       # µs, one way; as root, with iproute2 and an MPICH

Each rank is in a network namespace with one interface, a TUN device whose packets this script hands on after the
latency. So all that MPI sends between ranks takes that long. The time of a message between two ranks is measured, too:
beside the latency it takes what the script takes. The Allreduce of four ranks is two steps of a message each way.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import study

from distnorm.bench.shared.arguments import positive
from distnorm.bench.shared.tables import table
from distnorm.errors import RuleError

_RANKS, _STEPS = 4, 2
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_NETWORK = "10.77.0."
_LARGEST_PACKET = 65_536
_REPETITIONS = 200
_COLUMNS = ("latency (µs)", "a message, one way (µs)", "agreement (µs)", "in messages", "its message merged by")
# No memory is shared between ranks, whatever MPICH has below it.
_ENVIRONMENT = {"MPIR_CVAR_NOLOCAL": "1", "UCX_TLS": "tcp,self", "FI_PROVIDER": "tcp"}


class Relay:
    """Hands packets between hosts on, each after the latency."""

    def __init__(self, devices: dict[bytes, int], latency_s: float) -> None:
        self._devices, self._latency_s = devices, latency_s
        self._waiting: collections.deque[tuple[float, int, bytes]] = collections.deque()
        self._stopped = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            due_in = max(self._waiting[0][0] - time.perf_counter(), 0.0) if self._waiting else 0.1
            for device in select.select(list(self._devices.values()), [], [], due_in)[0]:
                packet = os.read(device, _LARGEST_PACKET)
                to = self._devices.get(packet[16:20])  # the address in a header of IPv4
                if to is not None:
                    self._waiting.append((time.perf_counter() + self._latency_s, to, packet))
            while self._waiting and self._waiting[0][0] <= time.perf_counter():
                _, to, packet = self._waiting.popleft()
                os.write(to, packet)


@contextlib.contextmanager
def hosts() -> Iterator[dict[bytes, int]]:
    """Network namespaces with a TUN device each; yields the devices by address."""
    names = [f"distnorm{i}" for i in range(_RANKS)]
    devices: dict[bytes, int] = {}
    try:
        for i, name in enumerate(names):
            _ip("netns", "add", name)
            device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
            devices[bytes([10, 77, 0, i + 1])] = device
            _ip("link", "set", name, "netns", name)
            _ip("-n", name, "addr", "add", f"{_NETWORK}{i + 1}/24", "dev", name)
            for link in (name, "lo"):
                _ip("-n", name, "link", "set", link, "up")
        yield devices
    finally:
        for device in devices.values():
            os.close(device)
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


def _ip(*arguments: str) -> None:
    ended = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuleError(f"ip {' '.join(arguments)}: {ended.stderr.strip()}")


def measured(devices: dict[bytes, int], latency_us: float) -> dict[str, float | str]:
    """What rank 0 finds when all that is sent takes so long."""
    rank = [sys.executable, str(Path(__file__).resolve()), "--of-rank"]
    command = ["mpiexec", "-n", str(_RANKS), "sh", "-c", 'exec ip netns exec distnorm$PMI_RANK "$@"', "sh", *rank]
    with Relay(devices, latency_us * 1e-6):
        ended = subprocess.run(command, env=os.environ | _ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise RuleError(f"{' '.join(command[:3])} ... ended with {ended.returncode}")
    found: dict[str, float | str] = json.loads(ended.stdout)
    return found


def of_rank() -> None:
    """On each rank: time messages and agreements; rank 0 prints them."""
    import nest
    import numpy as np

    from distnorm.mpi.message import new_message
    from distnorm.mpi.ranks import world
    from distnorm.synapses.kernel_library import kernel_of

    ranks = world(nest.build_info["have_mpi"])
    from mpi4py import MPI

    ranks.merge_by_kernel(kernel_of(nest, ranks))
    message = new_message(1)
    of_same_size = np.zeros(message.nbytes, np.uint8)

    def there_and_back() -> None:
        if ranks.rank == 0:
            MPI.COMM_WORLD.Send(of_same_size, 1)
        if ranks.rank < 2:
            MPI.COMM_WORLD.Recv(of_same_size, 1 - ranks.rank)
        if ranks.rank == 1:
            MPI.COMM_WORLD.Send(of_same_size, 0)

    def mean_us(action: Callable[[], object]) -> float:
        """One after the other, as ranks that leave a barrier do not leave it at the same time."""
        ranks.barrier()
        action()
        start = time.perf_counter()
        for _ in range(_REPETITIONS):
            action()
        return 1e6 * (time.perf_counter() - start) / _REPETITIONS

    message_us, agreement_us = mean_us(there_and_back) / 2, mean_us(lambda: ranks.agree(message))
    if ranks.rank == 0:
        by = "the kernel" if ranks.merges_by_kernel else "numpy"
        print(json.dumps({"message_us": message_us, "agreement_us": agreement_us, "by": by}))


def run(options: argparse.Namespace) -> str:
    """Measure; the table."""
    if os.geteuid() or not shutil.which("ip"):
        raise RuleError("network namespaces need root and iproute2")
    rows = []
    with hosts() as devices:
        for latency_us in options.latency:
            found = measured(devices, latency_us)
            message_us, agreement_us = float(found["message_us"]), float(found["agreement_us"])
            in_messages = f"{agreement_us / message_us:.2f}"
            rows.append([f"{latency_us:g}", f"{message_us:.0f}", f"{agreement_us:.0f}", in_messages, str(found["by"])])
    return f"{_RANKS} ranks, each in a network namespace of its own; {_STEPS} steps expected\n\n{table(_COLUMNS, rows)}"


def parser() -> argparse.ArgumentParser:
    """Of this script's arguments."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--latency", type=positive, nargs="+", default=[50.0, 500.0, 5000.0], metavar="US", help="one way"
    )
    made.add_argument("--of-rank", action="store_true", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    if "--of-rank" in sys.argv:
        of_rank()
    else:
        study.main(parser(), run)
