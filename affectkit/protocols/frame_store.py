"""Predictions of the frames of many videos, kept on the disk, and read video by video."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence as Items
from typing import IO, TYPE_CHECKING

from affectkit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FrameStore:
    """Rows of numbers by video and frame.

    Memory grows with the number of videos, and by 16 bytes with each stretch of rows of one video that follow each
    other: not with the length of videos where their rows are together, and with every row where they are shuffled.

    Arguments:
        width: numbers per frame.
        source: where they are from, for messages.
        file: an empty one to keep them in.
    """

    def __init__(self, width: int, source: str, file: IO[bytes]) -> None:
        self._width, self._source, self._file = width, source, file
        self._rows = 0
        # video to the first and the number of rows of each stretch
        self._stretches: dict[str, array[int]] = {}
        self._last: dict[str, int] = {}

    def add(self, videos: Iterable[str], frames: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """More rows, in any order. Of one with a NaN it is known that there is such a frame, and nothing else.

        Arguments:
            videos: name of each row's video.
            frames: `(N,)`, numbers of the frames.
            values: `(N, width)`.
        """
        import numpy as np

        is_known = np.asarray(~np.isnan(values).any(axis=1))
        rows = np.concatenate([frames[:, None].astype(np.float64), values], axis=1)[is_known]
        self._file.seek(self._rows * (self._width + 1) * 8)
        self._file.write(rows.tobytes())
        for video, frame, known in zip(videos, frames.tolist(), is_known.tolist(), strict=True):
            self._last[video] = max(frame, self._last.get(video, frame))
            if known:
                own = self._stretches.setdefault(video, array("q"))
                if own and own[-2] + own[-1] == self._rows:
                    own[-1] += 1
                else:
                    own.extend((self._rows, 1))
                self._rows += 1

    @property
    def videos(self) -> tuple[str, ...]:
        """Those of which something is known, in the order in which they came."""
        return tuple(self._stretches)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Those that have rows, and of which nothing is known."""
        return tuple(video for video in self._last if video not in self._stretches)

    def last_frame(self, video: str) -> int:
        """The largest number of a frame of a video, known or not; 0 where there is no row of it."""
        return self._last.get(video, 0)

    def read(self, video: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Frames of a video, ascending, and their values; both are empty where nothing is known of it.

        Raises:
            InputError: a frame is there twice.
        """
        import numpy as np

        size = self._width + 1
        parts = [np.empty((0, size))]
        own = self._stretches.get(video, array("q"))
        for first, count in zip(own[::2], own[1::2], strict=True):
            self._file.seek(first * size * 8)
            parts.append(np.frombuffer(self._file.read(count * size * 8)).reshape(count, size))
        rows = np.concatenate(parts)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        frames = rows[:, 0].astype(np.int64)
        twice = frames[1:][frames[1:] == frames[:-1]]
        if len(twice):
            place = f"{self._source}: video {video!r}, frame {twice[0]}"
            raise InputError(f"{place} is there twice; keep one row per frame, of one face")
        return frames, rows[:, 1:]


def nearest_rows(frames: NDArray[np.int64], wanted: Items[int]) -> NDArray[np.intp]:
    """Place of the frame nearest to each wanted one among ascending `frames`; the earlier of two as near."""
    import numpy as np

    numbers = np.asarray(wanted, dtype=np.int64)
    after = np.searchsorted(frames, numbers).clip(max=len(frames) - 1)
    before = (after - 1).clip(min=0)
    is_earlier = np.abs(numbers - frames[before]) <= np.abs(frames[after] - numbers)
    return np.where(is_earlier, before, after)
