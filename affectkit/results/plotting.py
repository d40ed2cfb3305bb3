"""The timeline of a table: a panel per track and output, events as shaded bands, stretches without a face hatched.

    track 0   events       ▂▂▆▂▂      ▂▆▂
              expression   ─╱╲___╱‾‾╲___
              va           ~~~~~~~~~~~~~

Only matplotlib's `Figure` is used, never pyplot, whose state would be shared with whoever else plots.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectkit.results.colors import KIND_COLORS, color_of, is_action_units, target_of
from affectkit.results.places import check_ending, check_file, explained, replacing
from affectkit.results.rows import EventRow
from affectkit.results.timeline import Timeline, Track, collect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from affectkit.results.reading import Results

PICTURE_ENDINGS = (".png", ".pdf", ".svg")
_MAX_TRACKS = 4
_MAX_LINES = 10
_CAUTION = "#b00020"


def plot_timeline(
    results: Results,
    path: str | Path | None = None,
    *,
    targets: Iterable[str] | None = None,
    track: int | None = None,
    overwrite: bool = False,
) -> Figure:
    """Draw a table over the container's time.

    Arguments:
        results: the table.
        path: a `.png`, `.pdf` or `.svg` file for the figure; None for the figure alone.
        targets: outputs (`expression`) or columns (`va.valence`) to draw; None for all.
        track: number of the face to draw; None for all, at most the four with the most rows.
        overwrite: whether a file at `path` may be replaced.

    Returns:
        The figure, of one row of panels per track.

    Raises:
        InputError: the table is empty or has not that track or target, or the file can't be written.
    """
    from matplotlib.figure import Figure

    if path is not None:
        path = Path(path)
        check_ending(path, PICTURE_ENDINGS, "write a .png, .pdf or .svg file")
        check_file(path, overwrite=overwrite)
    timeline = collect(results, targets, track, _MAX_TRACKS)
    panels = [
        (entry, output)
        for entry in timeline.tracks
        for output in ([""] if entry.events else []) + list(timeline.outputs)
    ]
    heights = [_height(entry, timeline.outputs.get(output)) for entry, output in panels]
    figure = Figure(figsize=(11, sum(heights) + 0.9), layout="constrained")
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    before = None
    for axes, (entry, output) in zip(grid, panels, strict=True):
        if output:
            _draw_output(axes, entry, output, timeline.outputs[output])
        else:
            _draw_events(axes, entry.events)
        _draw_gaps(axes, entry, timeline)
        if entry is not before:
            name = "no face" if entry.number is None else f"track {entry.number}"
            axes.set_title(name, loc="left", fontsize=9, fontweight="bold")
        before = entry
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    first, last = timeline.span
    margin = 0.01 * (last - first) or 0.5
    grid[-1].set_xlim(first - margin, last + margin)
    grid[-1].set_xlabel("seconds of container time", fontsize=9)
    _draw_heading(figure, grid[0], results, timeline)
    if path is not None:
        with explained(path, "choose another folder"), replacing(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=120)
    return figure


def _height(track: Track, columns: tuple[str, ...] | None) -> float:
    """Inches."""
    if columns is None:
        return 0.35 + 0.3 * len({event.kind for event in track.events})
    return 0.4 + 0.2 * len(columns) if _is_heat_map(columns) else max(1.5, 0.19 * len(columns))


def _is_heat_map(columns: tuple[str, ...]) -> bool:
    return len(columns) > _MAX_LINES or (len(columns) > 3 and is_action_units(columns))


def _draw_output(axes: Axes, track: Track, output: str, columns: tuple[str, ...]) -> None:
    axes.set_ylabel(output, fontsize=9)
    if not track.times:
        axes.set_yticks([])
        return
    if _is_heat_map(columns):
        _draw_heat_map(axes, track, columns)
        return
    low, high = np.inf, -np.inf
    for number, column in enumerate(columns):
        times, values = track.line(column)
        real = values[~np.isnan(values)]
        if len(real):
            low, high = min(low, real.min()), max(high, real.max())
        color = color_of(column, number)
        # a track of one frame has no line
        marker = "o" if len(times) < 2 else ""
        axes.plot(times, values, color=color, linewidth=1.3, marker=marker, label=target_of(column))
    if {target_of(name) for name in columns} <= {"valence", "arousal"}:
        axes.set_ylim(-1.05, 1.05)
        axes.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    elif low >= 0 and high <= 1:
        axes.set_ylim(-0.03, 1.03)
    for event in track.events:
        if event.status == "ok":
            color = KIND_COLORS[event.kind]
            axes.axvspan(event.onset, event.offset, color=color, alpha=0.13, linewidth=0, zorder=0)
            if event.apex is not None:
                axes.axvline(event.apex, color=color, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.5)
    if len(columns) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False, borderaxespad=0.3)


def _draw_heat_map(axes: Axes, track: Track, columns: tuple[str, ...]) -> None:
    starts, heat = track.grid(columns)
    low, high = (float(np.nanmin(heat)), float(np.nanmax(heat))) if not np.isnan(heat).all() else (0.0, 1.0)
    # probabilities, intensities of action units, and whatever else
    high = 1.0 if high <= 1 else 5.0 if high <= 5 else high
    mesh = axes.pcolormesh(
        starts,
        np.arange(len(columns) + 1),
        np.ma.masked_invalid(heat),
        vmin=min(0.0, low),
        vmax=high,
        cmap="magma_r",
        rasterized=True,
    )
    axes.set_yticks(np.arange(len(columns)) + 0.5, [target_of(name) for name in columns])
    axes.invert_yaxis()
    assert axes.figure is not None
    bar = axes.figure.colorbar(mesh, cax=axes.inset_axes((1.012, 0.0, 0.012, 1.0)))
    bar.ax.tick_params(labelsize=7)


def _draw_events(axes: Axes, events: tuple[EventRow, ...]) -> None:
    """A lane per kind: a bar from onset to offset, a mark at the apex, the label above it."""
    kinds = sorted({event.kind for event in events}, key=list(KIND_COLORS).index)
    for lane, kind in enumerate(kinds):
        for event in (event for event in events if event.kind == kind):
            color = KIND_COLORS[kind]
            is_ok = event.status == "ok"
            axes.broken_barh(
                [(event.onset, event.offset - event.onset)],
                (lane - 0.28, 0.56),
                facecolor=color if is_ok else "none",
                edgecolor=color,
                alpha=0.75 if is_ok else 0.6,
                hatch=None if is_ok else "////",
                linewidth=1.0,
            )
            if event.apex is not None:
                axes.plot(event.apex, lane, marker="D", markersize=3.5, color="white", markeredgecolor="black")
            text = event.label if is_ok else "rejected"
            if text:
                box = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.6}
                place = (event.offset, lane)
                axes.annotate(text, place, (4, 0), textcoords="offset points", fontsize=7.5, va="center", bbox=box)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(len(kinds) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)


def _draw_gaps(axes: Axes, track: Track, timeline: Timeline) -> None:
    for start, stop in track.gaps:
        axes.axvspan(start, stop, facecolor="#f3f3f3", edgecolor="#c4c4c4", hatch="///", linewidth=0, zorder=-1)
    for start, stop in timeline.skipped:
        axes.axvspan(
            start, stop, facecolor="none", edgecolor=_CAUTION, hatch="xxx", linewidth=0, alpha=0.5, zorder=-0.5
        )


def _draw_heading(figure: Figure, axes: Axes, results: Results, timeline: Timeline) -> None:
    info = results.info
    source = (info.source if info is not None else "") or (results.path.name if results.path is not None else "")
    parts = [source] if source else []
    if timeline.left_out:
        shown = len(timeline.tracks)
        parts.append(f"{shown} of {shown + timeline.left_out} tracks")
    if any(track.gaps for track in timeline.tracks):
        parts.append("hatched: no face")
    if timeline.skipped:
        parts.append("crossed: not decoded")
    figure.suptitle("  ·  ".join(parts), x=0.01, ha="left", fontsize=11)
    cautions = [] if info is None else [info.caution, "" if info.complete else "not complete"]
    axes.set_title("; ".join(filter(None, cautions)), loc="right", fontsize=9, color=_CAUTION)
