"""Reading ahead: an iterator runs in a thread of its own, so that decoding goes on while frames are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from threading import Condition, Thread
from typing import Generic, TypeVar

from affectkit.errors import ConfigError

T = TypeVar("T")
# On Windows a wait without end would keep Ctrl-C waiting too.
_PATIENCE = 0.5


def prefetch(items: Iterable[T], size: int = 4) -> Generator[T, None, None]:
    """The items in their order, up to `size` of them made ahead in a background thread.

    What the iterator raises comes out where its item would have. Closing the generator, or leaving it by an exception
    such as Ctrl-C, stops the thread as soon as the item that it is at is made, closes the iterator and waits for both.

    Arguments:
        items: used by the thread only, from the first item on until the generator is closed.
        size: items that wait at most; each holds its memory.

    Raises:
        ConfigError: `size` is less than 1.
    """
    if size < 1:
        raise ConfigError(f"{size!r} is not accepted", "write 1 or more", path="size")
    return _consume(_Belt(items, size))


def _consume(belt: _Belt[T]) -> Generator[T, None, None]:
    belt.thread.start()
    try:
        while (item := belt.take()) is not None:
            yield item[0]
    finally:
        belt.stop()


class _Belt(Generic[T]):
    """What passes from the thread to its user."""

    def __init__(self, items: Iterable[T], size: int) -> None:
        self._items, self._size = items, size
        # each in a tuple, since None may be an item
        self._ready: deque[tuple[T]] = deque()
        self._change = Condition()
        self._is_done = self._is_stopped = False
        self._error: BaseException | None = None
        self.thread = Thread(target=self._run, name="affectkit-prefetch", daemon=True)

    def take(self) -> tuple[T] | None:
        """The next item; None after the last."""
        with self._change:
            while not self._ready and not self._is_done:
                self._change.wait(_PATIENCE)
            if self._ready:
                self._change.notify_all()
                return self._ready.popleft()
        if self._error is not None:
            raise self._error
        return None

    def stop(self) -> None:
        with self._change:
            self._is_stopped = True
            self._ready.clear()
            self._change.notify_all()
        self.thread.join()

    def _run(self) -> None:
        try:
            iterator = iter(self._items)
            for item in iterator:
                if not self._put(item):
                    break
            # in this thread: a decoder must not be closed while it is at work
            if (close := getattr(iterator, "close", None)) is not None:
                close()
        except BaseException as error:
            self._error = error
        finally:
            with self._change:
                self._is_done = True
                self._change.notify_all()

    def _put(self, item: T) -> bool:
        with self._change:
            while len(self._ready) >= self._size and not self._is_stopped:
                self._change.wait()
            self._ready.append((item,))
            self._change.notify_all()
            return not self._is_stopped
