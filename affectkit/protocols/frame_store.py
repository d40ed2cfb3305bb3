"""Predictions of the frames of many videos, kept on the disk, and read video by video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence as Items
from typing import IO, TYPE_CHECKING

from affectkit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FrameStore:
    """Rows of numbers by video and frame. Memory grows with the number of videos, and not with their length.

    Arguments:
        width: numbers per frame.
        source: where they are from, for messages.
        file: an empty one to keep them in.
    """

    def __init__(self, width: int, source: str, file: IO[bytes]) -> None:
        self._width, self._source, self._file = width, source, file
        self._rows = 0
        # video to the first and the number of rows of each stretch
        self._stretches: dict[str, list[list[int]]] = {}

    @property
    def videos(self) -> tuple[str, ...]:
        """Names, in the order in which they came."""
        return tuple(self._stretches)

    def add(self, videos: Iterable[str], frames: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """More rows, in any order.

        Arguments:
            videos: name of each row's video.
            frames: `(N,)`, numbers of the frames.
            values: `(N, width)`.
        """
        import numpy as np

        rows = np.concatenate([frames[:, None].astype(np.float64), values], axis=1)
        self._file.seek(self._rows * (self._width + 1) * 8)
        self._file.write(rows.tobytes())
        for at, video in enumerate(videos, start=self._rows):
            own = self._stretches.setdefault(video, [])
            if own and sum(own[-1]) == at:
                own[-1][1] += 1
            else:
                own.append([at, 1])
        self._rows += len(rows)

    def read(self, video: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Frames of a video, ascending, and their values; both are empty where nothing is known of it.

        Raises:
            InputError: a frame is there twice.
        """
        import numpy as np

        size = self._width + 1
        parts = [np.empty((0, size))]
        for first, count in self._stretches.get(video, ()):
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
