"""Calibration of predictions that come with probabilities: scores with intervals over people, and bins to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence as Items
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError, listed
from affectkit.metrics.bootstrap import Interval, bootstrap_score
from affectkit.metrics.calibration import (
    BINS,
    Reliability,
    bin_edges,
    bin_sums,
    calibration_error_of,
    classwise_error_of,
    loss_sums,
    mean_of,
    reliability,
)
from affectkit.metrics.forecasts import Forecasts
from affectkit.protocols.frame_predictions import FrameOutput, FramePredictions
from affectkit.protocols.predictions import Predictions

_PREFIX = "p."


@dataclass(frozen=True)
class CalibrationReport:
    """How far probabilities of one output mean what they say.

    Attributes:
        samples: how many have a label, counted once per seed.
        scores: `ECE` in equally wide bins and `ECE of equal bins` in bins of equally many samples, both of the most
            probable class or of all labels; `classwise ECE`, `Brier` and `NLL`. All pooled, means over the seeds.
        reliability: the equally wide bins, of all seeds together.
    """

    samples: int
    scores: Mapping[str, Interval]
    reliability: Reliability


def calibrate_predictions(
    predictions: Predictions, *, classes: Items[str] | None = None, bins: int = BINS
) -> CalibrationReport:
    """Calibration of a table with a column `p.CLASS` for each class, as `evaluate` writes it.

    Arguments:
        predictions: of one seed, or of several.
        classes: those that have a column; None for all that have one.
        bins: how many.

    Raises:
        InputError: there is no such column, or not of a class; a cell is no number; a truth is none of the classes;
            what `Forecasts` refuses; or there are fewer than two subjects.
    """
    names = _class_columns(predictions, classes)
    p = np.stack([_numbers(predictions, f"{_PREFIX}{name}") for name in names], axis=1)
    places = {name: at for at, name in enumerate(names)}
    for label in predictions.columns["truth"]:
        if label not in places:
            hint = f"add a column {_PREFIX + label!r}, or mend the label"
            raise InputError(f"{predictions.source}: truth has {label!r}, which has no probability; {hint}")
    truth = np.array([places[label] for label in predictions.columns["truth"]], np.int64)
    seeds = np.asarray(predictions.seeds, np.str_)
    return _report(p, truth, np.ones(len(truth), np.bool_), predictions.subjects, seeds, bins, predictions.source)


def calibrate_frames(predictions: FramePredictions, *, bins: int = BINS) -> dict[str, CalibrationReport]:
    """Calibration of every output of classes or units that has a label, with intervals over videos.

    Arguments:
        predictions: of every frame once.
        bins: how many.

    Raises:
        InputError: no output has probabilities and labels, what `Forecasts` refuses, or fewer than two videos.
    """
    found = {}
    for name, one in predictions.outputs.items():
        if one.kind != "values" and one.valid.any():
            found[name] = _of_frames(one, predictions, f"{predictions.source}: {name}", bins)
    if not found:
        raise InputError(f"{predictions.source}: no classes or units with labels; values have no calibration")
    return found


def _of_frames(one: FrameOutput, predictions: FramePredictions, source: str, bins: int) -> CalibrationReport:
    seeds = np.zeros(len(predictions), np.str_)
    return _report(one.scores, one.truth, one.valid, predictions.videos, seeds, bins, source)


def _class_columns(predictions: Predictions, classes: Items[str] | None) -> tuple[str, ...]:
    there = [name.removeprefix(_PREFIX) for name in predictions.columns if name.startswith(_PREFIX)]
    if not there:
        hint = "give a table with one per class, as evaluate writes it"
        raise InputError(f"{predictions.source}: no columns of probabilities, such as 'p.happiness'; {hint}")
    names = tuple(there if classes is None else classes)
    if missing := [f"{_PREFIX}{name}" for name in names if name not in there]:
        raise InputError(f"{predictions.source}: no column {listed(missing)}; give a probability of every class")
    return names


def _numbers(predictions: Predictions, column: str) -> NDArray[np.float64]:
    found = np.empty(len(predictions), np.float64)
    for at, cell in enumerate(predictions.columns[column]):
        try:
            found[at] = float(cell)
        except ValueError:
            fact = f"{column} of {predictions.keys[at]} is {cell!r}"
            raise InputError(f"{predictions.source}: {fact}; give a probability") from None
    return found


def _report(
    probabilities: NDArray[np.float64],
    truth: NDArray[Any],
    valid: NDArray[np.bool_],
    groups: Items[str],
    seeds: NDArray[np.str_],
    bins: int,
    source: str,
) -> CalibrationReport:
    try:
        whole = Forecasts.of(probabilities, truth, valid)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    if len(set(groups)) < 2:
        raise InputError(f"{source}: {len(set(groups))} subject or video; intervals over them need at least 2")
    wide, full = (bin_edges(whole.top(), bins, binning) for binning in ("width", "mass"))
    # a run is what is valid of one seed: so all runs have the same groups
    rows = (seeds == seed for seed in dict.fromkeys(seeds.tolist()))
    runs = [Forecasts.of(probabilities, truth, (valid.T & one).T) for one in rows]
    of_top: list[NDArray[Any]] = [
        np.stack([bin_sums(run.top(), edges, groups).sum(axis=1) for run in runs]) for edges in (wide, full)
    ]
    of_each: NDArray[Any] = np.stack(
        [bin_sums(run.each(), bin_edges(run.each(), bins, "width"), groups) for run in runs]
    )
    losses: NDArray[Any] = np.stack([loss_sums(run, groups) for run in runs])
    return CalibrationReport(
        samples=int((valid if valid.ndim == 1 else valid.any(axis=1)).sum()),
        scores={
            "ECE": bootstrap_score(of_top[0], calibration_error_of),
            "ECE of equal bins": bootstrap_score(of_top[1], calibration_error_of),
            # bins of all targets behind each other, as counts have two axes
            "classwise ECE": bootstrap_score(
                of_each.reshape(*of_each.shape[:2], -1, 3), lambda sums: classwise_error_of(sums, bins)
            ),
            "Brier": bootstrap_score(losses, lambda sums: mean_of(sums)[..., 0, 0]),
            "NLL": bootstrap_score(losses, lambda sums: mean_of(sums)[..., 0, 1]),
        },
        reliability=reliability(whole, bins=bins),
    )
