"""A video with its table drawn into it: the same times, and everything where it belongs."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.data.patterns import write_clip
from affectkit.errors import InputError
from affectkit.results.annotate import annotate_picture, annotate_video, write_picture
from affectkit.results.info import RANDOM_WEIGHTS, RunInfo
from affectkit.results.overlay import describe, draw_overlay
from affectkit.results.reading import Results
from affectkit.results.rows import BASE_COLUMNS, EventRow, Row
from affectkit.video.reader import SkippedFrame, VideoFrame, read_frames

TIMES = [0.0, 0.04, 0.11, 0.12, 0.35, 0.4]
TARGETS = ("expression.happiness", "expression.fear", "va.valence", "va.arousal", "au.AU6", "au.AU12")
BLUE, RED, ORANGE = (0, 114, 178), (214, 40, 57), (213, 94, 0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", np.full((6, 240, 320, 3), 128, np.uint8), TIMES)


def row(frame: int, **changes: Any) -> Row:
    face = {"left": 100.0, "top": 100.0, "width": 80.0, "height": 90.0, "confidence": 0.9}
    return Row(**{"frame": frame, "pts": TIMES[frame], "track": 0, "status": "ok", **face, **changes})


def pictures(path: Path) -> list[VideoFrame]:
    return [frame for frame in read_frames(path) if isinstance(frame, VideoFrame)]


def has_box(image: NDArray[np.uint8]) -> bool:
    """Whether the left edge of the box of `row` is there, in the color of track 0."""
    edge = image[150, 96:105].astype(int)
    return bool((np.abs(edge - np.array(BLUE)).sum(axis=1) < 90).any())


def test_frames_keep_their_times(clip: Path, tmp_path: Path) -> None:
    done: list[int] = []
    out = annotate_video(clip, Results(BASE_COLUMNS, [row(0)]), tmp_path / "out.mp4", progress=done.append)
    assert [frame.pts for frame in pictures(out)] == [frame.pts for frame in pictures(clip)]
    assert done == [1, 2, 3, 4, 5, 6]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_boxes_are_on_their_frames(clip: Path, tmp_path: Path) -> None:
    found = [row(0), row(1, track=None, status="no_face", left=None, top=None), row(2), row(4)]
    out = annotate_video(clip, Results(BASE_COLUMNS, found), tmp_path / "out.mp4")
    # frame 3 has no row, and one after it has; after the last row there is nothing to show
    assert [has_box(frame.image) for frame in pictures(out)] == [True, False, True, True, True, False]


def test_events_are_there_while_they_go_on(clip: Path, tmp_path: Path) -> None:
    event = EventRow(track=0, kind="micro-expression", label="fear", onset=0.11, apex=0.2, offset=0.35)
    out = annotate_video(clip, Results(BASE_COLUMNS, [], events=[event]), tmp_path / "out.mp4")
    corners = [frame.image[-4:, :4].reshape(-1, 3).mean(axis=0) for frame in pictures(out)]
    shown = [bool(np.abs(corner - 0.75 * np.array(ORANGE) - 32).max() < 25) for corner in corners]
    assert shown == [False, False, True, True, True, False]


def test_random_weights_are_named_in_the_picture(clip: Path, tmp_path: Path) -> None:
    results = Results(BASE_COLUMNS, [], info=RunInfo(weights=(RANDOM_WEIGHTS,)))
    out = annotate_video(clip, results, tmp_path / "out.mp4")
    corner = pictures(out)[0].image[:2, 100:140].reshape(-1, 3).mean(axis=0)
    assert np.abs(corner - 0.75 * np.array(RED) - 32).max() < 25


def test_odd_sides_and_frames_that_are_left_out(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(path: object) -> list[VideoFrame | SkippedFrame]:
        image = np.zeros((33, 45, 3), np.uint8)
        return [
            VideoFrame(index=0, pts=0.0, image=image),
            SkippedFrame(index=1, pts=0.1, reason="damaged"),
            VideoFrame(index=2, pts=0.2, image=image),
            VideoFrame(index=3, pts=0.2, image=image),
        ]

    monkeypatch.setattr("affectkit.results.annotate.read_frames", frames)
    out = annotate_video(clip, Results(BASE_COLUMNS, [row(0)]), tmp_path / "out.mp4")
    found = pictures(out)
    assert [frame.image.shape for frame in found] == [(34, 46, 3)] * 3
    assert [frame.pts for frame in found] == pytest.approx([0, 0.2, 0.2], abs=0.001)


def test_labels_keep_off_each_other() -> None:
    values = {"expression.happiness": 1.0}
    place: dict[str, Any] = {"top": 150.0, "width": 25.0, "height": 40.0, "predictions": values}
    rows = [Row(frame=0, pts=0.0, track=number, status="ok", left=250.0 + 30 * number, **place) for number in range(2)]

    def marked(rows: list[Row]) -> NDArray[np.bool_]:
        """Where something is drawn, below the time."""
        image = np.full((400, 600, 3), 255, np.uint8)
        drawn: NDArray[np.bool_] = draw_overlay(image, 0.0, rows, (), tuple(values)).min(axis=-1) < 250
        return drawn[40:]

    first, second = (marked([row]) for row in rows)
    # each alone would be above its box, where the other is
    assert (first & second).sum() > 500
    assert marked(rows).sum() > 0.98 * (first.sum() + second.sum())


def test_what_is_written_at_a_face() -> None:
    predictions = dict(zip(TARGETS, (0.25, 0.75, 0.5, -0.125, 0.6, 0.7), strict=True))
    assert describe(row(0, predictions=predictions), TARGETS) == [
        "track 0",
        "fear 0.75",
        "valence +0.50  arousal -0.12",
        "AU12 AU6",
    ]
    assert describe(row(0, predictions={"au.AU6": 0.1}), TARGETS) == ["track 0", "no AU"]
    assert describe(row(0, track=None), TARGETS) == ["face"]


@pytest.mark.parametrize("box", [(-50.0, -50.0, 20.0, 20.0), (300.0, 0.0, 90.0, 400.0), (0.0, 0.0, 1e4, 1e4)])
def test_boxes_beyond_the_picture(box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    image = np.zeros((48, 64, 3), np.uint8)
    events = [EventRow(kind="blink", label="Blinzeln für länger", onset=0.0, offset=1.0)] * 9
    found = [row(0, left=left, top=top, width=width, height=height, predictions={"expression.fear": 0.5})]
    assert draw_overlay(image, 0.0, found, events, TARGETS, "a caution") is image
    assert image.any()


def test_what_can_not_be_annotated(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(BASE_COLUMNS, [])

    def message(video: Path, out: Path) -> str:
        with pytest.raises(InputError) as caught:
            annotate_video(video, results, out)
        return str(caught.value)

    out = tmp_path / "out.avi"
    assert message(clip, out) == f"{out}: ending '.avi'; write an .mp4 file"
    there = tmp_path / "there.mp4"
    there.touch()
    assert message(clip, there) == (
        f"{there}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
    there.unlink()
    out, missing = tmp_path / "out.mp4", tmp_path / "none.mp4"
    assert message(missing, out) == f"{missing}: no such file; check the path"

    def full(handle: int) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert message(clip, out) == f"{out}: can't be written (No space left on device); choose another folder"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]


@pytest.mark.parametrize("name", ["clip.mp4", "photo.png"])
def test_what_is_analyzed_is_never_replaced(clip: Path, tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((32, 32, 3), 128, np.uint8))
    source, other = tmp_path / name, tmp_path / f"other-{name}"
    other.symlink_to(source)
    before = source.read_bytes()
    work = annotate_picture if name == "photo.png" else annotate_video
    for out in (source, other):
        with pytest.raises(InputError) as caught:
            work(source, Results(BASE_COLUMNS, []), out, overwrite=True)
        assert str(caught.value) == f"{out}: is itself among what is analyzed, and would be lost; name another file"
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("width", "name", "fact"),
    [
        (65_501, "wide.jpg", "65501x2 pixels, and such a file has 65500 a side at most; name a .png file"),
        (
            1_000_001,
            "wide.png",
            "1000001x2 pixels, and such a file has 1000000 a side at most; draw on a smaller picture",
        ),
    ],
)
def test_a_picture_that_no_file_of_its_kind_holds(tmp_path: Path, width: int, name: str, fact: str) -> None:
    image = np.zeros((2, width, 3), np.uint8)
    with pytest.raises(InputError) as caught:
        write_picture(image, tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {fact}"
    write_picture(image[:, :-1], tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_picture_becomes_a_picture(tmp_path: Path) -> None:
    # an odd height: no codec is asked
    gray = np.full((241, 320, 3), 128, np.uint8)
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), gray)
    out = annotate_picture(photo, Results(BASE_COLUMNS, [row(0)]), tmp_path / "out.png")
    drawn = cv2.imread(str(out))
    assert drawn is not None
    assert drawn.shape == gray.shape
    assert has_box(drawn[..., ::-1])
    # a picture has no time to show
    assert (drawn[:40] == 128).all()
    with pytest.raises(InputError) as caught:
        annotate_picture(photo, Results(BASE_COLUMNS, []), tmp_path / "out.mp4")
    assert str(caught.value) == f"{tmp_path / 'out.mp4'}: ending '.mp4'; write a .png or .jpg file"


def test_a_real_face(shared: Path, tmp_path: Path) -> None:
    video = shared / "media" / "face_noface.mov"
    out = annotate_video(video, Results(BASE_COLUMNS, []), tmp_path / "out.mp4")
    assert [frame.pts for frame in read_frames(out)] == [frame.pts for frame in read_frames(video)]
