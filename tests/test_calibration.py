"""Calibration: errors by hand and by slow twins, tables of predictions and of frames, the diagram, the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.metrics.calibration import (
    bin_edges,
    bin_sums,
    brier_score,
    classwise_calibration_error,
    expected_calibration_error,
    expected_calibration_error_ref,
    negative_log_likelihood,
    reliability,
)
from affectkit.metrics.forecasts import Forecasts
from affectkit.protocols.calibration import calibrate_frames, calibrate_predictions
from affectkit.protocols.frame_predictions import FrameOutput, FramePredictions, write_frame_predictions
from affectkit.protocols.predictions import Predictions, write_predictions
from affectkit.protocols.reliability_plot import plot_reliability
from tests.cli_runs import run, run_json


def random_forecasts(seed: int, *, classes: bool = True, count: int = 300) -> Forecasts:
    make = np.random.default_rng(seed)
    p = make.dirichlet(np.full(4, 0.4), size=count)
    # rounded in every other case, so that many lie on an edge
    if seed % 2:
        p = np.round(p, 1)
        p[:, 0] = 1 - p[:, 1:].sum(axis=1)
        p = np.abs(p) / np.abs(p).sum(axis=1, keepdims=True)
    truth = make.integers(0, 4, count) if classes else make.integers(0, 2, p.shape)
    return Forecasts.of(p, truth, make.random(truth.shape) < 0.8)


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("binning", ["width", "mass"])
@pytest.mark.parametrize("seed", range(6))
def test_the_error_equals_its_slow_twin(seed: int, binning: Any, classes: bool) -> None:
    found = random_forecasts(seed, classes=classes)
    for bins in (1, 7, 15):
        slow = expected_calibration_error_ref(found, bins=bins, binning=binning)
        assert expected_calibration_error(found, bins=bins, binning=binning) == pytest.approx(slow, abs=1e-12)


def test_scores_by_hand() -> None:
    found = Forecasts.of([[0.9, 0.1], [0.9, 0.1], [0.7, 0.3], [0.4, 0.6]], [0, 1, 0, 1])
    # two at 0.9 of which one is so; 0.7 and 0.6 are so
    assert expected_calibration_error(found) == pytest.approx((2 * 0.4 + 0.3 + 0.4) / 4)
    assert expected_calibration_error(found, bins=1) == pytest.approx(abs(3.1 / 4 - 3 / 4))
    # each class alone: 0.9 (1 of 2), 0.7 (so), 0.4 (not); 0.1 (1 of 2), 0.3 (not), 0.6 (so)
    one, two = (2 * 0.4 + 0.3 + 0.4) / 4, (2 * 0.4 + 0.3 + 0.4) / 4
    assert classwise_calibration_error(found) == pytest.approx((one + two) / 2)
    assert brier_score(found) == pytest.approx((0.02 + 1.62 + 0.18 + 0.32) / 4)
    assert negative_log_likelihood(found) == pytest.approx(-np.log([0.9, 0.1, 0.7, 0.6]).mean())


def test_scores_of_labels_by_hand() -> None:
    found = Forecasts.of([[0.8, 0.2], [0.8, 0.5]], [[1, 0], [0, -1]], [[True, True], [True, False]])
    assert expected_calibration_error(found) == pytest.approx((2 * 0.3 + 0.2) / 3)
    assert classwise_calibration_error(found) == pytest.approx((0.3 + 0.2) / 2)
    assert brier_score(found) == pytest.approx((0.04 + 0.64 + 0.04) / 3)
    assert negative_log_likelihood(found) == pytest.approx(-np.log([0.8, 0.2, 0.8]).mean())


def test_what_is_always_said_and_never_so() -> None:
    found = Forecasts.of([[1.0, 0.0]] * 3, [1, 1, 1])
    assert expected_calibration_error(found) == 1
    assert negative_log_likelihood(found) == pytest.approx(-np.log(1e-7))


def test_bins_hold_their_upper_edge_and_equally_many() -> None:
    p = np.array([[0.6], [0.6000001], [0.0], [1.0], [0.2]])
    shown = (p, np.zeros(p.shape, bool), np.ones(p.shape, bool))
    sums = bin_sums(shown, bin_edges(shown, 15, "width"), ["a", "b", "a", "a", "a"])
    assert sums.shape == (2, 1, 15, 3)
    assert np.flatnonzero(sums[0, 0, :, 0]).tolist() == [0, 2, 8, 14]
    assert np.flatnonzero(sums[1, 0, :, 0]).tolist() == [9]
    found = random_forecasts(0, count=1000)
    top = found.top()
    counts = bin_sums(top, bin_edges(top, 10, "mass"), [""] * 1000)[0, 0, :, 0]
    assert counts.max() - counts.min() <= 2
    # of ties there are fewer bins, and no empty ones
    tied = Forecasts.of([[0.75, 0.25]] * 20, [0] * 20)
    assert bin_edges(tied.top(), 10, "mass").tolist() == [0, 0.75, 1]


def test_reliability_has_the_bins() -> None:
    found = reliability(Forecasts.of([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], [0, 1, 1]), bins=5)
    assert found.count.tolist() == [0, 0, 1, 0, 2]
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 0.6, np.nan, 0.9])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 1.0, np.nan, 0.5])
    np.testing.assert_allclose(found.high, [0.2, 0.4, 0.6, 0.8, 1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"truth": [[0]]},
            "probabilities: (2, 2), truth (1, 1), valid (1, 1); give (N, K), and truth and valid as (N,) or (N, K)",
        ),
        ({"valid": [False, False]}, "truth: none is valid; give samples with labels"),
        ({"truth": [0, 2]}, "truth: 2 is none; give a whole number from 0 to 1, or mark it not valid"),
        ({"truth": [[0, 1], [2, 0]]}, "truth: 2 is none; give 0 or 1, or mark it not valid"),
        (
            {"probabilities": [[2.5, -1.5], [0.5, 0.5]]},
            "probabilities: 2.5 is none; give 0 to 1, decoded scores and not raw ones",
        ),
        (
            {"probabilities": [[np.nan, 0.5], [0.5, 0.5]]},
            "probabilities: nan is none; give 0 to 1, decoded scores and not raw ones",
        ),
        (
            {"probabilities": [[0.5, 0.4], [0.5, 0.5]]},
            "probabilities: a row sums to 0.9; give those of all classes, summing to 1",
        ),
    ],
)
def test_forecasts_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"probabilities": [[0.5, 0.5], [0.5, 0.5]], "truth": [0, 1]}
    with pytest.raises(InputError) as caught:
        Forecasts.of(**(plain | arguments))
    assert str(caught.value) == message


def test_arguments_that_are_refused() -> None:
    found = random_forecasts(0)
    with pytest.raises(InputError) as caught:
        expected_calibration_error(found, bins=0)
    assert str(caught.value) == "bins: 0 is too few; give 1 or more"
    with pytest.raises(InputError) as caught:
        bin_sums(found.top(), np.array([0.0, 1.0]), ["a"])
    assert str(caught.value) == "groups: 1 names for 300 samples; give one per sample"


def table(seeds: int = 1, sure: float = 3.0) -> Predictions:
    """Labels drawn from probabilities, and these made `sure` times too sure."""
    make = np.random.default_rng(0)
    p = make.dirichlet(np.ones(3), size=200)
    names = ("negative", "positive", "surprise")
    truth = [names[make.choice(3, p=row)] for row in p] * seeds
    said = p**sure / (p**sure).sum(axis=1, keepdims=True)
    said = np.concatenate([said] * seeds)
    columns = {
        "subject": tuple(f"{n % 20:02}" for n in range(200)) * seeds,
        "clip": tuple(f"{n:03}" for n in range(200)) * seeds,
        "seed": tuple(str(n // 200) for n in range(200 * seeds)),
        "truth": tuple(truth),
        "predicted": tuple(names[at] for at in said.argmax(axis=1)),
    }
    shares = {f"p.{name}": tuple(f"{one:.6f}" for one in said[:, at]) for at, name in enumerate(names)}
    return Predictions(columns | shares, "found.csv")


def test_a_table_of_predictions() -> None:
    given = table()
    report = calibrate_predictions(given)
    names = ("negative", "positive", "surprise")
    p = np.stack([np.array(given.columns[f"p.{name}"], float) for name in names], axis=1)
    plain = Forecasts.of(p, [names.index(one) for one in given.columns["truth"]])
    assert report.samples == 200
    expected = {
        "ECE": expected_calibration_error(plain),
        "ECE of equal bins": expected_calibration_error(plain, binning="mass"),
        "classwise ECE": classwise_calibration_error(plain),
        "Brier": brier_score(plain),
        "NLL": negative_log_likelihood(plain),
    }
    assert {name: one.value for name, one in report.scores.items()} == pytest.approx(expected)
    for one in report.scores.values():
        assert one.low < one.high
        assert (one.subjects, one.seeds) == (20, 1)
    assert report.scores["ECE"].value > 0.15
    # as it was drawn, what remains is the noise of 200 samples
    assert calibrate_predictions(table(sure=1.0)).scores["ECE"].value < 0.11
    # the same twice is the same
    twice = calibrate_predictions(table(seeds=2))
    assert twice.samples == 400
    for name, one in twice.scores.items():
        # equally many in a bin are other edges if all is there twice
        close = 0.01 if name == "ECE of equal bins" else 1e-9
        assert one.value == pytest.approx(report.scores[name].value, rel=close)
        assert one.seeds == 2
        assert one.low == pytest.approx(report.scores[name].low, rel=close)


def without(given: Predictions, **columns: Any) -> Predictions:
    kept = {name: cells for name, cells in {**given.columns, **columns}.items() if cells is not None}
    return Predictions(kept, given.source)


@pytest.mark.parametrize(
    ("columns", "classes", "message"),
    [
        (
            {"p.negative": None, "p.positive": None, "p.surprise": None},
            None,
            "found.csv: no columns of probabilities, such as 'p.happiness'; give a table with one per class, as "
            "evaluate writes it",
        ),
        ({}, ["negative", "fear"], "found.csv: no column 'p.fear'; give a probability of every class"),
        (
            {"truth": ("fear",) * 200},
            None,
            "found.csv: truth has 'fear', which has no probability; add a column 'p.fear', or mend the label",
        ),
        ({"p.negative": ("x",) * 200}, None, "found.csv: p.negative of 00/000 is 'x'; give a probability"),
        (
            {"p.negative": ("0",) * 200, "p.positive": ("0",) * 200, "p.surprise": ("0.5",) * 200},
            None,
            "found.csv: probabilities: a row sums to 0.5; give those of all classes, summing to 1",
        ),
        (
            {"subject": ("00",) * 200},
            None,
            "found.csv: 1 subject or video; intervals over them need at least 2",
        ),
    ],
)
def test_tables_that_are_refused(columns: dict[str, Any], classes: list[str] | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        calibrate_predictions(without(table(), **columns), classes=classes)
    assert str(caught.value) == message


def frames(*, values_only: bool = False) -> FramePredictions:
    make = np.random.default_rng(0)
    count = 120
    p, units = make.dirichlet(np.ones(3), size=count), make.random((count, 2))
    truth, valid = make.integers(0, 3, count), make.random(count) < 0.9
    outputs = {
        "va": FrameOutput(
            kind="values",
            targets=("valence", "arousal"),
            scores=make.uniform(-1, 1, (count, 2)),
            truth=make.uniform(-1, 1, (count, 2)),
            valid=np.ones((count, 2), bool),
        ),
        "expr": FrameOutput(kind="classes", targets=("a", "b", "c"), scores=p, truth=truth, valid=valid),
        "au": FrameOutput(
            kind="units",
            targets=("AU1", "AU2"),
            scores=units,
            truth=(make.random((count, 2)) < units).astype(float),
            valid=make.random((count, 2)) < 0.9,
        ),
    }
    return FramePredictions(
        dataset=np.array(["made"] * count),
        subject=np.array([f"{n // 20}" for n in range(count)]),
        video=np.array([f"{n // 10}" for n in range(count)]),
        frame=np.arange(count),
        outputs={"va": outputs["va"]} if values_only else outputs,
        source="frames.parquet",
    )


def test_a_table_of_frames() -> None:
    given = frames()
    found = calibrate_frames(given)
    assert list(found) == ["expr", "au"]
    expr, au = (Forecasts.of(one.scores, one.truth, one.valid) for one in (given.outputs["expr"], given.outputs["au"]))
    assert found["expr"].scores["ECE"].value == pytest.approx(expected_calibration_error(expr))
    assert found["au"].scores["classwise ECE"].value == pytest.approx(classwise_calibration_error(au))
    assert found["au"].scores["Brier"].value == pytest.approx(brier_score(au))
    assert found["expr"].scores["ECE"].subjects == 12
    assert found["au"].scores["ECE"].value < found["expr"].scores["ECE"].value
    with pytest.raises(InputError) as caught:
        calibrate_frames(frames(values_only=True))
    assert str(caught.value) == "frames.parquet: no classes or units with labels; values have no calibration"


def test_the_diagram(tmp_path: Path) -> None:
    found = {sure: calibrate_predictions(table(sure=n)).reliability for sure, n in (("as said", 3.0), ("as is", 1.0))}
    figure = plot_reliability(found, tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").read_bytes()[:4] == b"\x89PNG"
    top, counts = figure.axes[0], figure.axes[2]
    error = calibrate_predictions(table()).scores["ECE"].value
    assert top.get_title(loc="left") == f"as said\nECE {error:.3f}"
    there = found["as said"].count > 0
    bars = [bar.get_height() for bar in top.containers[0]]
    np.testing.assert_allclose(bars, found["as said"].accuracy[there])
    assert sum(bar.get_height() for bar in counts.containers[0]) == 200
    plot_reliability(found, tmp_path / "reliability.png", overwrite=True)
    for name, message in (
        ("reliability.png", "already there; add --overwrite (in Python overwrite=True), or name another file"),
        ("reliability.txt", "ending '.txt'; write a .png, .pdf or .svg file"),
    ):
        with pytest.raises(InputError) as caught:
            plot_reliability(found, tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {message}"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "found.csv"
    write_predictions(table(), given)
    picture = tmp_path / "reliability.png"
    code, text, err = run(capsys, "score", given, "--calibration", "--reliability", picture)
    assert (code, err) == (0, "")
    assert "calibration, 200 samples\n" in text
    assert picture.is_file()
    report = calibrate_predictions(table())
    data = run_json(capsys, "score", given, "--calibration")["calibration"]
    assert data["scores"]["ECE"]["value"] == pytest.approx(report.scores["ECE"].value)
    assert [one["samples"] for one in data["bins"]] == report.reliability.count.tolist()
    assert data["bins"][0] == {"from": 0, "to": 1 / 15, "samples": 0, "confidence": None, "accuracy": None}
    assert "calibration" not in run_json(capsys, "score", given)
    write_frame_predictions(frames(), tmp_path / "frames.parquet")
    words = ("score", tmp_path / "frames.parquet", "--protocol", "mtl", "--calibration")
    assert list(run_json(capsys, *words)["calibration"]) == ["expr", "au"]
    labeled = frames().outputs["au"].valid.any(axis=1).sum()
    assert f"calibration of au, {labeled} samples\n" in run(capsys, *words)[1]
    picture.write_bytes(b"")
    assert run(capsys, "score", given, "--calibration", "--reliability", picture)[0] != 0
    assert run(capsys, "score", given, "--calibration", "--reliability", picture, "--overwrite")[0] == 0
    assert picture.stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--reliability", "x.png"), "--reliability: a picture of what is not asked for; add --calibration"),
        (
            ("--calibration", "--protocol", "spotting"),
            "--calibration: given with --protocol spotting, whose events have no probabilities; leave it out",
        ),
    ],
)
def test_words_that_are_refused(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "score", "found.csv", *words)
    assert code != 0
    assert message in err
