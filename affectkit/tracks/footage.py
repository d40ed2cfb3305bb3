"""The frames of a dataset's samples, with the numbers and times that their tracks have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affectkit.datasets.frame_folders import list_frames
from affectkit.errors import InputError
from affectkit.media_files import VIDEO_ENDINGS
from affectkit.records import FramesSource, Index, Issue, Sample, VideoSource
from affectkit.video.frames import SkippedFrame, VideoFrame
from affectkit.video.reader import read_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray


def index_folder(folder: str | Path) -> Index:
    """Videos, and folders of numbered pictures, below a folder: a sample each, called as it is without its ending.

    Hidden files and other endings are left alone.

    Raises:
        InputError: no such folder, nothing of these in it, or two of one name.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; check the path")
    found: dict[str, Sample] = {}
    issues: list[Issue] = []
    for at, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        place = Path(at)
        pictures = list_frames(place)
        if pictures.names and place == root:
            raise InputError(f"{root}: holds pictures itself; give the folder that this one is in")
        sources: dict[Path, Any] = {}
        if pictures.names:
            sources[place] = FramesSource(frames=pictures.frames(pictures.numbers[0], pictures.numbers[-1]))
        for name in (*pictures.doubles, *pictures.unnumbered):
            fact = "has the number of another picture" if name in pictures.doubles else "has no number in its name"
            issues.append(Issue(level="warning", where=str(place / name), fact=fact))
        videos = [name for name in names if name.lower().endswith(VIDEO_ENDINGS) and not name.startswith(".")]
        sources |= {place / name: VideoSource(path=place / name) for name in sorted(videos)}
        for path, source in sources.items():
            below = path.relative_to(root)
            key = (below if isinstance(source, FramesSource) else below.with_suffix("")).as_posix()
            if key in found:
                raise InputError(f"{path}: another video is called {key!r} too; rename one of them")
            found[key] = Sample(dataset="folder", subject=key, key=key, source=source, subject_is_known=False)
    if not found:
        raise InputError(f"{root}: holds no video and no folder of numbered pictures")
    return Index(samples=tuple(found[key] for key in sorted(found)), issues=tuple(issues))


def source_times(sample: Sample, fps: float | None) -> NDArray[np.float64] | None:
    """Seconds of listed frames: those of the sample, or `(number - 1) / fps`; None for a video, which has its own.

    Raises:
        InputError: there are no times and no rate, or not as many times as frames.
    """
    source = sample.source
    if not isinstance(source, FramesSource):
        return None
    if sample.times is not None:
        if len(sample.times) != len(source.frames):
            fact = f"{len(sample.times)} times for {len(source.frames)} frames"
            raise InputError(f"{sample.key}: {fact}; give one each")
        return sample.times
    rate = source.fps if source.fps is not None else fps
    if rate is None:
        raise InputError(f"{sample.key}: frames without times; give frames per second, such as fps=30")
    numbers = np.array([number for number, _ in source.frames], np.float64)
    return (numbers - 1) / rate


def source_parts(sample: Sample, times: NDArray[np.float64] | None) -> list[Any]:
    """What decides the frames of a sample, for `affectkit.caching.digest`: numbers, times and the content of files."""
    source = sample.source
    if isinstance(source, FramesSource):
        return [times, [[number, path if path.is_file() else None] for number, path in source.frames]]
    assert isinstance(source, VideoSource)
    return [source.start, source.stop, source.path if source.path.is_file() else None]


def source_name(sample: Sample) -> str:
    """Which video of whom: the dataset, and where its file lies, or the folder of its first picture."""
    source = sample.source
    assert isinstance(source, FramesSource | VideoSource)
    paths = [source.path] if isinstance(source, VideoSource) else [path.parent for _, path in source.frames[:1]]
    return ", ".join([sample.dataset, *(str(path.resolve()) for path in paths)])


def first_number(sample: Sample) -> int:
    """The number of the frame with index 0: 1 of a video, as in the names of pictures; listed frames have their own."""
    return 1 if isinstance(sample.source, VideoSource) else 0


def sample_frames(sample: Sample, times: NDArray[np.float64] | None, issues: list[Issue]) -> Iterator[VideoFrame]:
    """The frames that can be decoded, with the number less `first_number` as index; others are issues by file name.

    Raises:
        InputError: the video is missing, is none, or ends in damage.
    """
    source = sample.source
    if isinstance(source, FramesSource):
        assert times is not None
        for (number, path), time in zip(source.frames, times.tolist(), strict=True):
            try:
                # all of it, so that the file is closed
                picture, *_ = (one for one in read_frames(path) if isinstance(one, VideoFrame))
            except InputError as error:
                fact = f"frame {number}: {str(error).removeprefix(f'{path}: ')}"
                issues.append(Issue(level="warning", where=str(path), fact=fact, sample=sample.key))
            else:
                yield replace(picture, index=number, pts=time)
        return
    assert isinstance(source, VideoSource)
    for frame in read_frames(source.path, start=source.start, stop=source.stop):
        if isinstance(frame, SkippedFrame):
            fact = f"frame {frame.index + first_number(sample)}: {frame.reason}"
            issues.append(Issue(level="warning", where=str(source.path), fact=fact, sample=sample.key))
        else:
            yield frame
