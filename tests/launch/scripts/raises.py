"""Raises, in the way that its argument says."""

import sys

import common_model
import nest


def fail():
    try:
        {}["key"]
    except KeyError as error:
        raise ValueError("a mistake of the model") from error


how, *ranks = sys.argv[1:]
common_model.build()
nest.Simulate(20.0)
print("before", flush=True)
if not ranks or str(nest.Rank()) in ranks:
    if how == "exit":
        sys.exit(3)
    if how == "text":
        sys.exit("a text instead of a number")
    if how == "nest":
        nest.Simulate(0.05)
    if how == "raise":
        fail()
    if how == "interrupt":
        raise KeyboardInterrupt
nest.Simulate(20.0)
print("after")
