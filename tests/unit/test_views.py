"""Imports of a script and of distnorm in one process, in a Python of their own."""

import subprocess
import sys

PROGRAM = """
from distnorm.files.views import Views, leave_folder
import csv, logging, statistics, sys

leave_folder()
path, before = sys.path[:], dict(sys.modules)
views = Views(["own", *path])
with views.theirs():
    assert sys.path == ["own", *path] and "logging" not in sys.modules
    import json, logging as again, statistics as theirs
    import logging.handlers
    assert again is logging and theirs.MINE and json.MINE and not hasattr(theirs, "mean")
    with views.ours():
        import json as our_json, queue, statistics as ours
        import logging.config, xml.dom
        assert ours is statistics and our_json.dumps and queue.Queue and sys.path == path
        our_dom = xml.dom
    import json as json_again, queue as their_queue
    assert json_again is json and their_queue.MINE
    assert "logging.config" in sys.modules and "xml" not in sys.modules
    import xml.dom
    assert xml.dom is our_dom
    sys.path.insert(0, "more")
assert sys.path == path and before.items() <= sys.modules.items()
with views.theirs():
    assert sys.path[:2] == ["more", "own"] and sys.modules["statistics"] is theirs
    import later
    assert later.MINE
with views.ours():
    assert sys.path == path
views.hand_over()
import statistics as last
assert last is theirs
print("done")
"""


def test_each_has_modules_of_its_own_and_shares_what_is_the_same_file(tmp_path):
    for name in ("own/statistics.py", "own/queue.py", "own/json/__init__.py", "more/later.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("MINE = 1")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "done\n", done.stderr
