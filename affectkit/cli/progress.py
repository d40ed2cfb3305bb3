"""Progress bars on stderr, where that is a terminal; elsewhere nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def frame_bar(title: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A bar with frames per second and the time left; the callback takes frames done and their number."""
    if not sys.stderr.isatty():
        yield None
        return
    with _bar(title, unit="fps") as update:
        yield update


@contextmanager
def video_bar(title: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A bar that counts videos."""
    if not sys.stderr.isatty():
        yield None
        return
    with _bar(title, unit="videos/s") as update:
        yield update


@contextmanager
def count_bar(title: str, things: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A bar that counts things, such as `folds`."""
    if not sys.stderr.isatty():
        yield None
        return
    with _bar(title, unit=f"{things}/s") as update:
        yield update


@contextmanager
def _bar(title: str, *, unit: str) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")
        started = time.perf_counter()

        def update(done: int, total: int | None) -> None:
            rate = done / max(time.perf_counter() - started, 1e-9)
            # Containers may say too few frames; the bar then has no end rather than a wrong one.
            shown = f"{rate:.0f} {unit}" if rate >= 10 else f"{rate:.1f} {unit}"
            bar.update(task, completed=done, total=total if total and total >= done else None, rate=shown)

        yield update


@contextmanager
def live_lines() -> Iterator[Callable[[tuple[str, list[str], list[list[object]]]], None] | None]:
    """A table that is drawn anew in its place; the callback takes title, columns and rows."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    with Live(console=Console(stderr=True, markup=False), transient=True, auto_refresh=False) as live:

        def update(shown: tuple[str, list[str], list[list[object]]]) -> None:
            title, columns, rows = shown
            table = Table(*columns, title=title, title_justify="left")
            for row in rows:
                table.add_row(*(str(cell) for cell in row))
            live.update(table, refresh=True)

        yield update
