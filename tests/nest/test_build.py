"""Compiling the kernel: what it needs, what is said where it cannot be had, and the way without it."""

import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nest
import pytest
from networks import TARGET_NORM, network, norms_by_target, reset

import distnorm
from distnorm.synapses import kernel_library
from distnorm.synapses.compiling import library as build
from distnorm.synapses.compiling.compiler import find_compiler
from distnorm.synapses.synapse_models import SynapseModel

PREFIX = nest.build_info["prefix"]
RULE = distnorm.Rule("stdp_synapse", target_norm=TARGET_NORM)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel_library.loaded, "normalized", None)  # it would serve, once a test has loaded it
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def no_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda _: None)


def compiler_script(tmp_path, options="", before=":"):
    """A compiler for $CXX that adds options of its own after all others, and does something before it compiles."""
    compiler = tmp_path / "a compiler"
    compiler.write_text(f"""#!/bin/sh
        [ "$1" = --version ] || {before}
        exec {shlex.join(find_compiler())} "$@" {options}
    """)
    compiler.chmod(0o755)
    return compiler


def counting_compiler(tmp_path):
    """A compiler that notes each time it compiles, and the file it notes it in."""
    calls = tmp_path / "calls"
    return compiler_script(tmp_path, before=f"echo $$ >>{calls}"), calls


def start_building():
    program = """if True:
        import ctypes, nest
        from distnorm.synapses.compiling import library
        ctypes.CDLL(str(library.build(nest, '')))"""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, start_new_session=True)


def test_sixteen_processes_that_start_at_once_compile_once(empty_cache, tmp_path, monkeypatch):
    compiler, calls = counting_compiler(tmp_path)
    monkeypatch.setenv("CXX", str(compiler))
    started = [start_building() for _ in range(16)]
    assert [each.wait(timeout=250) for each in started] == [0] * 16
    assert len(calls.read_text().split()) == 1
    assert {each.stat().st_mode & 0o777 for each in (empty_cache, *empty_cache.iterdir())} == {0o755}
    no_compiler(monkeypatch)  # the one file that is there serves without
    assert list(empty_cache.iterdir()) == [build.build(nest, PREFIX)]


def test_killed_while_it_compiles(empty_cache, tmp_path, monkeypatch):
    compiler, calls = counting_compiler(tmp_path)
    monkeypatch.setenv("CXX", str(compiler))
    killed = start_building()
    while not calls.exists():
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(killed.pid, signal.SIGKILL)  # the compiler too, as a batch system does
    killed.wait()
    assert [each.name.split(".")[-1] for each in empty_cache.iterdir()] == ["making-1"]
    assert [each.wait(timeout=250) for each in [start_building() for _ in range(2)]] == [0, 0]
    assert len(calls.read_text().split()) == 2
    assert [each.suffix for each in empty_cache.iterdir()] == [".so"]


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
        distnorm.Normalizer(RULE, backend="inplace").normalize()


def test_what_another_compiler_made_serves_where_this_one_makes_nothing(empty_cache, tmp_path, monkeypatch):
    monkeypatch.delenv("DISTNORM_CACHE")
    kernel = build.build(nest, PREFIX)
    monkeypatch.setenv("DISTNORM_CACHE", str(empty_cache))
    stem, own = kernel.stem.rsplit("-", 1)
    empty_cache.mkdir(mode=0o755)
    for number, other in enumerate(("00000000", "11111111")):
        shutil.copy(kernel, empty_cache / f"{stem}-{other}.so")
        os.utime(empty_cache / f"{stem}-{other}.so", (number, number))
    monkeypatch.setenv("CXX", str(compiler_script(tmp_path, before="exit 1")))
    assert build.build(nest, PREFIX) == empty_cache / f"{stem}-11111111.so"
    no_compiler(monkeypatch)
    assert build.build(nest, PREFIX) == empty_cache / f"{stem}-11111111.so"
    monkeypatch.undo()
    monkeypatch.setenv("DISTNORM_CACHE", str(empty_cache))
    shutil.copy(kernel, empty_cache)
    assert build.build(nest, PREFIX) == empty_cache / kernel.name and own not in ("00000000", "11111111")


def test_fast_math_in_cxx_is_overruled(empty_cache, monkeypatch):
    monkeypatch.setenv("CXX", f"{find_compiler()[0]} -Ofast -ffinite-math-only -fassociative-math -fno-signed-zeros")
    kernel_library.load(build.build(nest, PREFIX))  # tests itself


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("-ffast-math -fsyntax-only", r"does not compile for NEST .*fast math is on.*out of CXX"),
        ("-O1 -fassociative-math -fno-signed-zeros -fno-trapping-math", r"is not used, because it drops the sign"),
    ],
)
def test_fast_math_that_the_compiler_insists_on(options, says, empty_cache, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CXX", str(compiler_script(tmp_path, options)))
    reset()
    network()
    with pytest.raises(distnorm.KernelError, match=says):
        distnorm.Normalizer(RULE, backend="inplace").normalize()
    distnorm.Normalizer(RULE).normalize()
    assert re.search(f"through PyNEST .*{says}", caplog.text)
    assert all(abs(norm / TARGET_NORM - 1) <= 1e-12 for norm in norms_by_target(["stdp_synapse"]).values())


def test_a_cache_that_others_can_write_to_is_not_used(empty_cache, caplog):
    empty_cache.mkdir()
    empty_cache.chmod(0o1777)
    reset()
    network()
    distnorm.Normalizer(RULE).normalize()
    assert re.search(r"through PyNEST \(others can write to .*cache \(mode 1777, owner", caplog.text)
    reset()
    with pytest.raises(distnorm.KernelError, match="others can write to"):
        distnorm.install_models()
    assert list(empty_cache.iterdir()) == []


def test_a_layout_that_the_kernel_does_not_know(empty_cache, monkeypatch, tmp_path):
    other = tmp_path / "kernel"
    shutil.copytree(build._SOURCES, other)
    private = other / "nest_access.h"
    private.write_text(
        private.read_text().replace("ConnectionManager::connections_ >", "ConnectionManager::min_delay_ >")
    )
    monkeypatch.setattr(build, "_SOURCES", other)
    with pytest.raises(distnorm.KernelError, match=rf"does not compile for NEST {nest.__version__}"):
        build.build(nest, PREFIX)
    assert list(empty_cache.iterdir()) == []


def test_a_member_that_a_model_does_not_have(empty_cache, monkeypatch):
    monkeypatch.setattr(build, "SYNAPSE_MODELS", [SynapseModel("stdp_synapse", state="Kplus_ t_lost_")])
    with pytest.raises(distnorm.KernelError, match=r"does not compile for NEST .*t_lost_"):
        build.build(nest, PREFIX)


@pytest.fixture
def fake_nest(tmp_path):
    """A NEST whose package and headers are symbolic links to the installed one's, in a place of their own."""

    def make(package, headers):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").symlink_to(nest.__file__)
        if headers:
            (tmp_path / headers).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / headers).symlink_to(build._headers(nest, PREFIX))
        return SimpleNamespace(__file__=str(tmp_path / package / "__init__.py"), __version__=nest.__version__)

    return make


@pytest.mark.parametrize(
    ("package", "headers", "prefix"),
    [
        ("env/lib/python3.11/site-packages/nest", "env/lib/python3.11/site-packages/nest/include/nest", "gone"),  # pip
        ("opt/lib64/python3.11/site-packages/nest", "opt/include/nest", "opt"),  # CMake
        ("opt/lib/python3.11/site-packages/nest", "opt/include/nest", "build/host/placeholder"),  # Spack, conda: moved
        ("home/python/nest", "opt/include/nest", "opt"),  # CMake, with site-packages of its own
    ],
)
def test_headers_of_pip_cmake_spack_and_conda(package, headers, prefix, fake_nest, tmp_path):
    fake = fake_nest(package, headers)
    assert build._headers(fake, str(tmp_path / prefix)) == tmp_path / headers
    assert build.build(fake, str(tmp_path / prefix)) == build.build(nest, PREFIX)  # the same headers, elsewhere


def test_a_package_reached_by_a_link(fake_nest, tmp_path):
    fake = fake_nest("opt/lib/python3.11/site-packages/nest", "opt/include/nest")
    (tmp_path / "nest").symlink_to(tmp_path / "opt/lib/python3.11/site-packages/nest")
    fake.__file__ = str(tmp_path / "nest" / "__init__.py")
    assert build._headers(fake, "gone") == tmp_path / "opt/include/nest"


def test_no_headers(fake_nest, tmp_path):
    with pytest.raises(
        distnorm.KernelError, match=rf"no C\+\+ headers of NEST found in .*, {tmp_path}/opt/include/nest"
    ):
        build.build(fake_nest("opt/lib/python3.11/site-packages/nest", None), "gone")


def test_a_changed_header_makes_another_kernel(tmp_path):
    copied = tmp_path / "nest"
    shutil.copytree(build._headers(nest, PREFIX), copied)
    before = build._key([], build._headers(nest, PREFIX))
    assert build._key([], copied) == before
    (copied / "connection.h").write_text((copied / "connection.h").read_text() + "\n")
    assert build._key([], copied) != before


@pytest.mark.skipif(not nest.build_info["have_mpi"], reason="this NEST has no MPI")
def test_mpi_h_of_another_mpi(empty_cache, tmp_path, monkeypatch):
    """A mpicxx of another MPI on PATH, where NEST's own MPI has none beside its library."""
    wrapper = tmp_path / "mpicxx"
    folder = build._mpi_flags(build._headers(nest, PREFIX))[0].removeprefix("-I")
    wrapper.write_text(f"#!/bin/sh\necho c++ -I{tmp_path} -I{folder}\n")
    wrapper.chmod(0o755)
    ours = Path(folder, "mpi.h").read_text()
    other = "struct fake*" if "typedef int MPI_Comm;" in ours else "int"
    (tmp_path / "mpi.h").write_text(re.sub(r"typedef [^;]+\bMPI_Comm;", f"typedef {other} MPI_Comm;", ours))
    monkeypatch.setattr(build, "mpi_library", lambda: None)
    monkeypatch.setattr(build.sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    # Open MPI's own macros do not compile with it.
    with pytest.raises(
        distnorm.KernelError, match=r"mpi\.h is not that of the MPI that NEST was built with|static_cast"
    ):
        build.build(nest, PREFIX)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DISTNORM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(distnorm.KernelError, match="set DISTNORM_CACHE to a writable folder"):
        build.build(nest, PREFIX)
