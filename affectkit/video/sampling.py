"""Sampling: which frames of a track are scored together, by the container's time, in constant memory.

A sampler is fed one item per frame and hands out windows as soon as they are complete. It knows nothing of pictures,
so that any record with a time can be sampled. Times are compared as whole nanoseconds: sums of float seconds would now
and then leave a frame between two windows that touch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from affectkit.configs import Frames, Windows

T = TypeVar("T")


@dataclass(frozen=True)
class Window(Generic[T]):
    """Items that are scored together.

    Attributes:
        items: in order of time; empty where all of them were in an earlier window.
        final: the items that no later window holds.
    """

    items: tuple[T, ...]
    final: tuple[T, ...]


class Sampler(ABC, Generic[T]):
    """Cuts the items of one track into windows. Every item is in at least one."""

    @abstractmethod
    def push(self, time: float, item: T) -> list[Window[T]]:
        """Take the next item at `time` seconds; return the windows that are now complete."""

    @abstractmethod
    def advance(self, time: float) -> list[Window[T]]:
        """Nothing came before `time` seconds: return the windows that are complete by then."""

    @abstractmethod
    def finish(self) -> list[Window[T]]:
        """Nothing more comes: return what is left, a shorter window."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether no item waits for a window."""

    def snapshot(self) -> list[int]:
        """Where its windows lie and what waits for one, by its time alone; plain data."""
        return []

    def restore(self, state: list[int]) -> None:
        """Go on from a snapshot. What waited then takes its place in the windows and is not in them."""


class FrameSampler(Sampler[T]):
    """Every item on its own."""

    def push(self, time: float, item: T) -> list[Window[T]]:
        return [Window((item,), (item,))]

    def advance(self, time: float) -> list[Window[T]]:
        return []

    def finish(self) -> list[Window[T]]:
        return []

    @property
    def is_empty(self) -> bool:
        return True


class WindowSampler(Sampler[T]):
    """Window k spans `[first + k * hop, first + k * hop + length)`, where `first` is the first item's time.

    A window is given unless an earlier one held all its items; so the last one may be shorter, and none is a mere
    remainder. After a gap as long as a window, the count begins anew.
    """

    def __init__(self, sampling: Windows) -> None:
        self._length = max(_nanoseconds(sampling.seconds), 1)
        self._hop = max(_nanoseconds(sampling.hop_seconds), 1)
        # None in place of an item that came before a snapshot was restored.
        self._items: deque[tuple[int, T | None]] = deque()
        self._start = 0
        # End of the last window that was given: what lies before it has been in a window.
        self._covered = -math.inf

    def push(self, time: float, item: T) -> list[Window[T]]:
        windows = self.advance(time)
        now = _nanoseconds(time)
        if not self._items and now >= self._covered + self._length:
            self._start = self._covered = now
        self._items.append((now, item))
        return windows

    def advance(self, time: float) -> list[Window[T]]:
        now = _nanoseconds(time)
        windows: list[Window[T]] = []
        while self._items:
            windows += self._skip(now)
            end = self._start + self._length
            if not self._items or end > now:
                break
            items = tuple(item for at, item in self._items if at < end and item is not None)
            self._start, self._covered = self._start + self._hop, end
            windows.append(Window(items, self._drop(self._start)))
        return windows

    def finish(self) -> list[Window[T]]:
        if not self._items:
            return []
        is_new = self._items[-1][0] >= self._covered
        items = self._drop(self._items[-1][0] + 1)
        return [Window(items if is_new else (), items)]

    @property
    def is_empty(self) -> bool:
        return not self._items

    def snapshot(self) -> list[int]:
        covered = self._start if math.isinf(self._covered) else int(self._covered)
        return [self._start, covered, *(at for at, _ in self._items)]

    def restore(self, state: list[int]) -> None:
        self._start, self._covered, *times = state
        self._items = deque((at, None) for at in times)

    def _skip(self, now: int) -> list[Window[T]]:
        """Go on to the first window that holds something new, or, where nothing is, that ends after `now`."""
        new = next((at for at, _ in self._items if at >= self._covered), now)
        late = new - (self._start + self._length)
        if late < 0:
            return []
        self._start += (late // self._hop + 1) * self._hop
        final = self._drop(self._start)
        return [Window((), final)] if final else []

    def _drop(self, before: int) -> tuple[T, ...]:
        dropped = []
        while self._items and self._items[0][0] < before:
            dropped.append(self._items.popleft()[1])
        return tuple(item for item in dropped if item is not None)


def start_sampling(sampling: Frames | Windows) -> Sampler[T]:
    """A sampler for one track."""
    return FrameSampler() if isinstance(sampling, Frames) else WindowSampler(sampling)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
