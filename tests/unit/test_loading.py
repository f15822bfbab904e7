"""Which compiled libraries are loaded: none that somebody else could have written, and none that computes wrongly."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from distnorm.errors import KernelError
from distnorm.synapses.compiling.compiler import find_compiler
from distnorm.synapses.compiling.loading import check_safe, load_library

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 65534  # nobody


def make(path, wrong="0"):
    """A library with a self-test."""
    source = f"const char* dn_self_test() {{ return {wrong}; }}"
    command = [*find_compiler(), "-x", "c", "-shared", "-fPIC", "-o", str(path), "-"]
    subprocess.run(command, input=source, text=True, check=True)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("made") / "kernel.so")


@pytest.fixture
def library(tmp_path, made):
    """A library in a cache that is safe."""
    (tmp_path / "above" / "cache").mkdir(parents=True, mode=0o755)
    return Path(shutil.copy(made, tmp_path / "above" / "cache"))


def test_a_library_is_loaded_once_and_another_of_the_same_name_is_another(library, made):
    first = load_library(library)
    assert load_library(library) is first
    library.unlink()
    shutil.copy(made, library)
    assert load_library(library) is not first


def test_one_that_computes_wrongly_says_why(tmp_path):
    library = make(tmp_path / "kernel.so", '"it rounds up"')
    for _ in range(2):
        with pytest.raises(KernelError, match=r"kernel\.so is not used, because it rounds up; delete it"):
            load_library(library)


def test_no_library(tmp_path):
    (tmp_path / "text.so").write_text("text")
    with pytest.raises(KernelError, match=r"cannot load .*text\.so.*delete the file"):
        load_library(tmp_path / "text.so")
    with pytest.raises(KernelError, match=r"cannot load .*absent\.so: No such file"):
        load_library(tmp_path / "absent.so")


@pytest.mark.parametrize(
    ("part", "mode", "says"),
    [
        ("", 0o775, r"others can write to .*kernel\.so \(mode 775, owner \w+\)"),
        ("", 0o757, r"others can write to .*kernel\.so \(mode 757"),
        ("..", 0o775, r"others can write to .*cache \(mode 775"),
        ("..", 0o1777, r"others can write to .*cache \(mode 1777"),
        ("../..", 0o777, r"everybody can rename what is in .*above \(mode 777\)"),
    ],
)
def test_what_others_can_write_to(library, part, mode, says):
    Path(os.path.normpath(library / part)).chmod(mode)
    with pytest.raises(KernelError, match=says + ".*DISTNORM_CACHE"):
        load_library(library)


@pytest.mark.parametrize(("part", "mode"), [("../..", 0o1777), ("../..", 0o775), ("..", 0o700), ("", 0o555)])
def test_what_others_cannot_replace(library, part, mode):
    Path(os.path.normpath(library / part)).chmod(mode)
    load_library(library)
    check_safe(library.parent)


@needs_root
@pytest.mark.parametrize("part", ["", ".."])
def test_what_belongs_to_somebody_else(library, part):
    path = Path(os.path.normpath(library / part))
    os.chown(path, STRANGER, -1)
    with pytest.raises(KernelError, match=rf"{path.name} belongs to nobody, not to you or root.*DISTNORM_CACHE"):
        load_library(library)


@needs_root
@pytest.mark.parametrize("links", ["file", "folder"])
def test_a_link_is_as_good_as_where_it_leads(library, links, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(library if links == "file" else library.parent)
    found = link if links == "file" else link / library.name
    load_library(found)
    os.chown(library, STRANGER, -1)
    with pytest.raises(KernelError, match="belongs to nobody"):
        load_library(found)
