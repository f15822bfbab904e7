"""Which compiler $CXX names, what tells it apart, and where what it makes is kept."""

import shutil

import pytest

from distnorm.errors import KernelError
from distnorm.synapses.compiling.compiler import find_compiler, key_of, version_of
from distnorm.synapses.compiling.library import cache_folder

GXX = shutil.which("c++") or shutil.which("g++")


@pytest.fixture
def program(tmp_path):
    """Makes a compiler that says of itself what it is told to."""

    def make(name, version):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho {version}\n")
        path.chmod(0o755)
        version_of.cache_clear()
        return str(path)

    return make


def test_cxx_is_a_path_with_blanks_or_a_command(program, monkeypatch):
    path = program("my compilers/g++ 12", "12.2")
    for given, command in (
        (path, [path]),
        (f"  {path} ", [path]),
        (f"'{path}' -O1", [path, "-O1"]),
        (f"env A=1 {GXX} -DA='b c'", ["env", "A=1", GXX, "-DA=b c"]),
        ("", [GXX]),
        ("  ", [GXX]),
    ):
        monkeypatch.setenv("CXX", given)
        assert find_compiler() == command


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("g++-of-another-machine -O1", "CXX is 'g\\+\\+-of-another-machine', which is not there"),
        ("g++ 'open", 'CXX is "g\\+\\+ \'open".*close the quotes'),
        ("''", "CXX is '', which is not there"),
    ],
)
def test_what_cxx_cannot_be(given, says, monkeypatch):
    monkeypatch.setenv("CXX", given)
    with pytest.raises(KernelError, match=says):
        find_compiler()


def test_a_key_tells_program_version_and_options_apart(program):
    path = program("g++", "12.2")
    key = key_of([path])
    assert key == key_of([path]) and len(key) == 8
    assert key != key_of([path, "-O1"])
    assert key != key_of([program("clang++", "12.2")])
    assert key != key_of([program("g++", "12.3")])


def test_a_program_that_is_no_compiler():
    with pytest.raises(KernelError, match="false --version fails"):
        key_of(["false"])


def test_the_cache(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("DISTNORM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert str(cache_folder()) == "/home/me/.cache/distnorm"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert str(cache_folder()) == "/var/cache/distnorm"
    for given, folder in (("~/kept", "/home/me/kept"), ("here", tmp_path / "here"), ("", "/var/cache/distnorm")):
        monkeypatch.setenv("DISTNORM_CACHE", given)
        assert str(cache_folder()) == str(folder)


@pytest.mark.parametrize("given", ["", "~/kept", "~nobody-of-that-name/kept"])
def test_a_cache_without_a_home(given, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("DISTNORM_CACHE", given)
    monkeypatch.setenv("HOME", "")
    with pytest.raises(KernelError, match=r"no home folder for the cache ~.*set HOME, or DISTNORM_CACHE"):
        cache_folder()
