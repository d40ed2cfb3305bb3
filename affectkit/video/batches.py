"""What a pipeline would be given of videos and pictures, in place of what it says about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from affectkit.configs import Events, FaceDetectorConfig, Windows
from affectkit.model import Model
from affectkit.sequences import Batch
from affectkit.streams import FrameStream
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.detection import build_detector
from affectkit.video.engine import Engine
from affectkit.video.event_scoring import EventScoring, build_spotter
from affectkit.video.footage import open_footage
from affectkit.video.scoring import Scorer, Scoring, WindowScoring
from affectkit.video.shots import Shot


@dataclass(frozen=True, kw_only=True)
class FaceBatches:
    """What was read of files.

    Attributes:
        batches: of one file each.
        read: how many files were read, to the end or until there were enough batches.
        without: those of them of which there is no batch, since no face could be given to the pipeline.
    """

    batches: tuple[Batch, ...]
    read: int
    without: tuple[Path, ...]


def face_batches(
    paths: Iterable[str | Path], model: Model, detector: FaceDetectorConfig, *, most: int, batch_size: int = 8
) -> FaceBatches:
    """Batches of the faces in videos and pictures, cut and sampled as `analyze` does; none where there is no face.

    Arguments:
        paths: files.
        model: a pipeline that takes frames.
        detector: which faces there are.
        most: how many batches at the most; reading ends there.
        batch_size: about how many frames one has.

    Raises:
        InputError: a file is no video or picture, or the pipeline does not take frames of one.
    """
    sampling = model.config.sampling or Windows()
    streams = video_streams(model.config.input_streams(), events=isinstance(sampling, Events))
    recorder = _Recorder(model, streams)
    built = build_detector(detector, model.registry)
    read, without = 0, []
    for path in paths:
        if len(recorder.batches) >= most:
            break
        before = len(recorder.batches)
        footage = open_footage(path, None, None, start=None, stop=None, fps=None)
        scoring: Scoring
        if isinstance(sampling, Events):
            source = next(iter(streams))
            spotter = build_spotter(sampling, streams[source], model.registry)
            scoring = EventScoring(spotter, sampling, source, recorder, footage.fps)
        else:
            scoring = WindowScoring(recorder, sampling, batch_size)
        for _ in Engine(built, model.config.tracking, Cutter(streams), scoring).run(footage.read(None)):
            if len(recorder.batches) >= most:
                break
        read += 1
        if len(recorder.batches) == before:
            without.append(Path(path))
    return FaceBatches(batches=tuple(recorder.batches[:most]), read=read, without=tuple(without))


class _Recorder(Scorer):
    """Keeps what it is given to score, and calls everything 0."""

    def __init__(self, model: Model, streams: Mapping[str, FrameStream]) -> None:
        super().__init__(model, streams, "cpu", "float32")
        self.batches: list[Batch] = []

    def score(self, clips: list[tuple[Shot, ...]]) -> list[Tensor]:
        self.batches.append(self.batch(clips))
        return [torch.zeros(max(map(len, clips)), len(self.columns), dtype=torch.float64) for _ in clips]
