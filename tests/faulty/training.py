"""Faults that show in training: gradients, auxiliary losses, frozen parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from affectkit import FeatureStream, Sequence, Targets
from tests.faulty.base import fault, planted
from tests.faulty.clean import PlainTemporalConfig
from tests.faulty.modules import Quiet, QuietConfig, quiet

GRADIENTS = "gradients_are_finite"


@quiet(GRADIENTS, "'spare.weight' gets no gradient")
class KeepsSpare(Quiet):
    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(config, stream)
        self.spare = nn.Linear(2, 2)


@quiet(GRADIENTS, "the loss depends on no parameter")
class Detaches(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        output = super().forward(inputs)
        return output.with_values(output.values.detach())


@quiet(GRADIENTS, "the loss is nan")
class BreaksInTraining(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return super().finished(values * (float("nan") if self.training else 1.0), inputs)


@quiet(GRADIENTS, "64 of 64 gradients of 'linear.weight' are not finite")
class RootOfZero(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        return super().finished(values + (values - values.detach()).sqrt(), inputs)


@quiet("padding_gives_no_gradient", "64 of 64 gradients of 'linear.weight' are not finite with NaN in the padding")
class MasksAfterLayer(Quiet):
    def forward(self, inputs: Sequence) -> Sequence:
        mapped = torch.where(inputs.mask.unsqueeze(-1), self.linear(inputs.values), 0.0)
        return inputs.with_values(self.config.gain * mapped.cumsum(dim=1) * inputs.mask.unsqueeze(-1))


AUXILIARY = "auxiliary_losses_are_scalars"


@quiet(AUXILIARY, "auxiliary loss 'size' is shape (3, 5), no scalar tensor")
class LossPerStep(Quiet):
    def auxiliary(self, inputs: Any, output: Any, targets: Mapping[str, Targets]) -> dict[str, Tensor]:
        return {"size": output.values.square().mean(dim=-1)}


@quiet(AUXILIARY, "auxiliary loss 'size' is float, no scalar tensor")
class LossAsNumber(Quiet):
    def auxiliary(self, inputs: Any, output: Any, targets: Mapping[str, Targets]) -> dict[str, Tensor]:
        return {"size": output.values.square().mean().item()}


@quiet(AUXILIARY, "auxiliary loss 'size' is inf")
class InfiniteLoss(Quiet):
    def auxiliary(self, inputs: Any, output: Any, targets: Mapping[str, Targets]) -> dict[str, Tensor]:
        return {"size": output.values.square().mean() / 0}


@quiet(AUXILIARY, "auxiliary() returned Tensor", "write return {'name': loss}")
class BareLoss(Quiet):
    def auxiliary(self, inputs: Any, output: Any, targets: Mapping[str, Targets]) -> dict[str, Tensor]:
        loss: Any = output.values.square().mean()
        return loss  # type: ignore[no-any-return]


def frozen(fact: str) -> Any:
    """A fault of an encoder that claims to be frozen."""
    return fault("temporal", "frozen_stays_frozen", fact, config=QuietConfig, example=QuietConfig(frozen=True))


@frozen("is_frozen is True, and 'linear.weight' and 1 more requires a gradient")
class Thaws(Quiet):
    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(config, stream)
        self.requires_grad_(True)


@frozen("is_frozen is True, and 'seen' changes in a training step")
class CountsBatches(Quiet):
    seen: Tensor

    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(config, stream)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs: Sequence) -> Sequence:
        if self.training:
            self.seen += 1
        return super().forward(inputs)


class Reverse(torch.autograd.Function):
    """The identity, whose gradient has the wrong sign."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


@quiet("loss_falls", "in 5 steps on one batch, the loss goes from 9.759 to 10.46 by steps of 0.001 and from 9.759 to "
       "9.827 by steps of 0.0001")  # fmt: skip
class ReversesGradient(Quiet):
    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        reversed_: Tensor = Reverse.apply(values)  # type: ignore[no-untyped-call]
        return super().finished(reversed_, inputs)


FAULTS = planted(globals())
