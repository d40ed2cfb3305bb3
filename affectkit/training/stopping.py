"""Ctrl-C and SIGTERM in a training: Lightning turns both into an exit of its own, with a code that says nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What a shell says of a program that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM


@contextmanager
def told_to_stop(trainer: Any, checkpoint: Path | None) -> Iterator[None]:
    """Around a trainer's `fit`.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        SystemExit: SIGTERM, with the code 143; the step that ran has been finished. Both have a note on `checkpoint`,
            where there is one.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if is_main else None
    try:
        yield
    except SystemExit as stop:
        stopped: BaseException = stop
        if trainer.received_sigterm:
            stopped = SystemExit(TERMINATED)
        elif isinstance(stop.__context__, KeyboardInterrupt):
            stopped = KeyboardInterrupt()
        else:
            # of whoever was called after an epoch
            raise
        if checkpoint is not None and checkpoint.is_file():
            where = f"{checkpoint.parent} holds what was trained so far"
            stopped.add_note(f"{where}; the same command with --resume (in Python resume=True) goes on there")
        raise stopped from None
    finally:
        # Lightning leaves Ctrl-C ignored
        if is_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, before)
