"""`affectkit demo`: a face that is rendered, what was found in it beside the truth, and no network."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from affectkit.cli import demo
from affectkit.cli.demo import compare, program_name
from affectkit.records import Event
from affectkit.results.reading import read_results
from affectkit.results.rows import EventRow
from affectkit.video.reader import read_frames
from tests.cli_runs import run, run_json, spawn

FILES = [".affectkit-demo", "annotated.mp4", "clip.mp4", "rows.csv", "rows.csv.info.json", "rows.events.csv"]
FILES += ["timeline.png"]


pytestmark = pytest.mark.usefixtures("offline")


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AFFECTKIT_WEIGHTS", raising=False)
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / ".cache"))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second at 25 frames per second."""
    monkeypatch.setattr(demo, "FPS", 25.0)
    monkeypatch.setattr(demo, "SECONDS", 1.0)


@pytest.mark.usefixtures("short")
def test_demo_in_short(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "mine.txt").touch()
    code, out, err = run(capsys, "demo", "--out", "out")
    assert (code, out) == (1, "")
    assert err == "error: out: holds files that are not the demo's; choose another with --out, or --overwrite\n"
    assert [path.name for path in (here / "out").iterdir()] == ["mine.txt"]
    data = run_json(capsys, "demo", "--out", "out", "--overwrite")
    assert {name: data[name] for name in ("folder", "is_synthetic", "detector", "rows", "expression")} == {
        "folder": "out",
        "is_synthetic": True,
        "detector": "affectkit/haar",
        "rows": 25,
        "expression": None,
    }
    assert data["events"][0]["true_onset"] is not None
    folder = here / "out"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "mine.txt"])
    assert data["files"] == [
        f"out/{name}" for name in ("clip.mp4", "rows.csv", "rows.events.csv", "timeline.png", "annotated.mp4")
    ]
    rows = read_results(folder / "rows.csv")
    assert [row.pts for row in rows] == [frame.pts for frame in read_frames(folder / "annotated.mp4")]
    # over what an earlier run has left
    code, out, err = run(capsys, "demo", "--out", "out")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "Rendering 25 frames at 25 per second: a SYNTHETIC face, nobody's.",
        "What motion-events found with affectkit/haar, beside what was rendered (seconds):",
    ]
    assert "One rendered clip shows that the parts work together, and says nothing about real faces." in lines
    assert any(line.startswith("expression was not run: its ") for line in lines)
    assert lines[-3:-1] == ["Next:", f"  {program_name()} analyze VIDEO --pipeline motion-events"]


@pytest.mark.usefixtures("short")
def test_demo_with_weights(
    capsys: pytest.CaptureFixture[str], here: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("affectkit_faceapi")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    data = run_json(capsys, "demo", "--seed", "3")
    assert data["detector"] == "affectkit/yunet"
    assert len(data["expression"]) == 7
    assert sum(data["expression"].values()) == pytest.approx(1, abs=0.01)
    folder = here / "demo-output"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*FILES, "expression.csv", "expression.csv.info.json", "expression.png"]
    )
    assert len(read_results(folder / "expression.csv")) == 25


@pytest.mark.slow
def test_demo(here: Path) -> None:
    done = spawn("demo", folder=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a SYNTHETIC face, nobody's" in done.stdout
    folder = here / "demo-output"
    assert set(FILES) <= {path.name for path in folder.iterdir()}
    assert len(read_results(folder / "rows.csv")) == 600
    (line,) = [line for line in done.stdout.splitlines() if line.lstrip().startswith("micro-expression")]
    assert "-" not in line.split()[2:]


def true(kind: Any, onset: float, offset: float, *, label: str | None = None) -> Event:
    first, last = round(onset * 100), round(offset * 100)
    apex = (onset + offset) / 2
    return Event(kind=kind, onset=onset, apex=apex, offset=offset, label=label, onset_frame=first, offset_frame=last)


def found(kind: Any, onset: float, offset: float) -> EventRow:
    first, last = round(onset * 100), round(offset * 100)
    return EventRow(kind=kind, onset=onset, offset=offset, onset_frame=first, offset_frame=last)


def test_what_was_found_beside_the_truth() -> None:
    truth = (true("micro-expression", 1.0, 1.3, label="AU12"), true("blink", 2.0, 2.2))
    lines = compare((found("blink", 0.2, 0.4), found("micro-expression", 1.1, 1.3)), truth)
    assert lines == [
        {
            "event": "micro-expression, AU12",
            "true_onset": 1.0, "true_apex": 1.15, "true_offset": 1.3,
            "found_onset": 1.1, "found_apex": None, "found_offset": 1.3,
            "overlap": 0.677,
        },
        {
            "event": "blink",
            "true_onset": 2.0, "true_apex": 2.1, "true_offset": 2.2,
            "found_onset": None, "found_apex": None, "found_offset": None,
            "overlap": None,
        },
        {
            "event": "blink",
            "true_onset": None, "true_apex": None, "true_offset": None,
            "found_onset": 0.2, "found_apex": None, "found_offset": 0.4,
            "overlap": None,
        },
    ]  # fmt: skip


def test_nothing_found_and_nothing_there() -> None:
    assert compare((), ()) == []
    (line,) = compare((), (true("blink", 1.0, 1.2),))
    assert (line["event"], line["found_onset"]) == ("blink", None)
    (line,) = compare((found("blink", 1.0, 1.2),), ())
    assert (line["event"], line["true_onset"], line["found_onset"]) == ("blink", None, 1.0)


def test_demo_into_a_file(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "taken").touch()
    code, _, err = run(capsys, "demo", "--out", "taken")
    assert (code, err) == (1, "error: taken: can't be made a folder (File exists); choose another with --out\n")


@pytest.mark.parametrize("seed", ["-1", "5000"])
def test_seeds_are_those_that_no_report_uses(capsys: pytest.CaptureFixture[str], here: Path, seed: str) -> None:
    code, out, err = run(capsys, "demo", "--seed", seed)
    assert (code, out, err) == (1, "", f"error: seed: {seed} is not accepted; write 0 to 4999\n")
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
