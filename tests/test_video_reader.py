"""Reading video: the container's times, rotation, and what is wrong with a file."""

from __future__ import annotations

import gc
import os
import re
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.video.reader import VideoFrame, probe, read_frames
from tests.clips import container_times, encode, gray_frames, write_levels, write_sound

TIMES = [0.0, 0.04, 0.11, 0.12, 0.35, 0.4]


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    return write_levels(tmp_path / "uneven.mp4", [10, 50, 90, 130, 170, 210], TIMES)


def test_frames_have_the_containers_times(uneven: Path) -> None:
    frames = list(read_frames(uneven))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.pts for frame in frames] == TIMES
    assert [round(frame.image.mean()) for frame in frames] == pytest.approx([10, 50, 90, 130, 170, 210], abs=3)
    assert frames[0].image.shape == (32, 48, 3)
    assert frames[0].image.dtype == np.uint8


@pytest.mark.parametrize("name", ["single_face.mp4", "face_noface.mov", "noface_face.mov", "no_face.mp4"])
def test_real_clips_have_the_containers_times(shared: Path, name: str) -> None:
    path = shared / "media" / name
    assert [frame.pts for frame in read_frames(path)] == container_times(path)


def test_real_clip_of_variable_rate_is_not_index_over_rate(shared: Path) -> None:
    path = shared / "media" / "face_noface.mov"
    rate = probe(path).average_fps
    assert rate is not None
    assert max(abs(frame.index / rate - frame.pts) for frame in read_frames(path)) > 0.3


def test_a_range_keeps_the_index(uneven: Path) -> None:
    assert [(f.index, f.pts) for f in read_frames(uneven, start=0.1, stop=0.4)] == [(2, 0.11), (3, 0.12), (4, 0.35)]
    assert [f.index for f in read_frames(uneven, start=0.35)] == [4, 5]
    assert [f.index for f in read_frames(uneven, stop=0.04)] == [0]


def test_a_range_that_ends_before_it_starts(uneven: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_frames(uneven, start=2.0, stop=1.5)
    assert str(caught.value) == f"{uneven}: stop 1.5 is not after start 2.0; give seconds of container time"


def corner_picture() -> NDArray[np.uint8]:
    """Gray, with the top left quarter red and the top right one blue: no two of the eight poses look alike."""
    picture = np.full((32, 64, 3), 128, np.uint8)
    picture[:16, :32], picture[:16, 32:] = (255, 0, 0), (0, 0, 255)
    return picture


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    path = encode(tmp_path / "turned.mp4", corner_picture()[None], rotation=rotation, mirrored=mirrored)
    # The angle is counter-clockwise, and the mirroring comes after it.
    expected = np.rot90(corner_picture(), rotation // 90)
    expected = expected[:, ::-1] if mirrored else expected
    (frame,) = read_frames(path)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_agrees_with_opencv(tmp_path: Path, rotation: int) -> None:
    path = encode(tmp_path / "turned.mp4", corner_picture()[None], rotation=rotation)
    capture = cv2.VideoCapture(str(path))
    _, other = capture.read()
    capture.release()
    (frame,) = read_frames(path)
    assert np.abs(frame.image.astype(int) - other[..., ::-1]).mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_photo_is_applied(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.jpg"
    # Tag 0x112 of the first directory, in a little-endian TIFF header.
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    jpeg = cv2.imencode(".jpg", corner_picture()[..., ::-1])[1].tobytes()
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + jpeg[2:])
    (frame,) = read_frames(path)
    other = cv2.imread(str(path))
    assert other is not None
    assert (frame.index, frame.pts, frame.image.shape) == (0, 0.0, other.shape)
    assert np.abs(frame.image.astype(int) - other[..., ::-1]).mean() < 8


@pytest.mark.parametrize("name", ["single_face.jpg", "multi_face.jpg"])
def test_a_photo_with_what_pyav_does_not_know(shared: Path, name: str) -> None:
    (frame,) = read_frames(shared / "media" / name)
    assert frame.pts == 0.0


def test_a_turn_that_is_no_quarter(tmp_path: Path) -> None:
    path = encode(tmp_path / "slanted.mp4", corner_picture()[None], rotation=45)
    with pytest.raises(InputError) as caught:
        list(read_frames(path))
    assert str(caught.value) == f"{path}: its pictures are to be turned by no quarter turns; re-encode it upright"


def test_probe(uneven: Path) -> None:
    info = probe(uneven)
    assert (info.width, info.height, info.frames) == (48, 32, 6)
    assert info.duration == pytest.approx(0.44)
    assert info.average_fps == pytest.approx(6 / 0.44)


def test_probe_says_none_where_the_container_does(tmp_path: Path) -> None:
    info = probe(encode(tmp_path / "raw.h264", gray_frames([10, 20]), container="h264"))
    assert (info.frames, info.duration) == (None, None)


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.mp4"
    assert message(path) == f"{path}: no such file; check the path"


def test_a_folder(tmp_path: Path) -> None:
    assert message(tmp_path) == f"{tmp_path}: is a folder; give a video file"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert message(path) == f"{path}: is empty; give a video file"


def test_no_video(tmp_path: Path) -> None:
    path = tmp_path / "words.mp4"
    path.write_text("these are words\n" * 40)
    assert message(path) == (
        f"{path}: is no video (Invalid data found when processing input); give a file that FFmpeg reads"
    )


def test_sound_only(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound.m4a")
    assert message(path) == f"{path}: has no video stream, only audio; give a video file"
    with pytest.raises(InputError, match=re.escape("has no video stream")):
        probe(path)


def test_frames_without_timestamps(tmp_path: Path) -> None:
    path = encode(tmp_path / "raw.h264", gray_frames([10, 20, 30]), container="h264")
    assert message(path) == (f"{path}: frame 0 has no timestamp; put the stream into a container that has, such as mp4")


def test_time_that_runs_backwards(tmp_path: Path) -> None:
    once = encode(tmp_path / "once.ts", gray_frames([10, 20, 30]), container="mpegts")
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)
    assert message(twice) == (
        f"{twice}: frame 3 is at 0.000 s, the one before it at 0.080 s; time runs backwards there: "
        "cut the file at that frame"
    )


def test_time_that_runs_backwards_in_avi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.video import reader

    path = encode(tmp_path / "clip.avi", gray_frames([10, 20, 30]))
    decoded = reader._decoded
    monkeypatch.setattr(reader, "_decoded", lambda *args: reversed(list(decoded(*args))))
    assert message(path) == (
        f"{path}: frame 1 is at 0.080 s, the one before it at 0.120 s; time runs backwards there: "
        "re-encode it, for example to mp4"
    )


def test_a_file_without_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uneven: Path) -> None:
    monkeypatch.setattr("affectkit.video.reader._decoded", lambda path, container, stream: iter(()))
    assert message(uneven) == f"{uneven}: holds no picture; give a video with frames"


def test_a_decoder_that_fails(monkeypatch: pytest.MonkeyPatch, uneven: Path) -> None:
    class Broken:
        def __init__(self, container: object) -> None:
            self.frames = container.decode(video=0)  # type: ignore[attr-defined]

        def decode(self, stream: object) -> Broken:
            return self

        def __next__(self) -> object:
            frame = next(self.frames)
            if frame.pts:
                raise av.error.InvalidDataError(1094995529, "Invalid data found when processing input")
            return frame

    from affectkit.video import reader

    decoded = reader._decoded
    monkeypatch.setattr(reader, "_decoded", lambda path, container, stream: decoded(path, Broken(container), stream))
    assert message(uneven) == (
        f"{uneven}: can't be decoded after 1 frames (Invalid data found when processing input); "
        "the file is damaged there, cut or repair it"
    )


def test_the_file_is_closed_with_the_generator(uneven: Path) -> None:
    def open_files() -> list[str]:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return [os.readlink(link) for link in links if os.path.islink(link)]

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files are listed on Linux only")
    frames = read_frames(uneven)
    next(frames)
    assert str(uneven) in open_files()
    assert not isinstance(frames, list)
    frames.close()  # type: ignore[attr-defined]
    gc.collect()
    assert str(uneven) not in open_files()


def test_frames_are_read_one_at_a_time(uneven: Path) -> None:
    frames = read_frames(uneven)
    first = next(frames)
    assert isinstance(first, VideoFrame)
    assert first.index == 0
    assert next(frames).index == 1


def message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_frames(path))
    return str(caught.value)
