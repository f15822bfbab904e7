"""What an attached script may do as under plain Python: imports, arguments, errors, processes, logs."""

import re
import sys

import pytest
from launching import TESTS, own, said, start

from distnorm.records.run_log import read_log

SCRIPTS = TESTS / "launch" / "scripts"
RULES = """
[[rules]]
synapse_model = "stdp_synapse"
target_norm = 5.0
[interval]
kind = "fixed"
interval_ms = 15.0
"""
ATTACH = ("-m", "distnorm", "attach", "rules.toml")
SIMULATE = f"import sys; sys.path.append({str(SCRIPTS)!r})\nimport common_model, nest\ncommon_model.build()\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "wrong.toml").write_text(RULES.replace("stdp_synapse", "no_such_synapse"))
    return tmp_path


def same_as_plain(folder, *script):
    plain, attached = start(folder, *script), start(folder, *ATTACH, *script)
    assert (plain.returncode, plain.stdout) == (attached.returncode, attached.stdout), attached.stderr
    plain_said, attached_said = (
        [line for line in own(done.stderr) if not line.startswith("[ERROR] [")] for done in (plain, attached)
    )  # NEST's own errors have the time in them
    assert plain_said == attached_said
    return attached


@pytest.mark.parametrize(
    "name", ["statistics", "json", "tomllib", "queue", "tempfile", "subprocess", "argparse", "tqdm", "mpi4py", "pandas"]
)
def test_modules_beside_a_script_are_its_own_and_not_distnorms(name, folder):
    beside = folder / "beside"
    beside.mkdir()
    (beside / f"{name}.py").write_text("mine = 'beside'\n")
    script = f"import {name}\n{SIMULATE}nest.Simulate(20.0)\nimport {name} as again\nprint(again.mine)\n"
    (beside / "script.py").write_text(script)
    assert "normalized 1 times" in same_as_plain(folder, "beside/script.py").stderr
    inside = start(beside, *ATTACH[:3], "../rules.toml", "script.py")
    assert inside.stdout == "beside\n" and "normalized 1 times" in inside.stderr, inside.stderr


def test_a_path_that_a_script_adds_is_its_own(folder):
    (folder / "library").mkdir()
    (folder / "library" / "statistics.py").write_text("mine = 'library'\n")
    script = (
        f"{SIMULATE}nest.Simulate(20.0)\nsys.path.insert(0, 'library')\nimport statistics\nprint(statistics.mine)\n"
    )
    (folder / "script.py").write_text(script + "nest.Simulate(20.0)\n")
    assert "normalized 2 times" in same_as_plain(folder, "script.py").stderr


def test_the_folder_of_a_script_is_that_of_the_file_it_links_to(folder, monkeypatch):
    (folder / "real").mkdir()
    (folder / "real" / "beside.py").write_text("name = 'beside'\n")
    script = "import sys\nprint(sys.path, sys.argv, __file__)\nimport beside\nprint(beside.name)\n"
    (folder / "real" / "script.py").write_text(script)
    (folder / "link.py").symlink_to(folder / "real" / "script.py")
    assert "beside\n" in same_as_plain(folder, "./link.py").stdout
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # from Python 3.11: no folder is put on sys.path
    attached = same_as_plain(folder, "real/script.py")
    assert (attached.returncode == 1) == hasattr(sys.flags, "safe_path")


@pytest.mark.parametrize("arguments", [["--", "-x"], ["--"], ["-x", "--", "--observe"], ["a", "--", "--", "b"], ["-m"]])
def test_arguments_of_the_script_are_its_own(arguments, folder):
    (folder / "script.py").write_text("import sys\nprint(sys.argv)\n")
    same_as_plain(folder, "./script.py", *arguments)


@pytest.mark.parametrize("module", ["package", "package.inner"])
def test_a_module_is_run_as_with_m(module, folder):
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("name = 'package'\n")
    script = f"from . import name\n{SIMULATE}nest.Simulate(20.0)\n"
    script += "print(sys.argv, __name__, __package__, __spec__.name, __file__, sys.path[0], name)\n"
    for file in ("__main__.py", "inner.py"):
        (folder / "package" / file).write_text(script)
    attached = same_as_plain(folder, "-m", module, "-x", "--", "y")
    assert "normalized 1 times" in attached.stderr
    missing = start(folder, *ATTACH, "-m", "no_such_module")
    assert missing.returncode == 2 and missing.stderr == "distnorm: there is no module no_such_module to run\n"


def test_what_is_no_script_is_one_line(folder):
    (folder / "archive.pyz").write_bytes(b"PK\x03\x04\0\0")
    for name, message in ((".", "Is a directory"), ("archive.pyz", "is no text"), ("none.py", "No such file")):
        done = start(folder, *ATTACH, name)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("ranks", [0, 2])
@pytest.mark.parametrize(
    "script",
    [
        "try:\n    nest.Simulate(20.0)\nexcept Exception:\n    pass\n",
        "for _ in range(2):\n    try:\n        nest.Simulate(20.0)\n    except BaseException:\n        pass\n",
        "try:\n    nest.Simulate(20.0)\nexcept Exception:\n    sys.exit(5)\n",
        "try:\n    nest.Simulate(20.0)\nfinally:\n    nest.Simulate(20.0)\n",
        "sys.stderr = None\ntry:\n    nest.Simulate(20.0)\nexcept Exception:\n    pass\n",
    ],
)
def test_an_error_that_the_script_swallows_is_said(script, ranks, folder):
    (folder / "script.py").write_text(SIMULATE + script)
    done = start(folder, "-m", "distnorm", "attach", "wrong.toml", "script.py", ranks=ranks)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("distnorm: ")
    assert done.stderr.endswith("NEST has no synapse model 'no_such_synapse'; nest.synapse_models lists them\n")


def test_logging_that_the_script_sets_up_is_its_own(folder):
    (folder / "rules.toml").write_text(RULES.replace('"stdp_synapse"', '"ht_synapse"'))
    script = f"import logging.config\n{SIMULATE}logging.config.dictConfig({{'version': 1}})\n"
    script += "logging.disable(logging.ERROR)\nnest.Simulate(20.0)\nprint(logging.root.manager.disable)\n"
    (folder / "script.py").write_text(script)
    assert "rule 1 (ht_synapse): matches no connection" in same_as_plain(folder, "script.py").stderr


@pytest.mark.parametrize(
    "script",
    [
        "nest.Run(10.0)",
        "nest.Simulate(10.0)\nnest.Run(10.0)",
        "nest.Simulate(10.0)\nnest.ResetKernel()\nnest.Run(10.0)",
        "nest.Prepare()\nnest.Prepare()",
        "nest.Cleanup()",
    ],
)
def test_calls_out_of_order_raise_nests_own_error(script, folder):
    (folder / "script.py").write_text(f"{SIMULATE}try:\n    {'; '.join(script.splitlines())}\n")
    with (folder / "script.py").open("a") as file:
        file.write("except Exception as error:\n    print(type(error).__name__)\n")
    assert same_as_plain(folder, "script.py").stdout == "KernelException\n"


def test_a_later_log_that_is_there_is_found_before_anything_is_simulated(folder):
    (folder / "log-2.jsonl").write_text("an old one")
    (folder / "script.py").write_text("print('began')")
    done = start(folder, "-m", "distnorm", "attach", "--log", "log.jsonl", "rules.toml", "script.py")
    assert (done.returncode, done.stdout) == (2, "") and "log log-2.jsonl exists already and is kept" in done.stderr
    assert not (folder / "log.jsonl").exists() and (folder / "log-2.jsonl").read_text() == "an old one"
    (folder / "log-2.jsonl").rename(folder / "log-two.jsonl")
    done = start(folder, "-m", "distnorm", "attach", "--log", "log.jsonl", "rules.toml", "script.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("backend", "logs"), [("pool", "23"), ("futures", "23"), ("fork", "12"), ("first here", "123")]
)
def test_forked_processes_are_normalized_and_logged_apart(backend, logs, folder):
    log = ("--log", "log.jsonl")
    done = start(folder, *ATTACH[:3], *log, "rules.toml", SCRIPTS / "pool.py", "fork", backend)
    assert done.returncode == 0, done.stderr
    drifts = [float(each) for each in re.findall(r"[\d.]+e-\d+|\d+\.\d+", done.stdout)]
    assert len(drifts) == {"pool": 3, "futures": 3, "fork": 2, "first here": 4}[backend] and max(drifts) < 1e-12
    written = sorted(path.name for path in folder.glob("log*.jsonl"))
    first = {"log.jsonl"} if "1" in logs else set()
    assert first == {"log.jsonl"} & set(written) and len(written) >= len(logs)
    for name in written:
        run = read_log(folder / name)
        assert run.end is not None and run.torn == 0
        assert run.end.time_ms in (30.0, 45.0) and len(run.measurements) == 1 + run.end.time_ms / 15.0


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_are_not_normalized_are_told(method, folder):
    done = start(folder, *ATTACH, SCRIPTS / "pool.py", method, "pool")
    assert done.returncode == 0 and max(map(float, re.findall(r"\d\.\d+", done.stdout))) > 1e-3
    assert f"distnorm: processes that multiprocessing starts by '{method}' are not normalized" in said(done)[0]


@pytest.mark.parametrize("backend", ["pool", "fork", "swallowed"])
def test_an_error_in_a_forked_process_is_said_and_ends_with_2(backend, folder):
    done = start(folder, "-m", "distnorm", "attach", "wrong.toml", SCRIPTS / "pool.py", "fork", backend)
    assert done.returncode == 2 and "NEST has no synapse model 'no_such_synapse'" in said(done)[0], done.stderr


@pytest.mark.parametrize("backend", ["pool", "fork"])
def test_inspect_does_not_stop_forked_processes(backend, folder):
    done = start(folder, "-m", "distnorm", "inspect", SCRIPTS / "pool.py", "fork", backend)
    assert done.returncode == 0, done.stderr


def test_inspect_looks_once_at_a_script_that_swallows_all(folder):
    (folder / "script.py").write_text(
        SIMULATE + "for _ in 1, 2:\n    try:\n        nest.Simulate(5.0)\n    except: pass\n"
    )
    done = start(folder, "-m", "distnorm", "inspect", "script.py")
    assert done.returncode == 0 and done.stdout.count("synapse model  ") == 1
