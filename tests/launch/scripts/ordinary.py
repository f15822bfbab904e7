"""Uses much of what a script may use of Python."""

from __future__ import annotations

import atexit
import inspect
import logging
import multiprocessing
import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import common_model
import nest
from nest import Simulate

atexit.register(print, "at exit")
logging.basicConfig(format="%(name)s %(message)s", level=logging.INFO)


@dataclass
class Result:
    value: int | str


def twice(value):
    return 2 * value


def main():
    print(sys.argv, __name__, __file__, __spec__, __package__, sys.path[0], os.getcwd())
    print(Path("data.txt").read_text(), inspect.getsource(twice), type(__builtins__), __doc__, sorted(globals())[:12])
    logging.getLogger("model").info("a message of the script")
    print(pickle.loads(pickle.dumps(Result(3))), sys.modules["__main__"].Result is Result)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(twice, [1, 2]))
        pool.close()
        pool.join()
    common_model.build()
    Simulate(30.0)
    nest.Simulate(20.0)
    print(nest.biological_time, nest.local_spike_counter)


if __name__ == "__main__":
    main()
