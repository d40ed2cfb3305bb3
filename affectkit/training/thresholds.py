"""Fitting the score map `thresholds` of a trained model: on a part of the data that is for choosing, and on no other.

`Examples.take` gives that part as a copy, from which nothing else can be reached.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from affectkit.errors import InputError, did_you_mean, listed
from affectkit.maps.thresholds_net import Thresholds
from affectkit.metrics.thresholds import fit_thresholds
from affectkit.model import Model, check_batch
from affectkit.sequences import Targets
from affectkit.training.examples import Examples

# Clips that are scored at once.
_AT_ONCE = 16


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
    maps: Any = getattr(model, "maps", {})
    fitting = [key for key in maps if isinstance(maps[key], Thresholds)]
    if name not in fitting:
        raise InputError(f"maps: no map of thresholds {name!r}; {did_you_mean(name, fitting, noun='such maps')}")
    if both := sorted(set(used_elsewhere) & set(examples.subjects)):
        raise InputError(f"examples: subjects {listed(both)} are used elsewhere too; choose by others")
    source = maps[name].config.source
    head = source
    while head in maps:
        head = maps[head].config.source
    if head not in examples.targets:
        raise InputError(f"examples: no labels of {head!r}; they have {listed(examples.targets)}")
    scores, labels = _scored(model, source, head, examples)
    if scores.shape != labels.values.shape:
        shapes = f"{tuple(labels.values.shape)} for scores {tuple(scores.shape)}"
        raise InputError(f"examples: labels of {head!r} are {shapes}; give one per score")
    parts = (part.reshape(-1, scores.shape[-1]).numpy() for part in (scores, *labels))
    found = torch.from_numpy(fit_thresholds(*parts))
    maps[name].thresholds.copy_(found)
    return dict(zip(model.traced.outputs[name].targets, found.tolist(), strict=True))


def _scored(model: Any, source: str, head: str, examples: Examples) -> tuple[Tensor, Targets]:
    """Raw scores of an output on the CPU, and the labels of its head, valid only where a step is real."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    modes, found, real = [(module, module.training) for module in model.modules()], [], []
    model.eval()
    try:
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(examples)), _AT_ONCE):
                inputs = {key: one.to(device) for key, one in examples.batch(rows)[0].items()}
                scores, clocks = model.run(check_batch(inputs, model.config.input_streams()), None, {}, None)
                found.append(scores[source].float().cpu())
                real.append(clocks[source][0].cpu())
    finally:
        # one by one: a part that was in evaluation mode inside a model in training stays so
        for module, training in modes:
            module.training = training
    values, valid = examples.targets[head]
    scores, mask = torch.cat(found), torch.cat(real)
    if scores.ndim == 3 and valid.shape[:2] == mask.shape:
        valid = valid & mask.unsqueeze(-1)
    return scores, Targets(values, valid)
