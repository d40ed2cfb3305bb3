"""The reliability diagram (Guo et al. 2017, figure 1): accuracy over confidence, and below it how many samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectkit.metrics.calibration import Reliability
from affectkit.results.colors import TRACK_COLORS
from affectkit.results.places import check_ending, check_file, explained, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_ENDINGS = (".png", ".pdf", ".svg")
_BLUE, _ORANGE = TRACK_COLORS[0], TRACK_COLORS[5]


def plot_reliability(
    found: Mapping[str, Reliability], path: str | Path | None = None, *, overwrite: bool = False
) -> Figure:
    """Draw a diagram for each of several, side by side, such as before and after a temperature.

    On the diagonal probabilities mean what they say; bars below it were too sure, by what is hatched.

    Arguments:
        found: bins, by what is written above; at least one.
        path: a `.png`, `.pdf` or `.svg` file for the figure; None for the figure alone.
        overwrite: whether a file at `path` may be replaced.

    Returns:
        The figure.

    Raises:
        InputError: the file can't be written, or is there already.
    """
    from matplotlib.figure import Figure

    if path is not None:
        path = Path(path)
        check_ending(path, PICTURE_ENDINGS, "write a .png, .pdf or .svg file")
        check_file(path, overwrite=overwrite)
    figure = Figure(figsize=(0.7 + 3.5 * len(found), 5.2), layout="constrained")
    grid = figure.subplots(2, len(found), sharex=True, squeeze=False, height_ratios=(3.4, 1))
    for column, (title, bins) in enumerate(found.items()):
        _draw_bins(grid[0, column], bins, title)
        _draw_counts(grid[1, column], bins)
        if not column:
            grid[0, column].set_ylabel("share that is so", fontsize=9)
            grid[1, column].set_ylabel("samples", fontsize=9)
            grid[0, column].legend(loc="upper left", fontsize=8, frameon=False)
    if path is not None:
        with explained(path, "choose another folder"), replacing(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=120)
    return figure


def _draw_bins(axes: Axes, bins: Reliability, title: str) -> None:
    there = bins.count > 0
    low, width = bins.low[there], (bins.high - bins.low)[there]
    accuracy, confidence = bins.accuracy[there], bins.confidence[there]
    axes.bar(low, accuracy, width, align="edge", color=_BLUE, edgecolor="white", linewidth=0.6, label="is so")
    axes.bar(
        low,
        confidence - accuracy,
        width,
        bottom=accuracy,
        align="edge",
        facecolor="none",
        edgecolor=_ORANGE,
        hatch="////",
        linewidth=0.8,
        label="is said too much or too little",
    )
    axes.plot((0, 1), (0, 1), color="#444444", linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    error = float((bins.count[there] * np.abs(accuracy - confidence)).sum() / bins.count.sum())
    axes.set_title(f"{title}\nECE {error:.3f}", loc="left", fontsize=9)
    _finish(axes)


def _draw_counts(axes: Axes, bins: Reliability) -> None:
    axes.bar(
        bins.low, bins.count, bins.high - bins.low, align="edge", color="#8c8c8c", edgecolor="white", linewidth=0.6
    )
    axes.set_xlabel("confidence", fontsize=9)
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
