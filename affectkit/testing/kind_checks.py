"""Checks of what task heads, late fusions and score maps promise beyond the shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from affectkit.sequences import Targets
from affectkit.streams import PredictionStream
from affectkit.testing.checks import Check, check
from affectkit.testing.examples import NAN, full_mask, make_inputs, make_targets, ragged_mask
from affectkit.testing.results import CheckFailed
from affectkit.testing.subjects import Subject, apart, run, seeded, trainable_parameters

# Sums of float32 probabilities over a hundred classes are nearer to 1 than this.
TOLERANCE = 1e-4
# Descent of the scores themselves, far enough that any loss brings them to the side of the labels.
ROUNDS, RATE = 20, 0.1


@check("head", cause="a mean over no label, which is NaN; use affectkit.sequences.masked_mean")
def loss_without_labels_is_zero(subject: Subject) -> None:
    module = subject.learner()
    inputs = subject.inputs()
    targets = _unlabeled(make_targets(subject.output, inputs.mask), keep=0)
    with seeded(0):
        loss = module.loss(module(inputs), targets, inputs.mask)
    if loss.ndim:
        raise CheckFailed(f"loss() returned shape {tuple(loss.shape)}, no scalar", "a loss that is not averaged")
    if loss.item() != 0:
        raise CheckFailed(f"the loss is {loss.item():.3g} where no label is valid")
    if not trainable_parameters(module):
        return
    if not loss.requires_grad:
        raise CheckFailed("where no label is valid, the loss is a constant", "return a zero that depends on the scores")
    torch.autograd.backward(loss)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None and not torch.equal(parameter.grad, torch.zeros_like(parameter.grad)):
            raise CheckFailed(f"where no label is valid, {name!r} gets a gradient that is not zero")


@check("head", cause="labels that are multiplied by `valid`, which leaves NaN; choose them by torch.where")
def unlabeled_values_are_ignored(subject: Subject) -> None:
    inputs = subject.inputs(mask=ragged_mask(subject.steps))
    scores = run(subject.module, inputs)
    labels = make_targets(subject.output, inputs.mask)
    half = torch.arange(labels.valid.numel()).reshape(labels.valid.shape) % 2 == 0
    plain = subject.module.loss(scores, Targets(labels.values, half), inputs.mask)
    hidden = subject.module.loss(scores, _unlabeled(labels, keep=half), inputs.mask)
    if gap := apart(hidden, plain):
        raise CheckFailed(f"the loss changes by {gap:.2g} when labels that are not valid do")
    if labels.valid.ndim > 1 and subject.output.resolution == "frame":
        real = inputs.mask.reshape(*inputs.mask.shape, *[1] * (half.ndim - 2)).expand_as(half)
        masked = subject.module.loss(scores, Targets(labels.values, half & real), inputs.mask)
        if gap := apart(masked, plain):
            raise CheckFailed(f"labels of padding change the loss by {gap:.2g}", "the mask is not used in loss()")


@check("head", cause="scores that are returned as they are; decode by softmax or sigmoid, or clamp to the bounds")
def predictions_are_in_range(subject: Subject) -> None:
    scores = run(subject.module, subject.inputs())
    for factor in (1.0, 1e3):
        predicted = subject.module.predict(factor * scores)
        if predicted.shape != scores.shape:
            raise CheckFailed(f"predict() returned shape {tuple(predicted.shape)} for {tuple(scores.shape)}")
        _check_range(predicted, subject.output, f"predict(), with scores up to {(factor * scores).abs().max():.2g},")


@check("head", cause="other signs or another order of the targets in predict() than in loss(), or no scores in loss()")
def predictions_agree_with_the_loss(subject: Subject) -> None:
    inputs = subject.inputs(batch=16)
    targets = make_targets(subject.output, inputs.mask)
    scores = run(subject.module, inputs).float()
    before = _agreement(subject, scores, targets)
    for _ in range(ROUNDS):
        scores = scores.detach().requires_grad_()
        with seeded(0):
            loss = subject.module.loss(scores, targets, inputs.mask)
        (gradient,) = torch.autograd.grad(loss, scores)
        scores = scores - RATE * gradient / (gradient.square().mean().sqrt() + 1e-12)
    after = _agreement(subject, scores.detach(), targets)
    if not after > before:
        fact = f"covariance of predictions and labels goes from {before:.2g} to {after:.2g}"
        raise CheckFailed(f"{fact} where the scores descend the loss")


@check("late-fusion", cause="a combination that is not divided by its sum")
def probabilities_stay_probabilities(subject: Subject) -> None:
    for stream, module in _each(subject):
        inputs = make_inputs(stream, full_mask(3, 4))
        _check_range(run(module, inputs), subject.output_of(subject.config, stream), "forward()")


@check("late-fusion", cause="log(0) or a division by 0 where members are certain; clamp first")
def certainty_stays_finite(subject: Subject) -> None:
    for stream, module in _each(subject):
        declared = subject.output_of(subject.config, stream)
        if declared.problem not in ("multiclass", "multilabel"):
            continue
        inputs = {}
        for i, (name, part) in enumerate(stream.items()):
            # members are certain of different classes, and of the same one at the last step
            certain = torch.zeros(2, 2, len(part.targets))
            certain[:, 0, i % len(part.targets)] = 1.0
            certain[:, 1, 0] = 1.0
            inputs[name] = certain if part.resolution == "frame" else certain.flatten(0, 1)
        _check_range(run(module, inputs), declared, "with members that are certain, forward()")


@check(
    "map",
    cause="exp() of a raw score, or log() of a probability that became 0; use log_softmax and logsigmoid",
    claimed=lambda subject: subject.stream.bounds is None,
)
def large_scores_stay_finite(subject: Subject) -> None:
    for scale in (1e2, 1e4):
        inputs = make_inputs(subject.stream, full_mask(3, 4))
        inputs = inputs.with_values(scale * inputs.values)
        output = run(subject.module, inputs).values
        if not output.isfinite().all():
            raise CheckFailed(
                f"{int((~output.isfinite()).sum())} of {output.numel()} scores are not finite for scores "
                f"up to {inputs.values.abs().max():.2g}"
            )


def _each(subject: Subject) -> Iterator[tuple[Any, Any]]:
    """Every problem that a late fusion accepts, with a module for it."""
    for stream in subject.streams:
        yield stream, subject.build(stream=stream)


def _agreement(subject: Subject, scores: Tensor, targets: Targets) -> float:
    """Covariance of predictions and labels, the mean over the targets."""
    predicted = subject.module.predict(scores).flatten(0, -2).double()
    labels = targets.values
    if subject.output.problem == "multiclass":
        labels = torch.nn.functional.one_hot(labels, len(subject.output.targets))
    labels = labels.flatten(0, -2).double()
    return float(((labels - labels.mean(dim=0)) * predicted).mean())


def _unlabeled(targets: Targets, keep: Tensor | int) -> Targets:
    """What is not kept becomes invalid, with a value that no label has."""
    valid = torch.zeros_like(targets.valid) | bool(keep) if isinstance(keep, int) else keep
    nothing = NAN if targets.values.is_floating_point() else -1
    return Targets(targets.values.masked_fill(~valid, nothing), valid)


def _check_range(values: Tensor, declared: PredictionStream, what: str) -> None:
    """Raise CheckFailed unless `values` are probabilities, or within the bounds."""
    if not values.isfinite().all():
        raise CheckFailed(f"{what} gives {int((~values.isfinite()).sum())} numbers that are not finite")
    is_probability = declared.problem in ("multiclass", "multilabel")
    bounds = (0.0, 1.0) if is_probability else declared.bounds
    low, high = values.min().item(), values.max().item()
    if bounds is not None and not bounds[0] - TOLERANCE <= low <= high <= bounds[1] + TOLERANCE:
        raise CheckFailed(f"{what} gives {low:.3g} to {high:.3g} for {declared.problem}, whose range is {bounds}")
    if declared.problem == "multiclass":
        total = values.double().sum(dim=-1)
        worst = total[(total - 1).abs().argmax()] if total.ndim == 1 else total.flatten()[(total - 1).abs().argmax()]
        if abs(worst.item() - 1) > TOLERANCE:
            raise CheckFailed(f"{what} gives probabilities that sum to {worst.item():.3g}")


CHECKS: tuple[Check, ...] = (
    loss_without_labels_is_zero,
    unlabeled_values_are_ignored,
    predictions_are_in_range,
    predictions_agree_with_the_loss,
    probabilities_stay_probabilities,
    certainty_stays_finite,
    large_scores_stay_finite,
)
