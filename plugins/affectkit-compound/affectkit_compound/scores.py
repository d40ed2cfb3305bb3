"""What is measured: the confusions of each person, and the macro F1 of all."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.metrics.recognition import Counts, group_confusions, uf1
from affectkit.model import Model
from affectkit.training import Examples
from affectkit.training.folds import probabilities


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


def score_people(model: Model, examples: Examples, output: str) -> Counts:
    """As `confusions`, of all examples that have a label of the output; by calibrated members, where they are."""
    some, calibrated = labeled(examples, output), f"{output}_calibrated"
    with torch.no_grad():
        found = probabilities(model, some, calibrated if calibrated in model.traced.outputs else output)
    return confusions(found, some, output)


def describe_scores(model: Model, examples: Examples) -> str:
    """One line: macro F1 of every output that the examples have labels of."""
    names = [name.removesuffix("_calibrated") for name in model.traced.outputs]
    scores = {name: uf1(score_people(model, examples, name).sum(axis=0)) for name in names if name in examples.targets}
    return ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
