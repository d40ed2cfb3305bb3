"""Positions: counting, real time, precision, streaming, and the encoding itself."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch

from affectkit.ops.positions import add_positions, locate, sinusoid, start_clock

CPU = torch.device("cpu")
MASK = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
TIMES = torch.tensor([[9.0, 2.0, 2.5, 9.0, 4.0], [1.0, 1.25, 1.75, 0.0, 0.0], [7.0] * 5], dtype=torch.float64)


def test_sinusoid_is_the_formula() -> None:
    positions = torch.tensor([[0.0, 1.0, 2.5]], dtype=torch.float64)
    encoded = sinusoid(positions, 6)
    assert encoded.shape == (1, 3, 6)
    assert encoded.dtype == torch.float32
    for t, p in enumerate(positions[0].tolist()):
        for i in range(3):
            angle = p / 10000 ** (2 * i / 6)
            assert encoded[0, t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert encoded[0, t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_odd_width_has_no_last_cosine() -> None:
    encoded = sinusoid(torch.tensor([[3.0]], dtype=torch.float64), 5)
    assert encoded.shape == (1, 1, 5)
    assert encoded[0, 0, 4].item() == pytest.approx(math.sin(3 / 10000 ** (4 / 5)), abs=1e-6)


def test_index_counts_real_steps() -> None:
    positions, clock = locate(MASK, TIMES, start_clock(3, CPU), kind="index")
    assert positions.tolist() == [[0, 0, 1, 0, 2], [0, 1, 2, 0, 0], [0, 0, 0, 0, 0]]
    assert clock.seen.tolist() == [3, 3, 0]


def test_time_is_relative_to_the_first_real_step() -> None:
    positions, clock = locate(MASK, TIMES, start_clock(3, CPU), kind="time", time_unit=0.5)
    assert positions.tolist() == [[0, 0, 1, 0, 4], [0, 0.5, 1.5, 0, 0], [0, 0, 0, 0, 0]]
    assert clock.origin[:2].tolist() == [2.0, 1.0]


def test_time_at_padding_is_not_looked_at() -> None:
    times = TIMES.masked_fill(~MASK, float("nan"))
    ours, _ = locate(MASK, times, start_clock(3, CPU), kind="time")
    theirs, _ = locate(MASK, TIMES, start_clock(3, CPU), kind="time")
    assert torch.equal(ours, theirs)


def test_a_late_clip_is_encoded_as_an_early_one() -> None:
    steps = torch.arange(50, dtype=torch.float64).unsqueeze(0) / 200
    mask = torch.ones_like(steps, dtype=torch.bool)
    early, _ = locate(mask, steps, start_clock(1, CPU), kind="time", time_unit=0.005)
    late, _ = locate(mask, steps + 36000.0, start_clock(1, CPU), kind="time", time_unit=0.005)
    torch.testing.assert_close(sinusoid(late, 64), sinusoid(early, 64), atol=1e-6, rtol=0)
    # what float32 seconds would have given is far off, so the test can tell
    rounded = (steps + 36000.0).float().double()
    assert (locate(mask, rounded, start_clock(1, CPU), kind="time", time_unit=0.005)[0] - early).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["index", "time"])
def test_pieces_of_a_clip_give_the_positions_of_the_whole(kind: Literal["index", "time"]) -> None:
    whole, end = locate(MASK, TIMES, start_clock(3, CPU), kind=kind)
    clock, pieces = start_clock(3, CPU), []
    for piece in (slice(0, 1), slice(1, 4), slice(4, 5)):
        positions, clock = locate(MASK[:, piece], TIMES[:, piece], clock, kind=kind)
        pieces.append(positions)
    assert torch.equal(torch.cat(pieces, dim=1), whole)
    assert torch.equal(clock.seen, end.seen)
    assert torch.equal(clock.origin, end.origin)


def test_add_positions_keeps_dtype_and_input() -> None:
    values = torch.zeros(3, 5, 4, dtype=torch.bfloat16)
    added, clock = add_positions(values, MASK, TIMES, start_clock(3, CPU), kind="index", time_unit=1.0)
    assert added.dtype == torch.bfloat16
    assert values.abs().sum() == 0
    wanted = sinusoid(locate(MASK, TIMES, start_clock(3, CPU), kind="index")[0], 4)
    torch.testing.assert_close(added.float(), wanted, atol=4e-3, rtol=0)
    assert clock.seen.tolist() == [3, 3, 0]


def test_add_positions_of_kind_none_adds_nothing() -> None:
    values, start = torch.randn(3, 5, 4), start_clock(3, CPU)
    added, clock = add_positions(values, MASK, TIMES, start, kind="none", time_unit=1.0)
    assert added is values
    assert clock is start


def test_late_positions_are_encoded_as_exactly_as_early_ones() -> None:
    late = torch.tensor([[36000.0 * 25 + 0.3]], dtype=torch.float64)
    assert sinusoid(late, 2)[0, 0, 0].item() == pytest.approx(math.sin(36000.0 * 25 + 0.3), abs=1e-6)
