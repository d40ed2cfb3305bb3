"""From features and labels of long videos to examples: segments of equal length, with a target per frame.

Features and labels are joined by frame number. A frame without a label is context and stays, with `valid` False; a
label of a frame without features teaches nothing, and is counted in an issue. A segment counts listed frames, however
far apart they are: their times go along, for encodings of real gaps (listed frames of s-Aff-Wild2 are irregular).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.errors import InputError, listed
from affectkit.records import FramesSource, Index, Issue, IssueLevel, Labels
from affectkit.sequences import Sequence, Targets
from affectkit.tracks.cutting import check_clock, segment_starts
from affectkit.tracks.track import FeatureTrack
from affectkit.training.examples import Examples, one_encoder
from affectkit.training.reading import Gathered

Tracks = Mapping[str, Mapping[str, FeatureTrack]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameLabels:
    """Labels of frames of one video.

    Attributes:
        video: its key, as that of its features.
        frames: numbers of the labeled frames, `(T,)` whole numbers, each once, in any order.
        targets: by head name, class numbers `(T,)` or values `(T, K)`; any frame may have any subset of them.
        subject: canonical person key, the group of every split; empty for the video itself, where that is unknown.
        dataset: where it is from.
        half: `train`, `validation` or `test`, where the dataset's owners say it.

    Raises:
        InputError: a frame is there twice, labels are of other shapes, or classes are no whole numbers.
    """

    video: str
    frames: NDArray[np.int64]
    targets: Mapping[str, Labels]
    subject: str = ""
    dataset: str = ""
    half: str = ""

    def __post_init__(self) -> None:
        numbers, counts = np.unique(self.frames, return_counts=True)
        if (counts > 1).any():
            fact = f"frame {numbers[counts > 1][0]} is labeled {counts.max()} times"
            raise InputError(f"{self.video}: {fact}; keep one of each")
        for name, labels in self.targets.items():
            shape, count = labels.values.shape, len(self.frames)
            if len(shape) not in (1, 2) or shape[0] != count or labels.valid.shape != shape:
                fact = f"{name}: values {shape}, valid {labels.valid.shape} for {count} frames"
                raise InputError(f"{self.video}: {fact}; give both as (T,) classes or (T, K) values")
            if len(shape) == 1 and labels.values.dtype.kind not in "iub":
                fact = f"{name}: {labels.values.dtype} {shape}"
                raise InputError(f"{self.video}: {fact}; give classes as whole numbers, or values as (T, 1)")


@dataclass(frozen=True)
class _Video:
    """One that can be used: its labels, its features by input, and labels on the frames of these by head."""

    given: FrameLabels
    tracks: Mapping[str, FeatureTrack]
    targets: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]]

    @property
    def clock(self) -> FeatureTrack:
        """Any of the tracks: all have its frames and times."""
        return next(iter(self.tracks.values()))

    @property
    def subject(self) -> str:
        """The group of every split."""
        return self.given.subject or _place(self.given)


def segment_examples(
    tracks: Tracks, labels: Index | Iterable[FrameLabels], length: int = 250, overlap: int = 0
) -> Gathered:
    """Cut labeled videos into segments for training and evaluation, each with a target per frame.

    Arguments:
        tracks: features by input name and video; those of one video are on one clock, with the same frames.
        labels: a dataset's index, whose samples are videos as listed frames with labels per frame; or of anyone.
        length: T, frames in a segment. The last one of a video is padded, with mask False.
        overlap: frames that a segment shares with the one before it.

    Returns:
        Examples with inputs `(N, T, D)`, targets `(N, T)` of classes and `(N, T, K)` of values, the video of each
        segment, the numbers of its frames, and its half; and issues: videos without features or without a valid label,
        which are no examples, and how many labeled frames have no features.

    Raises:
        InputError: length and overlap don't fit; inputs of one video differ in frames or times, or those of two videos
            in width or encoder; features have a row per labeled frame and not their numbers; labels of one head differ
            in kind, or their frames have no numbers; a video is labeled twice; or no video is left.
    """
    if not tracks:
        raise InputError("segments: no features; give tracks by input name and video")
    segment_starts(0, length, overlap)
    given, issues = list(_frame_labels(labels)), list(labels.issues if isinstance(labels, Index) else ())
    _check_once(given)
    widths = _widths(given)
    videos: list[_Video] = []
    for one in given:
        found, problems = _usable(one, tracks, widths)
        videos += found
        issues += problems
    if not videos:
        last = f": {issues[-1]}" if issues else ""
        raise InputError(f"segments: none of {len(given)} videos can be used{last}")
    _check_features(videos)
    return Gathered(_examples(videos, length, overlap), tuple(issues))


def _frame_labels(labels: Index | Iterable[FrameLabels]) -> Iterator[FrameLabels]:
    if not isinstance(labels, Index):
        yield from labels
        return
    for sample in labels:
        if not isinstance(sample.source, FramesSource):
            fact = f"{type(sample.source).__name__} says no frame numbers"
            raise InputError(f"{sample.dataset}/{sample.key}: {fact}; labels are joined by them, give a FramesSource")
        frames = np.array([number for number, _ in sample.source.frames], np.int64)
        yield FrameLabels(
            video=sample.key,
            frames=frames,
            targets=sample.targets,
            subject=sample.subject,
            dataset=sample.dataset,
            half=sample.raw.get("split", ""),
        )


def _check_once(given: Iterable[FrameLabels]) -> None:
    """Features go by the video's key alone: with two people's labels they would be both's."""
    found: dict[str, FrameLabels] = {}
    for video in given:
        first = found.setdefault(video.video, video)
        if first is not video:
            both = listed([f"{_place(one)} of subject {one.subject or one.video}" for one in (first, video)])
            fact = f"is labeled twice, as {both}"
            raise InputError(f"{video.video}: {fact}; join the targets of one video, and call two by two names")


def _widths(given: Iterable[FrameLabels]) -> dict[str, int | None]:
    """K of each head's labels, None where they are class numbers."""
    found: dict[str, tuple[int | None, str]] = {}
    for video in given:
        for name, labels in video.targets.items():
            width = None if labels.values.ndim == 1 else labels.values.shape[1]
            first, other = found.setdefault(name, (width, video.video))
            if first != width:
                kinds = ["a class" if one is None else f"{one} values" for one in (first, width)]
                fact = f"{kinds[0]} per frame in {other}, {kinds[1]} in {video.video}"
                raise InputError(f"labels of {name!r}: {fact}; give all videos the same targets")
    return {name: width for name, (width, _) in found.items()}


def _check_features(videos: list[_Video]) -> None:
    for name, first in videos[0].tracks.items():
        for video in videos:
            one, other = first.values.shape[1], video.tracks[name].values.shape[1]
            if one != other:
                fact = f"{one} features per frame in {videos[0].given.video}, {other} in {video.given.video}"
                raise InputError(f"tracks of {name!r}: {fact}; give features of one extractor")


def _usable(given: FrameLabels, tracks: Tracks, widths: Mapping[str, int | None]) -> tuple[list[_Video], list[Issue]]:
    """The video, or none where it can't be used, and what is wrong with it."""

    def issue(level: IssueLevel, fact: str) -> Issue:
        return Issue(level=level, where=_place(given), fact=fact, sample=given.video)

    absent = [name for name, by_video in tracks.items() if given.video not in by_video]
    if absent:
        return [], [issue("error", f"no features of {listed(absent)}; it is no example")]
    mine = {name: by_video[given.video] for name, by_video in tracks.items()}
    for track in mine.values():
        _check_numbers(given, track)
    targets, lost = _joined(given, check_clock(mine).frames, widths)
    issues = [issue("warning", f"{lost} of {len(given.frames)} labeled frames have no features")] if lost else []
    if not any(valid.any() for _, valid in targets.values()):
        return [], [*issues, issue("error", "not a single valid label of a frame with features; it is no example")]
    return [_Video(given, mine, targets)], issues


def _check_numbers(given: FrameLabels, track: FeatureTrack) -> None:
    """Raise InputError for a row per labeled frame, of which no numbers were kept: labels of others would be theirs."""
    count, last = len(given.frames), int(given.frames.max(initial=0))
    if last > count > 1 and np.array_equal(track.frames, np.arange(1, count + 1)):
        where = given.video if track.path is None else track.path
        fact = f"frames 1 to {count}, as many rows as {given.video} has labeled frames, which go to {last}"
        raise InputError(f"{where}: {fact}; give each row the number of its frame, as 'frames' beside 'values' in .npz")


def _joined(
    given: FrameLabels, frames: NDArray[np.int64], widths: Mapping[str, int | None]
) -> tuple[dict[str, tuple[NDArray[Any], NDArray[np.bool_]]], int]:
    """Labels on the frames of the features, by head, and how many labeled frames are none of them."""
    _, there, here = np.intersect1d(given.frames, frames, assume_unique=True, return_indices=True)
    found = {}
    for name, width in widths.items():
        shape = (len(frames),) if width is None else (len(frames), width)
        values, valid = np.zeros(shape, np.int64 if width is None else np.float32), np.zeros(shape, np.bool_)
        if name in given.targets:
            valid[here] = given.targets[name].valid[there]
            # what is not valid stays 0: a sentinel would be hashed with the rest, and shown as a label
            values[here] = np.where(valid[here], given.targets[name].values[there], 0)
        found[name] = values, valid
    return found, len(given.frames) - len(there)


def _examples(videos: list[_Video], length: int, overlap: int) -> Examples:
    rows = [(at, begin) for at, one in enumerate(videos) for begin in segment_starts(len(one.clock), length, overlap)]

    def cut(arrays: list[NDArray[Any]]) -> Tensor:
        """Segments of an array of every video, with zeros behind its end."""
        # one tensor that is filled, not a list that is stacked: features of a whole dataset are gigabytes
        filled = torch.zeros(len(rows), length, *arrays[0].shape[1:], dtype=torch.from_numpy(arrays[0][:0]).dtype)
        for row, (at, begin) in enumerate(rows):
            part = np.ascontiguousarray(arrays[at][begin : begin + length])
            filled[row, : len(part)] = torch.from_numpy(part)
        return filled

    mask = cut([np.ones(len(one.clock), np.bool_) for one in videos])
    # the last time over and over: whatever looks at padding sees no gap
    times = cut([one.clock.times for one in videos]).masked_fill(~mask, -torch.inf).cummax(dim=1).values
    inputs = {name: cut([one.tracks[name].values for one in videos]) for name in videos[0].tracks}
    labels = {name: [cut([one.targets[name][i] for one in videos]) for i in range(2)] for name in videos[0].targets}
    named = [videos[at].given for at, _ in rows]
    firsts = [videos[at].clock.frames[begin] for at, begin in rows]
    return Examples(
        inputs={name: Sequence(values, mask, times) for name, values in inputs.items()},
        targets={name: Targets(values, valid) for name, (values, valid) in labels.items()},
        subjects=tuple(videos[at].subject for at, _ in rows),
        keys=tuple(f"{one.video}:{first}" for one, first in zip(named, firsts, strict=True)),
        datasets=tuple(one.dataset for one in named),
        videos=tuple(one.video for one in named),
        halves=tuple(one.half for one in named) if any(one.half for one in named) else (),
        frames=cut([one.clock.frames for one in videos]),
        encoders=one_encoder({name: {one.tracks[name].encoder for one in videos} for name in inputs}),
    )


def _place(given: FrameLabels) -> str:
    return "/".join(filter(None, (given.dataset, given.video)))
