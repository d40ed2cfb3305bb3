"""Tables of predictions and their scores: golden vectors, round trips, several seeds, pairs, and the command."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from affectkit.cli import main
from affectkit.errors import InputError
from affectkit.protocols.predictions import Predictions, read_predictions, write_predictions
from affectkit.protocols.report import compare_predictions, score_predictions

NAMES = ("negative", "positive", "surprise")
# Three subjects whose pooled scores are known: UF1 2/3, UAR 0.755556.
GOLDEN = {"A": ((0, 0, 0, 1), (0, 0, 1, 1)), "B": ((0, 2), (2, 2)), "C": ((1, 1, 0), (1, 0, 0))}


def predictions(right: bool = False, seeds: int = 1, **more: str) -> Predictions:
    rows = [
        (
            "x" if subject < "C" else "y",
            subject,
            f"clip{number}",
            NAMES[truth],
            NAMES[truth if right else found],
            str(seed),
        )
        for seed in range(seeds)
        for subject, (truths, founds) in GOLDEN.items()
        for number, (truth, found) in enumerate(zip(truths, founds, strict=True))
    ]
    names = ("dataset", "subject", "clip", "truth", "predicted", "seed")
    return Predictions({name: tuple(row[at] for row in rows) for at, name in enumerate(names)}, **more)


def message(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    return str(caught.value)


def test_the_golden_vector_is_pooled() -> None:
    report = score_predictions(predictions(), classes=NAMES, by="dataset")
    assert (report.samples, report.subjects, report.seeds, report.absent) == (9, 3, 1, ())
    assert report.scores["UF1"].value == pytest.approx(2 / 3)
    assert report.scores["UAR"].value == pytest.approx(0.7555555555)
    assert report.scores["accuracy"].value == pytest.approx(6 / 9)
    assert report.f1 == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert report.recall == pytest.approx((0.6, 2 / 3, 1))
    assert report.confusion.tolist() == [[3, 1, 1], [1, 2, 0], [0, 0, 1]]
    assert 0 <= report.scores["UF1"].low < 2 / 3 < report.scores["UF1"].high <= 1


def test_the_mean_over_subjects_is_another_number() -> None:
    slices = score_predictions(predictions(), classes=NAMES, by="subject").slices
    assert sum(part.scores["UF1"] for part in slices.values()) / 3 == pytest.approx(0.385185, abs=1e-6)


def test_a_slice_is_scored_from_the_same_predictions_with_the_same_classes() -> None:
    report = score_predictions(predictions(), classes=NAMES, by="dataset")
    assert list(report.slices) == ["x", "y"]
    part = report.slices["y"]
    assert (part.samples, part.subjects, part.absent) == (3, 1, ("surprise",))
    # Of negative and positive 2/3 each, of surprise 0 in UF1 and nothing in UAR.
    assert part.scores["UF1"] == pytest.approx(4 / 9)
    assert part.scores["UAR"] == pytest.approx(0.75)


def test_an_absent_class_counts() -> None:
    rows = {"subject": tuple("aabb"), "truth": tuple("0011"), "predicted": tuple("0111")}
    report = score_predictions(Predictions(rows), classes=("0", "1", "2"))
    assert report.scores["UF1"].value == pytest.approx(0.4888888)
    assert report.absent == ("2",)
    assert math.isnan(report.recall[2])


def test_scores_of_seeds_are_averaged() -> None:
    twice = score_predictions(predictions(seeds=2))
    assert (twice.samples, twice.seeds) == (9, 2)
    assert twice.scores == {
        name: type(found)(found.value, found.low, found.high, 0.95, 3, 2)
        for name, found in score_predictions(predictions()).scores.items()
    }
    assert twice.confusion.sum() == 18


def test_two_systems_are_compared_on_the_same_subjects() -> None:
    better = compare_predictions(predictions(right=True), predictions())
    assert better["UF1"].value == pytest.approx(1 / 3)
    assert 0 <= better["UF1"].low <= 1 / 3 <= better["UF1"].high
    equal = compare_predictions(predictions(), predictions())
    assert (equal["UAR"].low, equal["UAR"].high) == (0.0, 0.0)


@pytest.mark.parametrize("ending", ["csv", "parquet", "txt"])
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"found.{ending}"
    write_predictions(predictions(), path)
    found = read_predictions(path)
    expected = {name: cells for name, cells in predictions().columns.items() if ending != "txt" or name != "seed"}
    assert found.columns == expected
    assert found.source == str(path)
    assert message(lambda: write_predictions(predictions(), path)).startswith(f"{path}: already there; ")
    write_predictions(predictions(right=True), path, overwrite=True)
    assert score_predictions(read_predictions(path)).scores["UF1"].value == 1


def test_a_log_is_that_of_the_challenge(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    write_predictions(predictions(), path)
    assert path.read_text() == (
        "x A\nclip0 0 0\nclip1 0 0\nclip2 0 1\nclip3 1 1\n\nx B\nclip0 0 2\nclip1 2 2\n\n"
        "y C\nclip0 1 1\nclip1 1 0\nclip2 0 0\n"
    )
    path.write_text("casme2 sub01\r\nEP02_01f 1 1\r\n\r\nsamm 6\r\n006_1_2 2 0\r\n")
    assert read_predictions(path).subjects == ("casme2/sub01", "samm/6")
    path.write_text("casme2 sub01\nEP02_01f 1 3\n")
    assert message(lambda: read_predictions(path)) == (
        f"{path}, line 2: 'EP02_01f 1 3'; write 'DATASET SUBJECT', or 'CLIP TRUTH PREDICTED' below such a line, with "
        "classes 0, 1 and 2"
    )


def test_what_a_log_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    assert message(lambda: write_predictions(predictions(seeds=2), path)) == (
        "predictions: 2 seeds; a log holds one, write a .csv file"
    )
    columns = {"subject": ("a",), "truth": ("anger",), "predicted": ("anger",)}
    assert message(lambda: write_predictions(Predictions(columns), path)) == (
        "predictions: no column 'dataset', which a log has; write a .csv file"
    )
    columns |= {"dataset": ("d",), "clip": ("c",)}
    assert message(lambda: write_predictions(Predictions(columns), path)) == (
        "predictions: class 'anger'; a log knows negative, positive, surprise, write a .csv file"
    )
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", "", "{path}: ending '.json'; give a table (.parquet, .csv) or a log (.txt)"),
        ("a.csv", None, "{path}: no such file; check the path"),
        ("a.csv", "", "{path}: no column 'subject'; there are no columns"),
        ("a.csv", "subject,truth,prediction\n",
         "{path}: no column 'predicted'; did you mean 'prediction'? columns: 'subject', 'truth', 'prediction'"),
        ("a.csv", "subject,truth,predicted\n", "{path}: no samples; give at least one"),
        ("a.csv", "subject,subject\n", "{path}: two columns have one name; give each its own"),
        ("a.csv", "subject,truth,predicted\na,b\n", "{path}, line 2: 2 cells for 3 columns; mend the line"),
        ("a.csv", "subject,truth,predicted\na,b,\n",
         "{path}: an empty cell of 'predicted'; fill it, or leave the sample out"),
        ("a.csv", "dataset,subject,truth,predicted\n,a,x,x\n",
         "{path}: an empty cell of 'dataset'; fill it, or leave the sample out"),
        ("a.csv", "subject,clip,truth,predicted\na,c,x,x\na,c,x,y\n",
         "{path}: a/c is there 2 times; keep one line per sample"),
        ("a.csv", "subject,clip,truth,predicted,seed\na,c,x,x,1\na,c,x,y,1\n",
         "{path}: a/c, seed 1 is there 2 times; keep one line per sample"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused(tmp_path: Path, name: str, text: str | None, expected: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert message(lambda: read_predictions(path)) == expected.format(path=path)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("no")
    assert message(lambda: read_predictions(path)).startswith(f"{path}: is no Parquet file (")
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00")
    assert message(lambda: read_predictions(path)).startswith(f"{path}: can't be read (")


def test_what_cannot_be_scored_is_refused() -> None:
    assert message(lambda: score_predictions(predictions(), classes=NAMES[:2])) == (
        "predictions: truth has 'surprise', which is none of negative, positive; add it, or mend the label"
    )
    only = {"subject": ("a", "b"), "truth": ("x", "x"), "predicted": ("x", "y")}
    assert message(lambda: score_predictions(Predictions(only))) == (
        "predictions: predicted has 'y', which is none of x; name all with --classes (in Python classes=...)"
    )
    assert message(lambda: score_predictions(predictions(), by="databse")) == (
        "predictions: no column 'databse'; did you mean 'dataset'? columns: 'dataset', 'subject', 'clip', 'truth', "
        "'predicted', 'seed'"
    )
    alone = {name: cells[:4] for name, cells in predictions().columns.items()}
    assert message(lambda: score_predictions(Predictions(alone), classes=NAMES)) == (
        "counts: 1 subject; an interval over subjects needs at least 2"
    )
    assert message(lambda: Predictions({"subject": ("a",), "truth": (), "predicted": ("b",)}, "t")) == (
        "t: 0 cells of 'truth' for 1 samples; give one each"
    )
    less = {name: cells[:-1] for name, cells in predictions(seeds=2).columns.items()}
    assert message(lambda: score_predictions(Predictions(less))) == (
        "predictions: seed 1 has other samples or truth than seed 0; score them apart"
    )
    fewer = Predictions({name: cells[:-1] for name, cells in predictions().columns.items()}, "theirs")
    assert message(lambda: compare_predictions(predictions(), fewer)) == (
        "theirs: not the samples of predictions, or not their truth: y/C/clip2 differs; compare on the same"
    )


def test_the_command_prints_what_python_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    write_predictions(predictions(right=True), one)
    write_predictions(predictions(), other)
    assert main(["score", str(other), "--protocol", "megc2019", "--against", str(one)]) == 0
    text = capsys.readouterr().out
    assert "9 samples of 3 subjects; 95 % intervals over subjects" in text
    assert f"less {one}, paired over subjects" in text
    assert [line.split()[:2] for line in text.splitlines() if line.strip().startswith("UF1")] == [
        ["UF1", "0.667"],
        ["UF1", "-0.333"],
    ]
    assert main(["score", str(other), "--classes", ",".join(NAMES), "--by", "clip", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["scores"]["UAR"]["value"] == pytest.approx(0.7555555)
    assert data["slices"]["clip3"] == {
        "samples": 1,
        "subjects": 1,
        "scores": {"UF1": pytest.approx(1 / 3), "UAR": 1.0, "accuracy": 1.0},
        "absent": ["negative", "surprise"],
    }
    assert main(["score", str(other), "--protocol", "megc2019", "--classes", "a,b"]) == 1
    assert capsys.readouterr().err == (
        "error: --classes: given with --protocol megc2019, which fixes them; leave one out\n"
    )
