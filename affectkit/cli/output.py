"""What commands print: text and tables for people, or one JSON value for programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence as Items
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_UNLIMITED = 10_000
# A line of hyphens below the header, in rich's notation.
_ASCII_HEAD = "    \n" * 2 + " -- \n" + "    \n" * 5


class Output:
    """Standard output of a command.

    Attributes:
        as_json: whether the command prints JSON; text and tables are then left out.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def text(self, line: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def table(self, columns: Items[str], rows: Iterable[Items[object]], *, title: str = "") -> None:
        """A table for people; cells are shown as they are."""
        if self.as_json:
            return
        from rich import box
        from rich.table import Table

        is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
        frame = box.SIMPLE_HEAD if is_unicode else box.Box(_ASCII_HEAD, ascii=True)
        table = Table(box=frame, title=title or None, title_justify="left", title_style="bold", header_style="bold")
        for i, column in enumerate(columns):
            table.add_column(column, no_wrap=i == 0, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        if sys.stdout.isatty():
            _console(sys.stdout).print(table)
            return
        # Elsewhere nothing is wrapped, and no line ends in blanks.
        text = io.StringIO()
        _console(text, width=_UNLIMITED).print(table)
        sys.stdout.write("\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n")

    def json(self, value: Any) -> None:
        """The JSON value, if that is what was asked for."""
        if self.as_json:
            # Escaped beyond ASCII: what reads it may expect another encoding than the terminal's.
            sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, default=str) + "\n")


def _console(file: TextIO, width: int | None = None) -> Console:
    from rich.console import Console

    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)
