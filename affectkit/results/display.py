"""How a table looks at a prompt and in a notebook: its size, where it is from, and its first rows."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affectkit.results.reading import Results
    from affectkit.results.rows import Row

_ROWS, _COLUMNS = 5, 14
_STYLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_CELL = "padding:2px 8px;text-align:right;white-space:nowrap"


def as_text(results: Results) -> str:
    """The heading, then `column=value` of the first rows."""
    head = list(itertools.islice(results, _ROWS))
    lines = list(_heading(results))
    lines += [", ".join(f"{name}={_cell(row, name)}" for name in results.columns) for row in head]
    return "\n".join([*lines, "..."] if len(results) > len(head) else lines)


def as_html(results: Results) -> str:
    """The same as an HTML table; of many columns the first."""
    columns = results.columns[:_COLUMNS]
    left = len(results.columns) - len(columns)
    more = [f"and {left} columns more"] if left else []
    caption = "<br>".join(html.escape(line) for line in (*_heading(results), *more))
    rows = [_line("td", [_cell(row, name) for name in columns]) for row in itertools.islice(results, _ROWS)]
    if len(results) > _ROWS:
        rows.append(_line("td", ["…"] * len(columns)))
    return (
        f'<table style="{_STYLE}"><caption style="text-align:left">{caption}</caption>'
        f"<thead>{_line('th', columns)}</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _heading(results: Results) -> Iterable[str]:
    events = f", {len(results.events)} events" if results.events else ""
    where = f" in {results.path}" if results.path is not None else ""
    yield f"{len(results)} rows, {len(results.columns)} columns{events}{where}"
    info = results.info
    if info is None:
        return
    if not info.complete:
        yield "not complete: the run was interrupted, or goes on"
    if info.caution:
        yield info.caution
    yield from info.notes


def _line(tag: str, texts: Iterable[str]) -> str:
    return "<tr>" + "".join(f'<{tag} style="{_CELL}">{html.escape(text)}</{tag}>' for text in texts) + "</tr>"


def _cell(row: Row, name: str) -> str:
    value: Any = row.as_dict().get(name)
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    # times tell frames apart also after hours
    return str(round(value, 6)) if name == "pts" else f"{value:.4g}"
