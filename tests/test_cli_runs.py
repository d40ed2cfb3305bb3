"""`affectkit analyze` of one video: what it prints, writes and refuses, and how Ctrl-C stops it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import affectkit
from affectkit.artifact import save
from affectkit.cli.interrupts import one_interrupt
from affectkit.configs import Frames
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.files import write_config
from affectkit.presets import starter
from affectkit.results.reading import read_results
from affectkit.video.reader import VideoFrame, read_frames
from tests.brightness import registry as bright_registry
from tests.cli_runs import run, run_json, spawn
from tests.clips import cut, encode_with, gray_frames, moving_frames, write_levels
from tests.spotting import BrightEventsConfig, registry as spot_registry, spot_bright

pytestmark = pytest.mark.usefixtures("offline")


@pytest.fixture
def clip(here: Path) -> Path:
    """Three frames in `clip.mp4`, and `model`, for which a picture is a face."""
    save_model(here / "model")
    write_levels(here / "clip.mp4", [20, 60, 100])
    return here / "clip.mp4"


def save_model(path: Path, **changes: Any) -> None:
    save(replace(starter(), faces=WholeFrameConfig(), **changes).build(), path)


def test_analyze(capsys: pytest.CaptureFixture[str], clip: Path) -> None:
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "3 rows in clip.mp4.rows.csv, by model with affectkit/whole-frame",
        "3 frames from 0.000 to 0.080 s: 3 ok, 0 no_face",
    ]
    assert lines[2].startswith("means: expression.neutral 0.")
    assert lines[2].endswith(" and 4 more")
    assert lines[3:] == ["no face detector: every picture counts as one face (whole-frame)"]
    assert len(read_results("clip.mp4.rows.csv")) == 3


@pytest.mark.parametrize(("option", "path"), [("--elan", "events.txt"), ("--webvtt", "events.vtt")])
def test_events_of_a_pipeline_without_a_spotter_are_refused(
    capsys: pytest.CaptureFixture[str], clip: Path, here: Path, option: str, path: str
) -> None:
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", option, path)
    assert (code, out) == (1, "")
    assert err == (
        f"error: {option}: model looks for no events, so {path} was not written; clip.mp4.rows.csv was; use a pipeline "
        "with a spotter, such as motion-events\n"
    )
    assert not (here / path).exists()
    assert len(read_results("clip.mp4.rows.csv")) == 3


def test_a_start_behind_the_end_is_said(capsys: pytest.CaptureFixture[str], clip: Path) -> None:
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--start", "9")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:3] == ["no frames", "nothing at or after --start 9: the video may be shorter"]


def test_analyze_never_replaces_rows_unasked(capsys: pytest.CaptureFixture[str], clip: Path, here: Path) -> None:
    write_levels(here / "clip.mov", [20, 60])
    for name in ("clip.mp4", "clip.mov"):
        assert run(capsys, "analyze", name, "--pipeline", "model")[0] == 0
    (here / "clip.mp4.rows.csv").write_text("mine")
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model")
    assert (code, out) == (1, "")
    assert err == (
        "error: clip.mp4.rows.csv: already there; add --overwrite (in Python overwrite=True), or name another file\n"
    )
    assert (here / "clip.mp4.rows.csv").read_text() == "mine"
    assert run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--overwrite")[0] == 0
    assert len(read_results("clip.mp4.rows.csv")) == 3


def test_the_summary_of_a_detector_has_no_such_line(
    capsys: pytest.CaptureFixture[str], clip: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [20, 160])
    names = bright_registry()
    monkeypatch.setattr("affectkit.analysis.default_registry", lambda: names)
    code, out, _ = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--faces", "bright-faces")
    assert code == 0
    assert out.splitlines()[1] == "2 frames from 0.000 to 0.040 s: 1 ok, 1 no_face"
    assert len(out.splitlines()) == 3


@pytest.mark.filterwarnings("default::affectkit.errors.LeftOutWarning")
def test_an_output_that_is_no_number_has_no_mean(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60])
    model = starter().build()
    for parameter in model.heads["affect"].parameters():
        # weights that are NaN would be refused; infinity less infinity is NaN too
        parameter.data.fill_(float("inf"))
    model.heads["affect"].linear.weight.data[:, ::2] *= -1
    save(model, here / "model")
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--faces", "whole-frame", "--json")
    assert (code, err) == (0, "warning: affect: is NaN for some faces; their cells are empty\n")
    means = json.loads(out)["means"]
    assert "affect.valence" not in means
    assert means["expression.neutral"] > 0


def test_analyze_with_every_option(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100, 140, 180, 220])
    write_config(starter(), here / "pipeline.toml")
    words = ["analyze", "clip.mp4", "--pipeline", "pipeline.toml", "--faces", "whole-frame", "--out", "rows.parquet"]
    words += ["--fps", "12.5", "--start", "0.02", "--stop", "0.18"]
    words += ["--device", "cpu", "--precision", "bfloat16", "--batch-size", "2", "--seed", "7", "--json"]
    code, out, err = run(capsys, *words)
    assert code == 0
    assert err == "warning: the pipeline is untrained: its scores come from random weights (seed 7)\n"
    data = json.loads(out)
    assert {name: data[name] for name in ("path", "pipeline", "detector", "rows", "frames", "start", "stop")} == {
        "path": "rows.parquet",
        "pipeline": "pipeline.toml",
        "detector": "affectkit/whole-frame",
        "rows": 2,
        "frames": 2,
        "start": 0.08,
        "stop": 0.16,
    }
    assert (data["statuses"], data["events"]) == ({"ok": 2, "no_face": 0}, [])
    results = read_results("rows.parquet")
    assert set(data["means"]) == set(results.targets)
    assert [row.frame for row in results] == [2, 4]
    assert results.info is not None
    assert results.info.seed == 7
    assert dict(results.info.options) == {"fps": 12.5, "start": 0.02, "stop": 0.18, "precision": "bfloat16"}


def test_boxes_from_a_table(capsys: pytest.CaptureFixture[str], clip: Path, here: Path) -> None:
    (here / "boxes.csv").write_text("frame,left,top,width,height,track\n0,4,2,20,20,7\n0,24,2,20,21,8\n2,4,2,20,20,7\n")
    data = run_json(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--faces", "boxes.csv")
    assert (data["detector"], data["rows"], data["frames"]) == ("affectkit/given-boxes", 4, 3)
    rows = list(read_results("clip.mp4.rows.csv"))
    assert [(row.frame, row.track, row.status) for row in rows] == [
        (0, 8, "ok"), (0, 7, "ok"), (1, None, "no_face"), (2, 7, "ok"),
    ]  # fmt: skip
    (here / "boxes.csv").unlink()
    code, _, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--faces", "boxes.csv", "--out", "b.csv")
    assert (code, err) == (1, "error: boxes.csv: no such file; check the path\n")


# Events.


@pytest.fixture
def events(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words that spot two bright stretches in a clip."""
    names = spot_registry()
    monkeypatch.setattr("affectkit.analysis.default_registry", lambda: names)
    config = replace(spot_bright(spotter=BrightEventsConfig(label="smile & <more>")), faces=WholeFrameConfig())
    write_config(config, here / "spot.toml", registry=names)
    write_levels(here / "clip.mp4", [200 if i in (5, 6, 7, 20) else 20 for i in range(25)])
    return ["analyze", "clip.mp4", "--pipeline", "spot.toml"]


def test_events_are_printed(capsys: pytest.CaptureFixture[str], events: list[str]) -> None:
    code, out, err = run(capsys, *events)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "25 rows in clip.mp4.rows.csv, by spot.toml with affectkit/whole-frame",
        "25 frames from 0.000 to 0.960 s: 25 ok, 0 no_face",
        "2 events:",
        "  other smile & <more> of face 0: 0.200 to 0.280 s, apex 0.200, confidence 0.50",
        "  other smile & <more> of face 0: 0.800 to 0.800 s, apex 0.800, confidence 0.50",
        "no face detector: every picture counts as one face (whole-frame)",
    ]
    assert [event.onset_frame for event in read_results("clip.mp4.rows.csv").events] == [5, 20]


@pytest.mark.parametrize(
    ("levels", "lines"),
    [
        ([20] * 5, ["no events"]),
        ([200] * 5, ["1 event:"]),
        ([20, 200] * 9, ["9 events:", "  and 1 more"]),
    ],
)
def test_how_many_events(
    capsys: pytest.CaptureFixture[str], events: list[str], here: Path, levels: list[int], lines: list[str]
) -> None:
    write_levels(here / "clip.mp4", levels)
    out = run(capsys, *events)[1].splitlines()
    assert [line for line in out if not line.startswith("  other")][2:-1] == lines


def test_events_for_coders_a_timeline_and_an_annotated_video(
    capsys: pytest.CaptureFixture[str], events: list[str], here: Path
) -> None:
    more = ["--elan", "e.txt", "--webvtt", "e.vtt", "--plot", "t.png", "--annotate", "a.mp4"]
    data = run_json(capsys, *events, *more)
    assert [(event["onset"], event["label"]) for event in data["events"]] == [
        (0.2, "smile & <more>"), (0.8, "smile & <more>"),
    ]  # fmt: skip
    assert (here / "e.txt").read_text() == (
        "track 0 other\t200\t280\t80\tsmile & <more>\ntrack 0 other\t800\t801\t1\tsmile & <more>\n"
    )
    assert (here / "e.vtt").read_text() == (
        "WEBVTT\n\n00:00:00.200 --> 00:00:00.280\ntrack 0 other: smile &amp; &lt;more&gt; (0.50)\n"
        "\n00:00:00.800 --> 00:00:00.801\ntrack 0 other: smile &amp; &lt;more&gt; (0.50)\n"
    )
    picture = cv2.imread("t.png")
    assert picture is not None
    assert picture.std() > 5
    assert [frame.pts for frame in read_frames(here / "a.mp4")] == [i / 25 for i in range(25)]
    for words, name in ((more, "e.txt"), (more[2:], "e.vtt"), (more[4:], "t.png"), (more[6:], "a.mp4")):
        code, out, err = run(capsys, *events, *words, "--out", "other.csv")
        assert (code, out) == (1, "")
        assert err == (
            f"error: {name}: already there; add --overwrite (in Python overwrite=True), or name another file\n"
        )
    assert not (here / "other.csv").exists()
    assert run(capsys, *events, *more, "--overwrite")[0] == 0


def test_an_annotated_picture(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    save_model(here / "model")
    cv2.imwrite("photo.png", np.full((120, 160, 3), 128, np.uint8))
    words = ["analyze", "photo.png", "--pipeline", "model", "--annotate"]
    assert run(capsys, *words, "a.mp4") == (1, "", "error: a.mp4: ending '.mp4'; write .png or .jpg or .jpeg\n")
    assert run(capsys, *words, "a.png")[0] == 0
    picture = cv2.imread("a.png")
    assert picture is not None
    # the face fills the picture, so what was found stands beside it
    assert picture.shape[1] > 160
    assert np.abs(picture[10:110, 10:150].astype(int) - 128).max() == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--elan", "e.csv"], "e.csv: ending '.csv'; write .txt"),
        (["--webvtt", "e.srt"], "e.srt: ending '.srt'; write .vtt"),
        (["--plot", "t.jpg"], "t.jpg: ending '.jpg'; write .png or .svg or .pdf"),
        (["--annotate", "a.avi"], "a.avi: ending '.avi'; write .mp4"),
        (["--annotate", "a/a.mp4"], "a/a.mp4: no folder 'a'; create it"),
    ],
)
def test_what_else_can_not_be_written(
    capsys: pytest.CaptureFixture[str], events: list[str], here: Path, words: list[str], text: str
) -> None:
    assert run(capsys, *events, *words) == (1, "", f"error: {text}\n")
    assert not (here / "clip.mp4.rows.csv").exists()


# A camera.


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float | None]]:
    """A camera of ten frames per second, stopped by Ctrl-C after eight; which one was asked, for how long."""
    asked: list[tuple[int, float | None]] = []

    def frames(number: int, *, seconds: float | None = None) -> Iterator[VideoFrame]:
        asked.append((number, seconds))
        for i, picture in enumerate(gray_frames([20 * i for i in range(8)])):
            yield VideoFrame(index=i, pts=i / 10, image=picture)
        raise KeyboardInterrupt

    monkeypatch.setattr("affectkit.video.footage.read_webcam", frames)
    return asked


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_camera_is_stopped_by_ctrl_c(
    capsys: pytest.CaptureFixture[str], clip: Path, camera: list[tuple[int, float | None]], ending: str
) -> None:
    code, out, err = run(capsys, "analyze", "0", "--pipeline", "model", "--stop", "3600", "--out", f"rows.{ending}")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [
        f"8 rows in rows.{ending}, by model with affectkit/whole-frame",
        "8 frames from 0.000 to 0.700 s: 8 ok, 0 no_face",
    ]
    assert camera == [(0, 3600.0)]
    results = read_results(f"rows.{ending}")
    assert results.info is not None
    assert (results.info.source, results.info.source_size, results.info.complete) == ("camera 0", None, True)
    # the window that was going on is scored too
    assert all(row.predictions for row in results)


def test_rows_of_a_camera_without_a_file(clip: Path, camera: list[tuple[int, float | None]]) -> None:
    assert len(affectkit.analyze(2, "model", fps=5.0)) == 4
    assert camera == [(2, None)]


def test_a_camera_that_is_stopped_before_its_first_frame(
    capsys: pytest.CaptureFixture[str], clip: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frames(number: int, *, seconds: float | None = None) -> Iterator[VideoFrame]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("affectkit.video.footage.read_webcam", frames)
    assert run(capsys, "analyze", "0", "--pipeline", "model") == (130, "", "stopped\n")
    assert sorted(path.name for path in here.iterdir()) == ["clip.mp4", "model"]


def test_what_a_camera_can_not_do(
    capsys: pytest.CaptureFixture[str], clip: Path, camera: list[tuple[int, float | None]], here: Path
) -> None:
    code, _, err = run(capsys, "analyze", "0", "--pipeline", "model", "--annotate", "a.mp4")
    assert (code, err) == (1, "error: --annotate: given with a camera, whose frames are gone; record it first\n")
    code, _, err = run(capsys, "analyze", "0", "--pipeline", "model", "--start", "1")
    assert (code, err) == (1, "error: start: 1.0 of a camera, which has no past; leave it out\n")
    assert camera == []
    # a file that is called as a camera is
    (here / "clip.mp4").rename(here / "0")
    assert run(capsys, "analyze", "./0", "--pipeline", "model")[0] == 0
    assert len(read_results("0.rows.csv")) == 3


# What it refuses and warns of.


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere.mp4", "--pipeline", "starter"], "nowhere.mp4: no such file; check the path"),
        (["clip.mp4", "--pipeline", "starter", "--out", "a/b.csv"], "a/b.csv: no folder 'a'; create it"),
        (["clip.mp4", "--pipeline", "none.toml"], "none.toml: no such file; check the path"),
        (["clip.mp4", "--pipeline", "starter", "--batch-size", "0"], "batch_size: 0 frames; write 1 or more"),
        (["clip.mp4", "--pipeline", "starter", "--fps", "nan"],
         "fps: nan is not a frame rate; write frames per second, or leave it out"),
        (["clip.mp4", "--pipeline", "model", "--start", "2", "--stop", "1"],
         "clip.mp4: stop 1.0 is not after start 2.0; give seconds of container time"),
        (
            ["clip.mp4", "--pipeline", "model", "--faces", "whole-fram"],
            "no face detector 'whole-fram'; did you mean 'whole-frame'? face detectors at hand: 'aligned', "
            "'auto', 'given-boxes', 'haar', 'whole-frame', 'yunet'",
        ),
        (["clip.mp4", "--pipeline", "model", "--faces", "given-boxes"],
         "faces: affectkit/given-boxes needs more than its name (neither of box and path; give one of them); write its "
         "config into the pipeline's file, or name a .csv of boxes"),
        (["clip.mp4", "--pipeline", "./none"], "./none: no such folder; give a saved model, a preset or a hub id"),
        (["clip.mp4", "--workers", "0"], "workers: 0 processes; write 1 or more"),
    ],
)  # fmt: skip
def test_analyze_refuses(capsys: pytest.CaptureFixture[str], clip: Path, words: list[str], text: str) -> None:
    assert run(capsys, "analyze", *words) == (1, "", f"error: {text}\n")


@pytest.mark.filterwarnings("default")
def test_warnings_are_lines(capsys: pytest.CaptureFixture[str], clip: Path, here: Path) -> None:
    cut(encode_with(here / "whole.mkv", moving_frames(20, size=(96, 128))), 0.7)
    code, out, err = run(capsys, "analyze", "cut.mkv", "--pipeline", "model", "--faces", "whole-frame")
    (line,) = err.splitlines()
    count = len(read_results("cut.mkv.rows.csv"))
    assert line.startswith(f"warning: cut.mkv: is cut off after {count} frames: ")
    assert line.endswith(" bytes are missing; copy it again")
    assert (code, out.splitlines()[0]) == (0, f"{count} rows in cut.mkv.rows.csv, by model with affectkit/whole-frame")


# Ctrl-C.


def test_ctrl_c_says_where_the_rows_are_and_resume_goes_on_there(
    capsys: pytest.CaptureFixture[str], clip: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affectkit.video.scoring import Scorer

    score = Scorer.score
    calls: list[Any] = []

    def stop(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == after:
            raise KeyboardInterrupt
        return score(*args)

    monkeypatch.setattr(Scorer, "score", stop)
    save_model(here / "frames", sampling=Frames())
    words = ["analyze", "clip.mp4", "--pipeline", "frames", "--batch-size", "1"]
    after = 3
    code, out, err = run(capsys, *words)
    assert (code, out) == (130, "")
    assert err == (
        "stopped\n2 rows were written before that; they are in clip.mp4.rows.csv.parts, "
        "and the same command with --resume (in Python resume=True) goes on there\n"
    )
    assert [row.frame for row in read_results("clip.mp4.rows.csv")] == [0, 1]
    assert run(capsys, *words) == (
        1,
        "",
        "error: clip.mp4.rows.csv: an unfinished table is in 'clip.mp4.rows.csv.parts'; add --resume to go on with it, "
        "or --overwrite to begin anew (in Python resume=True, overwrite=True)\n",
    )
    code, out, err = run(capsys, *words, "--resume", "--fps", "5")
    assert (code, out) == (1, "")
    assert err == (
        "error: clip.mp4.rows.csv.parts: was begun by another run (other options); run it as before, or replace it "
        "with --overwrite (in Python overwrite=True)\n"
    )
    after = 0
    code, out, err = run(capsys, *words, "--resume")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "3 rows in clip.mp4.rows.csv, by frames with affectkit/whole-frame"
    assert not (here / "clip.mp4.rows.csv.parts").exists()
    calls.clear()
    assert run(capsys, *words, "--resume")[0] == 0
    assert calls == []
    after = 1
    assert run(capsys, *words, "--overwrite") == (130, "", "stopped\n")
    assert not (here / "clip.mp4.rows.csv.parts").exists()
    # what was to be replaced is still there
    assert len(read_results("clip.mp4.rows.csv")) == 3


def test_ctrl_c_again_and_again_is_quiet(here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    code = """
import atexit, os, signal, sys, warnings
from affectkit import analysis, cli

def press(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)

def stop(*args, **options):
    try:
        press()
    finally:
        press()

atexit.register(press)
analysis.analyze = stop
leave = warnings.catch_warnings.__exit__
warnings.catch_warnings.__exit__ = lambda *args: (press(), leave(*args))[1]
sys.exit(cli.main(["analyze", "clip.mp4", "--pipeline", "starter"]))
"""
    done = spawn(code=code, folder=here)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_ctrl_c_is_as_before_after_a_command_that_was_not_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert before is signal.default_int_handler
    assert run(capsys, "plugins")[0] == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_is_left_to_who_handles_it() -> None:
    own = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with one_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, own)


def test_a_late_second_ctrl_c_ends_the_program_at_once(here: Path) -> None:
    code = """
import os, signal, time
from affectkit.cli import interrupts

interrupts._PATIENCE = 0.01
with interrupts.one_interrupt():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here")
"""
    done = spawn(code=code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("name", ["frame_bar", "video_bar"])
def test_the_bar_is_for_terminals(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.cli import progress as bars

    bar = getattr(bars, name)
    with bar("clip.mp4") as progress:
        assert progress is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with bar("[clip].mp4") as progress:
        assert progress is not None
        progress(1, 3)
        progress(4, 3)
        progress(5, None)
