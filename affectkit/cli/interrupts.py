"""Ctrl-C, once: what is pressed again while the program stops is no news."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds after which another Ctrl-C means that stopping takes too long.
_PATIENCE = 2.0


@contextmanager
def one_interrupt() -> Iterator[None]:
    """The first Ctrl-C raises KeyboardInterrupt. Those right after it do nothing; a later one ends the program at once.

    After a Ctrl-C the handler stays, since it is then the program's exit that must not be disturbed. Nothing is changed
    outside the main thread, or where something else handles Ctrl-C.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    first: float | None = None

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - first > _PATIENCE:
            os._exit(130)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        # What is left after a Ctrl-C is the exit, in which a handler of Python's may be gone too soon.
        signal.signal(signal.SIGINT, signal.default_int_handler if first is None else signal.SIG_IGN)
