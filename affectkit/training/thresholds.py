"""Fitting the score map `thresholds` of a trained model: on a part of the data that is for choosing, and on no other.

`Examples.take` gives that part as a copy, from which nothing else can be reached.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from affectkit.errors import InputError
from affectkit.maps.thresholds_net import Thresholds
from affectkit.metrics.thresholds import fit_thresholds
from affectkit.model import Model
from affectkit.training.examples import Examples
from affectkit.training.fitted_maps import map_to_fit
from affectkit.training.scoring import check_others, labels_of, real_labels, score_output


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
    check_others(examples, used_elsewhere)
    source = part.config.source
    head = labels_of(model, source, examples)
    scores, mask = score_output(model, source, examples)
    labels = real_labels(examples.targets[head], scores, mask)
    if scores.shape != labels.values.shape:
        shapes = f"{tuple(labels.values.shape)} for scores {tuple(scores.shape)}"
        raise InputError(f"examples: labels of {head!r} are {shapes}; give one per score")
    parts = (part.reshape(-1, scores.shape[-1]).numpy() for part in (scores, *labels))
    targets = model.traced.outputs[name].targets
    found = torch.from_numpy(fit_thresholds(*parts, names=targets))
    part.thresholds.copy_(found)
    return dict(zip(targets, found.tolist(), strict=True))
