"""What fitting a score map of a trained model needs: the map by name, people who may be looked at, and raw scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

from affectkit.errors import InputError, did_you_mean, listed
from affectkit.interfaces import ScoreMap
from affectkit.model import Model, check_batch
from affectkit.training.examples import Examples

M = TypeVar("M", bound=ScoreMap[Any])
# Clips that are scored at once.
_AT_ONCE = 16


def map_to_fit(model: Model, name: str, kind: type[M], noun: str) -> M:
    """The map `name` of a model, of class `kind`; an InputError, which calls such maps `noun`, where it has none."""
    maps: Any = getattr(model, "maps", {})
    fitting = [key for key in maps if isinstance(maps[key], kind)]
    if name not in fitting:
        raise InputError(f"maps: no map {noun} {name!r}; {did_you_mean(name, fitting, noun='such maps')}")
    found: M = maps[name]
    return found


def check_subjects(examples: Examples, used_elsewhere: Iterable[str]) -> None:
    """Raise InputError if a subject of the examples is used elsewhere."""
    if both := sorted(set(used_elsewhere) & set(examples.subjects)):
        raise InputError(f"examples: subjects {listed(both)} are used elsewhere too; choose by others")


def source_scores(model: Any, source: str, examples: Examples) -> tuple[Tensor, Tensor]:
    """Raw scores of an output, on the CPU, and which steps were real, `(N, T)`; the model stays as it is."""
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
    return torch.cat(found), torch.cat(real)
