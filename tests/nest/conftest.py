"""Fixtures of the tests that run NEST in this process."""

import shutil

import nest
import pytest

from distnorm.synapses import kernel_library
from distnorm.synapses.compiling import library as build


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with the kernel alone, a copy: one that was loaded before keeps the types that it was given."""
    kernel = build.build(nest, nest.build_info["prefix"])
    monkeypatch.setattr(kernel_library.loaded, "normalized", None)
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path))
    shutil.copy(kernel, tmp_path)
    return tmp_path
