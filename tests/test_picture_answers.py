"""From cut pictures, in a folder per video, to an answer and to predictions of videos, by the commands alone."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from affectkit import (
    ActionUnitsConfig,
    Branch,
    CompoundExpressionConfig,
    ConvStemConfig,
    ExpressionConfig,
    FrameStream,
    PipelineConfig,
    ValenceArousalConfig,
)
from affectkit.artifact import save
from affectkit.configs import Frames
from affectkit.data.labels import ABAW_8, COMPOUND_7, COMPOUND_11
from affectkit.datasets import make_tree
from affectkit.datasets.trees.c_expr_db_tree import LIST
from tests.cli_runs import run, run_json
from tests.test_abaw_answers import HEADERS

pytestmark = pytest.mark.usefixtures("offline")

CROPS = "C-EXPR-DB/cropped_aligned"
SAMPLE = f"C-EXPR-DB/{LIST}"


@pytest.fixture
def crops(here: Path) -> Path:
    """Twelve pictures of the videos 01, 02 and 10, of which the last lacks its frame 3; and an untrained model."""
    make_tree("c-expr-db", "C-EXPR-DB")
    heads = {
        "va": ValenceArousalConfig(),
        "expr": ExpressionConfig(targets=ABAW_8),
        "au": ActionUnitsConfig(),
        "compound": CompoundExpressionConfig(targets=COMPOUND_11),
    }
    pipeline = PipelineConfig(
        input=FrameStream(height=16, width=16),
        sampling=Frames(),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        heads=heads,
    )
    save(pipeline.build(), "model")
    return here / CROPS


def analyze(
    capsys: pytest.CaptureFixture[str], folder: str = CROPS, out: str = "tables", faces: str = "whole-frame"
) -> None:
    assert run(capsys, "analyze", folder, "--pipeline", "model", "--faces", faces, "--out", out)[0] == 0


def rows(table: str = "tables/pictures.csv") -> list[dict[str, str]]:
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


def rewrite(found: list[dict[str, str]], table: str = "tables/pictures.csv") -> None:
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, found[0])
        writer.writeheader()
        writer.writerows(found)


@pytest.mark.parametrize("table", ["tables", "tables.parquet"])
def test_crops_to_an_answer(capsys: pytest.CaptureFixture[str], crops: Path, table: str) -> None:
    shutil.copy(crops / "10" / "00002.jpg", crops / "10" / "00003.jpg")
    analyze(capsys, out=table)
    assert run(capsys, "submit", "abaw7-ce", table, SAMPLE, "--out", "answer.txt") == (
        0, "answer.txt: 12 lines of 3 videos\n", "",
    )  # fmt: skip
    assert run(capsys, "submit", "abaw7-ce", "answer.txt", SAMPLE, "--check") == (
        0, f"answer.txt: 12 lines of 3 videos, as {SAMPLE} asks for\n", "",
    )  # fmt: skip
    analyze(capsys, out="again.csv")
    best = {
        row["file"]: COMPOUND_7.index(max(COMPOUND_7, key=lambda name: float(row[f"compound.{name}"])))
        for row in rows("again.csv")
    }
    # a picture that no line asks for is left out
    del best["02/00004.jpg"]
    lines = Path("answer.txt").read_text().splitlines()[1:]
    assert dict(line.split(",") for line in lines) == {file: str(label) for file, label in best.items()}


@pytest.mark.parametrize(("track", "fields"), [("va", 2), ("expr", 1), ("au", 12), ("mtl", 15)])
def test_crops_to_an_answer_of_other_tracks(
    capsys: pytest.CaptureFixture[str], crops: Path, track: str, fields: int
) -> None:
    analyze(capsys)
    sample = Path("sample.txt")
    sample.write_text(f"{HEADERS[track]}\n01/00002.jpg,\n10/00005.jpg,\n")
    name = f"{'abaw7' if track == 'mtl' else 'abaw8'}-{track}"
    assert run(capsys, "submit", name, "tables", sample, "--out", "answer.txt")[0] == 0
    assert run(capsys, "submit", name, "answer.txt", sample, "--check")[0] == 0
    _, first, second = Path("answer.txt").read_text().splitlines()
    assert first.count(",") == second.count(",") == fields
    if track == "va":
        (row,) = [one for one in rows() if one["file"] == "10/00005.jpg"]
        assert second == f"10/00005.jpg,{float(row['va.valence']):.6f},{float(row['va.arousal']):.6f}"


def test_crops_to_an_answer_per_video(capsys: pytest.CaptureFixture[str], crops: Path) -> None:
    analyze(capsys)
    Path("videos.txt").write_text("01\n10\n")
    words = ["submit", "abaw3-va", "tables", "videos.txt", "--out", "answer"]
    assert run(capsys, *words) == (
        1, "",
        "error: videos.txt: no prediction of frame 3 of '10'; predict it, or take the nearest frame's with --missing "
        "nearest\n",
    )  # fmt: skip
    assert run(capsys, *words, "--missing", "nearest")[0] == 0
    assert len(Path("answer/01.txt").read_text().splitlines()) == 5
    assert len(Path("answer/10.txt").read_text().splitlines()) == 6


def test_a_crop_that_nobody_predicted(capsys: pytest.CaptureFixture[str], crops: Path) -> None:
    analyze(capsys)
    words = ["submit", "abaw7-ce", "tables", SAMPLE, "--out", "answer.txt"]
    hint = "predict it, or take the nearest frame's with --missing nearest"
    # one picture is missing, another has no face
    lacking = f"error: {SAMPLE}, line 11: no prediction of '10/00003.jpg'; {hint}\n"
    assert run(capsys, *words) == (1, "", lacking)
    found = rows()
    outputs = [name for name in found[0] if "." in name]
    found[2] |= dict.fromkeys(outputs, "") | {"status": "no_face", "track": ""}
    rewrite(found)
    assert run(capsys, *words) == (1, "", f"error: {SAMPLE}, line 4: no prediction of '01/00003.jpg'; {hint}\n")
    assert run(capsys, *words, "--missing", "nearest") == (
        0,
        "answer.txt: 12 lines of 3 videos\n2 of them without a prediction, so the nearest frame's stands there\n",
        "",
    )
    lines = dict(line.split(",") for line in Path("answer.txt").read_text().splitlines()[1:])
    assert lines["01/00003.jpg"] == lines["01/00002.jpg"]
    # nobody has a face: no neighbor can stand in
    analyze(capsys, out="faceless", faces="haar")
    words[2] = "faceless"
    assert run(capsys, *words, "--missing", "nearest", "--overwrite") == (
        1, "", f"error: {SAMPLE}, line 2: no prediction of '01/00001.jpg'; predict the video '01'\n",
    )  # fmt: skip


def test_a_crop_with_two_faces(capsys: pytest.CaptureFixture[str], crops: Path) -> None:
    analyze(capsys)
    found = rows()
    rewrite([*found, found[1] | {"track": "1"}])
    fact = "video '01', frame 2 is there twice; keep one row per frame, of one face"
    words = ["submit", "abaw7-ce", "tables", SAMPLE, "--out", "answer.txt", "--missing", "nearest"]
    assert run(capsys, *words) == (1, "", f"error: tables: {fact}\n")
    assert not Path("answer.txt").exists()
    words = ["aggregate", "tables", "--output", "compound"]
    assert run(capsys, *words) == (1, "", f"error: tables/pictures.csv: {fact}\n")


def test_crops_from_another_folder(capsys: pytest.CaptureFixture[str], crops: Path) -> None:
    analyze(capsys, "C-EXPR-DB", "above")
    assert run(capsys, "submit", "abaw7-ce", "above", SAMPLE, "--out", "answer.txt") == (
        1, "",
        f"error: {SAMPLE}, line 2: no prediction of '01/00001.jpg'; there are some of 'cropped_aligned/01', so "
        "analyze its folder 'cropped_aligned' itself\n",
    )  # fmt: skip
    analyze(capsys, f"{CROPS}/01", "below")
    fact = (
        "error: below/pictures.csv: '00001.jpg' is no picture VIDEO/NUMBER.jpg; analyze a folder that holds a folder "
        "of numbered pictures for each video\n"
    )
    assert run(capsys, "submit", "abaw7-ce", "below", SAMPLE, "--out", "answer.txt") == (1, "", fact)
    assert run(capsys, "aggregate", "below", "--output", "compound") == (1, "", fact)
    # several such folders are below the one that all are in
    words = ["analyze", *(f"{CROPS}/{video}" for video in ("01", "02", "10")), "--pipeline", "model"]
    assert run(capsys, *words, "--faces", "whole-frame", "--out", "three")[0] == 0
    assert run(capsys, "submit", "abaw7-ce", "three", SAMPLE, "--out", "a.txt", "--missing", "nearest")[0] == 0


def test_crops_to_predictions_of_videos(capsys: pytest.CaptureFixture[str], crops: Path) -> None:
    analyze(capsys)
    data = run_json(capsys, "aggregate", "tables", "--output", "compound", "--out", "videos.csv")
    assert [(one["video"], one["track"], one["frames"]) for one in data["videos"]] == [
        ("01", None, 4), ("02", None, 4), ("10", None, 4),
    ]  # fmt: skip
    own = [float(row["compound.sadly_angry"]) for row in rows() if row["file"].startswith("02/")]
    assert data["videos"][1]["probabilities"]["sadly_angry"] == pytest.approx(sum(own) / 4)
    assert [row["video"] for row in rows("videos.csv")] == ["01", "02", "10"]
