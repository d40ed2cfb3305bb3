"""What a pipeline would be given of videos and pictures, in place of what it says about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from affectkit.configs import Events, FaceDetectorConfig, Windows
from affectkit.errors import InputError
from affectkit.interfaces import FaceDetector
from affectkit.model import Model
from affectkit.sequences import Batch
from affectkit.streams import FrameStream
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.detection import AnyFrame, build_detector
from affectkit.video.engine import Engine
from affectkit.video.event_scoring import EventScoring, build_spotter
from affectkit.video.footage import open_footage
from affectkit.video.frames import SkippedFrame
from affectkit.video.scoring import Scorer, Scoring, WindowScoring
from affectkit.video.shots import Shot


@dataclass(frozen=True, kw_only=True)
class FaceBatches:
    """What was read of files.

    Attributes:
        parts: batches of one file each, in as many parts as were asked for; all of a file's are in one.
        read: how many files were opened, until there were enough batches.
        without: those of them of which there is no batch, since no face could be given to the pipeline.
        not_read: why the others without a batch can't be read, by file.
    """

    parts: tuple[tuple[Batch, ...], ...]
    read: int
    without: tuple[Path, ...]
    not_read: Mapping[Path, str]


def face_batches(
    paths: Iterable[str | Path],
    model: Model,
    detector: FaceDetectorConfig,
    *,
    most: int,
    parts: int = 1,
    batch_size: int = 8,
) -> FaceBatches:
    """Batches of the faces in videos and pictures, cut and sampled as `analyze` does; none where there is no face.

    Files go to the parts in turn, whatever is in them. What can't be read, or breaks off, is left out.

    Arguments:
        paths: files.
        model: a pipeline that takes frames.
        detector: which faces there are.
        most: how many batches a part has at the most; reading ends where all have them.
        parts: how many there are.
        batch_size: about how many frames a batch has.

    Raises:
        InputError: the pipeline does not take frames of a video.
    """
    streams = video_streams(model.config.input_streams(), events=isinstance(model.config.sampling, Events))
    built = build_detector(detector, model.registry)
    found: list[list[Batch]] = [[] for _ in range(parts)]
    read, without, not_read = 0, list[Path](), dict[Path, str]()
    for position, path in enumerate(map(Path, paths)):
        if all(len(part) >= most for part in found):
            break
        # by the place alone: who sorts files so that a person is in one part can rely on it
        part = found[position % parts]
        if len(part) >= most:
            continue
        read += 1
        try:
            batches = _batches(path, model, streams, built, most - len(part), batch_size)
        except InputError as error:
            # the file is named beside it
            not_read[path] = str(error).removeprefix(f"{path}: ")
            continue
        part += batches
        if not batches:
            without.append(path)
    return FaceBatches(
        parts=tuple(map(tuple, found)), read=read, without=tuple(without), not_read=MappingProxyType(not_read)
    )


def _batches(
    path: Path,
    model: Model,
    streams: Mapping[str, FrameStream],
    detector: FaceDetector[Any],
    most: int,
    batch_size: int,
) -> list[Batch]:
    """At most so many batches of a file; an InputError if it can't be read, or none of its frames."""
    sampling = model.config.sampling or Windows()
    recorder = _Recorder(model, streams)
    footage = open_footage(path, None, None, start=None, stop=None, fps=None)
    scoring: Scoring
    if isinstance(sampling, Events):
        source = next(iter(streams))
        spotter = build_spotter(sampling, streams[source], model.registry)
        scoring = EventScoring(spotter, sampling, source, recorder, footage.fps)
    else:
        scoring = WindowScoring(recorder, sampling, batch_size)
    reasons = list[str | None]()
    frames = _noted(footage.read(None), reasons)
    for _ in Engine(detector, model.config.tracking, Cutter(streams), scoring).run(frames):
        if len(recorder.batches) >= most:
            break
    if reasons and reasons[0] is not None and None not in reasons:
        raise InputError(reasons[0])
    return recorder.batches[:most]


def _noted(frames: Iterable[AnyFrame], reasons: list[str | None]) -> Iterator[AnyFrame]:
    """The frames; why each of them can't be used goes to `reasons`, None where it can."""
    for frame in frames:
        reasons.append(frame.reason if isinstance(frame, SkippedFrame) else None)
        yield frame


class _Recorder(Scorer):
    """Keeps what it is given to score, and calls everything 0."""

    def __init__(self, model: Model, streams: Mapping[str, FrameStream]) -> None:
        super().__init__(model, streams, "cpu", "float32")
        self.batches: list[Batch] = []

    def score(self, clips: list[tuple[Shot, ...]]) -> list[Tensor]:
        self.batches.append(self.batch(clips))
        return [torch.zeros(max(map(len, clips)), len(self.columns), dtype=torch.float64) for _ in clips]
