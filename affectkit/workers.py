"""Processes of this machine that stop when they are told to: between two frames, with what is done on the disk.

Ctrl-C in a terminal reaches every process. Workers pass over it; the process that started them tells them to stop,
once, and in the same way when something else ends the run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from affectkit.errors import ConfigError

T = TypeVar("T")
# Of a worker: whether it is to stop, and whether it has nothing to do.
_stop, _is_idle = threading.Event(), threading.Event()
# Seconds that a worker may still take when the process that started it is gone.
_PATIENCE = 10.0


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a worker's work gave, and what it warned of."""

    value: T
    warnings: tuple[tuple[type[Warning], str], ...]


class Workers:
    """A pool of processes, which end with its context.

    Arguments:
        count: how many.

    Raises:
        ConfigError: `count` is less than 1.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ConfigError(f"{count!r} processes", "write 1 or more", path="workers")
        # Spawned: a forked process would inherit threads of torch and FFmpeg that do not run in it.
        context = multiprocessing.get_context("spawn")
        # Its end tells the workers to stop, and comes when this process is killed, too. They say that they have begun.
        self._ours, self._theirs = context.Pipe()
        threads = max((os.cpu_count() or 1) // count, 1)
        self._pool = ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(self._theirs, threads)
        )
        self._shown: set[tuple[type[Warning], str]] = set()

    def submit(self, work: Callable[..., T], *args: Any) -> Future[Outcome[T]]:
        """Have `work(*args, progress=...)` done; it calls `progress` now and then, which may end it by an exception.

        Raises:
            BrokenProcessPool: a worker has died.
        """
        return self._pool.submit(_work, work, *args)

    def take(self, outcome: Outcome[T]) -> T:
        """The value; what was warned of is warned of here, each warning once."""
        for category, text in outcome.warnings:
            if (category, text) not in self._shown:
                self._shown.add((category, text))
                warnings.warn(text, category, stacklevel=2)
        return outcome.value

    @property
    def have_begun(self) -> bool:
        """Whether any process came as far as to begin."""
        return self._ours.poll()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._ours.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._theirs.close()


def _begin(starter: Connection, threads: int) -> None:
    """Prepare a worker, before it imports anything that takes long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # A script is imported before this, with what it imports, and torch reads the variable once. More threads than
    # processors wait for each other, many times as long as they compute.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    threading.Thread(target=_watch, args=(starter,), daemon=True).start()


def _watch(starter: Connection) -> None:
    with suppress(EOFError, OSError):
        starter.send_bytes(b"begun")
        starter.recv_bytes()
    _stop.set()
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    # Nobody will tell this worker that there is no more work.
    _is_idle.wait(_PATIENCE)
    os._exit(1)


def _work(work: Callable[..., T], *args: Any) -> Outcome[T]:
    _is_idle.clear()
    try:
        with warnings.catch_warnings(record=True) as caught:
            _go_on()
            value = work(*args, progress=_go_on)
        return Outcome(value, tuple((item.category, str(item.message)) for item in caught))
    finally:
        _is_idle.set()


def _go_on(*progress: object) -> None:
    if _stop.is_set():
        raise KeyboardInterrupt
