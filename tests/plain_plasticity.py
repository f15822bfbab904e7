"""Plasticity rules in plain Python, written from their publications, replayed on recorded spikes.

At the synapse a presynaptic spike counts when it was emitted, and a postsynaptic one a delay later, as all delays of
NEST are dendritic. Of two at once the postsynaptic one comes first, and the two are no pair.
"""

import math


class Trace:
    """Decays exponentially; a spike adds 1, or brings it to 1 where only the nearest counts."""

    def __init__(self, tau, nearest=False):
        self.tau, self.nearest, self.value, self.time = tau, nearest, 0.0, -math.inf

    def at(self, time):
        return self.value * math.exp((self.time - time) / self.tau) if self.value else 0.0

    def spike(self, time):
        self.value, self.time = (1.0 if self.nearest else self.at(time) + 1.0), time


class Pairs:
    """Guetig et al. (2003): potentiation and depression for each pair of spikes."""

    nearest_pre = nearest_post = False

    def __init__(self, p, tau_minus):
        self.p = p
        self.pre = Trace(p["tau_plus"], self.nearest_pre)
        self.post = Trace(tau_minus, self.nearest_post)

    def potentiated(self, w, trace):
        p = self.p
        return p["Wmax"] * min(1.0, w / p["Wmax"] + p["lambda"] * (1 - w / p["Wmax"]) ** p["mu_plus"] * trace)

    def depressed(self, w, trace):
        p = self.p
        return p["Wmax"] * max(0.0, w / p["Wmax"] - p["alpha"] * p["lambda"] * (w / p["Wmax"]) ** p["mu_minus"] * trace)

    def on_post(self, w, time):
        w = self.potentiated(w, self.pre.at(time))
        self.post.spike(time)
        return w

    def on_pre(self, w, time, at_once):
        """`at_once`: whether a postsynaptic spike came at the same time, which is no pair."""
        w = self.depressed(w, (self.post_before if at_once else self.post).at(time))
        self.pre.spike(time)
        return w

    def before_post(self):
        """Remember the postsynaptic trace without the spike that comes now."""
        self.post_before = Trace(self.post.tau)
        self.post_before.value, self.post_before.time = self.post.value, self.post.time


class PowerLaw(Pairs):
    """Morrison et al. (2007)."""

    def potentiated(self, w, trace):
        return w + self.p["lambda"] * w ** self.p["mu"] * trace

    def depressed(self, w, trace):
        return max(0.0, w - self.p["lambda"] * self.p["alpha"] * w * trace)


class Jonke(Pairs):
    """Jonke et al. (2017)."""

    def potentiated(self, w, trace):
        p = self.p
        return min(p["Wmax"], w + p["lambda"] * (math.exp(p["mu_plus"] * w) * trace - p["beta"]))

    def depressed(self, w, trace):
        p = self.p
        return max(0.0, w + p["lambda"] * (-p["alpha"] * math.exp(p["mu_minus"] * w) * trace - p["beta"]))


class Symmetric(Pairs):
    """Vogels et al. (2011): both orders potentiate, and each presynaptic spike depresses by the same."""

    def __init__(self, p, tau_minus):
        super().__init__({**p, "tau_plus": p["tau"]}, tau_minus)

    def potentiated(self, w, trace):
        return math.copysign(min(abs(w) + self.p["eta"] * trace, abs(self.p["Wmax"])), self.p["Wmax"])

    def depressed(self, w, trace):
        w = self.potentiated(w, trace)
        return math.copysign(max(abs(w) - self.p["alpha"] * self.p["eta"], 0.0), self.p["Wmax"])


class Triplets(Pairs):
    """Pfister & Gerstner (2006), all to all."""

    def __init__(self, p, tau_minus, tau_minus_triplet):
        super().__init__(p, tau_minus)
        self.slow_pre, self.slow_post = Trace(p["tau_plus_triplet"]), Trace(tau_minus_triplet)

    def on_post(self, w, time):
        p = self.p
        w += self.pre.at(time) * (p["Aplus"] + p["Aplus_triplet"] * self.slow_post.at(time))
        self.post.spike(time)
        self.slow_post.spike(time)
        return min(w, p["Wmax"])

    def depressed(self, w, trace):
        return max(0.0, w - trace * (self.p["Aminus"] + self.p["Aminus_triplet"] * self.slow_pre_now))

    def on_pre(self, w, time, at_once):
        self.slow_pre_now = self.slow_pre.at(time)
        self.slow_pre.spike(time)
        return super().on_pre(w, time, at_once)


class NearestSymmetric(Pairs):
    """Morrison et al. (2008), figure 7A: each spike with the nearest one before it."""

    nearest_pre = nearest_post = True


class NearestPreCentered(Pairs):
    """Figure 7B: a postsynaptic spike with all presynaptic ones since the last one."""

    nearest_post = True

    def on_post(self, w, time):
        w = super().on_post(w, time)
        self.pre.value = 0.0
        return w


class NearestReduced(NearestSymmetric):
    """Figure 7C: pairs of neighbours only."""

    alone = True  # no postsynaptic spike since the last presynaptic one

    def on_post(self, w, time):
        if self.alone:
            w = self.potentiated(w, self.pre.at(time))
        self.alone = False
        self.post.spike(time)
        return w

    def on_pre(self, w, time, at_once):
        if not self.alone:
            w = self.depressed(w, (self.post_before if at_once else self.post).at(time))
        self.alone = True
        self.pre.spike(time)
        return w


RULES = {
    "stdp_synapse": Pairs,
    "stdp_synapse_hom": Pairs,
    "stdp_pl_synapse_hom": PowerLaw,
    "stdp_triplet_synapse": Triplets,
    "stdp_nn_symm_synapse": NearestSymmetric,
    "stdp_nn_restr_synapse": NearestReduced,
    "stdp_nn_pre_centered_synapse": NearestPreCentered,
    "vogels_sprekeler_synapse": Symmetric,
    "jonke_synapse": Jonke,
}


def replayed(synapse, weight, pre, post, delay, until):
    """The weight after all spikes up to a time, and as of the last presynaptic one.

    Args:
        synapse: A rule, new.
        weight: At time 0.
        pre: Times of presynaptic spikes in ms, ascending.
        post: Times of postsynaptic spikes in ms, ascending.
        delay: In ms.
        until: In ms.
    """
    # NEST's times are whole multiples of its resolution, and two are the same within its 1e-6 ms.
    events = sorted(
        [(round(time + delay, 6), 0) for time in post] + [(round(time, 6), 1) for time in pre], key=lambda event: event
    )
    stored, last_post = weight, -math.inf
    for time, is_pre in events:
        if time > until + 1e-6:
            break
        if is_pre:
            weight = stored = synapse.on_pre(weight, time, at_once=time == last_post)
        else:
            synapse.before_post()
            weight, last_post = synapse.on_post(weight, time), time
    return weight, stored
