"""Losses over partial labels, each against figures worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from affectkit.heads.losses import (
    asymmetric,
    binary_cross_entropy,
    concordance,
    concordance_loss,
    cross_entropy,
    smooth_l1,
    squared_error,
)

NAN = float("nan")
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
VALUE_LOSSES: tuple[Loss, ...] = (asymmetric, binary_cross_entropy, concordance_loss, smooth_l1, squared_error)


def logs(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def test_cross_entropy_is_the_mean_of_minus_log_p() -> None:
    scores = logs((0.5, 0.25, 0.25), (0.2, 0.2, 0.6))
    loss = cross_entropy(scores, torch.tensor([0, 2]), torch.tensor([True, True]))
    assert loss.item() == pytest.approx(-(math.log(0.5) + math.log(0.6)) / 2)


def test_cross_entropy_divides_by_the_weights_of_valid_labels() -> None:
    scores = logs((0.5, 0.5), (0.25, 0.75), (0.1, 0.9))
    values, valid = torch.tensor([0, 1, 1]), torch.tensor([True, True, False])
    loss = cross_entropy(scores, values, valid, class_weights=torch.tensor([3.0, 1.0]))
    assert loss.item() == pytest.approx(-(3 * math.log(0.5) + math.log(0.75)) / 4)


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    loss = cross_entropy(logs((0.5, 0.3, 0.2)), torch.tensor([1]), torch.tensor([True]), label_smoothing=0.3)
    assert loss.item() == pytest.approx(-(0.8 * math.log(0.3) + 0.1 * math.log(0.5) + 0.1 * math.log(0.2)))


def test_smoothing_and_weights_together_follow_the_formula() -> None:
    loss = cross_entropy(
        logs((0.5, 0.5), (0.2, 0.8)),
        torch.tensor([0, 1]),
        torch.tensor([True, True]),
        class_weights=torch.tensor([2.0, 0.5]),
        label_smoothing=0.2,
    )
    first = -(0.9 * 2 * math.log(0.5) + 0.1 * 0.5 * math.log(0.5))
    second = -(0.1 * 2 * math.log(0.2) + 0.9 * 0.5 * math.log(0.8))
    assert loss.item() == pytest.approx((first + second) / 2.5)


def test_cross_entropy_of_labels_without_weight_is_zero() -> None:
    scores = torch.randn(2, 2, requires_grad=True)
    loss = cross_entropy(scores, torch.tensor([1, 1]), torch.tensor([True, True]), class_weights=torch.tensor([1.0, 0]))
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_cross_entropy_per_frame_equals_the_flat_one() -> None:
    torch.manual_seed(0)
    scores, values, valid = torch.randn(2, 5, 3), torch.randint(3, (2, 5)), torch.rand(2, 5) > 0.4
    expected = torch.nn.functional.cross_entropy(scores[valid], values[valid])
    torch.testing.assert_close(cross_entropy(scores, values, valid), expected)


def test_cross_entropy_ignores_what_is_not_valid() -> None:
    scores = torch.tensor([[1.0, 2.0], [NAN, NAN]], requires_grad=True)
    loss = cross_entropy(scores, torch.tensor([0, -5]), torch.tensor([True, False]))
    torch.autograd.backward(loss)
    assert loss.item() == pytest.approx(math.log1p(math.e))
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert not scores.grad[1].any()


def test_concordance_of_the_golden_example() -> None:
    # Population moments. With n - 1 in both places it would be 0.951189, mixed up 1.266667.
    x, y = torch.tensor([[-0.5], [0.0], [0.5], [1.0]]), torch.tensor([[-0.4], [0.1], [0.3], [0.8]])
    assert concordance(x, y, torch.ones(4, 1, dtype=torch.bool)).item() == pytest.approx(0.95)


def test_concordance_pools_clips_and_keeps_targets_apart() -> None:
    y = torch.tensor([[-0.4, 0.8], [0.1, 0.3], [0.3, 0.1], [0.8, -0.4]]).reshape(2, 2, 2)
    x = torch.tensor([[-0.5, -1.0], [0.0, -0.5], [0.5, 0.0], [1.0, 0.5]]).reshape(2, 2, 2)
    # Second target: s_xy = -0.2375, s_x2 = 0.3125, s_y2 = 0.185, means -0.25 and 0.2.
    expected = torch.tensor([0.95, -2 * 0.2375 / (0.3125 + 0.185 + 0.45**2)])
    torch.testing.assert_close(concordance(x, y, torch.ones_like(x, dtype=torch.bool)), expected)


def test_concordance_looks_at_valid_labels_of_each_target() -> None:
    x = torch.tensor([[-0.5, NAN], [0.0, 0.2], [0.5, 0.4], [1.0, 0.6], [NAN, 0.9]])
    y = torch.tensor([[-0.4, 0.0], [0.1, 0.2], [0.3, 0.4], [0.8, NAN], [-5.0, -5.0]])
    valid = torch.tensor([[True, False], [True, True], [True, True], [True, False], [False, False]])
    torch.testing.assert_close(concordance(x, y, valid), torch.tensor([0.95, 1.0]))


@pytest.mark.parametrize(
    ("x", "y", "loss"),
    [
        ([0.3], [0.7], 0.0),  # one label says nothing of concordance
        ([0.3, 0.3], [0.7, 0.7], 1.0),  # both constant
        ([0.3, 0.3], [0.3, 0.3], 1.0),  # both constant and equal: 0 / 0
        ([0.1, 0.5], [0.3, 0.3], 1.0),  # a constant label can't be followed
    ],
)
def test_degenerate_concordance_has_zero_gradient(x: list[float], y: list[float], loss: float) -> None:
    scores = torch.tensor(x).unsqueeze(-1).requires_grad_()
    values = torch.tensor(y).unsqueeze(-1)
    result = concordance_loss(scores, values, torch.ones_like(values, dtype=torch.bool))
    torch.autograd.backward(result)
    assert result.item() == pytest.approx(loss)
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, torch.zeros_like(scores), atol=1e-6, rtol=0)


def test_a_constant_prediction_has_a_gradient_towards_the_label() -> None:
    scores = torch.zeros(3, 1, requires_grad=True)
    torch.autograd.backward(
        concordance_loss(scores, torch.tensor([[-0.5], [0.0], [0.5]]), torch.ones(3, 1, dtype=torch.bool))
    )
    assert scores.grad is not None
    assert scores.grad[0].item() > 0 > scores.grad[2].item()


def test_concordance_loss_is_the_mean_over_targets_that_have_labels() -> None:
    x, y = torch.tensor([[-0.5], [0.0], [0.5], [1.0]]), torch.tensor([[-0.4], [0.1], [0.3], [0.8]])
    scores, values = x.repeat(1, 2), y.repeat(1, 2)
    valid = torch.ones(4, 2, dtype=torch.bool)
    valid[1:, 1] = False
    assert concordance_loss(scores, values, valid).item() == pytest.approx(0.05)


def test_asymmetric_by_hand() -> None:
    # p = 0.8 and 0.25; y = 1 and 0; the negative is turned down by its own p.
    scores = torch.logit(torch.tensor([[0.8, 0.25]]))
    loss = asymmetric(scores, torch.tensor([[1.0, 0.0]]), torch.tensor([[True, True]]), torch.tensor([1.5, 0.5]))
    assert loss.item() == pytest.approx(-(1.5 * math.log(0.8) + 0.5 * 0.25 * math.log(0.75)) / 2)


def test_no_gradient_flows_through_the_factor_p() -> None:
    scores = torch.logit(torch.tensor([[0.8, 0.25]])).requires_grad_()
    torch.autograd.backward(asymmetric(scores, torch.tensor([[1.0, 0.0]]), torch.tensor([[True, True]])))
    # d/ds of -log p is p - 1; of -c log(1 - p) with c held at p it is p * p, and not p * p - p (1 - p) log(1 - p).
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, torch.tensor([[(0.8 - 1) / 2, 0.25 * 0.25 / 2]]))


def test_binary_cross_entropy_by_hand() -> None:
    scores = torch.logit(torch.tensor([[0.8, 0.25]]))
    loss = binary_cross_entropy(
        scores, torch.tensor([[1.0, 0.0]]), torch.tensor([[True, True]]), torch.tensor([1.5, 0.5])
    )
    assert loss.item() == pytest.approx(-(1.5 * math.log(0.8) + 0.5 * math.log(0.75)) / 2)


def test_errors_by_hand() -> None:
    x, y = torch.tensor([[0.5, 3.0]]), torch.tensor([[0.0, 1.0]])
    valid = torch.ones(1, 2, dtype=torch.bool)
    assert squared_error(x, y, valid).item() == pytest.approx((0.25 + 4) / 2)
    assert smooth_l1(x, y, valid).item() == pytest.approx((0.125 + 1.5) / 2)


@pytest.mark.parametrize("loss", VALUE_LOSSES)
def test_what_is_not_valid_is_harmless(loss: Loss) -> None:
    torch.manual_seed(1)
    scores, values = torch.rand(4, 2), (torch.rand(4, 2) > 0.5).float()
    values[:2] = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    clean = scores[:3].clone().requires_grad_()
    expected = loss(clean, values[:3], torch.ones(3, 2, dtype=torch.bool))
    torch.autograd.backward(expected)
    dirty, valid = torch.cat([scores[:3], torch.tensor([[NAN, NAN]])]).requires_grad_(), torch.ones(4, 2).bool()
    values[3], valid[3] = torch.tensor([NAN, -5.0]), False
    result = loss(dirty, values, valid)
    torch.autograd.backward(result)
    torch.testing.assert_close(result, expected)
    assert dirty.grad is not None
    assert clean.grad is not None
    torch.testing.assert_close(dirty.grad[:3], clean.grad)
    assert not dirty.grad[3].any()


@pytest.mark.parametrize("loss", [*VALUE_LOSSES, cross_entropy])
def test_nothing_valid_is_zero_with_zero_gradient(loss: Loss) -> None:
    scores = torch.full((3, 2), NAN, requires_grad=True)
    shape = (3,) if loss is cross_entropy else (3, 2)
    values = torch.full(shape, -1) if loss is cross_entropy else torch.full(shape, NAN)
    result = loss(scores, values, torch.zeros(shape, dtype=torch.bool))
    torch.autograd.backward(result)
    assert result.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


@pytest.mark.parametrize("loss", [*VALUE_LOSSES, cross_entropy])
def test_half_precision_scores_are_computed_in_float32(loss: Loss) -> None:
    scores = torch.rand(4, 2, dtype=torch.bfloat16)
    values = torch.tensor([0, 1, 0, 1]) if loss is cross_entropy else torch.tensor([[0.0, 1], [1, 0], [0, 1], [1, 1]])
    result = loss(scores, values, torch.ones_like(values, dtype=torch.bool))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, loss(scores.float(), values, torch.ones_like(values, dtype=torch.bool)))


def test_concordance_of_rounding_noise_is_zero_without_gradient() -> None:
    labels = torch.tensor([[0.5], [0.50001], [0.49999]])
    scores = torch.tensor([[0.5], [0.49999], [0.50002]], requires_grad=True)
    ccc = concordance(scores, labels, torch.ones(3, 1, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(ccc.sum(), scores)
    assert ccc.item() == 0
    assert torch.equal(gradient, torch.zeros(3, 1))


def test_smoothing_gives_labels_without_weight_no_loss() -> None:
    scores = torch.zeros(1, 2, requires_grad=True)
    loss = cross_entropy(
        scores,
        torch.tensor([0]),
        torch.tensor([True]),
        class_weights=torch.tensor([0.0, 1.0]),
        label_smoothing=0.2,
    )
    (gradient,) = torch.autograd.grad(loss, scores)
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros(1, 2))
