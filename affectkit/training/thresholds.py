"""Fitting the score map `thresholds` of a trained model: on a part of the data that is for choosing, and on no other.

`Examples.take` gives that part as a copy, from which nothing else can be reached.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from affectkit.errors import InputError, listed
from affectkit.maps.thresholds_net import Thresholds
from affectkit.metrics.thresholds import fit_thresholds
from affectkit.model import Model
from affectkit.sequences import Targets
from affectkit.training.examples import Examples
from affectkit.training.map_scores import check_subjects, map_to_fit, source_scores


def set_thresholds(
    model: Model, name: str, examples: Examples, *, used_elsewhere: Iterable[str] = ()
) -> dict[str, float]:
    """Set the thresholds of a map to those with the highest F1 of each target on the examples.

    Arguments:
        model: whose weights stay as they are.
        name: of its map `thresholds`.
        examples: the validation part, and nothing else: every valid label in it counts.
        used_elsewhere: subjects that the model was trained on or will be judged by; none may be in `examples`.

    Returns:
        The score of its source from which on each target counts as present, by target.

    Warns:
        DataWarning: targets have no valid positive label; their thresholds are 0.

    Raises:
        InputError: no such map, no labels for it, or a subject is used elsewhere.
    """
    part = map_to_fit(model, name, Thresholds, "of thresholds")
    check_subjects(examples, used_elsewhere)
    maps: Any = model.maps
    source = part.config.source
    head = source
    while head in maps:
        head = maps[head].config.source
    if head not in examples.targets:
        raise InputError(f"examples: no labels of {head!r}; they have {listed(examples.targets)}")
    scores, mask = source_scores(model, source, examples)
    values, valid = examples.targets[head]
    if scores.ndim == 3 and valid.shape[:2] == mask.shape:
        valid = valid & mask.unsqueeze(-1)
    labels = Targets(values, valid)
    if scores.shape != labels.values.shape:
        shapes = f"{tuple(labels.values.shape)} for scores {tuple(scores.shape)}"
        raise InputError(f"examples: labels of {head!r} are {shapes}; give one per score")
    parts = (part.reshape(-1, scores.shape[-1]).numpy() for part in (scores, *labels))
    found = torch.from_numpy(fit_thresholds(*parts))
    part.thresholds.copy_(found)
    return dict(zip(model.traced.outputs[name].targets, found.tolist(), strict=True))
