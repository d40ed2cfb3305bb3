"""Scores of every frame of a long track, in constant memory: overlapping segments, averaged where they overlap.

Segment k holds the listed frames from `k * (segment - overlap)` on. A frame's decoded scores are the mean over the
segments that hold it, as in public code of arXiv 2203.13032, and are given out as soon as the last of them is scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.model import Model
from affectkit.sequences import Sequence
from affectkit.tracks.cutting import check_clock, segment_starts
from affectkit.tracks.track import FeatureTrack


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredFrames:
    """Predictions of consecutive listed frames of a video.

    Attributes:
        frames: their numbers, `(n,)`.
        times: seconds, `(n,)`.
        scores: by output name, decoded, `(n, K)` float64: probabilities, or values within their bounds.
    """

    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.frames)


def predict_track(
    model: Model,
    tracks: Mapping[str, FeatureTrack],
    *,
    segment: int = 250,
    overlap: int = 125,
    batch_size: int = 8,
) -> Iterator[ScoredFrames]:
    """Score one video by its stored features.

    What is held beside the tracks are `batch_size` segments and the sums of one segment's frames, however long the
    video is; the values of a track may be a memory map. The result depends on the batch size in rounding alone.

    Arguments:
        model: a pipeline or ensemble on stored features; put in evaluation mode while it scores.
        tracks: by input name, on one clock, with the same frames.
        segment: frames that are scored together; those that the model was trained with.
        overlap: frames that a segment shares with the one before it; 0 for none.
        batch_size: segments that are scored at once.

    Yields:
        Every frame once, in order, in pieces. A score per clip holds for each frame of its segment.

    Raises:
        InputError: segment, overlap and batch size don't fit; the tracks differ in frames or times, or are not what
            the model takes; or they are of another encoder than the features that it learned from.
    """
    if batch_size < 1:
        raise InputError(f"batch_size: {batch_size!r} is too few; give 1 or more")
    clock = check_clock(tracks)
    check_encoders(model, {name: track.encoder for name, track in tracks.items()}, f"video {clock.video}")
    begins = segment_starts(len(clock), segment, overlap)
    return _predicted(model, tracks, clock, begins, segment, batch_size) if len(clock) else iter(())


def check_encoders(model: Model, encoders: Mapping[str, str], what: str) -> None:
    """Raise InputError if features are of another encoder than those that a model learned from, where both are known.

    Arguments:
        model: whose `encoders` are compared.
        encoders: by input, the hash of what computed the features, or "".
        what: whose features they are.
    """
    for name, theirs in encoders.items():
        mine = model.encoders.get(name, theirs)
        if theirs and mine != theirs:
            fact = f"features {name!r} are of encoder {theirs[:12]}, and the model learned from those of {mine[:12]}"
            raise InputError(f"{what}: {fact}; compute them by that one")


def _predicted(
    model: Model,
    tracks: Mapping[str, FeatureTrack],
    clock: FeatureTrack,
    begins: range,
    segment: int,
    batch_size: int,
) -> Iterator[ScoredFrames]:
    outputs = model.traced.outputs
    edges = list(accumulate((len(output.targets) for output in outputs.values()), initial=0))
    # sums over the segments so far of the frames from `given` on, with how many segments in the last column
    sums, given = np.zeros((0, edges[-1] + 1)), 0
    for at in range(0, len(begins), batch_size):
        chosen = begins[at : at + batch_size]
        values = _scores(model, tracks, clock, chosen, segment)
        end = min(chosen[-1] + segment, len(clock))
        sums = np.pad(sums, ((0, end - given - len(sums)), (0, 0)))
        for row, begin in enumerate(chosen):
            stop = min(begin + segment, len(clock))
            sums[begin - given : stop - given, :-1] += values[row, : stop - begin]
            sums[begin - given : stop - given, -1] += 1
        # no later segment holds a frame before the first one's
        final = begins[at + batch_size] if at + batch_size < len(begins) else end
        done, sums = sums[: final - given, :-1] / sums[: final - given, -1:], sums[final - given :]
        yield ScoredFrames(
            frames=clock.frames[given:final],
            times=clock.times[given:final],
            scores={name: done[:, a:b] for name, (a, b) in zip(outputs, pairwise(edges), strict=True)},
        )
        given = final


def _scores(
    model: Model, tracks: Mapping[str, FeatureTrack], clock: FeatureTrack, begins: range, segment: int
) -> NDArray[np.float64]:
    """Decoded scores of some segments, `(B, T, K)` with the targets of all outputs; meaningless at padding."""
    counts = torch.tensor([min(segment, len(clock) - begin) for begin in begins])
    steps = int(counts.max())
    mask = torch.arange(steps) < counts.unsqueeze(1)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    # the last time over and over: whatever looks at padding sees no gap
    times = torch.stack([_padded(clock.times, begin, steps, float(clock.times[-1])) for begin in begins])
    batch = {
        name: Sequence(torch.stack([_padded(track.values, begin, steps) for begin in begins]), mask, times).to(device)
        for name, track in tracks.items()
    }
    found = model.predict(batch)
    parts = [
        # a clip's score holds for each of its frames
        found[name].unsqueeze(1).expand(-1, steps, -1) if output.resolution == "clip" else found[name]
        for name, output in model.traced.outputs.items()
    ]
    joined: NDArray[np.float64] = torch.cat([part.double().cpu() for part in parts], dim=-1).numpy()
    return joined


def _padded(values: NDArray[np.floating[Any]], begin: int, steps: int, fill: float = 0.0) -> torch.Tensor:
    part = torch.from_numpy(np.array(values[begin : begin + steps]))
    padded = part.new_full((steps, *part.shape[1:]), fill)
    padded[: len(part)] = part
    return padded
