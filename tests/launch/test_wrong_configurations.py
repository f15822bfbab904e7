"""A job that makes no sense: exit code 2, nothing on stdout, and one line that names what, the value and what to do.

What a job file alone can tell is found before NEST is imported; a module in its place catches those who do import it.
"""

import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from launching import mpiexec

JOB = """\
model = "model.py"
simulate_ms = 20.0
seed = 1
threads = 1
resolution_ms = 0.1

[parameters]
neurons = 20

[[rules]]
synapse_model = "stdp_synapse"
targets = "everyone"
target_norm = 12.0

[interval]
kind = "fixed"
interval_ms = 10.0
"""
MODEL = """\
from types import SimpleNamespace
import nest
def build(neurons=10):
    everyone = nest.Create("iaf_psc_delta", neurons)
    synapses = {"synapse_model": "stdp_synapse", "weight": 1.0}
    nest.Connect(everyone, everyone, {"rule": "fixed_indegree", "indegree": 5}, synapses)
    nobody = nest.NodeCollection()
    return SimpleNamespace(everyone=everyone, nobody=nobody, two_norms=[1.0, 2.0], number=3.5)
"""
NO_NEST = 'raise SystemExit("NEST was imported for a job file that makes no sense")\n'

RULES = JOB[JOB.index("[[rules]]") : JOB.index("[interval]")]
INTERVAL = JOB[JOB.index("[interval]") :]
TARGETS = 'targets = "everyone"'
NORM = "target_norm = 12.0"
SYNAPSES = 'synapse_model = "stdp_synapse"'
TIME = "interval_ms = 10.0"
FIXED = f'kind = "fixed"\n{TIME}'
HUGE = "1" + 400 * "0"


class Case(NamedTuple):
    """What is changed, as (old, new) texts, in the job file and the model of a good run, and what must be said."""

    name: str
    words: tuple[str, ...]
    job: tuple[str, str] = ("", "")
    model: tuple[str, str] = ("", "")
    arguments: tuple[str, ...] = ("run", "job.toml")
    begins: str = "distnorm: "


def job(name, old, new, *words):
    return Case(name, words, job=(old, new))


def rule(name, old, new, says, *words):
    return job(name, old, new, f"rules[0].{says}", *words)


def adaptive(name, settings, *words):
    return job(name, FIXED, f'kind = "adaptive"\n{settings}', *words)


def model(name, old, new, *words):
    return Case(name, words, model=(old, new))


def run(name, *arguments, words):
    return Case(name, words, arguments=("run", *arguments))


def set_to(setting, *words):
    return run(f"--set {setting[:40]}", "job.toml", "--set", setting, words=words)


def command(name, *arguments, begins, words):
    return Case(name, words, arguments=arguments, begins=begins)


COMMAND_LINES = [
    run("missing file", "missing.toml", words=("cannot read job file missing.toml", "No such file")),
    run("directory", ".", words=("cannot read job file .", "Is a directory")),
    run("binary file", "binary.toml", words=("binary.toml is not TOML", "utf-8")),
    job("not TOML", "seed = 1", "seed = ", "job.toml is not TOML", "line 3"),
    command("no job", "run", begins="distnorm run: ", words=("required: job",)),
    command("unknown option", "run", "job.toml", "--obsrve", begins="distnorm", words=("unrecognized", "--obsrve")),
    command("option with a value", "run", "job.toml", "--observe=3", begins="distnorm run: ", words=("--observe", "3")),
    command("option without value", "run", "job.toml", "--set", begins="distnorm run: ", words=("--set", "expected")),
    command("two jobs", "run", "job.toml", "b.toml", begins="distnorm", words=("unrecognized", "b.toml")),
    command("-n 0", "run", "job.toml", "-n", "0", begins="distnorm run: ", words=("-n: 0 is not at least 1",)),
    command("-n many", "run", "job.toml", "-n", "many", begins="distnorm run: ", words=("-n", "many", "whole number")),
    command("-n 1.5", "run", "job.toml", "-n", "1.5", begins="distnorm run: ", words=("-n", "1.5", "whole number")),
    command("-n inf", "run", "job.toml", "-n", "inf", begins="distnorm run: ", words=("-n", "inf", "whole number")),
    run("log exists", "job.toml", "--log", "binary.toml", words=("log binary.toml exists", "; give another path")),
    run("log in no folder", "job.toml", "--log", "none/a.jsonl", words=("log none/a.jsonl", "none")),
    *(
        command(f"empty {words[-2]}", *words, begins=f"distnorm {words[0]}: ", words=("the path is empty",))
        for words in (
            ("run", "job.toml", "--checkpoint", ""),
            ("run", "job.toml", "--log", ""),
            ("run", "--observe", ""),
            ("report", "a.jsonl", "-o", ""),
            ("report", "a.jsonl", ""),
            ("inspect", "-o", "", "model.py"),
            ("attach", "--log", "", "rules.toml", "model.py"),
            ("attach", "--observe", "", "model.py"),
        )
    ),
    run("log is a folder", "job.toml", "--log", ".", words=("log . exists already",)),
    run(
        "log is a folder, resumed",
        *("job.toml", "--log", ".", "--checkpoint", "x", "--resume", "--set", "checkpoint.every_s=1"),
        words=("log . is not a file; give another path",),
    ),
    run(
        "log among checkpoints",
        *("job.toml", "--log", "./a.jsonl", "--checkpoint", "."),
        words=("log a.jsonl is in ., which is for checkpoints alone",),
    ),
    job("deep", "seed = 1", f"seed = {1000 * '['}", "job.toml: nested more than 50 deep"),
    command("unknown command", "rn", begins="distnorm: ", words=("invalid choice: 'rn'", "choose from", "run")),
    command("no command", begins="distnorm: ", words=("required: COMMAND",)),
    set_to("seed", "--set 'seed' is not KEY=VALUE"),
    set_to("=3", "--set '=3' is not KEY=VALUE"),
    set_to("sede=2", "unknown key sede", "known: ", "seed"),
    set_to("seed.first=2", "--set 'seed.first=2'", "seed is not a table"),
    set_to("rules.norm=l2", "--set 'rules.norm=l2'", "rules is not a table"),
    set_to("seed={[]: 1}", "seed", "'{[]: 1}'"),
    set_to(f"seed={10_000 * '-'}1", "--set 'seed=--", "... (10,008 characters): nested more than 50 deep"),
    set_to(f"parameters.x={60 * '['}{60 * ']'}", "parameters: nested more than 50 deep"),
    set_to(f"parameters.x=0x{5000 * 'f'}", "parameters has a whole number of more than 4,000 digits"),
    set_to(f"checkpoint.folder={''!r}", "checkpoint.folder is ''; give the path of a folder"),
    set_to("checkpoint.folder='a\\0b'", "checkpoint.folder is 'a\\x00b'; give the path of a folder"),
]

TABLES = [
    job("unknown key", "seed = 1", "sed = 1", "job.toml: unknown key sed; known: ", "seed"),
    job("misspelt table", "[interval]", "[intervall]", "unknown key intervall; known: ", "interval"),
    job("no model", 'model = "model.py"\n', "", "job.toml: model is missing"),
    job("no rules", RULES, "", "rules is missing"),
    job("no interval", INTERVAL, "", "interval is missing"),
    job("no simulate_ms", "simulate_ms = 20.0\n", "", "simulate_ms is missing"),
    job("model is a number", '"model.py"', "3", "model is 3; give a string"),
    job("no model file", '"model.py"', '"other.py"', "other.py", "which is not a file; give a Python file"),
    job("model is a folder", '"model.py"', '"."', "model is ", "which is not a file; give a Python file"),
    set_to("parameters=3", "parameters is 3; give a table"),
    job("one table of rules", "[[rules]]", "[rules]", "rules is not a list of tables; write [[rules]]"),
    set_to("rules=[]", "rules", "write [[rules]]"),
    set_to("rules=[3]", "rules[0] is 3; give a table"),
    set_to("simulate_ms=0", "simulate_ms is 0; give a positive number"),
    set_to("simulate_ms=-20", "simulate_ms is -20; give a positive number"),
    set_to("simulate_ms=long", "simulate_ms is 'long'; give a positive number"),
    job("simulate_ms nan", "simulate_ms = 20.0", "simulate_ms = nan", "simulate_ms is nan; give a positive number"),
    set_to(f"simulate_ms={HUGE}", "simulate_ms is 1000", "; give"),
    set_to("seed=0", "seed is 0; give a whole number"),
    set_to("seed=1.5", "seed is 1.5; give a whole number"),
    set_to("seed=one", "seed is 'one'; give a whole number"),
    set_to("threads=0", "threads is 0; give a whole number", '"all"'),
    set_to("threads=-1", "threads is -1; give a whole number", '"all"'),
    set_to("threads=many", "threads is 'many'; give a whole number", '"all"'),
    set_to("threads=1.5", "threads is 1.5; give a whole number", '"all"'),
    set_to("threads=2000", "threads is 2000; give a whole number from 1 to 1023"),
    set_to("simulate_ms=1e308", "simulate_ms is 1e+308; give a positive number", "at most 1e+15"),
    set_to("resolution_ms=0", "resolution_ms is 0; give a positive number"),
    set_to("resolution_ms=30", "resolution_ms is 30.0, more than simulate_ms of 20.0"),
    set_to("resolution_ms=fine", "resolution_ms is 'fine'; give a positive number"),
]

RULES_ALONE = [
    job("rule unknown key", TARGETS, 'target = "everyone"', "unknown key rules[0].target; known: ", "targets"),
    rule("no target_norm", NORM, "", "target_norm is missing"),
    rule("no synapse_model", SYNAPSES, "", "synapse_model is missing"),
    rule("norm 0", NORM, "target_norm = 0", "target_norm is 0", "positive"),
    rule("norm negative", NORM, "target_norm = -2.0", "target_norm is -2.0", "positive"),
    rule("norm nan", NORM, "target_norm = nan", "target_norm is nan", "positive"),
    rule("norm inf", NORM, "target_norm = inf", "target_norm is inf", "finite"),
    rule("norm huge", NORM, f"target_norm = {HUGE}", "target_norm is 1000", "finite"),
    rule("norm true", NORM, "target_norm = true", "target_norm is True", "give a positive number"),
    rule("norm a table", NORM, "target_norm = {}", "target_norm is {}", "give a positive number"),
    rule("norm texts", NORM, 'target_norm = ["a"]', "target_norm is ['a']", "give a positive number"),
    rule(
        "norms for all", f"{TARGETS}\n{NORM}", "target_norm = [1, 2]", "target_norm has 2 values", "; name the targets"
    ),
    rule(
        "norms too few",
        f"{TARGETS}\n{NORM}",
        "targets = [1, 2, 3]\ntarget_norm = [1, 2]",
        "target_norm has 2 values for 3 targets; give",
    ),
    rule("norm lx", NORM, f'{NORM}\nnorm = "lx"', "norm is 'lx'; give"),
    rule("norm a number", NORM, f"{NORM}\nnorm = 1", "norm is 1; give"),
    rule("synapse_model empty", SYNAPSES, 'synapse_model = ""', "synapse_model is ''; give the name"),
    rule("synapse_model empty list", SYNAPSES, "synapse_model = []", "synapse_model is []; give the name"),
    rule("synapse_model number", SYNAPSES, "synapse_model = 3", "synapse_model is 3; give the name"),
    rule(
        "synapse_model twice",
        SYNAPSES,
        'synapse_model = ["a", "a"]',
        "synapse_model names 'a' twice; name each model once",
    ),
    rule("targets a float", TARGETS, "targets = 3.5", "targets is 3.5; give"),
    rule("targets true", TARGETS, "targets = true", "targets is True; give"),
    rule("targets floats", TARGETS, "targets = [1.5]", "targets is [1.5]; give"),
    rule("targets empty", TARGETS, "targets = []", "targets is empty; give"),
    rule("targets 0", TARGETS, "targets = [0, 1]", "targets holds node ID 0; node IDs"),
    rule("targets beyond NEST", TARGETS, f"targets = [1, {2**62}]", f"targets holds node ID {2**62}; node IDs of NEST"),
    rule(
        "targets beyond int64", TARGETS, f"targets = [1, {2**63 + 1}]", f"targets holds node ID {2**63 + 1}; node IDs"
    ),
    rule("targets huge", TARGETS, f"targets = [{HUGE}]", "targets holds node ID 1000", "(401 characters); node IDs of"),
    rule(
        "excluded beyond NEST", NORM, f"{NORM}\nexclude = [[1, {2**62}]]", "exclude is [[1, 4611686018427387904]]; give"
    ),
    rule("label beyond int64", NORM, f"{NORM}\nlabel = {2**63}", "label is 9223372036854775808; give"),
    rule("tau huge", NORM, f"{NORM}\ntau_ms = {HUGE}", "tau_ms is 1000", "; give a positive number"),
    rule("w_max huge", NORM, f"{NORM}\nw_max = {HUGE}", "w_max is 1000", "give a number from 0"),
    rule("mean huge", NORM, f"mean_weight = {HUGE}", "mean_weight is 1000", "; give a positive number"),
    rule("targets twice", TARGETS, "targets = [1, 1]", "targets holds node ID 1 twice; name each"),
    rule("sources empty", NORM, f"{NORM}\nsources = []", "sources is empty; give"),
    rule("sources a number", NORM, f"{NORM}\nsources = 3", "sources is 3; give"),
    job(
        "second rule", RULES, f"{RULES}{RULES.replace('12.0', '0')}", "job.toml: rules[1].target_norm is 0", "positive"
    ),
]

INTERVALS = [
    set_to("interval=10.0", "interval is 10.0; give a table"),
    job("unknown kind", '"fixed"', '"fixd"', "interval.kind is 'fixd'; choose one of ", "fixed"),
    job("kind a list", '"fixed"', '["fixed"]', "interval.kind is ['fixed']; choose one of ", "fixed"),
    job("no kind", 'kind = "fixed"\n', "", "interval.kind is missing; choose one of ", "fixed"),
    job("interval unknown key", TIME, f"{TIME}\nbond = 3", "unknown key interval.bond; known: interval_ms"),
    job("no interval_ms", TIME, "", "interval.interval_ms is missing"),
    set_to("interval.interval_ms=0", "interval.interval_ms is 0", "positive"),
    set_to("interval.interval_ms=-10.0", "interval.interval_ms is -10.0", "positive"),
    job("interval_ms nan", TIME, "interval_ms = nan", "interval.interval_ms is nan", "positive"),
    set_to("interval.interval_ms=long", "interval.interval_ms is 'long'; give simulated time in ms"),
    set_to(f"interval.interval_ms={HUGE}", "interval.interval_ms is 1000", "finite"),
    adaptive("adaptive unknown key", "bond = 3", "unknown key interval.bond; known: bound"),
    adaptive("adaptive no bound", "", "interval.bound is missing"),
    adaptive("bound 0", "bound = 0", "interval.bound is 0; give a drift between 0 and 1"),
    adaptive("bound tiny", "bound = 5e-324", "interval.bound is 5e-324; give a drift between 0 and 1"),
    adaptive("maximum huge", "bound = 0.1\nmaximum_ms = 1e308", "interval.maximum_ms is 1e+308 ms", "at most 1e+15"),
    adaptive("bound 5", "bound = 5", "interval.bound is 5; give a drift between 0 and 1"),
    adaptive("bound nan", "bound = nan", "interval.bound is nan; give a drift between 0 and 1"),
    adaptive("bound a text", 'bound = "5 %"', "interval.bound is '5 %'; give a drift between 0 and 1"),
    adaptive("statistic", 'bound = 0.1\nstatistic = "maks"', "interval.statistic is 'maks'; choose one of max"),
    adaptive("statistic a list", "bound = 0.1\nstatistic = []", "interval.statistic is []; choose one of max"),
    adaptive("probes -1", "bound = 0.1\nprobes = -1", "interval.probes is -1; give a whole number"),
    adaptive("minimum 0", "bound = 0.1\nminimum_ms = 0", "interval.minimum_ms is 0", "positive"),
    adaptive("minimum > maximum", "bound = 0.1\nminimum_ms = 1e5", "interval.minimum_ms", "maximum_ms"),
]

FOR_NEST = [
    model("no build", "def build", "def built", "model.py has no function build(...); write one"),
    model("syntax error", "def build(", "def build", "model.py cannot be imported: SyntaxError", "line 3"),
    model("model raises", "import nest", "raise ValueError('no\\ndata')", "cannot be imported: ValueError: no data"),
    model("build raises", "    nobody =", "    raise ValueError('bad\\nsize') #", "build(...) of", "Error: bad size"),
    model("build raises in NEST", "iaf_psc_delta", "iaf_psc_dleta", "build(...) of", "iaf_psc_dleta"),
    model("build without argument", "neurons=10", "neurons, size", "build(...)", "'size'"),
    model("build returns nothing", "    return", "    #", "targets is 'everyone'", "build(...)", "None"),
    model("build returns a dictionary", "SimpleNamespace(", "dict(", "targets is 'everyone'", "build(...)", "dict"),
    set_to("parameters.neuron=5", "build(...) has no parameter 'neuron'; it has neurons"),
    set_to("parameters.neurons=many", "build(...) of", "'many'"),
    set_to("resolution_ms=0.00015", "resolution_ms is 0.00015"),
    set_to("simulate_ms=20.05", "20.05 ms, not a multiple of the resolution of 0.1 ms; 20"),
    set_to("interval.interval_ms=10.05", "10.05 ms, not a multiple of the resolution of 0.1 ms; 10"),
    rule("no such population", TARGETS, 'targets = "evryone"', "targets is 'evryone'", "returned everyone"),
    rule("no such sources", NORM, f'{NORM}\nsources = "x"', "sources is 'x'", "returned everyone"),
    rule("no such norm", NORM, 'target_norm = "intial"', "target_norm is 'intial'", "initial", "everyone"),
    rule("targets is no population", TARGETS, 'targets = "number"', "targets is 3.5; give"),
    rule("targets is nobody", TARGETS, 'targets = "nobody"', "targets is empty; give"),
    rule("norm is a population", NORM, 'target_norm = "everyone"', "target_norm is", "; give"),
    rule(
        "norms of wrong length", NORM, 'target_norm = "two_norms"', "target_norm has 2 values for 20 targets; give one"
    ),
    rule("no such nodes", TARGETS, "targets = [20, 21]", "targets", "21", "20"),
    job("no such model", SYNAPSES, 'synapse_model = "stdp_synapsis"', "no synapse model 'stdp_synapsis'; similar: "),
    job("one weight for all", SYNAPSES, 'synapse_model = "static_synapse_hom_w"', "'static_synapse_hom_w'", "; use"),
    job("shared connections", RULES, f"{RULES}{RULES}", "rules 1 and 2 both normalize", "; give them different"),
]
WITHOUT_NEST = [*COMMAND_LINES, *TABLES, *RULES_ALONE, *INTERVALS]


def write(folder, case):
    """A good job and model in the folder, changed as the case says."""
    for name, good, (old, new) in (("job.toml", JOB, case.job), ("model.py", MODEL, case.model)):
        assert not old or good.count(old) == 1, f"{name} has {old!r} {good.count(old)} times"
        (folder / name).write_text(good.replace(old, new) if old else good)
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")


def distnorm(folder, arguments, launcher=(), **environment):
    return subprocess.run(
        [*launcher, sys.executable, "-m", "distnorm", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env=os.environ | {"PYNEST_QUIET": "1", "OMP_WAIT_POLICY": "passive"} | environment,
    )


def check_line(case, done):
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith(case.begins) and "Traceback" not in done.stderr, done.stderr
    assert [word for word in case.words if word not in lines[0]] == [], lines[0]
    assert done.stdout.strip() == ""  # ranks that end early may leave an empty line of the launcher's


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


LEFT_OVER = [{}, {"SLURM_PROCID": "1", "SLURM_NTASKS": "4"}, {"PMI_SIZE": ""}, {"PMI_RANK": "", "PMI_SIZE": ""}]
JUNK = ["PMI_SIZE", "PMI_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"]


@pytest.mark.parametrize("environment", LEFT_OVER, ids=str)
def test_the_job_that_is_changed_is_good(environment, tmp_path):
    write(tmp_path, Case("good", ()))
    done = distnorm(tmp_path, ["run", "job.toml"], **environment)
    assert done.returncode == 0 and "20 neurons" in done.stdout, done.stderr
    wrong = distnorm(tmp_path, ["run", "job.toml", "--set", "seed=0"], **environment)
    assert wrong.returncode == 2 and wrong.stderr.startswith("distnorm: job.toml: seed is 0"), wrong.stderr


@pytest.mark.parametrize("name", JUNK)
def test_a_variable_of_a_launcher_that_is_junk(name, tmp_path):
    case = Case("junk", (f"{name} is 'junk' in the environment", "; unset it"))
    write(tmp_path, case)
    done = distnorm(tmp_path, ["run", "job.toml"], **{name: "junk"})
    check_line(case, done)
    assert done.returncode == 2


@pytest.mark.parametrize("name", ["model", "mo del.txt", "größe.py", "-m"])
def test_a_model_of_any_name(name, tmp_path):
    write(tmp_path, Case("good", (), job=("model.py", name)))
    (tmp_path / "model.py").rename(tmp_path / name)
    done = distnorm(tmp_path, ["run", "job.toml", "--checkpoint", "checkpoints"])
    assert done.returncode == 0 and "20 neurons" in done.stdout, done.stderr
    (tmp_path / name).write_text((tmp_path / name).read_text() + "#")
    again = distnorm(tmp_path, ["run", "job.toml", "--checkpoint", "checkpoints", "--resume"])
    assert again.returncode == 2 and f"it is of a run with another file {name}; a run" in again.stderr, again.stderr


@named(WITHOUT_NEST)
def test_without_nest(case, tmp_path):
    write(tmp_path, case)
    (tmp_path / "nest.py").write_text(NO_NEST)
    done = distnorm(tmp_path, case.arguments, PYTHONPATH=str(tmp_path))
    check_line(case, done)
    assert done.returncode == 2


@named(FOR_NEST)
def test_with_nest(case, tmp_path):
    write(tmp_path, case)
    done = distnorm(tmp_path, case.arguments)
    check_line(case, done)
    assert done.returncode == 2


ON_RANKS = [
    "missing file",
    "unknown option",
    "unknown key",
    "model raises",
    "build raises",
    "no such population",
    "no such model",
    "--set interval.interval_ms=10.05",
    "log exists",
]
FAILS = "if nest.Rank() == 1: raise ValueError('only here')"
ONLY_ON_RANKS = [
    model("model raises on rank 1", "import nest", f"import nest\n{FAILS}", "rank 1", "ValueError: only here"),
    run("-n under mpiexec", "job.toml", "-n", "2", words=("-n 2", "mpiexec")),
    model("build raises on rank 1", "    nobody =", f"    {FAILS}\n    nobody =", "rank 1", "ValueError: only here"),
]


@named([case for case in [*WITHOUT_NEST, *FOR_NEST] if case.name in ON_RANKS] + ONLY_ON_RANKS)
def test_on_ranks(case, tmp_path):
    write(tmp_path, case)
    done = distnorm(tmp_path, case.arguments, launcher=(mpiexec(), "-n", "3"))
    check_line(case, done)
    assert done.returncode != 0
