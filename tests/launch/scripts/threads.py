"""Threads that live longer than the main one, and simulate."""

import threading
import time

import common_model
import nest


def later():
    time.sleep(0.5)
    nest.Simulate(50.0)
    print("thread", nest.biological_time)
    raise RuntimeError("a mistake in the thread")


common_model.build()
threading.Thread(target=later, name="later").start()
print("main ends")
