"""Checks of a built module in training: gradients, losses, and what has to stay as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from affectkit.streams import PredictionStream
from affectkit.testing.checks import MODULES, TIMED, Check, check
from affectkit.testing.examples import NAN, make_targets, pad_with, ragged_mask
from affectkit.testing.outputs import real_steps
from affectkit.testing.results import CheckFailed, CheckSkipped
from affectkit.testing.subjects import Subject, seeded, trainable_parameters, values_of

RATES = (1e-3, 1e-4)
ROUNDS = 5


def is_trained(subject: Subject) -> bool:
    """Whether the config says that training changes the module."""
    return not subject.config.is_frozen


@check(
    *MODULES,
    cause="a layer that forward() does not use, or a detach(), item() or argmax() behind it",
    claimed=is_trained,
)
def gradients_are_finite(subject: Subject) -> None:
    _check_gradients(subject, subject.inputs(), "")


@check(
    *TIMED,
    cause="padding that is multiplied by zero, or masked after a layer; use torch.where before the first layer",
    claimed=is_trained,
)
def padding_gives_no_gradient(subject: Subject) -> None:
    inputs = subject.inputs(mask=ragged_mask(subject.steps))
    _check_gradients(subject, pad_with(inputs, NAN), " with NaN in the padding")


@check(
    *MODULES,
    cause="a loss per clip or step that is not averaged; auxiliary() also runs without targets",
    claimed=lambda subject: hasattr(subject.config, "aux_weight"),
)
def auxiliary_losses_are_scalars(subject: Subject) -> None:
    module = subject.learner()
    inputs = subject.inputs()
    with seeded(0):
        output = module(inputs)
        losses = module.auxiliary(inputs, output, {})
    if not isinstance(losses, dict):
        raise CheckFailed(f"auxiliary() returned {type(losses).__name__}", "write return {'name': loss}")
    for name, loss in losses.items():
        if not isinstance(loss, Tensor) or loss.ndim:
            what = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise CheckFailed(f"auxiliary loss {name!r} is {what}, no scalar tensor")
        if not loss.isfinite():
            raise CheckFailed(f"auxiliary loss {name!r} is {loss.item()!r}")


@check(
    *MODULES,
    cause="parameters without requires_grad_(False), or batch statistics that train() updates; override train()",
    claimed=lambda subject: bool(subject.config.is_frozen),
)
def frozen_stays_frozen(subject: Subject) -> None:
    module = subject.learner()
    trainable = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    if trainable:
        more = f" and {len(trainable) - 1} more" if len(trainable) > 1 else ""
        raise CheckFailed(f"is_frozen is True, and {trainable[0]!r}{more} requires a gradient")
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    with seeded(0):
        values = values_of(module(subject.inputs())).flatten(1)
        readout = nn.Linear(values.shape[1], 1)
        torch.autograd.backward(readout(values.float()).sum())
    for key, tensor in module.state_dict().items():
        if not torch.equal(tensor, before[key]):
            raise CheckFailed(f"is_frozen is True, and {key!r} changes in a training step")


@check(
    *MODULES,
    cause="a gradient with the wrong sign (a custom backward), or a loss that rewards worse scores",
    claimed=is_trained,
)
def loss_falls(subject: Subject) -> None:
    if not trainable_parameters(subject.module):
        raise CheckSkipped("not claimed: nothing to train")
    inputs = subject.inputs()
    traces = []
    for rate in RATES:  # the smaller one before the component is blamed for a step that was too long
        module = subject.learner()
        objective = _objective(subject, module, inputs)
        losses = []
        for _ in range(ROUNDS + 1):
            loss = objective()
            losses.append(loss.item())
            _descend(loss, list(trainable_parameters(module).values()), rate)
        if losses[-1] < losses[0]:
            return
        traces.append(f"from {losses[0]:.4g} to {losses[-1]:.4g} by steps of {rate:g}")
    raise CheckFailed(f"in {ROUNDS} steps on one batch, the loss goes {' and '.join(traces)}")


def _check_gradients(subject: Subject, inputs: Any, when: str) -> None:
    module = subject.learner()
    trainable = trainable_parameters(module)
    if not trainable:
        raise CheckSkipped("not claimed: nothing to train")
    loss = _objective(subject, module, inputs)()
    if not loss.isfinite():
        raise CheckFailed(f"the loss is {loss.item()!r}{when}")
    if not loss.requires_grad:
        raise CheckFailed(f"the loss depends on no parameter{when}")
    torch.autograd.backward(loss)
    for name, parameter in trainable.items():
        if parameter.grad is None:
            raise CheckFailed(f"{name!r} gets no gradient{when}")
        if not parameter.grad.isfinite().all():
            count = int((~parameter.grad.isfinite()).sum())
            raise CheckFailed(f"{count} of {parameter.numel()} gradients of {name!r} are not finite{when}")


def _descend(loss: Tensor, parameters: list[nn.Parameter], rate: float) -> None:
    """Move every parameter against its gradient, by `rate` in the root mean square. torch.optim is slow to import."""
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.sub_(rate * gradient / (gradient.square().mean().sqrt() + 1e-12))


def _objective(subject: Subject, module: Any, inputs: Any) -> Callable[[], Tensor]:
    """A loss of the parameters alone: the head's own, or the squared error of a fixed linear readout.

    The same random numbers at every call, so that dropout does not make it jump.
    """
    declared = subject.output

    def of_head() -> Tensor:
        with seeded(0):
            loss: Tensor = module.loss(module(inputs), make_targets(declared, inputs.mask), inputs.mask)
        return loss

    def of_readout() -> Tensor:
        with seeded(0):
            output = module(inputs)
            values = values_of(output).float()
            if not isinstance(declared, PredictionStream):
                values = values[real_steps(inputs, output)]
            values = values.flatten(1)
            readout = torch.randn(values.shape[1], 4) / values.shape[1] ** 0.5
            error: Tensor = values @ readout - torch.randn(len(values), 4)
        return error.square().mean()

    return of_head if subject.spec.kind == "head" else of_readout


CHECKS: tuple[Check, ...] = (
    gradients_are_finite,
    padding_gives_no_gradient,
    auxiliary_losses_are_scalars,
    frozen_stays_frozen,
    loss_falls,
)
