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
from affectkit.video.reader import SkippedFrame, VideoFrame, probe, read_frames
from tests.clips import (
    coded_packets,
    container_times,
    encode,
    encode_with,
    gray_frames,
    moving_frames,
    write_levels,
    write_sound,
)

TIMES = [0.0, 0.04, 0.11, 0.12, 0.35, 0.4]


def pictures(path: Path) -> list[VideoFrame]:
    """The frames of a video that is whole."""
    frames = [frame for frame in read_frames(path) if isinstance(frame, VideoFrame)]
    assert [frame.index for frame in frames] == list(range(len(frames)))
    return frames


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    return write_levels(tmp_path / "uneven.mp4", [10, 50, 90, 130, 170, 210], TIMES)


def test_frames_have_the_containers_times(uneven: Path) -> None:
    frames = pictures(uneven)
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


@pytest.mark.parametrize("name", ["start", "stop"])
def test_a_time_that_is_no_number(name: str, uneven: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_frames(uneven, **{name: float("nan")})
    assert str(caught.value) == f"{uneven}: {name} nan is no time; give seconds of container time"


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
    (frame,) = pictures(path)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 12


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_agrees_with_opencv(tmp_path: Path, rotation: int) -> None:
    path = encode(tmp_path / "turned.mp4", corner_picture()[None], rotation=rotation)
    capture = cv2.VideoCapture(str(path))
    _, other = capture.read()
    capture.release()
    (frame,) = pictures(path)
    assert np.abs(frame.image.astype(int) - other[..., ::-1]).mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_photo_is_applied(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.jpg"
    # Tag 0x112 of the first directory, in a little-endian TIFF header.
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    jpeg = cv2.imencode(".jpg", corner_picture()[..., ::-1])[1].tobytes()
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + jpeg[2:])
    (frame,) = pictures(path)
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


def test_what_comes_before_the_jump_is_given(tmp_path: Path) -> None:
    once = encode_with(tmp_path / "once.ts", moving_frames(12))
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)
    given: list[VideoFrame | SkippedFrame] = []
    with pytest.raises(InputError, match="frame 12 is at"):
        given.extend(read_frames(twice))
    assert [(frame.index, frame.pts) for frame in given] == [(frame.index, frame.pts) for frame in read_frames(once)]
    # the two before the seam: there the container takes the second half's first packet for one that misses data
    assert all(isinstance(frame, VideoFrame) for frame in given[:10])


def test_time_that_runs_backwards_in_avi(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "clip.avi", moving_frames(8), options={"bf": "2", "b-adapt": "0"})
    assert message(path) == (
        f"{path}: frame 3 is at 0.080 s, the one before it at 0.160 s; time runs backwards there: "
        "re-encode it, for example to mp4"
    )


def test_equal_times_are_both_given(tmp_path: Path) -> None:
    source = encode_with(tmp_path / "once.mkv", moving_frames(4), codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "equal.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        copy = output.add_stream_from_template(given.streams.video[0])
        for packet, ticks in zip(coded_packets(source), (0, 40, 40, 80), strict=True):
            packet.pts = packet.dts = ticks
            packet.stream = copy
            output.mux(packet)
    assert [(frame.index, frame.pts) for frame in read_frames(path)] == [(0, 0.0), (1, 0.04), (2, 0.04), (3, 0.08)]


def test_a_file_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "none.avi"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        output.start_encoding()
    assert message(path) == f"{path}: holds no picture; give a video with frames"


def test_a_video_of_one_frame(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "one.mp4", moving_frames(1))
    (frame,) = pictures(path)
    assert (frame.index, frame.pts) == (0, 0.0)


def test_a_video_without_a_decoder(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "clip.avi", moving_frames(2), codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZZZ").replace(b"mp4v", b"ZZZZ"))
    expected = f"{path}: no decoder is here for its kind of video; re-encode it, for example to mp4"
    assert message(path) == expected
    with pytest.raises(InputError) as caught:
        probe(path)
    assert str(caught.value) == expected


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "0001.PNG").touch()
    assert message(tmp_path) == (
        f"{tmp_path}: is a folder of pictures, which have no times; make a video of them, for example with ffmpeg, "
        "or pass the pictures and their times to array_frames"
    )


def test_a_colon_in_the_name(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "clip.mp4", moving_frames(2))
    renamed = path.rename(tmp_path / "10:30.mp4")
    assert len(list(read_frames(renamed))) == 2


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


def test_frames_do_not_wait_for_the_garbage_collector(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "clip.mp4", moving_frames(40))

    def alive() -> int:
        return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    before = alive()
    try:
        assert sum(1 for _ in read_frames(path)) == 40
        # the first one, whose side data was looked at
        assert alive() <= before + 1
    finally:
        gc.enable()


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
