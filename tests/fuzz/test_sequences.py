"""Random sequences of operations: norms as promised after each, and the same bits by both ways, stopped or not."""

from pathlib import Path

import nest
import numpy as np
import pytest
from fuzz import reference, sequences

import distnorm
from distnorm.mpi.ranks import world
from distnorm.runs.checkpoint.checkpoints import Checkpoints
from distnorm.runs.checkpoint.claim import Claim
from distnorm.runs.checkpoint.find import find
from distnorm.runs.job_file import Job

pytestmark = pytest.mark.timeout(600)  # the first of them may compile the models that hold norms

SEEDS = 70
BACKENDS = ("inplace", "pynest")
CLOSE, HELD = 1e-12, 1e-10
INTERVALS = {
    "fixed": lambda rng: distnorm.FixedInterval(float(rng.choice([20.0, 33.0, 60.0, 1000.0]))),
    "adaptive": lambda rng: distnorm.AdaptiveInterval(
        float(rng.choice([0.01, 0.05])), probes=int(rng.integers(0, 3)), minimum_ms=10.0
    ),
    "exact": lambda rng: distnorm.ExactInterval(audit_ms=float(rng.choice([20.0, 70.0, 1000.0]))),
}


class Sequence:
    """A plan that is carried out, by one way; `stops` says whether "stop" is a checkpoint and going on from it."""

    def __init__(self, plan, backend, stops, folder):
        self.plan, self.backend, self.stops, self.folder = plan, backend, stops, Path(folder)
        self.ranks = world(nest.build_info["have_mpi"])
        self.initial, self.resumes = {}, 0
        self.begin()

    def begin(self):
        self.network = sequences.Network(self.plan, distnorm.install_models)
        self.normalizer = None

    def run(self):
        for name, seed in self.plan.steps:
            rng, before = np.random.default_rng(seed), self.fixed_bits()
            getattr(self, f"do_{name}")(rng)
            assert self.fixed_bits() == before
        return sequences.rows(self.plan.model)

    @staticmethod
    def fixed_bits():
        return sequences.rows(sequences.FIXED).tobytes()

    def prepare(self):
        """A Normalizer, once there are connections."""
        if self.normalizer is None:
            rule = distnorm.Rule(**self.plan.rule)
            self.normalizer = distnorm.Normalizer(
                rule, interval=self.plan.interval, backend=self.backend, on_measurement=self.measured
            )
            if not self.resumes:  # else the checkpoint knows
                self.learn()

    def learn(self):
        """Norms by target, and initial norms of targets that were not there before."""
        _, targets, _, weights = sequences.rows(self.plan.model)
        weights_of = {target: weights[targets == target] for target in set(targets.tolist())}
        norms = {target: reference.norm_of(each, self.plan.rule["norm"]) for target, each in weights_of.items()}
        self.initial = norms | self.initial
        return weights_of, norms

    def measured(self, measurement):
        if measurement.normalized:
            self.check(CLOSE)

    def check(self, close):
        """Norms are those promised."""
        weights_of, norms = self.learn()
        most, given = self.plan.rule.get("w_max", np.inf), self.plan.rule["target_norm"]
        for target, weights in weights_of.items():
            wanted = self.initial[target] if isinstance(given, str) else given
            at_bound = norms[target] < wanted and (weights >= most * (1 - CLOSE)).all()
            assert abs(norms[target] / wanted - 1) <= close or at_bound, (target, norms[target], wanted)
            assert (weights <= most).all()

    def do_connect(self, rng):
        self.network.connect_some(rng)

    def do_set(self, rng):
        self.network.set_some(rng)

    def do_disconnect(self, rng):
        self.network.disconnect_some(rng)

    def do_normalize(self, _):
        self.prepare()
        self.normalizer()
        self.check(CLOSE)

    def do_simulate(self, rng):
        self.prepare()
        self.network.stimulate(rng)
        self.normalizer.simulate(sequences.ACTIVE_MS + sequences.SILENT_MS)
        if self.plan.exact:
            self.check(HELD)

    def do_stop(self, _):
        """A checkpoint, another network with the same connections, and going on with it."""
        if not self.stops or self.normalizer is None:
            return
        try:
            self.keep()
        except distnorm.KernelError as error:  # on all ranks; perhaps another one has it
            assert "connections were disconnected" in str(error)
            assert self.network.keeps_disabled or nest.num_processes > 1
            return
        before = sequences.rows(self.plan.model)
        everyone = self.ranks.gather(before)
        sources, targets, delays, _ = self.ranks.from_first(lambda: np.concatenate(everyone, axis=1))
        self.resumes += 1
        self.begin()
        ones = np.ones(len(sources))
        if len(sources):
            self.network.connect(sources.astype(int), targets.astype(int), delays, ones)
        self.prepare()
        self.keep(go_on=True)
        assert sequences.rows(self.plan.model).tobytes() == before.tobytes()

    def keep(self, go_on=False):
        """Write a checkpoint, or bring the network to where the last one was."""
        with Claim(self.folder) as claim:
            found = find(claim, self.job, False, True, self.ranks)
            checkpoints = Checkpoints(claim, self.job, False, self.normalizer, self.ranks, self.resumes)
            checkpoints.open(found if go_on else None)
            if not go_on:
                checkpoints.save(None)

    @property
    def job(self):
        model = self.folder.parent / "model.py"
        threads = self.plan.virtual_processes // nest.num_processes
        return Job(
            model=model,
            rules=[],
            interval=self.plan.interval,
            simulate_ms=1.0,
            threads=threads,
            resolution_ms=self.plan.resolution,
        )


@pytest.mark.parametrize("mode", INTERVALS)
def test_a_sequence(mode, seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    plan = sequences.plan(rng, INTERVALS[mode](rng), mode == "exact", nest.num_processes)
    backends = ("inplace", "inplace") if plan.exact else rng.choice(BACKENDS, 2).tolist()
    folder = world(nest.build_info["have_mpi"]).from_first(lambda: tmp_path_factory.mktemp("run"))
    (folder / "model.py").touch()
    stopped = Sequence(plan, backends[0], True, folder / "checkpoints").run()
    at_once = Sequence(plan, backends[1], False, folder / "none").run()
    if plan.exact:  # goes on from the weights, not from its accounts
        np.testing.assert_allclose(stopped, at_once, rtol=1e-9)
    else:
        np.testing.assert_array_equal(stopped, at_once)
