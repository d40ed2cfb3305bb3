"""`FeatureTrack`: what one extractor says of the listed frames of one video. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureTrack:
    """Features of one face in T frames of a video, which need not follow one another.

    Attributes:
        video: its key, as in the dataset.
        frames: numbers of the frames, `(T,)` int64, ascending; as in the names of their files.
        times: seconds, `(T,)` float64, finite, not descending.
        values: `(T, D)` float32, finite.
        path: the file that it was read from; None for one that was made in memory.
        encoder: hash of what computed the values, as `encoder_digest` makes it; empty where that is unknown.

    Raises:
        InputError: shapes don't fit, frames don't ascend, times descend, or a time or value is NaN or infinite.
    """

    video: str
    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float32]
    path: Path | None = None
    encoder: str = ""

    def __post_init__(self) -> None:
        count = len(self.frames)
        if self.values.ndim != 2 or len(self.values) != count or self.times.shape != (count,):
            fact = f"frames {self.frames.shape}, times {self.times.shape}, values {self.values.shape}"
            raise InputError(f"{self.video}: {fact}; give (T,), (T,) and (T, D)")
        at = np.flatnonzero(np.diff(self.frames) <= 0)
        if at.size:
            pair = f"{self.frames[at[0] + 1]} follows {self.frames[at[0]]}"
            raise InputError(f"{self.video}: frame {pair}; give each frame once, in ascending order")
        at = np.flatnonzero(~np.isfinite(self.times))
        if at.size:
            fact = f"frame {self.frames[at[0]]} is at {self.times[at[0]]} s"
            raise InputError(f"{self.video}: {fact}; give seconds for every frame")
        at = np.flatnonzero(np.diff(self.times) < 0)
        if at.size:
            pair = f"{self.times[at[0] + 1]} s follows {self.times[at[0]]} s"
            raise InputError(f"{self.video}: {pair}; give times that don't descend")
        at = np.flatnonzero(~np.isfinite(self.values).all(axis=1))
        if at.size:
            fact = f"frame {self.frames[at[0]]} has features that are NaN or infinite"
            raise InputError(f"{self.video}: {fact}; leave such frames out")

    def __len__(self) -> int:
        return len(self.frames)
