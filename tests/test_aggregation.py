"""From frames to videos: the rules against their slow twins and by hand, over every kind of table, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.cli import main
from affectkit.errors import InputError
from affectkit.metrics.aggregation import RULES, Rule, aggregate_frames, aggregate_frames_ref
from affectkit.protocols.frame_predictions import FrameOutput, FramePredictions
from affectkit.protocols.video_predictions import (
    Pooling,
    VideoPrediction,
    aggregate_predictions,
    aggregate_results,
    aggregate_tables,
    write_video_predictions,
)
from affectkit.results.info import RunInfo
from affectkit.results.reading import Results
from affectkit.results.rows import BASE_COLUMNS, PICTURE_COLUMNS, Row
from affectkit.results.writer import ResultWriter

CLASSES = ("sadly_angry", "sadly_fearful", "sadly_surprised")
COLUMNS = (*BASE_COLUMNS, *(f"compound.{name}" for name in CLASSES), "va.valence")


@pytest.mark.parametrize("top", [None, 1, 7, 100])
@pytest.mark.parametrize("smooth", [0, 1, 6])
@pytest.mark.parametrize("rule", RULES)
def test_it_equals_its_slow_twin(rule: Rule, smooth: int, top: int | None) -> None:
    make = np.random.default_rng(0)
    p = make.dirichlet([0.05, 0.1, 0.3, 0.2], size=40)
    frames = make.choice(90, size=40, replace=False)
    frames.sort()
    fast = aggregate_frames(p, frames, rule=rule, smooth=smooth, top=top)
    slow = aggregate_frames_ref(p, frames, rule=rule, smooth=smooth, top=top)
    np.testing.assert_allclose(fast.probabilities, slow.probabilities, atol=1e-12)
    assert (fast.label, fast.used) == (slow.label, slow.used)
    assert fast.probabilities.sum() == pytest.approx(1)


def test_rules_by_hand() -> None:
    p = [[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    frames = [0, 1, 2]
    np.testing.assert_allclose(aggregate_frames(p, frames).probabilities, [1.7 / 3, 1.3 / 3])
    np.testing.assert_allclose(aggregate_frames(p, frames, rule="vote").probabilities, [1 / 3, 2 / 3])
    logs = np.exp(np.log(p).mean(axis=0))
    np.testing.assert_allclose(aggregate_frames(p, frames, rule="geometric").probabilities, logs / logs.sum())
    # frame 1 becomes the mean of all three, 2 that of 1 and 2; both are for the first, or not
    np.testing.assert_allclose(aggregate_frames(p, frames, rule="vote", smooth=1).probabilities, [2 / 3, 1 / 3])
    np.testing.assert_allclose(aggregate_frames(p, [0, 10, 20], rule="vote", smooth=1).probabilities, [1 / 3, 2 / 3])
    found = aggregate_frames(p, frames, rule="vote", top=1)
    assert (found.probabilities.tolist(), found.label, found.used) == ([1.0, 0.0], 0, 1)


def test_equal_votes_go_to_the_larger_mean_and_then_to_the_first() -> None:
    assert aggregate_frames([[0.6, 0.4], [0.1, 0.9]], [0, 1], rule="vote").label == 1
    assert aggregate_frames([[0.6, 0.4], [0.4, 0.6]], [0, 1], rule="vote").label == 0


def test_one_frame_of_zero_does_not_decide_alone() -> None:
    p = [[0.0, 1.0]] + 200 * [[0.6, 0.4]]
    assert aggregate_frames(p, range(201), rule="geometric").label == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": [0]}, "frames: (1,) for probabilities (2, 2); give (T,) for (T, K)"),
        ({"frames": [0.2, 0.7]}, "frames: dtype float64; give the numbers of the frames, which are whole"),
        ({"frames": [3, 3]}, "frames: not in ascending order, each once; sort them, and take one face at a time"),
        (
            {"probabilities": [[0.5, 0.5], [0.5, 1.2]]},
            "frame 7: its probabilities sum to 1.7, from 0.5 to 1.2; give classes that exclude each other",
        ),
        (
            {"probabilities": [[np.nan, 0.5], [0.5, 0.5]]},
            "frame 3: its probabilities sum to nan, from nan to nan; give classes that exclude each other",
        ),
        ({"rule": "median"}, "rule: 'median' is not known; rules: 'mean', 'geometric', 'vote'"),
        ({"smooth": -1}, "smooth: -1 frames; give 0 or more"),
        ({"top": 0}, "top: 0 frames; give 1 or more, or leave it out for all"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"probabilities": [[0.5, 0.5], [0.4, 0.6]], "frames": [3, 7]}
    with pytest.raises(InputError) as caught:
        aggregate_frames(**(plain | options))
    assert str(caught.value) == message


def face(frame: int, track: int, p: tuple[float, ...], status: Any = "ok") -> Row:
    values = dict(zip(COLUMNS[len(BASE_COLUMNS) :], (*p, 0.5), strict=True))
    return Row(frame=frame, pts=frame / 25, track=track, status=status, predictions=values)


ROWS = [
    face(0, 0, (0.8, 0.1, 0.1)),
    face(0, 1, (0.0, 0.0, 1.0)),
    Row(frame=1, pts=0.04, track=None, status="no_face"),
    Row(frame=2, pts=0.08, track=None, status="skipped"),
    face(3, 0, (0.6, 0.3, 0.1), status="low_confidence"),
    Row(frame=4, pts=0.16, track=0, status="ok", predictions={"va.valence": 0.5}),
]


def stored(path: Path, rows: list[Row] = ROWS) -> Path:
    writer = ResultWriter(path, COLUMNS, RunInfo(source="interview.mp4"))
    for row in rows:
        writer.write(row)
    writer.finish()
    return path


def test_every_face_has_a_prediction_of_its_own() -> None:
    first, second = aggregate_results(Results(COLUMNS, ROWS, info=RunInfo(source="interview.mp4")), "compound")
    assert (first.video, first.track, first.frames, first.used, first.label) == ("interview", 0, 2, 2, "sadly_angry")
    assert first.probabilities == pytest.approx(dict(zip(CLASSES, (0.7, 0.2, 0.1), strict=True)))
    assert (second.track, second.frames, second.label) == (1, 1, "sadly_surprised")
    (only,) = aggregate_results(Results(COLUMNS, ROWS[:1]), "compound", Pooling(top=1), video="mine")
    assert only.video == "mine"


@pytest.mark.parametrize(
    ("output", "rows", "message"),
    [
        ("compounds", ROWS, "rows: no output 'compounds'; did you mean 'compound'? outputs: 'compound', 'va'"),
        ("compound", ROWS[2:4], "rows: no frame has a prediction of 'compound'; was there a face in the video?"),
        (
            "compound",
            [face(5, 0, (0.5, 0.6, 0.7))],
            "rows: frame 5: its probabilities sum to 1.8, from 0.5 to 0.7; give classes that exclude each other",
        ),
        ("va", ROWS, "rows: frames: (3,) for probabilities (3, 1); give (T,) for (T, K)"),
    ],
)
def test_tables_that_are_refused(output: str, rows: list[Row], message: str) -> None:
    with pytest.raises(InputError) as caught:
        aggregate_results(Results(COLUMNS, rows), output)
    assert str(caught.value) == message


def test_a_table_without_predictions() -> None:
    with pytest.raises(InputError) as caught:
        aggregate_results(Results(BASE_COLUMNS, ROWS[2:3]), "compound")
    assert str(caught.value) == "rows: no output 'compound'; there are no outputs"


def frames() -> FramePredictions:
    scores = np.array([[0.2, 0.8], [0.4, 0.6], [1.0, 0.0], [0.9, 0.1]])
    va = FrameOutput(
        kind="values",
        targets=("valence",),
        scores=np.zeros((4, 1)),
        truth=np.zeros((4, 1)),
        valid=np.ones((4, 1), bool),
    )
    return FramePredictions(
        dataset=np.array(["d"] * 4),
        subject=np.array(["s", "s", "t", "t"]),
        video=np.array(["v", "v", "v", "v"]),
        frame=np.array([9, 2, 1, 2]),
        outputs={
            "expr": FrameOutput(
                kind="classes",
                targets=("a", "b"),
                scores=scores,
                truth=np.zeros(4, np.int64),
                valid=np.zeros(4, bool),
            ),
            "va": va,
        },
        source="table.parquet",
    )


def test_frames_of_anyones_table() -> None:
    first, second = aggregate_predictions(frames(), "expr", Pooling(rule="vote"))
    assert (first.video, first.track, first.frames, first.label) == ("d/s/v", None, 2, "b")
    assert (second.video, second.probabilities) == ("d/t/v", {"a": 1.0, "b": 0.0})


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("exp", "table.parquet: no output 'exp'; did you mean 'expr'? outputs: 'expr', 'va'"),
        ("va", "table.parquet: 'va' has values; give an output of classes"),
    ],
)
def test_outputs_that_are_refused(output: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        aggregate_predictions(frames(), output)
    assert str(caught.value) == message


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_folder_of_tables(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    stored(folder / f"b{ending}")
    (folder / "summary.csv").write_text("video,status\ninterview.mp4,done\n")
    # a table of frames, of two videos; one frame has no prediction
    (folder / "a.csv").write_text(
        "video,frame,compound.sadly_angry,compound.sadly_fearful\nx,7,0.9,0.1\ny,1,0.2,0.8\nx,3,,\nx,5,0.4,0.6\n"
    )
    found = aggregate_tables(folder, "compound")
    assert [(one.video, one.track, one.frames) for one in found] == [
        ("x", None, 2), ("y", None, 1), ("interview", 0, 2), ("interview", 1, 1),
    ]  # fmt: skip
    assert found[0].probabilities["sadly_angry"] == pytest.approx(0.65)
    assert found[2:] == aggregate_tables(folder / f"b{ending}", "compound")
    with pytest.raises(InputError) as caught:
        write_video_predictions(found, tmp_path / "out.csv")
    assert str(caught.value) == (
        f"{tmp_path / 'out.csv'}: 'interview' has classes 'sadly_angry', 'sadly_fearful', 'sadly_surprised', "
        "'x' 'sadly_angry', 'sadly_fearful'; write one table for each"
    )


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = stored(tmp_path / "rows.csv"), tmp_path / "videos.csv"
    assert main(["aggregate", str(table), "--output", "compound", "--top", "1", "--out", str(out)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split() for line in shown if "interview" in line] == [
        ["interview", "0", "2", "1", "sadly_angry", "0.800"],
        ["interview", "1", "1", "1", "sadly_surprised", "1.000"],
    ]
    assert out.read_text() == (
        "video,track,frames,used,label,sadly_angry,sadly_fearful,sadly_surprised\n"
        "interview,0,2,1,sadly_angry,0.8,0.1,0.1\ninterview,1,1,1,sadly_surprised,0.0,0.0,1.0\n"
    )
    assert main(["aggregate", str(table), "--output", "compound", "--rule", "vote", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["out"], data["videos"][0]["label"], data["videos"][0]["used"]) == (None, "sadly_angry", 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "videos.txt"], "videos.txt: ending '.txt'; write a table of videos as .csv"),
        (
            ["--out", "rows.csv"],
            "rows.csv: already there; add --overwrite (in Python overwrite=True), or name another file",
        ),
        (["--overwrite"], "--overwrite: given without --out, so nothing is written; leave it out"),
        (["--top", "0"], "rows.csv: top: 0 frames; give 1 or more, or leave it out for all"),
        (["--smooth", "-2"], "rows.csv: smooth: -2 frames; give 0 or more"),
    ],
)
def test_commands_that_are_refused(
    options: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(here / "rows.csv")
    assert main(["aggregate", "rows.csv", "--output", "compound", *options]) == 1
    assert capsys.readouterr().err == f"error: {message}\n"


def pictures(path: Path, rows: list[tuple[str, int | None, tuple[float, ...]]]) -> Path:
    """A table of pictures by name: number of the face, and what is predicted of it."""
    writer = ResultWriter(path, (*PICTURE_COLUMNS, *COLUMNS[len(BASE_COLUMNS) :]), RunInfo(source="pictures"))
    for at, (file, track, p) in enumerate(rows):
        row = Row(frame=at, pts=0.0, track=None, status="no_face") if track is None else face(at, track, p)
        writer.write(replace(row, pts=0.0, file=file))
    writer.finish()
    return path


NO_FACE: tuple[str, None, tuple[float, ...]] = ("01/00002.jpg", None, ())


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_pictures_are_frames_of_their_folder(tmp_path: Path, ending: str) -> None:
    rows = [
        ("01/00001.jpg", 0, (0.8, 0.1, 0.1)), NO_FACE, ("01/00003.jpg", 0, (0.6, 0.3, 0.1)),
        ("b/02/img_7.png", 0, (0.0, 0.0, 1.0)),
    ]  # fmt: skip
    table = pictures(tmp_path / f"pictures{ending}", rows)
    first, second = aggregate_tables(table, "compound")
    assert (first.video, first.track, first.frames, first.used, first.label) == ("01", None, 2, 2, "sadly_angry")
    assert first.probabilities == pytest.approx(dict(zip(CLASSES, (0.7, 0.2, 0.1), strict=True)))
    assert (second.video, second.frames, second.label) == ("b/02", 1, "sadly_surprised")
    # by the numbers in the names, 1 and 3 are no neighbors
    for smooth, wanted in ((1, 0.8), (2, 0.7)):
        found, _ = aggregate_tables(table, "compound", Pooling(smooth=smooth, top=1))
        assert found.probabilities["sadly_angry"] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        *(
            (
                [("01/00001.jpg", 0, (0.8, 0.1, 0.1)), (name, 0, (0.8, 0.1, 0.1))],
                f"{name!r} is no picture VIDEO/NUMBER.jpg; analyze a folder that holds a folder of numbered pictures "
                "for each video",
            )
            for name in ("00002.jpg", "day 1/anna.png", f"01/{'9' * 20}.png")
        ),
        (
            [("01/00003.jpg", 0, (0.8, 0.1, 0.1)), ("01/00003.jpg", 1, (0.6, 0.3, 0.1))],
            "video '01', frame 3 is there twice; keep one row per frame, of one face",
        ),
        (
            [("02/00001.jpg", 0, (0.8, 0.1, 0.1)), NO_FACE],
            "no frame of '01' has a prediction of 'compound'; predict it, or leave its rows out",
        ),
        ([], "no rows; give one per frame"),
    ],
)
def test_pictures_that_are_refused(
    rows: list[tuple[str, int | None, tuple[float, ...]]], message: str, tmp_path: Path
) -> None:
    table = pictures(tmp_path / "pictures.csv", rows)
    with pytest.raises(InputError) as caught:
        aggregate_tables(table, "compound")
    assert str(caught.value) == f"{table}: {message}"


def test_a_table_that_is_not_finished(tmp_path: Path) -> None:
    stored(tmp_path / "a.csv")
    writer = ResultWriter(tmp_path / "b.csv", COLUMNS, RunInfo(source="b.mp4"))
    writer.write(ROWS[0])
    writer.checkpoint({"done": 1})
    writer.close()
    with pytest.raises(InputError) as caught:
        aggregate_tables(tmp_path, "compound")
    assert str(caught.value) == (
        f"{tmp_path / 'b.csv.parts'}: a table that is not finished; go on with --resume (in Python resume=True), or "
        "remove it"
    )


def test_what_is_written_ends_as_csv(tmp_path: Path) -> None:
    one = VideoPrediction(video="v", track=None, frames=1, used=1, label="a", probabilities={"a": 1.0, "b": 0.0})
    with pytest.raises(InputError) as caught:
        write_video_predictions([one], tmp_path / "out.parquet")
    assert str(caught.value) == f"{tmp_path / 'out.parquet'}: ending '.parquet'; write a table of videos as .csv"
    write_video_predictions([one], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "video,track,frames,used,label,a,b\nv,,1,1,a,1.0,0.0\n"
