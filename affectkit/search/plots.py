"""How a search went, over its candidates, and what score costs: two pictures."""

from __future__ import annotations

from collections.abc import Sequence as Items
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.results.colors import TRACK_COLORS
from affectkit.results.places import explained, replacing
from affectkit.search.candidates import Candidate
from affectkit.search.space import Objectives

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE = TRACK_COLORS[0], TRACK_COLORS[5]
_NAMES = {"latency": "latency, ms", "flops": "FLOPs per example"}
_CAPTION = "scores of the half that is chosen by: no result"


def plot_history(candidates: Items[Candidate], objectives: Objectives, path: Path | None = None) -> Figure:
    """The score of every candidate, and the best so far; rejected and failed ones as ticks below.

    Arguments:
        candidates: of a search, at least one of them done.
        objectives: what was aimed at.
        path: a `.png`, `.pdf` or `.svg` file for the figure, which is replaced; None for the figure alone.
    """
    figure, axes = _figure()
    done = [one for one in candidates if one.state == "done"]
    numbers, scores = [one.number for one in done], [one.score or 0.0 for one in done]
    axes.scatter(numbers, scores, s=14, color=_BLUE, alpha=0.55, linewidths=0, label="candidate")
    axes.step(numbers, list(accumulate(scores, max)), where="post", color=_ORANGE, linewidth=1.6, label="best so far")
    low = min(scores)
    for state, color in (("rejected", "#8c8c8c"), ("failed", "#000000")):
        there = [one.number for one in candidates if one.state == state]
        if there:
            at = low - 0.05 * max(max(scores) - low, 0.02)
            axes.plot(there, [at] * len(there), "|", color=color, markersize=7, label=state)
    first = {one.generation: one.number for one in reversed(candidates)}
    for generation in first:
        if generation:
            axes.axvline(first[generation] - 0.5, color="#dddddd", linewidth=0.8, zorder=0)
    axes.set_xlabel("candidate, in the order of the proposals; a line where a generation begins", fontsize=9)
    axes.set_ylabel(objectives.score, fontsize=9)
    return _finish(figure, axes, path)


def plot_front(
    candidates: Items[Candidate], front: Items[Candidate], objectives: Objectives, path: Path | None = None
) -> Figure:
    """Score over cost of every candidate, and those that none dominates.

    Arguments:
        candidates, front: of a search with a cost.
        objectives: what was aimed at.
        path: as of `plot_history`.
    """
    figure, axes = _figure()
    for group, color, size, label in ((candidates, _BLUE, 14, "candidate"), (front, _ORANGE, 34, "on the front")):
        done = [one for one in group if one.state == "done"]
        costs, scores = [one.cost(objectives) or 0.0 for one in done], [one.score or 0.0 for one in done]
        axes.scatter(
            costs, scores, s=size, color=color, alpha=0.9 if group is front else 0.4, linewidths=0, label=label
        )
    ordered = sorted((one.cost(objectives) or 0.0, one.score or 0.0) for one in front)
    # the most that can be had for a cost, which stays until the next one
    axes.step(*zip(*ordered, strict=True), where="post", color=_ORANGE, linewidth=1.2)
    axes.set_xlabel(_NAMES[objectives.cost], fontsize=9)
    axes.set_ylabel(objectives.score, fontsize=9)
    return _finish(figure, axes, path)


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    return figure, figure.subplots()


def _finish(figure: Figure, axes: Axes, path: Path | None) -> Figure:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(_CAPTION, loc="left", fontsize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    if path is not None:
        with explained(path, "choose another folder"), replacing(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=120)
    return figure
