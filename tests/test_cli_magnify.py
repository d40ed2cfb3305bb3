"""`affectkit magnify`: what its options mean, what it prints, and that Ctrl-C leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affectkit import EulerianConfig, MagNetConfig, PhaseConfig
from affectkit.cli import make_parser
from affectkit.cli.magnify import _motion
from affectkit.configs import MotionConfig
from affectkit.video.reader import VideoFrame, read_frames
from tests.cli_runs import run, run_json
from tests.clips import write_levels


@pytest.fixture
def clip(here: Path) -> Path:
    return write_levels(here / "clip.mp4", [90 + i % 7 for i in range(75)])


@pytest.mark.parametrize(
    ("words", "config"),
    [
        ([], PhaseConfig()),
        (["--alpha", "3", "--band", "0.4", "3"], PhaseConfig(alpha=3.0, band=(0.4, 3.0))),
        (["--method", "eulerian", "--band", "1", "2"], EulerianConfig(band=(1.0, 2.0))),
        (["--method", "magnet", "--alpha", "20"], MagNetConfig(alpha=20.0)),
        (["--method", "magnet", "--reference", "previous"], MagNetConfig(reference="previous")),
    ],
)
def test_options_mean_a_config(words: list[str], config: MotionConfig) -> None:
    assert _motion(make_parser().parse_args(["magnify", "clip.mp4", *words])) == config


def test_a_video_beside_its_original(clip: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "magnify", clip)
    assert (code, err) == (0, "")
    assert out == "clip.mp4.magnified.mp4: 75 frames, 3.000 s, motion times 8 by phase, beside the original\n"
    frames = [frame for frame in read_frames(here / "clip.mp4.magnified.mp4") if isinstance(frame, VideoFrame)]
    assert (len(frames), frames[0].image.shape) == (75, (32, 96, 3))
    code, _, err = run(capsys, "magnify", clip)
    assert (code, err) == (1, "error: clip.mp4.magnified.mp4: already there; add --overwrite (in Python "
                              "overwrite=True), or name another file\n")  # fmt: skip


def test_json(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--method", "eulerian", "--alone", "--size", "24", "--start", "0.5", "--out", "large.mp4", "--overwrite"]
    found = run_json(capsys, "magnify", clip, *words)
    assert found.pop("seconds") > 0
    assert found == {"path": "large.mp4", "method": "eulerian", "alpha": 8.0, "frames": 62, "skipped": 0,
                     "seconds_of_video": 2.48}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--alpha", "0"], "alpha: 0.0 is no magnification factor; write more than 0; 1 changes nothing"),
        (["--band", "3", "1"], "band: (3.0, 1.0) is no band; write two frequencies in Hz, 0 < LO < HI"),
        (["--band", "1", "12.5"],
         "motion: band (1.0, 12.5) goes beyond half of 25 frames per second; write an upper end below 12.5 Hz"),
        (["--method", "magnet", "--band", "1", "2"],
         "--band: given with magnet, which compares two frames; leave it out, or use --method phase"),
        (["--reference", "first"],
         "--reference: given with phase, which filters over time; leave it out, or use --method magnet"),
        (["--band", "0.1", "2"], "clip.mp4: 3 s of video, a band from 0.1 Hz needs 10 s; raise its lower end"),
        (["--out", "large.mkv"], "large.mkv: ending '.mkv'; write an .mp4 file"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    clip: Path, here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(capsys, "magnify", "clip.mp4", *words) == (1, "", f"error: {message}\n")
    assert [path.name for path in here.iterdir()] == ["clip.mp4"]


def test_ctrl_c_leaves_nothing(
    clip: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from affectkit import magnification

    step, count = magnification._step, 0

    def stopped(*args: Any) -> Any:
        nonlocal count
        count += 1
        if count == 20:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(magnification, "_step", stopped)
    assert run(capsys, "magnify", "clip.mp4") == (130, "", "stopped\n")
    assert [path.name for path in here.iterdir()] == ["clip.mp4"]


def test_frames_that_can_not_be_decoded_are_counted(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from affectkit.magnification import Magnified

    made = Magnified(path=Path("out.mp4"), frames=9, skipped=2, seconds=1.0)
    monkeypatch.setattr("affectkit.magnification.magnify", lambda *args, **options: made)
    code, out, _ = run(capsys, "magnify", clip)
    assert (code, out.splitlines()[-1]) == (0, "2 frames can't be decoded; the picture before each stays")
