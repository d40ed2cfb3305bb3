"""What a model says of examples that something is fitted on, and whose they may be: one pass, nothing learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.batch_checks import check_batch
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError, listed
from affectkit.graphs import OnnxConfig
from affectkit.model import Model
from affectkit.sequences import Batch, Targets
from affectkit.training.examples import Examples

# Clips that are scored at once.
AT_ONCE = 16


def check_others(examples: Examples, used_elsewhere: Iterable[str]) -> None:
    """Raise InputError if a subject of the examples is used elsewhere too."""
    if both := sorted(set(used_elsewhere) & set(examples.subjects)):
        raise InputError(f"examples: subjects {listed(both)} are used elsewhere too; choose by others")


def device_of(model: Model) -> torch.device:
    """Where its parameters are."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every part has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        # one by one: a part that was in evaluation mode inside a model in training stays so
        for module, training in modes:
            module.training = training


def batches(model: Model, examples: Examples) -> Iterator[Batch]:
    """Checked inputs of all examples, in order, where the model is."""
    device = device_of(model)
    for rows in torch.split(torch.arange(len(examples)), AT_ONCE):
        inputs = {key: one.to(device) for key, one in examples.batch(rows)[0].items()}
        yield check_batch(inputs, model.config.input_streams())


def score_output(model: Any, name: str, examples: Examples) -> tuple[Tensor, Tensor]:
    """Raw scores of an output, `(N, K)` or `(N, T, K)`, and which steps are real, `(N, T)`; both on the CPU."""
    found, real = [], []
    with evaluating(model):
        for batch in batches(model, examples):
            scores, clocks = model.run(batch, None, {}, None)
            found.append(scores[name].float().cpu())
            real.append(clocks[name][0].cpu())
    return torch.cat(found), torch.cat(real)


def real_labels(labels: Targets, scores: Tensor, mask: Tensor) -> Targets:
    """Labels that are valid only where a step is real."""
    values, valid = labels
    if scores.ndim == 3 and valid.shape[:2] == mask.shape:
        valid = valid & (mask.unsqueeze(-1) if valid.ndim == 3 else mask)
    return Targets(values, valid)


def flat_labels(
    labels: Targets, shape: tuple[int, ...], mask: Tensor, problem: str, path: str
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels and what is valid of them, of every scored step in one axis: `(n,)` of classes, `(n, K)` of labels.

    Arguments:
        labels: as a head takes them.
        shape: of the raw scores, `(N, K)` or `(N, T, K)`.
        mask: `(N, T)`; a label is valid where a step is real.
        problem: `multiclass` or `multilabel`.
        path: of what is scored, for messages.

    Raises:
        InputError: not one label per score vector, or per score, or a valid one is no class.
    """
    are_classes = problem == "multiclass"
    expected = shape[:-1] if are_classes else shape
    if tuple(labels.values.shape) != expected:
        raise InputError(f"{path}: labels {tuple(labels.values.shape)} for scores {shape}; give {expected}")
    valid = labels.valid
    if len(shape) == 3:
        valid = valid & (mask if are_classes else mask.unsqueeze(-1))
    count = shape[-1] if are_classes else 2
    given = labels.values
    wrong = given[valid & ~((given >= 0) & (given < count) & (given == given.floor()))]
    if len(wrong):
        known = f"0 to {count - 1}" if are_classes else "0 or 1"
        raise InputError(f"{path}: label {wrong[0].item():g} is none; write {known}, or mark it not valid")
    rows = (-1,) if are_classes else (-1, shape[-1])
    return labels.values.reshape(rows).numpy(), valid.reshape(rows).numpy()


def labels_of(model: Any, output: str, examples: Examples) -> str:
    """Under which name the examples have labels of an output: its own, or that of a map, member or head that it is of.

    A map with other targets than its source, such as compounds of basic expressions, needs labels of its own.

    Raises:
        InputError: there are none.
    """
    name, config, outputs = output, model.config, model.traced.outputs
    while name not in examples.targets:
        # what was exported names its maps in its file
        config = config.pipeline(registry=model.registry) if isinstance(config, OnnxConfig) else config
        maps, heads = getattr(config, "maps", {}), getattr(config, "heads", {})
        if name in maps and outputs[maps[name].source].targets == outputs[name].targets:
            name = maps[name].source
        elif name not in (*maps, *heads) and isinstance(config, EnsembleConfig):
            config = next(iter(config.members.values()))
            outputs = config.trace(registry=model.registry).outputs
        else:
            raise InputError(f"examples: no labels of {name!r}; they have {listed(examples.targets)}")
    return name
