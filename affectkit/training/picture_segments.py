"""From labeled frames of videos, each an example, to segments: those of one video that follow each other, N to a row.

As of stored features, a segment counts listed frames, however far apart they are, and their times go along. A frame
without a label, or whose picture can't be used, is in none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.sequences import Targets
from affectkit.tracks.cutting import segment_starts
from affectkit.tracks.footage import source_times
from affectkit.training.examples import Examples
from affectkit.training.picture_samples import Chosen


def listed_times(chosen: Iterable[Chosen], fps: float | None) -> NDArray[np.float64]:
    """Seconds of all chosen frames, `(n,)`: those of their samples, or by number; NaN in videos, which have their own.

    Raises:
        InputError: listed frames have neither times nor a rate, or not as many times as frames.
    """
    found = []
    for one in chosen:
        times = source_times(one.sample, fps)
        found.append(np.full(len(one.rows), np.nan) if times is None else times[one.rows])
    return np.concatenate(found)


def segment_pictures(examples: Examples, times: NDArray[np.float64], length: int, overlap: int = 0) -> Examples:
    """Segments of frames, with a target per frame; the last one of a video is padded, with mask False.

    Arguments:
        examples: single pictures on the disk, labeled by heads that score frames; those of one video stand together, in
            the order of its frames.
        times: of each, seconds `(n,)` float64.
        length: N, frames in a segment.
        overlap: frames that a segment shares with the one before it.

    Returns:
        Examples whose pictures are read as `(B, N, C, H, W)`, with targets `(S, N)` of classes and `(S, N, K)` of
        values.

    Raises:
        InputError: length and overlap don't fit.
    """
    assert examples.pictures is not None
    assert examples.frames is not None
    places = _places(zip(examples.datasets, examples.videos, strict=True), length, overlap)
    mask = places >= 0
    # in padding the last frame over and over: whatever looks at its times sees no gap
    at = places.cummax(dim=1).values

    def cut(labels: Tensor) -> Tensor:
        """Labels `(n, 1)` or `(n, 1, K)` as those of segments, with zeros in padding."""
        found = labels.squeeze(1)[at]
        return found.masked_fill(~mask.view(*mask.shape, *(1,) * (found.ndim - 2)), 0)

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names[row] for row in places[:, 0].tolist()) if names else ()

    return Examples(
        inputs={},
        pictures=replace(
            examples.pictures,
            file=examples.pictures.file.squeeze(1)[at].masked_fill(~mask, -1),
            row=cut(examples.pictures.row),
            times=torch.from_numpy(times)[at],
        ),
        targets={name: Targets(*map(cut, one)) for name, one in examples.targets.items()},
        subjects=named(examples.subjects),
        keys=named(examples.keys),
        datasets=named(examples.datasets),
        videos=named(examples.videos),
        frames=cut(examples.frames),
        halves=named(examples.halves),
    )


def _places(videos: Iterable[tuple[str, str]], length: int, overlap: int) -> Tensor:
    """Of each segment the places of its frames among all, `(S, N)` int64; -1 behind the last one of a video."""
    found, begin = [], 0
    for _, group in groupby(videos):
        end = begin + sum(1 for _ in group)
        for start in segment_starts(end - begin, length, overlap):
            own = torch.arange(begin + start, begin + start + length)
            found.append(own.masked_fill(own >= end, -1))
        begin = end
    return torch.stack(found)
