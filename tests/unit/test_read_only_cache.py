"""The cache of an image, which nobody can write to, as doctor finds it."""

import os
from types import SimpleNamespace

import pytest

from distnorm import KernelError
from distnorm.doctor import checks


@pytest.mark.parametrize(
    ("flags", "ok", "says"), [(os.ST_RDONLY, None, "is read-only, as in an image"), (0, False, "no")]
)
def test_a_cache_of_an_image_is_no_fault(flags, ok, says, tmp_path, monkeypatch):
    def refused(folder):
        raise KernelError("no")

    monkeypatch.setattr(checks, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(checks, "writing", refused)
    monkeypatch.setattr(checks.os, "statvfs", lambda _: SimpleNamespace(f_flag=flags))
    (found,) = checks._cache()
    assert found.ok is ok and says in found.says
