"""Damaged and cut video: every frame of the file is a picture that can be trusted or a mark, in its place."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.video import opening
from affectkit.video.decoding import CONCEALED, INCOMPLETE, NOTHING, PREDICTED, Decoder
from affectkit.video.packets import holds_frame, is_disposable
from affectkit.video.reader import SkippedFrame, TruncatedWarning, VideoFrame, read_frames
from affectkit.video.truncation import missing_bytes
from tests.clips import coded_packets, cut, damage, encode_with, moving_frames, remux

INVALID = "can't be decoded (Invalid data found when processing input)"
# one slice group of I P P B B..., keyframes every 12
OPTIONS = {"g": "12", "crf": "20", "bf": "2", "b-adapt": "0", "x264-params": "b-pyramid=none:scenecut=0"}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """30 frames, in the order of decoding 0, 3, 1, 2, 6, 4, 5, ...; keyframes 0, 12 and 24."""
    return encode_with(tmp_path / "whole.mp4", moving_frames(30), options=OPTIONS)


def reasons(path: Path, **given: Any) -> dict[int, str]:
    return {frame.index: frame.reason for frame in read_frames(path, **given) if isinstance(frame, SkippedFrame)}


def check_against(path: Path, whole: Path) -> None:
    """Every frame has its place and time, and those that are given are those of the whole file."""
    expected, given = list(read_frames(whole)), list(read_frames(path))
    assert [(frame.index, frame.pts) for frame in given] == [(frame.index, frame.pts) for frame in expected]
    for frame, original in zip(given, expected, strict=True):
        if isinstance(frame, VideoFrame) and isinstance(original, VideoFrame):
            assert np.array_equal(frame.image, original.image), frame.index


def number_of(path: Path, index: int) -> int:
    """The place in the order of decoding of a frame in the order of presentation."""
    times = [packet.pts for packet in coded_packets(path)]
    return times.index(sorted(times)[index])


def test_a_frame_that_none_refers_to(whole: Path) -> None:
    path = damage(whole, number_of(whole, 4))
    # zeros hide whether others refer to it, so those up to the keyframe are doubtful
    assert reasons(path)[4] == INVALID
    check_against(path, whole)
    data = bytearray(whole.read_bytes())
    packet = coded_packets(whole)[number_of(whole, 4)]
    # behind the header of its one slice
    data[packet.pos + 6 : packet.pos + packet.size] = b"\xff" * (packet.size - 6)
    path.write_bytes(data)
    assert set(reasons(path)) == {4}
    check_against(path, whole)


def test_a_frame_that_others_refer_to(whole: Path) -> None:
    path = damage(whole, number_of(whole, 6))
    # 4 and 5 are shown before 6 and decoded after it
    assert reasons(path) == {4: PREDICTED, 5: PREDICTED, 6: INVALID} | dict.fromkeys(range(7, 12), PREDICTED)
    check_against(path, whole)


def test_a_damaged_keyframe(whole: Path) -> None:
    path = damage(whole, number_of(whole, 12))
    found = reasons(path)
    assert found[12] == INVALID
    assert set(found) == set(range(12, 24))
    check_against(path, whole)


def test_the_last_frame(whole: Path) -> None:
    path = damage(whole, len(coded_packets(whole)) - 1)
    assert len(list(read_frames(path))) == 30
    check_against(path, whole)


def test_guesses_of_the_decoder_are_not_given(tmp_path: Path) -> None:
    whole = encode_with(tmp_path / "whole.mp4", moving_frames(30), codec="mpeg4", options={"g": "12", "bf": "0"})
    path = damage(whole, 5, noise=True)
    assert reasons(path) == {5: CONCEALED} | dict.fromkeys(range(6, 12), PREDICTED)
    check_against(path, whole)


def test_frames_that_stand_alone(tmp_path: Path) -> None:
    whole = encode_with(tmp_path / "whole.avi", moving_frames(9), codec="mjpeg", pix_fmt="yuvj420p")
    path = damage(whole, 3, 6)
    assert reasons(path) == {3: INVALID, 6: INVALID}
    check_against(path, whole)


@pytest.mark.parametrize("number", [0, 4, 17, 29])
@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libvpx-vp9"])
def test_every_packet_is_accounted_for(tmp_path: Path, codec: str, noise: bool, number: int) -> None:
    whole = encode_with(tmp_path / "whole.mp4", moving_frames(30), codec=codec, options={"g": "12"})
    given = list(read_frames(damage(whole, number, noise=noise)))
    expected = [(frame.index, frame.pts) for frame in read_frames(whole)]
    assert [(frame.index, frame.pts) for frame in given] == expected
    assert len(given) == len(coded_packets(whole)) == 30


@pytest.mark.parametrize("number", [3, 14, 29])
def test_several_threads_give_the_same(whole: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    path = damage(whole, number)
    expected = list(read_frames(path))
    monkeypatch.setattr(opening, "MANY_PIXELS", 0)
    given = list(read_frames(path))
    assert [(frame.index, frame.pts, type(frame)) for frame in given] == [
        (frame.index, frame.pts, type(frame)) for frame in expected
    ]
    check_against(path, whole)


def test_a_video_cut_out_between_keyframes(tmp_path: Path, whole: Path) -> None:
    path = remux(whole, tmp_path / "headless.ts", skip=4)
    given = list(read_frames(path))
    assert [frame.index for frame in given] == list(range(26))
    assert {frame.index: frame.reason for frame in given if isinstance(frame, SkippedFrame)} == dict.fromkeys(
        range(8), NOTHING
    )


def test_more_than_fifty_in_a_row(tmp_path: Path) -> None:
    whole = encode_with(tmp_path / "whole.avi", moving_frames(70), codec="mjpeg", pix_fmt="yuvj420p")
    path = damage(whole, *range(10, 65))
    given: list[int] = []
    with pytest.raises(InputError) as caught:
        given.extend(frame.index for frame in read_frames(path))
    assert str(caught.value) == (
        f"{path}: 51 frames in a row before 2.400 s can't be decoded (Invalid data found when processing input); "
        "the file is damaged there, cut or repair it"
    )
    assert given == list(range(10))
    assert len(reasons(damage(whole, *range(10, 60)))) == 50


def test_nothing_decodes(tmp_path: Path, whole: Path) -> None:
    path = damage(encode_with(tmp_path / "four.mp4", moving_frames(4), codec="mpeg4"), 0, 1, 2, 3)
    assert message(path) == (
        f"{path}: none of its 4 frames can be decoded (Invalid data found when processing input); "
        "it is damaged, copy it again"
    )


def test_a_file_that_can_not_be_read_on(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Container:
        def __init__(self, real: Any) -> None:
            self.real, self.format = real, real.format

        def demux(self, stream: Any) -> Any:
            yield from list(self.real.demux(stream))[:8]
            raise av.error.OSError(5, "Input/output error")

    opened = opening.open_video

    class Opened:
        def __init__(self, path: Path) -> None:
            self.inner = opened(path)

        def __enter__(self) -> Any:
            container, stream = self.inner.__enter__()
            return Container(container), stream

        def __exit__(self, *given: Any) -> None:
            self.inner.__exit__(*given)

    monkeypatch.setattr("affectkit.video.reader.open_video", Opened)
    assert message(whole) == f"{whole}: can't be read to its end (Input/output error); copy it again"


def test_a_cut_mp4_with_its_index(tmp_path: Path, whole: Path) -> None:
    quick = remux(whole, tmp_path / "quick.mp4", options={"movflags": "+faststart"})
    path = cut(quick, 0.6)
    with pytest.warns(TruncatedWarning) as caught:
        given = list(read_frames(path))
    missing = quick.stat().st_size - path.stat().st_size
    assert [str(warning.message) for warning in caught] == [
        f"{path}: is cut off after {len(given)} frames: {missing} bytes are missing; copy it again"
    ]
    assert 8 < len(given) < 24
    assert [frame.index for frame in given] == list(range(len(given)))
    assert INCOMPLETE in {frame.reason for frame in given if isinstance(frame, SkippedFrame)}


def test_a_cut_mp4_without_its_index(whole: Path) -> None:
    path = cut(whole, 0.6)
    missing = missing_bytes(path)
    assert missing > 0
    assert message(path) == (
        f"{path}: is cut off: {missing} bytes are missing, and with them what is needed to read the rest; copy it again"
    )


CUT = [("clip.mkv", "libx264"), ("clip.avi", "ffv1"), ("clip.webm", "libvpx-vp9")]


@pytest.mark.parametrize(("name", "codec"), CUT)
def test_other_cut_containers(tmp_path: Path, name: str, codec: str) -> None:
    whole = encode_with(tmp_path / name, moving_frames(20, size=(96, 128)), codec=codec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(whole))) == 20
    path = cut(whole, 0.7)
    with pytest.warns(TruncatedWarning, match="is cut off after"):
        given = list(read_frames(path))
    assert 2 < len(given) < 20


def test_containers_that_do_not_say_their_size(tmp_path: Path) -> None:
    live = tmp_path / "live.mkv"
    live.write_bytes(b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff")
    assert missing_bytes(live) == 0
    no_segment = tmp_path / "other.mkv"
    no_segment.write_bytes(b"\x1a\x45\xdf\xa3\x00")
    assert missing_bytes(no_segment) == 0
    strange = tmp_path / "strange.mkv"
    strange.write_bytes(b"\x1a\x45\xdf\xa3\x80\x00\x00\x00\x00")
    assert missing_bytes(strange) == 0
    short = tmp_path / "short.mp4"
    short.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\0mdat")
    assert missing_bytes(short) == 0
    long = tmp_path / "long.mp4"
    long.write_bytes(b"\0\0\0\x08wide\0\0\0\x01mdat\0\0\0\0\0\0\x01\0")
    assert missing_bytes(long) == 8 + 256 - 24
    words = tmp_path / "words.txt"
    words.write_text("words")
    assert missing_bytes(words) == 0


def packet_of(data: bytes, *, is_discard: bool = False, is_disposable: bool = False) -> Any:
    class Fake(bytes):
        size = len(data)

    fake = Fake(data)
    fake.is_discard, fake.is_disposable = is_discard, is_disposable  # type: ignore[attr-defined]
    return fake


@pytest.mark.parametrize(
    ("codec", "data", "expected"),
    [
        ("h264", b"", False),
        ("h264", b"\0\0", True),
        ("vp8", bytes([0x10 | 0x20, 1, 0]), True),
        ("vp8", bytes([0x20, 1, 0]), False),  # not shown
        ("vp8", bytes(3), True),  # damaged
        ("vp9", bytes([0b10000010, 0]), True),
        ("vp9", bytes([0b10000000, 0]), False),  # not shown
        ("vp9", bytes([0b10001000, 0]), True),  # shows an earlier one
        ("vp9", bytes([0b10110001, 0]), True),  # profile 3
        ("vp9", bytes([0b10110000, 0]), False),
        ("vp9", bytes([0b10000000, 0b11000000]), True),  # several, the last one shown
        ("vp9", bytes(2), True),  # damaged
    ],
)
def test_which_packets_hold_a_frame(codec: str, data: bytes, expected: bool) -> None:
    assert holds_frame(packet_of(data), codec) is expected


def test_packets_that_an_edit_list_cuts_away() -> None:
    assert not holds_frame(packet_of(b"\0\0", is_discard=True), "h264")


@pytest.mark.parametrize(
    ("data", "extradata", "expected"),
    [
        (b"\0\0\0\x02\x01\xff", b"\1\0\0\0\xff", True),
        (b"\0\0\0\x02\x41\xff", b"\1\0\0\0\xff", False),  # referred to
        (b"\0\0\0\x02\x65\xff", b"\1\0\0\0\xff", False),  # keyframe
        (b"\0\0\0\x09\x01\xff", b"\1\0\0\0\xff", False),  # the size is wrong
        (b"\0\0\0\x00\x01\xff", b"\1\0\0\0\xff", False),
        (b"\0\0\0\x01\x09\0\0\1\x01\xff", None, True),  # a delimiter before it
        (b"\0\0\1\x41\xff", None, False),
        (bytes(8), None, False),
    ],
)
def test_which_packets_none_refers_to(data: bytes, extradata: bytes | None, expected: bool) -> None:
    assert is_disposable(packet_of(data), "h264", extradata) is expected


def test_the_container_may_say_that_none_refers_to_it() -> None:
    assert is_disposable(packet_of(b"\0\0", is_disposable=True), "hevc", None)
    assert not is_disposable(packet_of(b"\0\0"), "hevc", None)


class Script:
    """A decoder that gives what a test says, by the number of the packet."""

    name, extradata = "fake", None

    def __init__(self, *answers: list[Any] | Exception) -> None:
        self.answers = list(answers)

    def decode(self, packet: Any) -> list[Any]:
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer


def picture(number: int | None, *, key: bool = False, interlaced: bool = False) -> Any:
    return SimpleNamespace(pts=number, key_frame=key, interlaced_frame=interlaced, is_corrupt=False)


def run(script: Script, times: list[int], *, is_ordered: bool = True) -> list[tuple[int | None, str]]:
    decoder = Decoder(SimpleNamespace(codec_context=script), is_ordered=is_ordered)
    shown = []
    for dts, pts in enumerate(times):
        flags = {"is_discard": False, "is_corrupt": False, "is_disposable": False}
        shown += decoder.send(SimpleNamespace(size=9, pts=pts, dts=dts, is_keyframe=not dts, **flags))
    return [(one.ticks, one.reason) for one in [*shown, *decoder.finish()]]


def test_two_packets_that_make_one_interlaced_frame() -> None:
    script = Script([], [picture(0, interlaced=True)], [], [picture(2, interlaced=True)])
    assert run(script, [0, 1, 2, 3]) == [(0, ""), (2, "")]


def test_a_decoder_that_hands_no_numbers_on() -> None:
    assert run(Script([picture(None)], [picture(None)]), [0, 1]) == [(0, ""), (1, "")]


def test_two_pictures_of_one_packet() -> None:
    assert run(Script([picture(0), picture(0)], [picture(1)]), [0, 1]) == [(0, ""), (1, "")]


def test_a_frame_that_comes_late_without_a_reason_keeps_its_time() -> None:
    # the reader then says that time runs backwards
    script = Script([picture(0)], [], [picture(2)], [picture(1), picture(3)])
    assert run(script, [0, 4, 8, 9]) == [(0, ""), (4, NOTHING), (8, ""), (4, ""), (9, "")]


def test_a_frame_that_comes_late_where_the_order_is_known_has_been_given_as_lost() -> None:
    # packet 1 is shown after packet 2, and the decoder takes it for one that is shown at once
    script = Script([picture(0)], [], [], [picture(3)], [picture(2), picture(1)], [picture(5, key=True)])
    shown = run(script, [0, 20, 10, 30, 40, 50])
    assert shown == [(0, ""), (10, NOTHING), (20, NOTHING), (30, ""), (40, PREDICTED), (50, "")]


def test_a_loss_in_a_container_that_knows_no_order() -> None:
    script = Script([picture(0)], [], *([picture(number)] for number in range(2, 30)))
    shown = run(script, list(range(30)), is_ordered=False)
    assert shown == [(number, NOTHING if number == 1 else "") for number in range(30)]


def test_a_frame_that_comes_late_after_damage_has_been_given_as_lost() -> None:
    script = Script([picture(0)], av.error.InvalidDataError(1, "bad"), [], [picture(3)], [picture(2), picture(4)])
    assert run(script, [0, 1, 2, 3, 4]) == [
        (0, ""),
        (1, "can't be decoded (bad)"),
        (2, PREDICTED),
        (3, PREDICTED),
        (4, PREDICTED),
    ]


def test_damage_while_the_decoder_is_emptied() -> None:
    assert run(Script([picture(0)], [], av.error.InvalidDataError(1, "bad")), [0, 1]) == [(0, ""), (1, NOTHING)]


def test_what_waits_is_bounded() -> None:
    # a packet far in the future that never comes out
    script = Script([picture(0)], [], *([picture(number)] for number in range(2, 90)))
    assert run(script, [0, 1000, *range(2, 90)])[:3] == [(0, ""), (2, ""), (3, "")]


def message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_frames(path))
    return str(caught.value)
