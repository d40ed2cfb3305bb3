"""Scores of the three tasks per frame, as sums per video: pooled they give P, and intervals are drawn from them.

    P = (CCC_V + CCC_A) / 2 + mean F1 of the expressions + mean F1 of the action units

A unit that is neither true nor predicted of any frame counts nothing: the synthetic world has no AU24.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.metrics.affect import concordance_of, concordance_sums, mean_f1, score_mtl, unit_counts, unit_f1
from affectkit.metrics.recognition import group_confusions, uf1
from affectkit.model import Model
from affectkit.training import Examples

CLASSES, UNITS = 8, 12
_VA, _EXPR = 2 * 6, CLASSES * CLASSES
# Clips that are scored at once.
_AT_ONCE = 8
# From which decoded score on a unit counts as present.
_PRESENT = 0.5
TASKS = ("va", "expr", "au", "P")


def predict_frames(model: Model, examples: Examples) -> dict[str, NDArray[np.float64]]:
    """Decoded predictions `(N, T, K)` by output."""
    found: dict[str, list[torch.Tensor]] = {}
    for rows in torch.split(torch.arange(len(examples)), _AT_ONCE):
        for name, values in model.predict(examples.batch(rows)[0]).items():
            found.setdefault(name, []).append(values.double())
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def count_frames(predictions: Mapping[str, NDArray[np.float64]], examples: Examples) -> NDArray[np.float64]:
    """What the scores of pooled videos follow from, `(videos, 1, M)`: it may be added up over videos.

    Arguments:
        predictions: `(N, T, K)` by task; of a task that is not there, nothing is counted. Of units, 0.5 and more is
            present.
        examples: with labels `va`, `expr` and `au` per frame, which count where they are valid.
    """
    mask = next(iter(examples.inputs.values())).mask.numpy()
    groups = np.broadcast_to(np.array(examples.subjects)[:, None], mask.shape)[mask].tolist()

    def of(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        values, valid = (part.numpy()[mask] for part in examples.targets[name])
        given = predictions.get(name)
        if given is None:
            return np.zeros(values.shape), values, np.zeros(valid.shape, np.bool_)
        return given[mask], values, valid

    affect = concordance_sums(*of("va"), groups)
    shown, classes, valid = of("expr")
    guesses = shown.argmax(axis=-1) if shown.ndim == 2 else np.zeros(len(shown), np.int64)
    # a frame without a class is counted in a row of its own, which is cut off
    truth = np.where(valid, classes, CLASSES)
    _, confusions = group_confusions(truth.tolist(), guesses.tolist(), groups, CLASSES + 1)
    chances, present, valid = of("au")
    units = unit_counts(present > _PRESENT, chances >= _PRESENT, valid, groups)
    parts = [affect, confusions[:, :CLASSES, :CLASSES], units]
    return np.concatenate([part.reshape(len(affect), -1) for part in parts], axis=1)[:, None].astype(np.float64)


def score(counts: NDArray[np.float64], task: str = "P") -> NDArray[np.float64]:
    """The score of summed counts `(..., 1, M)`: mean CCC `va`, mean F1 `expr` or `au`, or their sum `P`; `(...)`."""
    flat = counts[..., 0, :]
    affect = concordance_of(flat[..., :_VA].reshape(*flat.shape[:-1], 2, 6))
    classes = uf1(flat[..., _VA : _VA + _EXPR].reshape(*flat.shape[:-1], CLASSES, CLASSES))
    units = mean_f1(unit_f1(flat[..., _VA + _EXPR :].reshape(*flat.shape[:-1], UNITS, 3)), absent="skip")
    scores = {"va": affect.mean(axis=-1), "expr": classes, "au": units}
    return scores[task] if task in scores else score_mtl(affect, classes, units)


def describe(counts: NDArray[np.float64]) -> str:
    """One line: the score of each task that has one, of all videos, and P where all have."""
    total = counts.sum(axis=0)
    scores = {task: float(score(total, task)) for task in TASKS}
    return ", ".join(f"{task} {value:.3f}" for task, value in scores.items() if not np.isnan(value))
