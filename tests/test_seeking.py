"""Ranges and rates: what is given is a part of what reading the whole file gives, and costs less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.video import opening, reader
from affectkit.video.decoding import Decoder
from affectkit.video.rate import Ticks
from affectkit.video.reader import SkippedFrame, VideoFrame, read_frames
from affectkit.video.seeking import AstrayError, find_entry, packets_from
from tests.clips import coded_packets, damage, encode, encode_with, gray_frames, moving_frames, remux

UNEVEN = [0, 1, 2, 5, 6, 7, 8, 12, *range(20, 26), *range(30, 35), 40, 41, 42, *range(44, 51), 60]
AT_10_FPS = [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28]
B_FRAMES = {"g": "10", "bf": "3", "b-adapt": "0"}


def reference_clips(folder: Path) -> dict[str, Path]:
    """Clips of 30 frames by what is special about them."""
    frames = moving_frames(30)
    plain = encode_with(folder / "plain.mp4", frames, options=B_FRAMES)
    return {
        "b-frames": plain,
        "open groups": encode_with(
            folder / "open.mp4", frames, options={"x264-params": "keyint=10:open-gop=1:scenecut=0:bframes=3"}
        ),
        "variable rate": encode_with(folder / "uneven.mp4", frames, options=B_FRAMES, ticks=UNEVEN),
        "one group": encode_with(folder / "long.mp4", frames, options={"g": "300"}),
        # the packets of its first frames have times below 0 and are to be decoded and not shown
        "edit list": remux(plain, folder / "edited.mp4", shift=-2560, options={"avoid_negative_ts": "disabled"}),
        "late first time": remux(plain, folder / "late.mp4", shift=51200),
        "matroska": encode_with(folder / "plain.mkv", frames, options=B_FRAMES),
        "transport stream": encode_with(folder / "plain.ts", frames, options=B_FRAMES),
        "vp9": encode_with(folder / "plain.webm", frames, codec="libvpx-vp9", options={"g": "10"}),
        "hevc": encode_with(
            folder / "hevc.mp4", frames, codec="libx265", options={"x265-params": "keyint=10:log-level=none"}
        ),
        "avi": encode_with(folder / "plain.avi", frames, codec="mpeg4", options={"g": "10"}),
        "gif": encode_with(folder / "plain.gif", frames, codec="gif", pix_fmt="rgb8"),
    }


KINDS = [
    "b-frames",
    "open groups",
    "variable rate",
    "one group",
    "edit list",
    "late first time",
    "matroska",
    "transport stream",
    "vp9",
    "hevc",
    "avi",
    "gif",
]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return reference_clips(tmp_path_factory.mktemp("clips"))


def same(given: list[Any], expected: list[Any]) -> bool:
    places = [(frame.index, frame.pts, getattr(frame, "reason", "")) for frame in given]
    if places != [(frame.index, frame.pts, getattr(frame, "reason", "")) for frame in expected]:
        return False
    pairs = zip(given, expected, strict=True)
    return all(np.array_equal(a.image, b.image) for a, b in pairs if isinstance(a, VideoFrame))


@pytest.mark.parametrize("kind", KINDS)
def test_a_range_is_a_part_of_the_whole(clips: dict[str, Path], kind: str) -> None:
    path = clips[kind]
    whole = list(read_frames(path))
    assert len(whole) == (30 if kind != "edit list" else len(whole)) > 15
    first, last = whole[0].pts, whole[-1].pts
    for start in (first - 1, whole[3].pts, whole[11].pts - 0.003, whole[13].pts, last, last + 1):
        given = list(read_frames(path, start=start, stop=start + 0.5))
        assert same(given, [frame for frame in whole if start <= frame.pts < start + 0.5]), start


def test_first_times_that_are_not_zero(clips: dict[str, Path]) -> None:
    first = {kind: next(read_frames(clips[kind])) for kind in ("b-frames", "edit list", "late first time")}
    assert [(frame.index, frame.pts) for frame in first.values()] == [(0, 0.0), (0, 0.0), (0, 4.0)]
    cut_away = [packet for packet in coded_packets(clips["edit list"]) if packet.is_discard]
    assert min(packet.pts for packet in cut_away) < 0
    assert len(list(read_frames(clips["edit list"]))) == 30 - len(cut_away)


@pytest.mark.parametrize("name", ["face_noface.mov", "no_face.mp4"])
def test_ranges_of_real_clips(shared: Path, name: str) -> None:
    path = shared / "media" / name
    whole = list(read_frames(path, stop=2.2))
    assert same(list(read_frames(path, start=1.7, stop=2.2)), [frame for frame in whole if frame.pts >= 1.7])


def test_what_lies_before_the_range_is_not_decoded(clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    send = Decoder.send

    def count(self: Decoder, packet: Any) -> Any:
        sent.append(packet)
        return send(self, packet)

    monkeypatch.setattr(Decoder, "send", count)
    for kind in ("b-frames", "matroska", "transport stream", "vp9"):
        sent.clear()
        assert [frame.index for frame in read_frames(clips[kind], start=27.5 / 25)] in ([28, 29], [26, 27, 28, 29])
        assert len(sent) <= 13, kind


def test_range_and_damage(clips: dict[str, Path], tmp_path: Path) -> None:
    path = encode_with(tmp_path / "clip.mp4", moving_frames(30), options=B_FRAMES)
    path = damage(path, 3, 14)
    whole = list(read_frames(path))
    assert {frame.index for frame in whole if isinstance(frame, SkippedFrame)}
    for first in range(30):
        assert same(list(read_frames(path, start=whole[first].pts)), whole[first:]), first


def test_range_and_several_threads(clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = damage(clips["b-frames"], 24)
    whole = list(read_frames(path))
    monkeypatch.setattr(opening, "MANY_PIXELS", 0)
    assert same(list(read_frames(path)), whole)
    assert same(list(read_frames(path, start=0.5)), [frame for frame in whole if frame.pts >= 0.5])


def test_where_packets_do_not_tell(tmp_path: Path, clips: dict[str, Path]) -> None:
    assert find_entry(clips["avi"], 0.5) is None
    assert find_entry(clips["b-frames"], -1.0) is None
    once = encode_with(tmp_path / "once.ts", moving_frames(6))
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)
    assert find_entry(twice, 5.0) is None
    with pytest.raises(InputError, match="time runs backwards"):
        list(read_frames(twice, start=5.0))
    assert find_entry(encode(tmp_path / "raw.h264", gray_frames([10, 20]), container="h264"), 0.04) is None


def test_a_container_that_can_not_seek(clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = clips["b-frames"]
    expected = list(read_frames(path, start=0.9))

    def fail(*given: Any) -> Any:
        raise AstrayError
        yield

    monkeypatch.setattr(reader, "packets_from", fail)
    assert same(list(read_frames(path, start=0.9)), expected)


def test_what_makes_a_seek_fail(clips: dict[str, Path]) -> None:
    class Container:
        def __init__(self, *packets: Any) -> None:
            self.packets = packets

        def seek(self, at: int, *, stream: Any) -> None:
            if not self.packets:
                raise av.error.PermissionError(1, "Operation not permitted")

        def demux(self, stream: Any) -> Any:
            return iter(self.packets)

    entry = find_entry(clips["b-frames"], 0.9)
    assert entry is not None
    with av.open(str(clips["b-frames"])) as container:
        late = list(container.demux(video=0))[-2]
    for fake in (Container(), Container(late)):
        with pytest.raises(AstrayError):
            list(packets_from(fake, None, entry))


def test_a_survey_that_fails(clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> Any:
        raise av.error.InvalidDataError(1, "bad")

    monkeypatch.setattr("affectkit.video.seeking._surveyed", fail)
    assert find_entry(clips["b-frames"], 0.5) is None


def times_at(path: Path, fps: float, **range_: float) -> list[tuple[int, float]]:
    return [(frame.index, frame.pts) for frame in read_frames(path, fps=fps, **range_)]


def test_a_lower_rate_takes_the_first_frame_at_or_after_each_tick(clips: dict[str, Path]) -> None:
    assert [index for index, _ in times_at(clips["b-frames"], 10)] == AT_10_FPS
    assert [index for index, _ in times_at(clips["late first time"], 10)] == [
        0,
        3,
        5,
        8,
        10,
        13,
        15,
        18,
        20,
        23,
        25,
        28,
    ]
    # in 1/25 s, with a tick every 10
    ticks = [index for index, _ in times_at(clips["variable rate"], 2.5)]
    assert [UNEVEN[index] for index in ticks] == [0, 12, 20, 30, 40, 50, 60]


def test_a_higher_rate_gives_every_frame_once(clips: dict[str, Path]) -> None:
    for kind, fps in (("b-frames", 25), ("b-frames", 30), ("b-frames", 1000), ("variable rate", 25), ("matroska", 25)):
        assert [index for index, _ in times_at(clips[kind], fps)] == list(range(30)), kind


@pytest.mark.parametrize("kind", ["b-frames", "variable rate", "avi"])
@pytest.mark.parametrize("fps", [3.0, 10.0, 24.9])
def test_a_range_has_the_ticks_of_the_whole(clips: dict[str, Path], kind: str, fps: float) -> None:
    whole = times_at(clips[kind], fps)
    for start in (0.0, 0.2, 0.21, 0.5, 0.83):
        expected = [(index, pts) for index, pts in whole if start <= pts < start + 0.4]
        assert times_at(clips[kind], fps, start=start, stop=start + 0.4) == expected


def test_rounded_times_lose_no_frame() -> None:
    ticks = Ticks(30)
    assert all(ticks.takes(round(index / 30, 3)) for index in range(300))


def test_a_frame_well_before_a_tick_is_not_at_it() -> None:
    ticks = Ticks(10)
    assert [ticks.takes(pts) for pts in (0.0, 0.05, 0.098, 0.12, 0.199, 0.21, 0.5)] == [
        True,
        False,
        False,
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("fps", [0, -5.0, float("nan"), float("inf")])
def test_a_rate_that_is_none(clips: dict[str, Path], fps: float) -> None:
    with pytest.raises(InputError) as caught:
        read_frames(clips["b-frames"], fps=fps)
    assert str(caught.value) == f"fps: {fps!r} is not accepted; give a positive number of frames per second"
