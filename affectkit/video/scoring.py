"""Scoring faces on the way from frames to rows: sampled, batched, and averaged over the windows that cover a frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from affectkit.configs import Frames, Windows
from affectkit.errors import InputError
from affectkit.model import Model
from affectkit.results.rows import Row
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream, PredictionStream
from affectkit.video.clips import cut_face
from affectkit.video.faces import FacesInFrame, TrackedFace
from affectkit.video.reader import VideoFrame
from affectkit.video.sampling import Sampler, Window, start_sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Precision = Literal["float32", "bfloat16"]
# Rows that wait for their predictions behind one that does; bounds the memory where faces are rare.
_MAX_WAITING = 1024


@dataclass
class Shot:
    """One row on its way: a face of a frame, cut out for every input, and the sum of its predictions so far.

    Attributes:
        row: the row without predictions.
        inputs: `(C, H, W)` by input name; dropped when nothing more will be scored.
        total: sum over the windows that covered it, one value per column.
        windows: how many did.
        is_final: whether no more will.
    """

    row: Row
    inputs: Mapping[str, NDArray[np.float32]]
    total: Tensor | None = None
    windows: int = 0
    is_final: bool = False

    def add(self, values: Tensor) -> None:
        self.total = values if self.total is None else self.total + values
        self.windows += 1

    def finish(self) -> None:
        self.is_final, self.inputs = True, {}


class Scorer:
    """Runs a model on windows.

    Attributes:
        columns: `output.target`, in the order of the predictions.
    """

    def __init__(self, model: Model, streams: Mapping[str, FrameStream], device: str, precision: Precision) -> None:
        self.model, self.streams, self.device, self.precision = model, streams, device, precision
        self.outputs: Mapping[str, PredictionStream] = model.traced.outputs
        self.columns = output_columns(self.outputs)

    def score(self, windows: Iterable[Window[Shot]]) -> None:
        """Add to every shot of the windows its decoded predictions; a clip's hold for each of its frames."""
        clips = [window.items for window in windows if window.items]
        if not clips:
            return
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            predictions = self.model.predict({name: self._batch(name, clips) for name in self.streams})
        steps = max(map(len, clips))
        parts = []
        for name, output in self.outputs.items():
            values = predictions[name].cpu().double()
            if output.resolution == "clip":
                values = values.unsqueeze(1).expand(-1, steps, -1)
            elif values.shape[1] != steps:
                fact = f"{name}: gives {values.shape[1]} scores for {steps} frames"
                raise InputError(f"{fact}; a video needs one per frame, or resolution='clip'")
            parts.append(values)
        for clip, values in zip(clips, torch.cat(parts, dim=-1), strict=True):
            for shot, value in zip(clip, values, strict=False):
                shot.add(value)

    def _batch(self, name: str, clips: list[tuple[Shot, ...]]) -> Sequence:
        """Clips of one input as one padded batch on the device."""
        stream = self.streams[name]
        batch, steps = len(clips), max(map(len, clips))
        values = torch.zeros(batch, steps, len(stream.channels), stream.height, stream.width)
        mask = torch.zeros(batch, steps, dtype=torch.bool)
        times = torch.zeros(batch, steps, dtype=torch.float64)
        for b, clip in enumerate(clips):
            for t, shot in enumerate(clip):
                values[b, t] = torch.from_numpy(shot.inputs[name])
                times[b, t] = shot.row.pts
            mask[b, : len(clip)] = True
            times[b, len(clip) :] = clip[-1].row.pts
        return Sequence(values, mask, times).to(self.device)


def score_faces(
    found: Iterable[FacesInFrame], scorer: Scorer, sampling: Frames | Windows, batch_size: int
) -> Iterator[Row]:
    """A row per face, or per frame without one, in the order of the frames; in constant memory.

    Arguments:
        found: frames with their faces.
        scorer: the model.
        sampling: how each track is cut.
        batch_size: about how many frames are scored at once; a window is never split.
    """
    samplers: dict[int, Sampler[Shot]] = {}
    rows: deque[Shot] = deque()
    queue: list[Window[Shot]] = []
    for frame, faces in ((item.frame, item.faces) for item in found):
        for face in faces:
            shot = _shot(frame, face, scorer.streams)
            rows.append(shot)
            samplers.setdefault(face.track, start_sampling(sampling))
            queue += samplers[face.track].push(frame.pts, shot)
        if not faces:
            row = Row(frame=frame.index, pts=frame.pts, track=None, status="no_face")
            rows.append(Shot(row, {}, is_final=True))
        for track, sampler in list(samplers.items()):
            queue += sampler.advance(frame.pts)
            if sampler.is_empty:
                del samplers[track]
        if sum(len(window.items) for window in queue) >= batch_size or len(rows) > _MAX_WAITING:
            yield from _finished(rows, queue, scorer)
    for sampler in samplers.values():
        queue += sampler.finish()
    yield from _finished(rows, queue, scorer)


def output_columns(outputs: Mapping[str, PredictionStream]) -> tuple[str, ...]:
    """`output.target` of every output, in order."""
    return tuple(f"{name}.{target}" for name, output in outputs.items() for target in output.targets)


def _finished(rows: deque[Shot], queue: list[Window[Shot]], scorer: Scorer) -> Iterator[Row]:
    """Score what waits in the queue, and give the rows that nothing more is added to."""
    scorer.score(queue)
    for window in queue:
        for shot in window.final:
            shot.finish()
    queue.clear()
    while rows and rows[0].is_final:
        shot = rows.popleft()
        if shot.total is None:
            yield shot.row
        else:
            # Seven digits are all that float32 has.
            values = [float(f"{value:.7g}") for value in (shot.total / shot.windows).tolist()]
            yield replace(shot.row, predictions=dict(zip(scorer.columns, values, strict=True)))


def _shot(frame: VideoFrame, tracked: TrackedFace, streams: Mapping[str, FrameStream]) -> Shot:
    left, top, width, height = tracked.face.box
    row = Row(
        frame=frame.index,
        pts=frame.pts,
        track=tracked.track,
        status="ok",
        left=float(left),
        top=float(top),
        width=float(width),
        height=float(height),
        confidence=float(tracked.face.score),
    )
    return Shot(row, {name: cut_face(frame, tracked.face, stream) for name, stream in streams.items()})
