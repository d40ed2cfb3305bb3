"""Which steps are kept, against the slow twins; and the steps moved there and back."""

from __future__ import annotations

import math

import pytest
import torch

from affectkit.ops.token_selection import (
    bring_forward,
    count_kept,
    count_most,
    put_steps,
    rank_last,
    score_steps,
    select_highest,
    select_highest_ref,
    select_recent,
    select_recent_ref,
    take_steps,
)
from tests.temporal_checks import MASK

RATIOS = (0.0, 0.29, 0.3, 0.5, 0.7, 0.8, 0.99)


def scores(batch: int = 5, steps: int = 7, levels: int | None = None) -> torch.Tensor:
    """Random scores; with `levels` only so many different ones, so that many are equal."""
    make = torch.Generator().manual_seed(0)
    if levels is not None:
        return torch.randint(levels, (batch, steps), generator=make).float()
    return torch.rand(batch, steps, generator=make)


@pytest.mark.parametrize(
    ("steps", "ratio", "kept"),
    [(0, 0.5, 0), (1, 0.99, 1), (5, 0.0, 5), (5, 0.5, 3), (10, 0.7, 3), (10, 0.9, 1), (100, 0.29, 71), (7, 0.3, 5)],
)
def test_a_ratio_leaves_its_share_rounded_up(steps: int, ratio: float, kept: int) -> None:
    assert count_kept(torch.tensor(steps), ratio).item() == kept
    assert count_most(steps, ratio) == kept


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("levels", [None, 1, 2])
def test_the_highest_equal_the_slow_twin(ratio: float, levels: int | None) -> None:
    given = scores(levels=levels).masked_fill(~MASK, math.nan)
    kept = select_highest(given, MASK, ratio)
    assert torch.equal(kept, select_highest_ref(given, MASK, ratio))
    assert torch.equal(kept.sum(dim=1), count_kept(MASK.sum(dim=1), ratio))
    assert not (kept & ~MASK).any()


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("window", [1, 3, 20])
@pytest.mark.parametrize("levels", [None, 1, 2])
def test_the_recent_equal_the_slow_twin(ratio: float, window: int, levels: int | None) -> None:
    given = scores(3, 40, levels)
    given[1, :5] = -math.inf
    assert torch.equal(select_recent(given, ratio, window), select_recent_ref(given, ratio, window))


def test_the_recent_look_at_nothing_later_and_nothing_too_old() -> None:
    given = scores(1, 40)
    changed = given.clone()
    changed[0, 20] = 5.0
    ours, theirs = select_recent(given, 0.5, 4), select_recent(changed, 0.5, 4)
    assert torch.equal(ours[:, :20], theirs[:, :20])
    assert torch.equal(ours[:, 24:], theirs[:, 24:])
    assert theirs[0, 20]


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
def test_the_recent_are_a_ratios_share_on_average(ratio: float) -> None:
    share = select_recent(scores(4, 2000), ratio, 50).double().mean().item()
    assert share == pytest.approx(1 - ratio, abs=0.02)


def test_at_no_ratio_everything_is_kept() -> None:
    assert torch.equal(select_highest(scores(), MASK, 0.0), MASK)
    assert select_recent(scores(), 0.0, 3).all()
    assert not rank_last(torch.full((2, 3), -math.inf), 0.0).any()


def test_a_score_is_the_mean_size_of_the_entries() -> None:
    values = torch.tensor([[[1.0, -3.0], [0.0, 0.5]]], requires_grad=True)
    scored = score_steps(values)
    assert scored.tolist() == [[2.0, 0.25]]
    assert not scored.requires_grad
    assert score_steps(values.bfloat16()).dtype == torch.float32


def test_steps_come_back_to_their_places() -> None:
    values = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0))
    order = bring_forward(MASK)
    for clip, real in enumerate(MASK):
        count = int(real.sum())
        assert torch.equal(take_steps(values, order)[clip, :count], values[clip, real])
        assert torch.equal(take_steps(values, order)[clip, count:], values[clip, ~real])
    assert torch.equal(put_steps(values, order, take_steps(values, order)), values)
    changed = put_steps(values, order[:, :2], torch.zeros(5, 2, 3))
    assert torch.equal(
        changed == values,
        torch.ones_like(values, dtype=torch.bool).scatter(1, order[:, :2, None].expand(-1, -1, 3), False),
    )
