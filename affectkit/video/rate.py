"""Fewer frames per second, chosen by time."""

from __future__ import annotations

import math

from affectkit.errors import InputError

# Containers round times, matroska to a millisecond: a frame so little before a tick is the one that was meant for it.
_ROUNDING = 1e-3


class Ticks:
    """Chooses the first frame at or after each tick `k / fps`, counted from the video's first frame.

    No frame is chosen twice. A frame that is up to 1 ms, and up to a quarter of the ticks' distance, before a tick
    counts as being at it.
    """

    def __init__(self, fps: float, *, first: float | None = None, before: float | None = None) -> None:
        """Arguments:
        fps: ticks per second.
        first: time of the video's first frame, seconds; None for that of the first frame that is offered.
        before: time of the frame before the first that is offered; None where there is none.

        Raises:
            InputError: `fps` is not a positive number.
        """
        if not (math.isfinite(fps) and fps > 0):
            raise InputError(f"fps: {fps!r} is not accepted; give a positive number of frames per second")
        self._fps, self._first = fps, first
        self._tolerance = min(_ROUNDING, 0.25 / fps)
        self._tick = -1 if first is None or before is None else self._reached(before, first)

    def takes(self, pts: float) -> bool:
        """Whether the frame at `pts` is chosen. All frames are to be offered, in order."""
        if self._first is None:
            self._first = pts
        tick = self._reached(pts, self._first)
        is_new = tick > self._tick
        self._tick = max(tick, self._tick)
        return is_new

    def _reached(self, pts: float, first: float) -> int:
        return math.floor((pts - first + self._tolerance) * self._fps)
