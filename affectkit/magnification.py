"""`magnify`: a video in, a video with larger motion out, beside the original."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from affectkit.configs import MotionConfig
from affectkit.devices import check_device
from affectkit.errors import ConfigError, InputError
from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.band_magnifier import BandMagnifierConfig
from affectkit.motion.lengths import is_too_short
from affectkit.published import load_published
from affectkit.registry import Registry, default_registry
from affectkit.results.h264 import picture_writer
from affectkit.results.places import check_ending, check_file, check_not_input
from affectkit.sequences import Sequence
from affectkit.stage_building import build_stage
from affectkit.streams import FrameStream
from affectkit.tracing import stage_output
from affectkit.video.opening import PICTURE_SUFFIXES, open_video
from affectkit.video.reader import SkippedFrame, VideoFrame, probe, read_frames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALLEST = 16
# Quality: at the usual 20 the encoder flattens motions of less than half a pixel.
_CRF = 12


@dataclass(frozen=True, kw_only=True)
class Magnified:
    """A video that was written.

    Attributes:
        path: the file.
        frames: how many pictures it has.
        skipped: frames of the source that can't be decoded; the picture before each stays.
        seconds: from the first to the last, and one gap more.
    """

    path: Path
    frames: int
    skipped: int
    seconds: float


@torch.no_grad()
def magnify(
    video: str | Path,
    motion: MotionConfig,
    out: str | Path,
    *,
    start: float | None = None,
    stop: float | None = None,
    size: int | None = None,
    beside: bool = True,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
    registry: Registry | None = None,
) -> Magnified:
    """Write the video anew as H.264 with larger motion, in constant memory; without sound.

    Frames keep the times that they have in the source. Published weights of the front-end are loaded.

    Arguments:
        video: a video file.
        motion: a front-end that makes pictures of pictures and can stream, such as `PhaseConfig(alpha=8)`.
        out: an `.mp4` file; it is there when it is whole.
        start: first time that is wanted, seconds of container time. What magnifies compares with frames from there on.
        stop: first time that is not wanted.
        size: pixels to which the longer side is shrunk before; None keeps the video's size.
        beside: whether the original stands on the left; False for the magnified pictures alone.
        device: where the front-end runs.
        overwrite: whether a file that is there may be replaced.
        progress: called with the number of frames done, and of all, or None where that is not known.
        registry: where the front-end is looked up; left out, what is installed.

    Raises:
        InputError: the video can't be read, is a picture, or is too short or too slow for the front-end's band; `out`
            can't be written, or is the video itself.
        StreamError: the front-end does not take such frames.
        ConfigError: it makes no pictures, it can't stream, it has weights that nobody published, or a wrong `size` or
            `device`.
        ArtifactError, WeightsError: its weights can't be had.
    """
    video, out = Path(video), Path(out)
    registry = default_registry() if registry is None else registry
    if size is not None and size < SMALLEST:
        raise ConfigError(f"{size!r} is too small", f"write {SMALLEST} pixels or more", path="size")
    check_device(device)
    check_ending(out, (".mp4",), "write an .mp4 file")
    check_not_input([out], [video])
    check_file(out, overwrite=overwrite)
    if video.suffix.lower() in PICTURE_SUFFIXES and video.is_file():
        raise InputError(f"{video}: is a picture, in which nothing moves; give a video")
    info = probe(video)
    with open_video(video) as (_, source):
        time_base, rate = source.time_base, source.average_rate
    count = info.frames if start is None and stop is None else None
    frames = read_frames(video, start=start, stop=stop)
    lost, first = _first_picture(frames)
    if first is None:
        raise _too_few(video, 0)
    # before the block: an error of weights is an OSError too, and not the file's
    module = _build(motion, _shrunk(first.image, size), info.average_fps, registry, device)
    state: State = None
    done, skipped, last = 0, lost, first.pts
    with picture_writer(out, time_base=time_base, rate=rate, crf=_CRF) as write:
        for frame in itertools.chain([first], frames):
            if not isinstance(frame, VideoFrame):
                skipped += 1
                continue
            image = _shrunk(frame.image, size)
            made, state = _step(module, image, frame.pts, state, device)
            write(_joined(image, made) if beside else made, frame.pts)
            done, last = done + 1, frame.pts
            if progress is not None:
                progress(done, count)
        # within the block, so that no file is left
        seconds = _check_length(video, motion, last - first.pts, done)
    return Magnified(path=out, frames=done, skipped=skipped, seconds=seconds)


def _build(
    motion: MotionConfig, image: NDArray[np.uint8], rate: float | None, registry: Registry, device: str
) -> MotionFrontEnd[Any]:
    stream = FrameStream(height=image.shape[0], width=image.shape[1], fps=rate or None)
    component = registry.of_config(type(motion))
    output = stage_output("motion", motion.output, stream)
    if output != stream:
        fact = f"{component.id} makes {output} of {stream}, which is no such video"
        raise ConfigError(fact, "use a magnifier: magnet, eulerian or phase", path="motion")
    module: MotionFrontEnd[Any] = build_stage(motion, stream, "motion", registry).eval()
    if not module.can_stream:
        raise ConfigError(f"{component.id} can't stream", "use a causal front-end", path="motion")
    if module.state_dict():
        if not component.spec.weights:
            raise ConfigError(f"{component.id} has no published weights", "use one that has", path="motion")
        load_published(module, component, component.spec.weights[0], "motion")
    return module.to(device)


def _step(
    module: MotionFrontEnd[Any], image: NDArray[np.uint8], pts: float, state: State, device: str
) -> tuple[NDArray[np.uint8], State]:
    values = torch.from_numpy(image).to(device).movedim(-1, 0)[None, None].float() / 255
    frame = Sequence.of(values, times=torch.tensor([[pts]], dtype=torch.float64, device=device))
    made, state = module.step(frame, state)
    pixels = (made.values[0, 0] * 255).round().to(torch.uint8).movedim(0, -1)
    return pixels.contiguous().cpu().numpy(), state


def _first_picture(frames: Iterator[VideoFrame | SkippedFrame]) -> tuple[int, VideoFrame | None]:
    """How many frames can't be decoded before the first one that can, and that."""
    for count, frame in enumerate(frames):
        if isinstance(frame, VideoFrame):
            return count, frame
    return 0, None


def _too_few(video: Path, count: int) -> InputError:
    return InputError(f"{video}: frames to magnify: {count}; motion needs two or more, so give more of the video")


def _check_length(video: Path, motion: MotionConfig, span: float, count: int) -> float:
    """Seconds of what was read, if that is enough for the front-end; `span` is from the first time to the last."""
    if count < 2:
        raise _too_few(video, count)
    rate = (count - 1) / max(span, 1e-9)
    seconds = count / rate
    if isinstance(motion, BandMagnifierConfig):
        least, (low, high) = motion.least_seconds, motion.band
        if is_too_short(seconds, motion):
            raise InputError(
                f"{video}: {seconds:.3g} s of video, a band from {low:g} Hz needs {least:.3g} s; raise its lower end"
            )
        # the container need not have said so
        if high >= rate / 2:
            raise InputError(
                f"{video}: {rate:.3g} frames per second, of which a band up to {high:g} Hz goes beyond half; "
                f"write an upper end below {rate / 2:.3g} Hz"
            )
    return seconds


def _shrunk(image: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    longest = max(height, width)
    if size is None or longest <= size:
        return np.ascontiguousarray(image)
    sides = (max(round(side * size / longest), 1) for side in (width, height))
    return np.asarray(cv2.resize(image, tuple(sides), interpolation=cv2.INTER_AREA), np.uint8)


def _joined(image: NDArray[np.uint8], made: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    return np.concatenate([image, made], axis=1)
