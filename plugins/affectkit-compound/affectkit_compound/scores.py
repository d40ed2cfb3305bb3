"""What is measured: the confusions of each person, and the macro F1 of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from affectkit.devices import device_of
from affectkit.errors import InputError
from affectkit.metrics.recognition import Counts, group_confusions, uf1
from affectkit.model import Memo, Model
from affectkit.training import Examples
from affectkit.training.scoring import evaluating

# Faces that are scored at once.
_AT_ONCE = 256


def labeled(examples: Examples, output: str) -> Examples:
    """Those that have a label of this output, which then is all that they are labeled with.

    Raises:
        InputError: none has.
    """
    rows = examples.targets[output].valid.flatten().nonzero().flatten().tolist()
    if not rows:
        raise InputError(f"examples: none has a label of {output!r}; give some that have")
    some = examples.take(rows)
    return replace(some, targets={output: some.targets[output]})


def confusions(predicted: Tensor, examples: Examples, output: str) -> Counts:
    """The confusion matrix of each person, `(people, K, K)`, in the order of their names.

    Arguments:
        predicted: probabilities `(N, K)` of all examples.
        examples: every one with a label of the output.
        output: of a model.
    """
    truth = examples.targets[output].values.flatten().tolist()
    chosen = predicted.argmax(dim=1).tolist()
    return group_confusions(truth, chosen, examples.subjects, predicted.shape[1])[1]


def score_people(models: Mapping[str, Model], examples: Examples, output: str) -> dict[str, Counts]:
    """As `confusions`, for every model, of all examples with a label of the output.

    An output that is there calibrated too is read so. Models are pipelines and ensembles, all on one device. What equal
    frozen branches make of a face is computed once for all of them.
    """
    some = labeled(examples, output)
    sources = {name: _source(model, output) for name, model in models.items()}
    parts: dict[str, list[Tensor]] = {name: [] for name in models}
    device = device_of(*models.values()) or torch.device("cpu")
    for rows in torch.split(torch.arange(len(some)), _AT_ONCE):
        inputs = {key: one.to(device) for key, one in some.batch(rows)[0].items()}
        memo: Memo = {}
        for name, model in models.items():
            with evaluating(model):
                scores = model(inputs, memo=memo)[sources[name]]
                parts[name].append(model.decode(sources[name], scores).flatten(0, -2).float().cpu())
    return {name: confusions(torch.cat(one), some, output) for name, one in parts.items()}


def describe_scores(models: Mapping[str, Model], examples: Examples) -> dict[str, str]:
    """A line for each model: macro F1 of every output that the examples have labels of."""
    said: dict[str, list[str]] = {name: [] for name in models}
    for target in examples.targets:
        having = {name: model for name, model in models.items() if _source(model, target) in model.traced.outputs}
        for name, counts in score_people(having, examples, target).items() if having else ():
            said[name].append(f"{target} {uf1(counts.sum(axis=0)):.3f}")
    return {name: ", ".join(parts) for name, parts in said.items()}


def _source(model: Model, output: str) -> str:
    """Which output holds these scores: the calibrated one, if there is one."""
    calibrated = f"{output}_calibrated"
    return calibrated if calibrated in model.traced.outputs else output
