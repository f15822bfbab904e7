"""Numbers and figures from made-up logs, where both are known."""

import dataclasses
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from run_logs import RULE, measurement, weights, write

from distnorm import RuleError
from distnorm.records import figure
from distnorm.records.report import report
from distnorm.records.run_log import read_log
from distnorm.records.run_record import End
from distnorm.records.summary import edges_ms

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
END = End(time_ms=1000.0, wall_s=6.5, simulate_s=0.5, reason="finished")
MEASUREMENTS = [
    measurement(0.0, 0.0, 0.5),
    measurement(50.0, 50.0, 0.01, normalized=False),
    measurement(100.0, 100.0, 0.02),
    measurement(300.0, 200.0, 0.04),
    measurement(600.0, 300.0, 0.06, normalized=False),
    measurement(700.0, 400.0, 0.075),
    measurement(1000.0, 300.0, 0.035),
]
OBSERVED = [measurement(100.0 * i, 100.0 * i, 0.02 * 2**i, normalized=False) for i in range(7)]


def pixels(path, colour):
    """Number of pixels of a colour in a PNG."""
    return int(np.all(np.isclose(imread(path)[..., :3], to_rgb(colour), atol=1 / 255), axis=-1).sum())


def test_the_numbers_are_those_of_the_log(tmp_path):
    path = write(tmp_path / "log.jsonl", MEASUREMENTS, END)
    assert report(path, None).splitlines() == [
        f"{path}: 1,000 of 1,000 ms simulated in 7.5 s, finished",
        "  stdp_synapse: 800 connections onto 40 neurons; at first at most 50.00% from the target norm",
        "  normalized 4 times, 2 probes; interval median 250 ms, 100 to 400 ms",
        "  largest drift of stored weights: median 3.75%, worst 7.50%, last 3.50%; 50.00% before anything was "
        "simulated",
        "  bound 5% on max: drift / bound 0.850 on average; 2 of 6 measurements above the bound, "
        "worst 1.500 times the bound",
        "  wall time of rank 0: simulate 90.67%, measure 3.73%, agree 0.93%, rescale 4.67%; "
        "in all 9.33% beside simulating",
        f"figure: {tmp_path / 'log.png'}",
    ]


def test_the_bound_is_on_the_statistic_of_the_header(tmp_path):
    said = report(write(tmp_path / "log.jsonl", MEASUREMENTS, END, statistic="q90"))
    assert "bound 5% on q90: drift / bound 0.425 on average; 0 of 6 measurements above the bound\n" in said


def test_of_several_rules_the_worst_counts(tmp_path):
    measurements = [
        measurement(100.0, 100.0, 0.02, 0.06),
        measurement(200.0, 100.0, 0.07, 0.01),
        measurement(300.0, 100.0, 0.05, 0.05),
    ]
    said = report(write(tmp_path / "log.jsonl", measurements, END, rules=(RULE, RULE)))
    assert "largest drift of stored weights: median 6.00%, worst 7.00%, last 5.00%\n" in said
    assert "2 of 3 measurements above the bound, worst 1.400" in said


def test_incoming_and_outgoing_norms_have_a_line_each(tmp_path):
    measurements = [measurement(100.0 * i, 100.0, 0.02, 0.04) for i in range(1, 5)]
    for name, rules, purple in (("both", (RULE, RULE | {"of": "outgoing"}), True), ("one", (RULE, RULE), False)):
        report(write(tmp_path / f"{name}.jsonl", measurements, END, rules=rules), output=tmp_path / f"{name}.png")
        upper = imread(tmp_path / f"{name}.png")[: 1024 // 3]
        assert bool(np.all(np.isclose(upper[..., :3], to_rgb(PURPLE), atol=1 / 255), axis=-1).any()) is purple


@pytest.mark.parametrize(("bound", "slower", "told"), [(0.05, 20.0, True), (0.05, 1.0, False), (None, 20.0, False)])
def test_a_bound_that_takes_much_of_a_long_run_is_told(bound, slower, told, tmp_path):
    looks = [
        dataclasses.replace(each, seconds={phase: slower * spent for phase, spent in each.seconds.items()})
        for each in MEASUREMENTS
    ]
    looks = [dataclasses.replace(each, seconds=each.seconds | {"rescale": slower * 0.1}) for each in looks]
    said = report(write(tmp_path / "log.jsonl", looks, END, bound=bound))
    assert ("that much for a bound: a looser one, probes=0, an exact interval" in said) is told


def test_without_a_bound_there_is_none(tmp_path):
    path = write(tmp_path / "log.jsonl", MEASUREMENTS, END, bound=None)
    assert [line.split()[0] for line in report(path).splitlines()[1:-1]] == [
        *("stdp_synapse:", "normalized", "largest", "wall")
    ]
    assert pixels(tmp_path / "log.png", VERMILION) == 0


def test_intervals_end_with_normalizations_and_not_with_probes(tmp_path):
    run = read_log(write(tmp_path / "log.jsonl", MEASUREMENTS))
    assert edges_ms(run) == [0.0, 100.0, 300.0, 700.0, 1000.0]


def test_a_log_may_begin_after_the_first_interval(tmp_path):
    run = read_log(write(tmp_path / "log.jsonl", MEASUREMENTS[4:]))
    assert edges_ms(run) == [300.0, 700.0, 1000.0]


def test_an_observed_run_is_seen_at_every_measurement(tmp_path):
    path = write(tmp_path / "log.jsonl", OBSERVED, observe=True)
    lines = report(path).splitlines()
    assert lines[0] == f"{path}: 600 of 1,000 ms simulated at the last measurement; running or cut off"
    assert lines[2] == "  observed 6 times, not normalized, 0 probes; interval median 100 ms, 100 to 100 ms"
    assert "last 128.00%" in lines[3]
    assert "5 of 6 measurements above the bound, worst 25.600 times" in lines[4]


def test_a_torn_log_says_so(tmp_path):
    path = write(tmp_path / "log.jsonl", MEASUREMENTS)
    path.write_bytes(path.read_bytes()[:-20])
    said = report(path)
    assert "700 of 1,000 ms simulated at the last measurement; cut off, the last line is torn\n" in said
    assert "normalized 3 times, 2 probes" in said


@pytest.mark.parametrize(
    ("measurements", "said"),
    [
        ([], "no interval ended yet\nfigure"),
        (MEASUREMENTS[:1], "no interval ended yet\n"),
        (MEASUREMENTS[:2], "ended yet, 1 probes"),
    ],
)
def test_a_run_that_has_just_begun_is_drawn(tmp_path, measurements, said):
    path = write(tmp_path / "log.jsonl", measurements)
    assert said in report(path).replace("\n  ", "\n")
    assert imread(tmp_path / "log.png").std() > 0.01


def test_the_figure_shows_drift_violations_and_wall_time(tmp_path):
    report(write(tmp_path / "log.jsonl", MEASUREMENTS, END))
    report(write(tmp_path / "calm.jsonl", MEASUREMENTS, END, bound=0.08))
    assert pixels(tmp_path / "log.png", BLUE) > 1_000
    assert pixels(tmp_path / "log.png", GREEN) > 10_000
    assert pixels(tmp_path / "log.png", VERMILION) > 20
    assert pixels(tmp_path / "calm.png", VERMILION) == 0


def test_logs_are_drawn_side_by_side(tmp_path):
    one = write(tmp_path / "a.jsonl", MEASUREMENTS, END)
    other = write(tmp_path / "b.jsonl", OBSERVED, observe=True)
    said = report([one, other], tmp_path / "both.png")
    report(one)
    assert [line.split(":")[0] for line in said.splitlines() if line[0] != " "] == [str(one), str(other), "figure"]
    assert not (tmp_path / "b.png").exists()
    assert imread(tmp_path / "both.png").shape[1] > 1.5 * imread(tmp_path / "a.png").shape[1]
    height, width = imread(tmp_path / "both.png").shape[:2]
    assert height < width


def test_logs_of_one_name_are_told_apart(tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(figure, "draw", lambda runs, output: titles.extend(runs))
    for folder in "ab":
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "log.jsonl", MEASUREMENTS)
    write(tmp_path / "other.jsonl", MEASUREMENTS)
    same = [tmp_path / folder / "log.jsonl" for folder in "ab"]
    report([*same, tmp_path / "other.jsonl"])
    assert titles == [str(same[0]), str(same[1]), "other"]


@pytest.mark.parametrize(
    ("measurements", "scale"),
    [
        ([measurement(100.0 * i, 100.0, 0.04, mean=0.01) for i in range(1, 9)], "linear"),
        ([measurement(100.0 * i, 100.0, 1e-4 if i < 4 else 0.04, mean=0.01) for i in range(1, 9)], "linear"),
        ([measurement(100.0 * i, 100.0, 1e-3 * 3**i, mean=0.01) for i in range(1, 9)], "log"),
        ([measurement(100.0 * i, 100.0, 0.04, mean=0.0001) for i in range(1, 9)], "log"),
        ([measurement(100.0 * i, 100.0, 0.04 if i < 4 else 0.0, mean=0.01) for i in range(1, 9)], "linear"),
        ([measurement(100.0 * i, 100.0, 0.0, mean=0.0) for i in range(1, 9)], "linear"),
    ],
)
def test_drift_is_drawn_on_the_axis_that_fits(tmp_path, monkeypatch, measurements, scale):
    drawn = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    report(write(tmp_path / "log.jsonl", measurements, END))
    assert drawn[0].axes[0].get_yscale() == scale


def test_wall_time_is_shared_out_over_the_bins_it_was_spent_in(tmp_path):
    measurements = [measurement(0.0, 0.0, 0.5), *(measurement(10.0 * i, 10.0, 0.01) for i in range(1, 101))]
    edges, seconds = figure._binned_seconds(read_log(write(tmp_path / "log.jsonl", measurements)))
    assert edges == pytest.approx(np.linspace(0, 1000, 51))
    assert seconds == pytest.approx(np.tile([1.8, 0.08, 0.02, 0.1, 0.0], (50, 1)))


def test_a_figure_that_cannot_be_made_is_one_error(tmp_path, monkeypatch):
    path = write(tmp_path / "log.jsonl", MEASUREMENTS)
    with pytest.raises(RuleError, match=r"cannot write figure .*missing/a\.png: .*No such file"):
        report(path, tmp_path / "missing" / "a.png")
    with pytest.raises(RuleError, match=r"cannot write figure .*a\.doc: Format 'doc' is not supported"):
        report(path, tmp_path / "a.doc")
    with pytest.raises(RuleError, match="no log is given"):
        report([])
    monkeypatch.delitem(sys.modules, "distnorm.records.figure")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RuleError, match=r'pip install "distnorm\[report\]"'):
        report(path)


def drawn(monkeypatch, *logs, output):
    """The figure of logs, before it is written."""
    figures = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: figures.append(self))
    report(list(logs), output)
    return figures[0]


def watched(number=6, rules=1, edges=None, **changes):
    return [
        measurement(100.0 * i, 100.0 * i, *[0.02] * rules, weights=(weights(0.2 + 0.1 * i, edges),) * rules, **changes)
        for i in range(number)
    ]


def test_weights_over_time_are_an_image(tmp_path, monkeypatch):
    found = drawn(monkeypatch, write(tmp_path / "log.jsonl", watched()), output=tmp_path / "a.png")
    assert len(found.axes) == 4
    image = found.axes[2]
    (mesh,) = image.collections
    shares = mesh.get_array().filled(0.0)
    assert shares.shape == (60, 6) and np.allclose(shares.sum(axis=0), 1, atol=0.1)
    assert np.argmax(shares[:, 1]) == pytest.approx(18, abs=4)
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0.0, 50.0, 150.0, 250.0, 350.0, 450.0, 500.0]
    mean = next(line for line in image.lines if line.get_label() == "mean")
    assert np.allclose(mean.get_ydata(), [0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert image.get_ylim() == (0.0, 1.0)


def test_only_logs_with_weights_have_such_a_row(tmp_path, monkeypatch):
    plain = write(tmp_path / "plain.jsonl", MEASUREMENTS)
    some = write(tmp_path / "some.jsonl", watched(rules=2), rules=(RULE, RULE))
    assert len(drawn(monkeypatch, plain, output=tmp_path / "a.png").axes) == 3
    both = drawn(monkeypatch, plain, some, output=tmp_path / "b.png")
    assert [axis.get_visible() for axis in both.axes[:10]] == [True] * 4 + [False, True] * 2 + [True] * 2


def test_bins_that_change_are_images_side_by_side(tmp_path, monkeypatch):
    other = tuple(0.05 * i for i in range(61))
    later = [measurement(600.0, 100.0, 0.02, weights=(weights(1.0, other),))]
    path = write(tmp_path / "log.jsonl", watched() + later)
    image = drawn(monkeypatch, path, output=tmp_path / "a.png").axes[2]
    assert len(image.collections) == 2 and image.get_ylim() == (0.0, 3.0)


def test_of_very_many_measurements_several_are_in_a_column(tmp_path, monkeypatch):
    path = write(tmp_path / "log.jsonl", watched(5) * 200)
    (mesh,) = drawn(monkeypatch, path, output=tmp_path / "a.png").axes[2].collections
    assert mesh.get_array().shape == (60, 400)


def test_a_figure_with_weights_is_written(tmp_path):
    report(write(tmp_path / "log.jsonl", watched(1)))
    report(write(tmp_path / "more.jsonl", watched(6), END))
    assert pixels(tmp_path / "more.png", VERMILION) > 20
    assert imread(tmp_path / "more.png").shape[0] > imread(tmp_path / "log.png").shape[0] - 10
