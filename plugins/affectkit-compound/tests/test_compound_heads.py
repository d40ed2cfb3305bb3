"""The two classifiers of MA-Net: scores and loss against those of the public code, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from affectkit_compound import MANetHeadsConfig
from affectkit_compound.manet_heads_net import MANetHeads
from torch import Tensor
from torch.nn import functional

from affectkit import ConfigError, FeatureStream, Sequence, StreamError
from affectkit.sequences import Targets

CLASSES = ("neutral", "happiness", "sadness")
VALID = torch.tensor([[True, True, False], [True, False, True]])
LABELS = torch.tensor([[0, 2, -1], [1, 9, 2]])


def head(**options: Any) -> MANetHeads:
    torch.manual_seed(0)
    return MANetHeads(MANetHeadsConfig(targets=CLASSES, **options), FeatureStream(dim=8))


def features() -> Tensor:
    return torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))


def logits(module: MANetHeads, values: Tensor) -> tuple[Tensor, Tensor]:
    return module.local_part.linear(values[..., :4]), module.global_part.linear(values[..., 4:])


def loss_ref(module: MANetHeads, values: Tensor, **options: Any) -> Tensor:
    """As the public code: each classifier's mean cross-entropy, by its share."""
    share, real = module.config.local_share, VALID.flatten()
    local, whole = (
        functional.cross_entropy(part.flatten(0, 1)[real], LABELS.flatten()[real], **options)
        for part in logits(module, values)
    )
    return share * local + (1 - share) * whole


@pytest.mark.parametrize("share", [0.6, 0.0, 1.0, 0.25])
def test_predictions_are_those_of_the_public_code(share: float) -> None:
    module = head(local_share=share)
    local, whole = logits(module, features())
    scores = module(Sequence.of(features()))
    torch.testing.assert_close(module.predict(scores), (share * local + (1 - share) * whole).softmax(dim=-1))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (1.0, 0.5, 3.0)])
def test_the_loss_and_its_gradient_are_those_of_the_public_code(
    smoothing: float, weights: tuple[float, ...] | None
) -> None:
    module = head(label_smoothing=smoothing, class_weights=weights)
    found = module.loss(module(Sequence.of(features())), Targets.of(LABELS, VALID), torch.ones(2, 3, dtype=torch.bool))
    options: dict[str, Any] = {"label_smoothing": smoothing}
    if weights is not None:
        options["weight"] = torch.tensor(weights)
    wanted = loss_ref(module, features(), **options)
    torch.testing.assert_close(found, wanted)
    parameters = list(module.parameters())
    for mine, theirs in zip(
        torch.autograd.grad(found, parameters), torch.autograd.grad(wanted, parameters), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_it_is_not_the_cross_entropy_of_the_mixed_scores() -> None:
    module = head()
    scores = module(Sequence.of(features()))
    found = module.loss(scores, Targets.of(LABELS, VALID), torch.ones(2, 3, dtype=torch.bool))
    mixed = functional.cross_entropy(scores.flatten(0, 1)[VALID.flatten()], LABELS[VALID])
    assert found > mixed + 1e-3


def test_without_labels_or_with_weights_of_zero_the_loss_is_zero() -> None:
    module = head(class_weights=(0.0, 1.0, 1.0))
    scores, mask = module(Sequence.of(features())), torch.ones(2, 3, dtype=torch.bool)
    for labels, valid in ((LABELS, torch.zeros_like(VALID)), (torch.zeros_like(LABELS), VALID)):
        loss = module.loss(scores, Targets.of(labels, valid), mask)
        assert loss == 0
        gradients = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
        assert not any(bool(gradient.any()) for gradient in gradients)


def test_each_half_reaches_its_classifier_alone() -> None:
    module, values = head(), features().requires_grad_()
    torch.autograd.backward(module.local_part(Sequence.of(values[..., :4])).sum())
    assert module.global_part.linear.weight.grad is None
    assert values.grad is not None
    assert not values.grad[..., 4:].any()


def test_what_it_refuses() -> None:
    with pytest.raises(ConfigError) as caught:
        MANetHeadsConfig(local_share=1.2)
    assert str(caught.value) == "local_share: 1.2 is no share; write 0 to 1"
    with pytest.raises(StreamError) as refused:
        MANetHeadsConfig().output(FeatureStream(dim=7))
    assert str(refused.value) == "width 7 has no halves; put the head behind manet alone"
