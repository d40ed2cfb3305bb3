"""Faults of task heads, late fusions and score maps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from affectkit import Sequence, Targets
from tests.faulty.base import fault, planted
from tests.faulty.clean import PlainHead, PlainLate, PlainMap

UNLABELED = "loss_without_labels_is_zero"


@fault("head", UNLABELED, "the loss is nan where no label is valid")
class AveragesNothing(PlainHead):
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        valid = targets.valid & mask
        picked = scores.log_softmax(-1).gather(-1, targets.values.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return -picked[valid].mean()


@fault("head", UNLABELED, "loss() returned shape (3, 5), no scalar", "a loss that is not averaged")
class LossPerFrame(PlainHead):
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        return super().loss(scores, targets, mask).expand(mask.shape)


@fault("head", UNLABELED, "where no label is valid, the loss is a constant",
       "return a zero that depends on the scores")  # fmt: skip
class ConstantLoss(PlainHead):
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        return super().loss(scores, targets, mask) if targets.valid.any() else torch.zeros(())


@fault("head", UNLABELED, "where no label is valid, 'linear.weight' gets a gradient that is not zero")
class PullsAnyway(PlainHead):
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        return super().loss(scores, targets, mask) + (scores - scores.detach()).sum()


IGNORED = "unlabeled_values_are_ignored"


@fault("head", IGNORED, "the loss changes by 2.4 when labels that are not valid do")
class CountsUnlabeled(PlainHead):
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        plain = super().loss(scores, targets, mask)
        return plain * (1 + targets.values[mask].float().mean() * targets.valid.any())


@fault("head", IGNORED, "labels of padding change the loss by 0.13", "the mask is not used in loss()")
class CountsPadding(PlainHead):
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        return super().loss(scores, targets, torch.ones_like(mask))


RANGE = "predictions_are_in_range"


@fault("head", RANGE, "predict(), with scores up to 2.3, gives -1.88 to 2.3 for multiclass, whose range is (0.0, 1.0)")
class ReturnsScores(PlainHead):
    def predict(self, scores: Tensor) -> Tensor:
        return scores


@fault("head", RANGE, "predict(), with scores up to 2.3, gives probabilities that sum to 2.07")
class DecodesAsLabels(PlainHead):
    def predict(self, scores: Tensor) -> Tensor:
        return scores.sigmoid()


@fault("head", RANGE, "predict() returned shape (3, 5) for (3, 5, 3)")
class PicksOne(PlainHead):
    def predict(self, scores: Tensor) -> Tensor:
        return scores.argmax(dim=-1).float()


@fault("head", RANGE, "predict(), with scores up to 2.3e+03, gives 25 numbers that are not finite")
class OverflowsExp(PlainHead):
    def predict(self, scores: Tensor) -> Tensor:
        return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


AGREES = "predictions_agree_with_the_loss"


@fault("head", AGREES,
       "covariance of predictions and labels goes from 0.0064 to -0.11 where the scores descend the loss")  # fmt: skip
class DecodesNegated(PlainHead):
    def predict(self, scores: Tensor) -> Tensor:
        return super().predict(-scores)


@fault("head", AGREES,
       "covariance of predictions and labels goes from 0.0031 to -0.1 where the scores descend the loss")  # fmt: skip
class DecodesInAnotherOrder(PlainHead):
    def predict(self, scores: Tensor) -> Tensor:
        return super().predict(scores).roll(1, dims=-1)


@fault("late-fusion", "probabilities_stay_probabilities", "forward() gives probabilities that sum to 0.0596")
class Multiplies(PlainLate):
    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        return torch.stack(list(members.values())).prod(dim=0)


@fault("late-fusion", "certainty_stays_finite",
       "with members that are certain, forward() gives 16 numbers that are not finite")  # fmt: skip
class DividesProducts(PlainLate):
    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        if self.problem != "multiclass":
            return super().forward(members)
        product = torch.stack(list(members.values())).prod(dim=0)
        return product / product.sum(dim=-1, keepdim=True)


@fault("map", "large_scores_stay_finite", "18 of 96 scores are not finite for scores up to 3.4e+02")
class Exponentiates(PlainMap):
    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values.exp())


FAULTS = planted(globals())
