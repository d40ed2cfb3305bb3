"""Fitting the score map `compound-learned` of a trained model: on people with compound labels, and on no others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from affectkit.errors import InputError, listed
from affectkit.maps.compound_learned_net import CompoundLearned, basic_features, product_weight
from affectkit.model import Model
from affectkit.ops.softmax_regression import fit_softmax
from affectkit.training.examples import Examples
from affectkit.training.fitted_maps import map_to_fit
from affectkit.training.scoring import check_others, score_output


@dataclass(frozen=True, kw_only=True)
class CompoundMapFit:
    """What a fit was made of, and how well the map describes those very labels: optimistic, so report other people's.

    Attributes:
        labels: how many valid labels there were of each compound.
        before: mean loss by the product rule, nats; weighted by class where that was asked for.
        after: the same by the fitted map.
    """

    labels: dict[str, int]
    before: float
    after: float


def fit_compound_map(
    model: Model,
    name: str,
    examples: Examples,
    *,
    l2: float = 0.01,
    balanced: bool = False,
    used_elsewhere: Iterable[str] = (),
) -> CompoundMapFit:
    """Fit a map by the mean loss of the examples, plus `l2 / 2` times its squared distance from the product rule.

    All labels at once, to convergence; nothing is random. The map's buffers are set, and are saved with the model.

    Arguments:
        model: whose weights stay as they are.
        name: of its map `compound-learned`.
        examples: their targets have `name`, class numbers `(N,)` or `(N, T)` in the order of the map's targets.
        l2: above 0; the larger, the nearer the map stays to the product rule. Choose it on people of neither part.
        balanced: whether every compound counts the same, however many labels it has.
        used_elsewhere: subjects that the model was trained on or will be judged by; none may be in `examples`.

    Raises:
        InputError: no such map, no labels for it, a label that is none of its classes, a class without any label, a
            score that is NaN or infinite, or a subject that is used elsewhere.
    """
    part = map_to_fit(model, name, CompoundLearned, "that learns compounds")
    check_others(examples, used_elsewhere)
    if name not in examples.targets:
        raise InputError(f"examples: no labels of {name!r}; they have {listed(examples.targets)}")
    source = part.config.source
    scores, mask = score_output(model, source, examples)
    values, valid = examples.targets[name]
    if values.shape != scores.shape[:-1]:
        shapes = f"{tuple(values.shape)} for scores {tuple(scores.shape)}"
        raise InputError(f"examples: labels of {name!r} are {shapes}; give a class number per row of scores")
    if scores.ndim == 3 and valid.shape == mask.shape:
        valid = valid & mask
    labels, rows = values[valid], scores[valid]
    counts = _count(labels, part.config.targets, name)
    if not rows.isfinite().all():
        raise InputError(f"examples: scores of {source!r} are NaN or infinite; leave such clips out")
    start = product_weight(part.config, model.traced.outputs[source])
    weights = (1 / counts.double())[labels] if balanced else None
    found = fit_softmax(basic_features(rows.double()), labels, start, l2=l2, weights=weights)
    part.weight.copy_(found.weight)
    part.bias.copy_(found.bias)
    return CompoundMapFit(
        labels=dict(zip(part.config.targets, counts.tolist(), strict=True)), before=found.before, after=found.after
    )


def _count(labels: Tensor, targets: tuple[str, ...], name: str) -> Tensor:
    """How many labels each class has, `(K',)`; each has one, and every label is one of them."""
    if labels.is_floating_point():
        raise InputError(f"examples: labels of {name!r} are {labels.dtype}; give class numbers, int64")
    wrong = labels[(labels < 0) | (labels >= len(targets))]
    if len(wrong):
        fact = f"label {int(wrong[0])} of {name!r} is none of 0 to {len(targets) - 1}"
        raise InputError(f"examples: {fact}; mark it as not valid, or mend it")
    counts = torch.bincount(labels, minlength=len(targets))
    if empty := [target for target, count in zip(targets, counts.tolist(), strict=True) if not count]:
        raise InputError(
            f"examples: no valid label of {listed(empty)}; give some, or leave it out of the map's targets"
        )
    return counts
