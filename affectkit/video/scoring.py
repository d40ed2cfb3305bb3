"""Scoring faces on the way from frames to rows: sampled, batched, and averaged over the windows that cover a frame."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from affectkit.configs import Frames, Windows
from affectkit.errors import InputError, LeftOutWarning
from affectkit.model import Model
from affectkit.results.rows import EventRow, Row
from affectkit.score_streams import AGREEMENT
from affectkit.sequences import Batch, Sequence
from affectkit.streams import FrameStream, PredictionStream
from affectkit.video.detection import AnyFrame
from affectkit.video.sampling import Sampler, Window, start_sampling
from affectkit.video.shots import Shot

Precision = Literal["float32", "bfloat16"]
# Rows that wait for their predictions behind one that does; bounds the memory where faces are rare.
_MAX_WAITING = 1024
# Parameters.
_SMALL = 5_000_000


class Scoring(ABC):
    """Takes the shots of one frame after the other, and gives rows in their order and events when they are final."""

    @abstractmethod
    def needed_from(self, pts: float) -> float:
        """Time of the first frame on which anything depends that is given behind a row at `pts`."""

    @abstractmethod
    def push(self, frame: AnyFrame, shots: tuple[Shot, ...]) -> Iterator[Row | EventRow]:
        """Take the shots of the next frame; give what is done."""

    @abstractmethod
    def finish(self) -> Iterator[Row | EventRow]:
        """Nothing more comes: give the rest."""

    def snapshot(self) -> dict[str, Any]:
        """What has to be known, beside the frames from `needed_from` on, to go on from here; plain data."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - nothing to restore from an empty snapshot
        """Go on from a snapshot."""


class Scorer:
    """Runs a model on windows.

    Attributes:
        columns: `output.target`, in the order of the predictions.
    """

    def __init__(self, model: Model, streams: Mapping[str, FrameStream], device: str, precision: Precision) -> None:
        self.model, self.streams, self.device, self.precision = model, streams, device, precision
        self.outputs: Mapping[str, PredictionStream] = model.traced.outputs
        self.columns = output_columns(self.outputs)
        self._told = set[str]()
        self._is_small = sum(parameter.numel() for parameter in model.parameters()) < _SMALL

    def score(self, clips: list[tuple[Shot, ...]]) -> list[Tensor]:
        """Decoded predictions of every clip, `(T, K)` float64 on the CPU; a clip's hold for each of its frames."""
        is_half = self.precision == "bfloat16"
        with self._threads(), torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=is_half):
            predictions = self.model.predict(self.batch(clips))
        steps = max(map(len, clips))
        parts = []
        for name, output in self.outputs.items():
            values = predictions[name].cpu().double()
            if output.resolution == "clip":
                values = values.unsqueeze(1).expand(-1, steps, -1)
            elif values.shape[1] != steps:
                fact = f"{name}: gives {values.shape[1]} scores for {steps} frames"
                raise InputError(f"{fact}; a video needs one per frame, or resolution='clip'")
            self._tell_nan(name, values, clips)
            parts.append(values)
        return list(torch.cat(parts, dim=-1))

    def _tell_nan(self, name: str, values: Tensor, clips: list[tuple[Shot, ...]]) -> None:
        """Warn once of an output that is NaN where there is a face; its agreement is NaN for the same reason."""
        if name in self._told or name.endswith(AGREEMENT) or not values.isnan().any():
            return
        if any(values[at, : len(clip)].isnan().any() for at, clip in enumerate(clips)):
            self._told.add(name)
            warnings.warn(f"{name}: is NaN for some faces; their cells are empty", LeftOutWarning, stacklevel=2)

    def batch(self, clips: list[tuple[Shot, ...]]) -> Batch:
        """Clips by input name, padded, on the device."""
        return {name: self._batch(name, clips) for name in self.streams}

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """One thread for a small network: beside the decoder's and detector's, more cost more than they bring."""
        before = torch.get_num_threads()
        if not self._is_small or before == 1:
            yield
            return
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _batch(self, name: str, clips: list[tuple[Shot, ...]]) -> Sequence:
        """Clips of one input as one padded batch on the device."""
        stream = self.streams[name]
        batch, steps = len(clips), max(map(len, clips))
        values = torch.zeros(batch, steps, len(stream.channels), stream.height, stream.width)
        mask = torch.zeros(batch, steps, dtype=torch.bool)
        times = torch.zeros(batch, steps, dtype=torch.float64)
        for b, clip in enumerate(clips):
            for t, shot in enumerate(clip):
                assert shot.cut is not None  # only frames with a face are sampled
                values[b, t] = torch.from_numpy(shot.cut.inputs[name])
                times[b, t] = shot.row.pts
            mask[b, : len(clip)] = True
            times[b, len(clip) :] = clip[-1].row.pts
        return Sequence(values, mask, times).to(self.device)


class WindowScoring(Scoring):
    """Frames one by one, or windows of each track, scored in batches.

    Arguments:
        scorer: the model.
        sampling: how each track is cut.
        batch_size: about how many frames are scored at once; a window is never split.
    """

    def __init__(self, scorer: Scorer, sampling: Frames | Windows, batch_size: int) -> None:
        self._scorer, self._sampling, self._batch_size = scorer, sampling, batch_size
        self._samplers: dict[int, Sampler[Shot]] = {}
        self._rows: deque[Shot] = deque()
        self._queue: list[Window[Shot]] = []
        self._queued = 0

    def needed_from(self, pts: float) -> float:
        return pts - self._sampling.seconds if isinstance(self._sampling, Windows) else pts

    def push(self, frame: AnyFrame, shots: tuple[Shot, ...]) -> Iterator[Row | EventRow]:
        for shot in shots:
            self._rows.append(shot)
            if shot.row.track is not None:
                self._enqueue(self._sampler(shot.row.track).push(frame.pts, shot))
        for track, sampler in list(self._samplers.items()):
            self._enqueue(sampler.advance(frame.pts))
            if sampler.is_empty:
                del self._samplers[track]
        if self._queued >= self._batch_size or len(self._rows) > _MAX_WAITING:
            yield from self._finished()

    def finish(self) -> Iterator[Row | EventRow]:
        for sampler in self._samplers.values():
            self._enqueue(sampler.finish())
        yield from self._finished()

    def snapshot(self) -> dict[str, Any]:
        return {str(track): sampler.snapshot() for track, sampler in self._samplers.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for track, phase in state.items():
            self._sampler(int(track)).restore(phase)

    def _sampler(self, track: int) -> Sampler[Shot]:
        if track not in self._samplers:
            self._samplers[track] = start_sampling(self._sampling)
        return self._samplers[track]

    def _enqueue(self, windows: Iterable[Window[Shot]]) -> None:
        for window in windows:
            self._queue.append(window)
            self._queued += len(window.items)

    def _finished(self) -> Iterator[Row]:
        """Score what waits in the queue, and give the rows that nothing more is added to."""
        clips = [window.items for window in self._queue if window.items]
        if clips:
            for clip, values in zip(clips, self._scorer.score(clips), strict=True):
                for shot, value in zip(clip, values, strict=False):  # values of padding are left over
                    shot.add(value)
        for window in self._queue:
            for shot in window.final:
                shot.finish()
        self._queue, self._queued = [], 0
        while self._rows and self._rows[0].is_final:
            yield self._rows.popleft().result(self._scorer.columns)


def output_columns(outputs: Mapping[str, PredictionStream]) -> tuple[str, ...]:
    """`output.target` of every output, in order."""
    return tuple(f"{name}.{target}" for name, output in outputs.items() for target in output.targets)
