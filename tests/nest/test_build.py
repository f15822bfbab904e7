"""Compiling the kernel: what it needs, what is said where it cannot be had, and the way without it."""

import logging
import shutil
import subprocess
import sys

import nest
import pytest
from networks import TARGET_NORM, network, norms_by_target, reset

import distnorm
from distnorm.synapses import build

RULE = distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def no_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda _: None)


def test_compiled_once_and_found_again(empty_cache):
    first = build.build(nest)
    made = first.stat().st_mtime_ns
    assert build.build(nest) == first and first.stat().st_mtime_ns == made
    assert [each.name for each in empty_cache.iterdir()] == [first.name]


def test_processes_that_start_at_once_leave_one_whole_file(empty_cache):
    program = "import nest, ctypes; from distnorm.synapses import build; ctypes.CDLL(str(build.build(nest)))"
    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [each.wait(timeout=100) for each in started] == [0, 0, 0]
    assert len(list(empty_cache.iterdir())) == 1


def test_without_a_compiler_a_kernel_made_before_serves(empty_cache, monkeypatch):
    made = build.build(nest)
    no_compiler(monkeypatch)
    assert build.build(nest) == made


def test_without_a_compiler_pynest_serves_and_says_so(empty_cache, monkeypatch, caplog):
    no_compiler(monkeypatch)
    reset()
    network()
    with caplog.at_level(logging.WARNING):
        distnorm.Normalizer(RULE, interval=10.0).simulate(20.0)
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 1 and "no C++ compiler found" in said[0] and "a thousand times" in said[0]
    assert all(abs(norm / TARGET_NORM - 1) <= 1e-12 for norm in norms_by_target(["stdp_synapse"]).values())


def test_insisting_on_the_kernel_without_a_compiler(empty_cache, monkeypatch):
    no_compiler(monkeypatch)
    reset()
    network()
    with pytest.raises(distnorm.KernelError, match="no C\\+\\+ compiler found; install g\\+\\+"):
        distnorm.Normalizer(RULE, way="inplace").normalize()


def test_a_layout_that_the_kernel_does_not_know(empty_cache, monkeypatch, tmp_path):
    other = tmp_path / "kernel"
    shutil.copytree(build._SOURCES, other)
    private = other / "nest_private.h"
    private.write_text(
        private.read_text().replace("ConnectionManager::connections_ >", "ConnectionManager::min_delay_ >")
    )
    monkeypatch.setattr(build, "_SOURCES", other)
    with pytest.raises(distnorm.KernelError, match=rf"does not compile for NEST {nest.__version__}"):
        build.build(nest)
    assert list(empty_cache.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(distnorm.KernelError, match="set DISTNORM_CACHE to a writable folder"):
        build.build(nest)


def test_a_kernel_that_disagrees_with_pynest_is_refused(monkeypatch):
    reset()
    network()
    normalizer = distnorm.Normalizer(RULE)
    original = distnorm.synapses.inplace.InPlace.measure

    def wrong(self):
        sums, counts = original(self)
        return sums * (1 + 1e-15), counts

    monkeypatch.setattr(distnorm.synapses.inplace.InPlace, "measure", wrong)
    with pytest.raises(distnorm.KernelError, match="does not fit this NEST"):
        normalizer.normalize()
