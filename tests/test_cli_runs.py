"""Commands that run models: analyze, also when it is interrupted, and demo."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import affectkit
from affectkit.artifact import save
from affectkit.cli.demo import program_name
from affectkit.cli.interrupts import one_interrupt
from affectkit.files import write_config
from affectkit.presets import starter
from affectkit.results.rows import read_results
from tests.brightness import registry as bright_registry
from tests.cli_runs import run, run_json, spawn
from tests.clips import write_levels


def test_analyze(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    save(starter().build(), here / "model")
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["3 rows in clip.mp4.rows.csv", "3 frames from 0.000 to 0.080 s: 3 ok, 0 no_face"]
    assert lines[2].startswith("means: expression.neutral 0.")
    assert lines[2].endswith(" and 4 more")
    assert lines[3:] == ["no face detector: every picture counts as one face (whole-frame)"]
    assert len(read_results("clip.mp4.rows.csv")) == 3


def test_analyze_never_replaces_rows_unasked(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    write_levels(here / "clip.mov", [20, 60])
    save(starter().build(), here / "model")
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
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [20, 160])
    save(starter().build(), here / "model")
    names = affectkit.default_registry().with_components(*(item.spec for item in bright_registry().components("faces")))
    monkeypatch.setattr("affectkit.analysis.default_registry", lambda: names)
    code, out, _ = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--faces", "bright-faces")
    assert code == 0
    assert out.splitlines()[1] == "2 frames from 0.000 to 0.040 s: 1 ok, 1 no_face"
    assert len(out.splitlines()) == 3


def test_a_mean_that_is_no_number_is_null(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60])
    model = starter().build()
    for parameter in model.heads["affect"].parameters():
        parameter.data.fill_(float("nan"))
    save(model, here / "model")
    means = run_json(capsys, "analyze", "clip.mp4", "--pipeline", "model")["means"]
    assert means["affect.valence"] is None
    assert means["expression.neutral"] > 0


def test_analyze_with_every_option(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    write_config(starter(), here / "pipeline.toml")
    words = ["analyze", "clip.mp4", "--pipeline", "pipeline.toml", "--faces", "whole-frame", "--out", "rows.csv"]
    words += ["--device", "cpu", "--precision", "bfloat16", "--batch-size", "2", "--seed", "7", "--json"]
    code, out, err = run(capsys, *words)
    assert code == 0
    assert err == "warning: the pipeline is untrained: its scores come from random weights (seed 7)\n"
    data = json.loads(out)
    assert (data["path"], data["rows"], data["frames"], data["statuses"]) == ("rows.csv", 3, 3, {"ok": 3, "no_face": 0})
    assert data["detector"] == "affectkit/whole-frame"
    assert set(data["means"]) == set(read_results("rows.csv").columns[9:])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere.mp4", "--pipeline", "starter"], "nowhere.mp4: no such file; check the path"),
        (["clip.mp4", "--pipeline", "starter", "--out", "a/b.csv"], "a/b.csv: no folder 'a'; create it"),
        (["clip.mp4", "--pipeline", "none.toml"], "none.toml: no such file; check the path"),
        (["clip.mp4", "--pipeline", "starter", "--batch-size", "0"], "batch_size: 0 frames; write 1 or more"),
        (
            ["clip.mp4", "--pipeline", "model", "--faces", "whole-fram"],
            "no face detector 'whole-fram'; did you mean 'whole-frame'? face detectors at hand: 'whole-frame'",
        ),
        (["clip.mp4", "--pipeline", "./none"], "./none: no such folder; give a saved model, a preset or a hub id"),
    ],
)
def test_analyze_refuses(capsys: pytest.CaptureFixture[str], here: Path, words: list[str], text: str) -> None:
    write_levels(here / "clip.mp4", [20])
    save(starter().build(), here / "model")
    code, out, err = run(capsys, "analyze", *words)
    assert (code, out, err) == (1, "", f"error: {text}\n")


def test_ctrl_c_says_where_the_rows_are(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    save(starter().build(), here / "model")

    from affectkit.video.scoring import Scorer

    score = Scorer.score
    calls: list[Any] = []

    def stop(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == after:
            raise KeyboardInterrupt
        return score(*args)

    monkeypatch.setattr(Scorer, "score", stop)
    words = ["analyze", "clip.mp4", "--pipeline", "frames", "--batch-size", "1"]
    save(replace(starter(), sampling=affectkit.Frames()).build(), here / "frames")
    after = 3
    code, out, err = run(capsys, *words)
    assert (code, out) == (130, "")
    assert err == "stopped\n2 rows were written before that; they are in clip.mp4.rows.csv.part\n"
    (here / "clip.mp4.rows.csv.part").unlink()
    calls.clear()
    after = 1
    assert run(capsys, *words) == (130, "", "stopped\n")
    assert not (here / "clip.mp4.rows.csv.part").exists()


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


def test_the_bar_is_for_terminals(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.cli.analyze import _progress_bar

    with _progress_bar("clip.mp4") as progress:
        assert progress is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with _progress_bar("[clip].mp4") as progress:
        assert progress is not None
        progress(1, 3)
        progress(4, 3)
        progress(5, None)


# demo


@pytest.mark.slow
def test_demo(here: Path) -> None:
    done = spawn("demo", folder=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert "NOT faces" in done.stdout
    folder = here / "demo-output"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".affectkit-demo", "clip.mp4", "model", "pipeline.toml", "rows.csv",
    ]  # fmt: skip
    assert len(read_results(folder / "rows.csv")) == 72
    assert spawn("check", "demo-output/pipeline.toml", folder=here).returncode == 0
    assert spawn("analyze", "demo-output/clip.mp4", "--pipeline", "demo-output/model", folder=here).returncode == 0


def test_demo_in_short(capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affectkit.cli.demo_task.TRAIN_TEXTURES", range(6))
    monkeypatch.setattr("affectkit.cli.demo_task.TEST_TEXTURES", range(10_000, 10_006))
    monkeypatch.setattr("affectkit.cli.demo._STEPS", 2)
    save(starter().build(), here / "out" / "model")
    code, out, err = run(capsys, "demo", "--out", "out")
    assert (code, out) == (1, "")
    assert err == "error: out: holds files that are not the demo's; choose another with --out, or --overwrite\n"
    assert [path.name for path in (here / "out").iterdir()] == ["model"]
    run_json(capsys, "demo", "--out", "out", "--overwrite")
    # Over what an earlier run has left.
    data = run_json(capsys, "demo", "--out", "out")
    assert (data["steps"], data["clips"], data["rows"]) == (2, 6, 72)
    assert 0 <= data["majority"] <= 1
    assert "2 steps" in (here / "out" / "model" / "README.md").read_text()
    assert run_json(capsys, "describe", "out/model")["outputs"]["pattern"]["targets"] == [
        "expand",
        "contract",
        "rotate",
    ]


def test_training_stops_when_its_time_is_over() -> None:
    from affectkit.cli import demo_task

    model = demo_task.make_pipeline().build()
    clips = demo_task.make_clips(range(2))
    assert demo_task.fit(model, clips, seconds=0.0, steps=5, report=lambda step, loss: None) == 0
    assert not model.training


def test_demo_into_a_file(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "taken").touch()
    code, _, err = run(capsys, "demo", "--out", "taken")
    assert (code, err) == (1, "error: taken: can't be made a folder (File exists); choose another with --out\n")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_a_demo_without_time(capsys: pytest.CaptureFixture[str], here: Path, seconds: str) -> None:
    code, out, err = run(capsys, "demo", "--seconds", seconds)
    assert (code, out) == (1, "")
    assert err == f"error: seconds: {float(seconds)!r} is not accepted; write a number above 0\n"
    assert list(here.iterdir()) == []


def test_the_program_is_named_as_the_shell_finds_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert program_name() == "affectkit"
    monkeypatch.setattr("shutil.which", lambda name: None)
    (here / "a b").mkdir()
    script = here / "a b" / "affectkit"
    script.touch()
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program_name() == f"'{script}'"
    monkeypatch.setattr(sys, "argv", [str(here / "__main__.py")])
    assert program_name() == f"{shlex.quote(sys.executable)} -m affectkit"
