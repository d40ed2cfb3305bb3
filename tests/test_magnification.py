"""`magnify`: video in, video out, at the video's own times; and what can't be magnified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectkit import EulerianConfig, FrameDifferenceConfig, FrameStream, MagNetConfig, MotionSpec, PhaseConfig, magnify
from affectkit.configs import MotionConfig
from affectkit.data.patterns import write_clip
from affectkit.errors import ConfigError, InputError, StreamError, WeightsError
from affectkit.interfaces import MotionFrontEnd
from affectkit.magnification import Magnified
from affectkit.motion.magnet import WEIGHTS
from affectkit.registry import default_registry
from affectkit.sequences import Sequence
from affectkit.video.reader import SkippedFrame, VideoFrame, read_frames
from tests.clips import write_levels, write_sound
from tests.swinging import SIZE, swing, swinging

FPS, RATE = 30, 1.4


def write(path: Path, times: list[float], amount: float = 0.4, size: tuple[int, int] = (SIZE, SIZE)) -> Path:
    """A texture that swings by `amount` pixels."""
    gray = swinging(amount, torch.tensor(times), RATE)[:, 0, : size[0], : size[1]]
    frames = (255 * gray).round().to(torch.uint8).unsqueeze(-1).expand(-1, -1, -1, 3)
    return write_clip(path, frames.numpy(), times)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "clip.mp4", [i / FPS for i in range(75)])


def pictures(path: Path) -> list[VideoFrame]:
    return [frame for frame in read_frames(path) if isinstance(frame, VideoFrame)]


def swing_of(images: list[NDArray[np.uint8]]) -> float:
    gray = torch.from_numpy(np.stack(images)).float().mean(dim=-1) / 255
    return swing(gray.unsqueeze(1))


@pytest.mark.parametrize("motion", [EulerianConfig(alpha=3.0), PhaseConfig(alpha=3.0)])
def test_the_video_that_comes_out_moves_alpha_times_as_far(clip: Path, tmp_path: Path, motion: MotionConfig) -> None:
    done: list[tuple[int, int | None]] = []
    made = magnify(clip, motion, tmp_path / "out.mp4", progress=lambda *now: done.append(now))
    assert made == Magnified(path=tmp_path / "out.mp4", frames=75, skipped=0, seconds=made.seconds)
    assert made.seconds == pytest.approx(2.5, abs=1e-3)
    assert done == [(i + 1, 75) for i in range(75)]
    given, found = pictures(clip), pictures(made.path)
    assert [frame.pts for frame in found] == [frame.pts for frame in given]
    assert {frame.image.shape for frame in found} == {(SIZE, 2 * SIZE, 3)}
    left, right = (swing_of([frame.image[:, half] for frame in found]) for half in (slice(SIZE), slice(SIZE, None)))
    # the encoder takes a little off motions this small
    assert left == pytest.approx(swing_of([frame.image for frame in given]), rel=0.1)
    assert right / left == pytest.approx(3.0, rel=0.2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_times_of_a_variable_rate_are_kept(tmp_path: Path) -> None:
    gaps = np.random.default_rng(0).uniform(0.02, 0.06, 80)
    times = [float(round(time, 3)) for time in gaps.cumsum() - gaps[0]]
    video = write(tmp_path / "uneven.mp4", times, 0.25)
    out = magnify(video, PhaseConfig(alpha=4.0), tmp_path / "out.mp4", beside=False).path
    found = pictures(out)
    assert [frame.pts for frame in found] == pytest.approx(times, abs=1e-4)
    assert swing_of([frame.image for frame in found]) / 0.25 == pytest.approx(4.0, rel=0.2)


def test_part_of_a_video_smaller_and_alone(clip: Path, tmp_path: Path) -> None:
    motion = PhaseConfig(alpha=2.0, band=(1.0, 4.0))
    done: list[tuple[int, int | None]] = []
    made = magnify(clip, motion, tmp_path / "out.mp4", start=0.5, stop=2.0, size=32, beside=False,
                   progress=lambda *now: done.append(now))  # fmt: skip
    assert done[-1] == (45, None)
    found = pictures(made.path)
    assert [frame.pts for frame in found] == [frame.pts for frame in pictures(clip)[15:60]]
    assert {frame.image.shape for frame in found} == {(32, 32, 3)}


def test_odd_sides_and_frames_that_can_not_be_decoded(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frames(path: object, **options: object) -> Iterator[VideoFrame | SkippedFrame]:
        image = np.full((33, 45, 3), 90, np.uint8)
        given = [VideoFrame(index=i, pts=i / 10, image=image) for i in range(30)]
        lost = [SkippedFrame(index=i, pts=i / 10, reason="damaged") for i in range(30)]
        return iter([*lost[:2], *given[2:5], lost[5], *given[6:]])

    monkeypatch.setattr("affectkit.magnification.read_frames", frames)
    made = magnify(clip, EulerianConfig(), tmp_path / "out.mp4")
    assert (made.frames, made.skipped) == (27, 3)
    assert {frame.image.shape for frame in pictures(made.path)} == {(34, 90, 3)}


def test_magnet(clip: Path, tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    made = magnify(clip, MagNetConfig(alpha=6.0), tmp_path / "out.mp4", stop=0.5, beside=False)
    given, found = pictures(clip)[:15], pictures(made.path)
    assert [frame.pts for frame in found] == [frame.pts for frame in given]
    # of 0.4 pixels within the first quarter of a period
    moved = swing_of([frame.image for frame in found]) / swing_of([frame.image for frame in given])
    assert moved > 2


def refusal(call: Any, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_bad_input(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    motion = PhaseConfig()

    def message(video: Path, motion: MotionConfig = motion, out: Path = out, **options: Any) -> str:
        error = options.pop("error", InputError)
        text = refusal(lambda: magnify(video, motion, out, **options), error)
        assert [path for path in tmp_path.iterdir() if "out" in path.name] == []
        return text

    missing, photo = tmp_path / "none.mp4", tmp_path / "photo.png"
    assert message(missing) == f"{missing}: no such file; check the path"
    photo.write_bytes(b"a picture")
    assert message(photo) == f"{photo}: is a picture, in which nothing moves; give a video"
    sound = write_sound(tmp_path / "sound.mp4")
    assert message(sound) == f"{sound}: has no video stream, only audio; give a video file"
    other = tmp_path / "out.avi"
    assert message(clip, out=other) == f"{other}: ending '.avi'; write an .mp4 file"
    there = write_levels(tmp_path / "there.mp4", [100, 120])
    assert message(clip, out=there) == (
        f"{there}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    for own in (clip, link):
        before = clip.read_bytes()
        fact = f"{own}: is itself among what is analyzed, and would be lost; name another file"
        assert message(clip, out=own, overwrite=True) == fact
        assert clip.read_bytes() == before
    single = write_levels(tmp_path / "single.mp4", [100])
    hint = "motion needs two or more, so give more of the video"
    assert message(single) == f"{single}: frames to magnify: 1; {hint}"
    assert message(clip, start=60.0) == f"{clip}: frames to magnify: 0; {hint}"
    assert message(clip, PhaseConfig(band=(0.2, 4.0))) == (
        f"{clip}: 2.5 s of video, a band from 0.2 Hz needs 5 s; raise its lower end"
    )
    assert message(clip, PhaseConfig(band=(1.0, 15.0)), error=StreamError) == (
        "motion: band (1.0, 15.0) goes beyond half of 29.92 frames per second; write an upper end below 14.96 Hz"
    )
    assert message(clip, size=15, error=ConfigError) == "size: 15 is too small; write 16 pixels or more"
    assert message(clip, device="cuda:9", error=ConfigError).startswith("device: no device 'cuda:9'; devices: 'cpu'")


def test_a_rate_that_the_container_does_not_say(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.video.reader import VideoInfo

    unknown = VideoInfo(width=SIZE, height=SIZE, frames=None, duration=None, average_fps=None)
    monkeypatch.setattr("affectkit.magnification.probe", lambda _: unknown)
    assert refusal(lambda: magnify(clip, PhaseConfig(band=(1.0, 20.0)), tmp_path / "out.mp4")) == (
        f"{clip}: 30 frames per second, of which a band up to 20 Hz goes beyond half; write an upper end below 15 Hz"
    )
    assert not (tmp_path / "out.mp4").exists()


class BackwardsConfig(MotionConfig):
    """Frames in reverse."""

    def output(self, stream: FrameStream) -> FrameStream:
        return stream


class Backwards(MotionFrontEnd[BackwardsConfig]):
    def __init__(self, config: BackwardsConfig, stream: FrameStream) -> None:
        super().__init__(config)
        if stream.fps is not None:
            self.scale = torch.nn.Parameter(torch.ones(()))

    @property
    def can_stream(self) -> bool:
        return hasattr(self, "scale") and self.is_causal

    is_causal = False

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values.flip(1))


def test_front_ends_that_make_no_video(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.mp4"
    assert refusal(lambda: magnify(clip, FrameDifferenceConfig(), out), ConfigError) == (
        "motion: affectkit/frame-difference makes frames [T] dr+dg+db 64x64 relative of frames [T] r+g+b 64x64 "
        "intensity, which is no such video; use a magnifier: magnet, eulerian or phase"
    )
    import dataclasses

    config = dataclasses.dataclass(frozen=True, kw_only=True)(BackwardsConfig)
    spec = MotionSpec(name="backwards", config=config, factory=Backwards, summary="Frames in reverse.")
    registry = default_registry().with_components(spec)
    assert refusal(lambda: magnify(clip, config(), out, registry=registry), ConfigError) == (
        "motion: local/backwards can't stream; use a causal front-end"
    )
    monkeypatch.setattr(Backwards, "is_causal", True)
    assert refusal(lambda: magnify(clip, config(), out, registry=registry), ConfigError) == (
        "motion: local/backwards has no published weights; use one that has"
    )


def test_weights_that_are_not_there(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))

    def unreachable(*args: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    assert refusal(lambda: magnify(clip, MagNetConfig(), tmp_path / "out.mp4"), WeightsError) == (
        f"{WEIGHTS.url}: download failed (no route to host); "
        "put the file into a folder and name that in AFFECTKIT_WEIGHTS"
    )
    assert not (tmp_path / "out.mp4").exists()
