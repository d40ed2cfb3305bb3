"""Bad input at the level of `analyze` and the command line: a clear error, and nothing is lost."""

from __future__ import annotations

import errno
import functools
import itertools
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.analysis import analyze
from affectkit.configs import Frames, Windows
from affectkit.errors import InputError
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.model import Model
from affectkit.results.places import is_unfinished
from affectkit.results.reading import Results, read_results
from affectkit.results.writer import ResultWriter
from affectkit.video.reader import SkippedFrame, TruncatedWarning, read_frames
from affectkit.video.truncation import missing_bytes
from tests.brightness import BrightFacesConfig, LengthConfig, pipeline, registry
from tests.cli_runs import run
from tests.clips import cut, damage, encode, encode_with, gray_frames, moving_frames, remux, write_levels, write_sound
from tests.spotting import registry as spot_registry, spot_bright

pytestmark = pytest.mark.usefixtures("offline")
NAMES = registry()
FULL = "No space left on device"


@pytest.fixture
def model() -> Model:
    """Gives each frame's brightness; the whole frame is a face."""
    return pipeline(Frames()).build(registry=NAMES)


def score(path: Path, model: Model, **options: Any) -> Results:
    return analyze(path, model, registry=NAMES, **options)


def message(path: Path, model: Model, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        score(path, model, **options)
    return str(caught.value)


# Files that hold no video.


def missing(folder: Path) -> tuple[str, str]:
    return "nowhere.mp4", "no such file; check the path"


def empty(folder: Path) -> tuple[str, str]:
    (folder / "empty.mp4").touch()
    return "empty.mp4", "is empty; give a video file"


def words(folder: Path) -> tuple[str, str]:
    (folder / "words.mp4").write_text("these are words\n" * 40)
    return "words.mp4", "is no video (Invalid data found when processing input); give a file that FFmpeg reads"


def sound(folder: Path) -> tuple[str, str]:
    write_sound(folder / "sound.m4a")
    return "sound.m4a", "has no video stream, only audio; give a video file"


def no_length(folder: Path) -> tuple[str, str]:
    with av.open(str(folder / "none.avi"), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        output.start_encoding()
    return "none.avi", "holds no picture; give a video with frames"


def without_index(folder: Path) -> tuple[str, str]:
    path = cut(encode_with(folder / "whole.mp4", moving_frames(20)), 0.6)
    lost = missing_bytes(path)
    fact = f"is cut off: {lost} bytes are missing, and with them what is needed to read the rest"
    return "cut.mp4", f"{fact}; copy it again"


def undecodable(folder: Path) -> tuple[str, str]:
    damage(encode_with(folder / "whole.mp4", moving_frames(3), codec="mpeg4"), 0, 1, 2)
    fact = "none of its 3 frames can be decoded (Invalid data found when processing input)"
    return "damaged.mp4", f"{fact}; it is damaged, copy it again"


@pytest.mark.parametrize("make", [missing, empty, words, sound, no_length, without_index, undecodable])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_no_video(
    capsys: pytest.CaptureFixture[str],
    here: Path,
    model: Model,
    make: Callable[[Path], tuple[str, str]],
    ending: str,
) -> None:
    name, fact = make(here)
    before = sorted(path.name for path in here.iterdir())
    assert message(Path(name), model) == f"{name}: {fact}"
    assert message(Path(name), model, out=f"rows.{ending}") == f"{name}: {fact}"
    given = ["analyze", name, "--pipeline", "motion-events", "--faces", "whole-frame", "--out", f"rows.{ending}"]
    assert run(capsys, *given) == (1, "", f"error: {name}: {fact}\n")
    assert sorted(path.name for path in here.iterdir()) == before


# Videos that hold less than they should.


def test_a_cut_video_with_its_index(tmp_path: Path, model: Model) -> None:
    whole = encode_with(tmp_path / "whole.mp4", moving_frames(30), options={"bf": "0"})
    path = cut(remux(whole, tmp_path / "quick.mp4", options={"movflags": "+faststart"}), 0.6)
    with pytest.warns(TruncatedWarning) as caught:
        results = score(path, model, out=tmp_path / "rows.csv")
    assert [str(item.message) for item in caught] == [
        f"{path}: is cut off after {len(results)} frames: "
        f"{(tmp_path / 'quick.mp4').stat().st_size - path.stat().st_size} bytes are missing; copy it again"
    ]
    assert [row.frame for row in results] == list(range(len(results)))
    assert 8 < [row.status for row in results].count("ok") < 30


@pytest.mark.parametrize("sampling", [Frames(), Windows()])
def test_a_video_of_one_frame(tmp_path: Path, sampling: Frames | Windows) -> None:
    path = write_levels(tmp_path / "one.mp4", [100])
    (row,) = score(path, pipeline(sampling).build(registry=NAMES), out=tmp_path / "rows.parquet")
    assert (row.frame, row.pts, row.track, row.status) == (0, 0.0, 0, "ok")
    assert row.predictions["face.brightness"] * 255 == pytest.approx(100, abs=3)


def test_motion_in_a_video_of_one_frame(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "one.mp4", [100])
    results = analyze(path, "affectkit/motion-events", faces="whole-frame", out=tmp_path / "rows.csv")
    assert [row.status for row in results] == ["ok"]
    assert results.events == ()


@pytest.mark.parametrize("sampling", [Frames(), Windows(seconds=0.4, hop_seconds=0.2)])
def test_a_damaged_packet_in_the_middle(tmp_path: Path, sampling: Frames | Windows) -> None:
    whole = encode_with(tmp_path / "whole.mp4", moving_frames(30), codec="mpeg4", options={"g": "12", "bf": "0"})
    path = damage(whole, 5, noise=True)
    skipped = {frame.index for frame in read_frames(path) if isinstance(frame, SkippedFrame)}
    # up to the next keyframe
    assert skipped == set(range(5, 12))
    model = pipeline(sampling).build(registry=NAMES)
    expected = list(score(whole, model))
    results = score(path, model, out=tmp_path / "rows.csv", batch_size=4)
    assert len(results) == 30
    for row, other in zip(results, expected, strict=True):
        assert (row.frame, row.pts) == (other.frame, other.pts)
        if row.frame in skipped:
            assert (row.status, row.track, row.left, row.confidence, row.predictions) == (
                "skipped",
                None,
                None,
                None,
                {},
            )
        else:
            # after the gap the picture is another one, and it may count as another face
            assert row.track is not None
            assert replace(row, track=0) == other


def test_a_damaged_frame_ends_no_event_of_a_face_that_is_seen_again(tmp_path: Path) -> None:
    levels = [200 if 8 <= i < 20 else 20 for i in range(40)]
    whole = encode_with(tmp_path / "whole.avi", gray_frames(levels), codec="mjpeg", pix_fmt="yuvj420p")
    path = damage(whole, 12)
    results = analyze(path, spot_bright(), registry=spot_registry(), faces="whole-frame")
    assert [row.frame for row in results if row.status == "skipped"] == [12]
    (event,) = results.events
    assert (event.onset_frame, event.offset_frame) == (8, 19)


def test_time_that_jumps_backwards(capsys: pytest.CaptureFixture[str], here: Path, model: Model) -> None:
    once = encode(here / "once.ts", gray_frames([10, 20, 30]), container="mpegts")
    Path("twice.ts").write_bytes(once.read_bytes() * 2)
    text = (
        "twice.ts: frame 3 is at 0.000 s, the one before it at 0.080 s; time runs backwards there: "
        "cut the file at that frame"
    )
    with pytest.raises(InputError) as caught:
        score(Path("twice.ts"), model, out="rows.csv", batch_size=1)
    assert str(caught.value) == text
    note = (
        "3 rows were written before that; they are in rows.csv.parts, "
        "and the same command with --resume (in Python resume=True) goes on there"
    )
    assert caught.value.__notes__ == [note]
    assert [row.frame for row in read_results("rows.csv")] == [0, 1, 2]
    given = ["analyze", "twice.ts", "--pipeline", "motion-events", "--faces", "whole-frame", "--out", "other.csv"]
    assert run(capsys, *given) == (1, "", f"error: {text}\n{note.replace('rows.csv', 'other.csv')}\n")


@pytest.mark.parametrize("batch_size", [1, 100])
def test_what_was_read_before_an_error_is_in_the_table(
    here: Path, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    """A folder on a network that is gone for a while: what is scored in a hurry is scored again when it is back."""
    path = encode_with(here / "clip.mp4", moving_frames(40))
    model = pipeline(Windows(seconds=0.5, hop_seconds=0.3), temporal=LengthConfig()).build(registry=NAMES)
    whole = list(score(path, model))

    def broken(*args: Any, **options: Any) -> Iterator[Any]:
        yield from itertools.islice(read_frames(*args, **options), 25)
        raise InputError("clip.mp4: can't be read to its end (Input/output error); copy it again")

    with monkeypatch.context() as patch:
        patch.setattr("affectkit.video.footage.read_frames", broken)
        assert message(path, model, out="rows.csv", batch_size=batch_size) == (
            "clip.mp4: can't be read to its end (Input/output error); copy it again"
        )
    left = read_results("rows.csv")
    assert [row.frame for row in left] == list(range(25))
    assert all(row.predictions for row in left)
    assert list(score(path, model, out="rows.csv", batch_size=batch_size, resume=True)) == whole


# Pictures and turned videos.


def face_picture(shared: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(shared / "media" / "single_face.jpg"))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    # Tag 0x112 of the first directory, in a little-endian TIFF header.
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + jpeg[2:]


def write_picture(path: Path, picture: NDArray[np.uint8], kind: str) -> Path:
    """A picture of a kind, upright when it is read as it says."""
    if kind == "turned":
        jpeg = cv2.imencode(".jpg", np.rot90(picture))[1].tobytes()
        path.write_bytes(with_orientation(jpeg, 6))
        return path
    if kind == "gray":
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    elif kind == "rgba":
        alpha = np.full(picture.shape[:2], 255, np.uint8)
        alpha[:4] = 0
        picture = np.dstack([picture, alpha])
    elif kind == "4k":
        large = np.full((2160, 3840, 3), 90, np.uint8)
        scaled = cv2.resize(picture, None, fx=2160 / picture.shape[0], fy=2160 / picture.shape[0])[:, :3840]
        large[:, : scaled.shape[1]] = scaled
        picture = large
    cv2.imwrite(str(path), picture)
    return path


KINDS = [("gray", "png"), ("rgba", "png"), ("turned", "jpg"), ("4k", "jpg")]


@pytest.mark.parametrize(("kind", "ending"), KINDS)
def test_pictures_of_every_kind(tmp_path: Path, kind: str, ending: str, model: Model) -> None:
    picture = gray_frames([150], (60, 80))[0]
    (row,) = score(write_picture(tmp_path / f"photo.{ending}", picture, kind), model)
    size = (3840.0, 2160.0) if kind == "4k" else (80.0, 60.0)
    assert (row.frame, row.pts, row.status, row.width, row.height) == (0, 0.0, "ok", *size)
    assert 100 < row.predictions["face.brightness"] * 255 < 165


@pytest.mark.parametrize(("kind", "ending"), KINDS)
def test_the_face_in_pictures_of_every_kind(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ending: str, model: Model
) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    picture = face_picture(shared)
    plain, changed = tmp_path / "plain.png", tmp_path / f"photo.{ending}"
    cv2.imwrite(str(plain), picture)
    (expected,) = score(plain, model, faces="yunet")
    (row,) = score(write_picture(changed, picture, kind), model, faces="yunet")
    scale = 2160 / picture.shape[0] if kind == "4k" else 1.0
    boxes = [[one.left, one.top, one.width, one.height] for one in (row, expected)]
    size = expected.width
    assert size is not None
    assert np.asarray(boxes[0], float) == pytest.approx(np.asarray(boxes[1], float) * scale, abs=0.1 * size * scale)
    assert row.status == "ok"


@pytest.mark.parametrize(("rotation", "size"), [(0, (64, 32)), (90, (32, 64)), (180, (64, 32)), (270, (32, 64))])
def test_a_turned_video(tmp_path: Path, model: Model, rotation: int, size: tuple[int, int]) -> None:
    path = encode(tmp_path / "turned.mp4", gray_frames([100, 150], (32, 64)), rotation=rotation)
    assert [(row.width, row.height) for row in score(path, model)] == [size, size]


# Faces.


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_no_face_at_all(capsys: pytest.CaptureFixture[str], here: Path, ending: str) -> None:
    write_levels(here / "dark.mp4", [20] * 12)
    out = f"rows.{ending}"
    model = pipeline(Windows(seconds=0.2, hop_seconds=0.1)).build(registry=NAMES)
    results = score(Path("dark.mp4"), model, faces=BrightFacesConfig(), out=out)
    assert [(row.frame, row.status, row.track) for row in results] == [(i, "no_face", None) for i in range(12)]
    assert results.targets == ("face.brightness",)
    assert all(row.predictions == {} for row in read_results(out))
    results.plot("timeline.png")
    Path("none.csv").write_text("frame,left,top,width,height\n")
    given = ["analyze", "dark.mp4", "--pipeline", "motion-events", "--faces", "none.csv", "--elan", "e.txt"]
    code, text, err = run(capsys, *given)
    assert (code, err) == (0, "")
    assert text.splitlines() == [
        "12 rows in dark.mp4.rows.csv, by motion-events with affectkit/given-boxes",
        "12 frames from 0.000 to 0.440 s: 0 ok, 12 no_face",
        "no events",
    ]
    assert Path("e.txt").read_text() == ""


def test_ten_faces(tmp_path: Path) -> None:
    path = encode(tmp_path / "crowd.mp4", moving_frames(8, (200, 500)))
    boxes = [(10.0 + 95 * (i % 5), 10.0 + 95 * (i // 5), 60.0, 70.0 + i) for i in range(10)]
    lines = [",".join(map(str, (frame, *box))) for frame in range(8) for box in boxes[:: -1 if frame % 2 else 1]]
    (tmp_path / "boxes.csv").write_text("\n".join(["frame,left,top,width,height", *lines]))
    model = pipeline(Windows(seconds=0.2, hop_seconds=0.1)).build(registry=NAMES)
    results = score(path, model, faces=str(tmp_path / "boxes.csv"), batch_size=3, out=tmp_path / "rows.csv")
    assert len(results) == 80
    assert all(row.status == "ok" and row.predictions for row in results)
    by_track: dict[int | None, set[float | None]] = {}
    for row in results:
        by_track.setdefault(row.track, set()).add(row.height)
    assert sorted(by_track) == list(range(10))  # type: ignore[type-var]
    assert all(len(heights) == 1 for heights in by_track.values())


@pytest.mark.parametrize(("side", "status"), [(19.0, "low_confidence"), (20.0, "ok")])
def test_a_small_face(tmp_path: Path, model: Model, side: float, status: str) -> None:
    path = write_levels(tmp_path / "clip.mp4", [100, 150])
    rows = list(score(path, model, faces=GivenBoxesConfig(box=(4.0, 4.0, side, 25.0))))
    assert [row.status for row in rows] == [status, status]
    # it is scored all the same
    assert rows[1].predictions["face.brightness"] * 255 == pytest.approx(150, abs=3)
    assert [row.track for row in rows] == [0, 0]


# Where the table goes.


def test_the_folder_is_missing(capsys: pytest.CaptureFixture[str], here: Path, model: Model) -> None:
    write_levels(here / "clip.mp4", [100])
    text = "tables/rows.csv: no folder 'tables'; create it"
    assert message(Path("clip.mp4"), model, out="tables/rows.csv") == text
    given = ["analyze", "clip.mp4", "--pipeline", "motion-events", "--out", "tables/rows.csv"]
    assert run(capsys, *given) == (1, "", f"error: {text}\n")


def test_the_folder_is_not_writable(
    capsys: pytest.CaptureFixture[str], here: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [100])

    def refuse(*args: Any, **options: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    text = "rows.csv: can't be written (Permission denied); choose another folder"
    assert message(Path("clip.mp4"), model, out="rows.csv") == text
    given = ["analyze", "clip.mp4", "--pipeline", "motion-events", "--faces", "whole-frame"]
    assert run(capsys, *given) == (1, "", f"error: clip.mp4.{text}\n")
    assert [path.name for path in here.iterdir()] == ["clip.mp4"]


class Disk:
    """A disk that is full after so many files were brought to it."""

    def __init__(self, room: int) -> None:
        self.room, self.real = room, os.replace

    def replace(self, *args: Any, **options: Any) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, FULL)
        self.real(*args, **options)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_disk_is_full_while_writing(
    capsys: pytest.CaptureFixture[str], here: Path, model: Model, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    write_levels(here / "clip.mp4", [10 * i for i in range(20)])
    monkeypatch.setattr("affectkit.analysis.ResultWriter", SmallParts)
    out = f"rows.{ending}"
    # the progress file, then two parts with the progress file after each
    disk = Disk(5)
    monkeypatch.setattr(os, "replace", disk.replace)
    text = (
        f"{out}.parts: can't be written ({FULL}); make room, then go on with --resume (in Python resume=True): "
        "8 rows are kept"
    )
    assert message(Path("clip.mp4"), model, out=out, batch_size=1) == text
    left = read_results(out)
    assert [row.frame for row in left] == list(range(8))
    assert left.info is not None
    assert not left.info.complete
    assert is_unfinished(out)
    disk.room = 10**6
    whole = score(Path("clip.mp4"), model, out=out, batch_size=1, resume=True)
    assert list(whole) == list(score(Path("clip.mp4"), model))
    disk.room = 5
    given = ["analyze", "clip.mp4", "--pipeline", "motion-events", "--faces", "whole-frame", "--out", f"cli.{ending}"]
    code, _, err = run(capsys, *given)
    assert (code, err) == (1, f"error: {text.replace(out, f'cli.{ending}')}\n")
    assert len(read_results(f"cli.{ending}")) == 8
    disk.room = 10**6
    assert run(capsys, *given, "--resume")[0] == 0
    assert len(read_results(f"cli.{ending}")) == 20


class SmallParts(ResultWriter):
    """Four rows to a part."""

    __init__ = functools.partialmethod(ResultWriter.__init__, part_rows=4)


def test_the_disk_is_full_before_anything_was_written(
    here: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [100] * 5)
    monkeypatch.setattr(os, "replace", Disk(0).replace)
    assert message(Path("clip.mp4"), model, out="rows.csv") == (
        f"rows.csv.parts: can't be written ({FULL}); choose another folder"
    )


def test_a_detector_that_is_wrong_about_a_frame(here: Path, model: Model) -> None:
    write_levels(here / "clip.mp4", [150] * 3)
    config = BrightFacesConfig(outside=True)
    assert message(Path("clip.mp4"), model, faces=config, out="rows.csv") == (
        "frame 0: the face's box (1000.0, 4.0, 24.0, 24.0) has no pixel of the 48x32 picture; mend the face detector"
    )
    assert [path.name for path in here.iterdir()] == ["clip.mp4"]
