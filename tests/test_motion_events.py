"""`motion-events`: what it finds in synthetic clips of train seeds, whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affectkit.analysis import analyze
from affectkit.data.synthetic import BENCH_V1, render_clip
from affectkit.errors import ConfigError, StreamError
from affectkit.metrics.spotting import interval_iou
from affectkit.results.rows import EventRow
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit.streams import FrameStream

EASY = replace(BENCH_V1, seconds=3.0, events=(1, 1), without_event=0.0, micro=1.0, peak=(1.5, 2.0), occluded_clips=0.0)


def spot(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch, shared: Path, **changes: Any) -> Any:
    """The clip, and the events that are found in it."""
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    clip = render_clip(seed, replace(EASY, **changes), fps=60.0, split="train")
    results = analyze(clip.write(folder / "clip.mp4"), "affectkit/motion-events", faces="yunet")
    assert len(results) == len(clip)
    return clip, results.events


def test_a_micro_expression_and_a_blink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    clip, found = spot(2, tmp_path, monkeypatch, shared)
    assert sorted(event.kind for event in found) == ["blink", "micro-expression"]
    for event in clip.truth.events:
        (match,) = [other for other in found if other.kind == event.kind]
        true, own = ((item.onset_frame or 0, item.offset_frame or 0) for item in (event, match))
        assert interval_iou(own, true) >= 0.5
        assert match.apex == pytest.approx(event.apex, abs=0.06)
        assert 0 < (match.confidence or 0) < 1
        assert match.onset < match.apex < match.offset


def test_a_still_face_has_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    found: tuple[EventRow, ...]
    _, found = spot(3, tmp_path, monkeypatch, shared, without_event=1.0, blink_every=None)
    assert found == ()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"threshold": 0.0}, "threshold: 0.0 is not positive; write more than 0"),
        (
            {"min_seconds": 4.0},
            "max_seconds: max_seconds 4.0 is not above min_seconds 4.0; write the longest event, such as 4.0",
        ),
    ],
)
def test_fields_that_are_refused(fields: dict[str, float], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MotionEventsConfig(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"alignment": "none"},
            "alignment 'none' is not accepted; "
            "write 'steady': one cut per track, so that what moves is the face",
        ),
        ({"steps": ("onset", "apex")}, "steps ('onset', 'apex') are not accepted; give a window of any T"),
        ({"height": 64}, "height 64 is too small; give frames of at least 96 pixels"),
    ],
)  # fmt: skip
def test_streams_that_are_refused(changes: dict[str, Any], text: str) -> None:
    stream = replace(FrameStream(height=160, width=160, alignment="steady"), **changes)
    with pytest.raises(StreamError) as caught:
        MotionEventsConfig().check_input(stream)
    assert str(caught.value) == text
