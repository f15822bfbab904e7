"""Which random cases are made: a fixed range of seeds per test, or that of `--seeds=FROM:TO`."""

import functools

import pytest

from distnorm.synapses.compiling import library as build


def pytest_addoption(parser):
    parser.addoption("--seeds", metavar="FROM:TO", help="seeds of random cases, in place of the fixed ones")


def pytest_generate_tests(metafunc):
    """A test that takes a `seed` is made once for each; SEEDS of its file is how many are fixed."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", _seeds(metafunc))


def _seeds(metafunc):
    given = metafunc.config.getoption("--seeds", default=None)
    if given is None:
        return range(metafunc.module.SEEDS)
    first, _, last = given.partition(":")
    return range(int(first), int(last))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """What is written by a relative path is seen, and left nowhere."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True, scope="session")
def headers_do_not_change():
    """NEST's headers are read once, not for each of the Normalizers: that would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "stem_of", functools.cache(build.stem_of))
        yield
