"""The band-pass over time: its slow twin, textbooks, gaps of any length, and padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from affectkit.ops.band_pass import band_pass, band_pass_ref, band_step

BAND = (0.5, 6.0)


def clip(count: int = 40, *, fps: float = 30.0, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Values, times and mask of one clip at a fixed rate."""
    values = torch.randn(1, count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    times = 7 + torch.arange(count, dtype=torch.float64)[None] / fps
    return values, times, torch.ones(1, count, dtype=torch.bool)


def uneven(count: int = 40) -> Tensor:
    """Times 10 to 70 ms apart, with two frames at one time, a gap to be filled and one to begin anew after."""
    gaps = 0.01 + 0.06 * torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    gaps[5], gaps[20], gaps[30] = 0.0, 0.7, 3.0
    return gaps.cumsum(dim=0)[None]


@pytest.mark.parametrize("is_even", [True, False])
def test_it_is_its_slow_twin(is_even: bool) -> None:
    values, times, mask = clip()
    times = times if is_even else uneven()
    expected = band_pass_ref(values[0], times[0], BAND)
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(band_pass(values, times, mask, BAND)[0], expected)


def test_gradients_are_those_of_the_slow_twin() -> None:
    values, _, mask = clip(12)
    values.requires_grad_()
    weights = torch.linspace(-1, 1, 12, dtype=torch.float64)
    times = uneven()[:, 15:27]
    (fast,) = torch.autograd.grad((weights * band_pass(values, times, mask, BAND)[0]).sum(), values)
    (slow,) = torch.autograd.grad((weights * band_pass_ref(values[0], times[0], BAND)).sum(), values)
    torch.testing.assert_close(fast, slow)
    assert torch.autograd.gradcheck(lambda given: band_pass(given, times, mask, BAND), values)


def test_at_a_fixed_rate_it_is_the_filter_of_the_textbooks() -> None:
    signal = pytest.importorskip("scipy.signal")
    values, times, mask = clip()
    b, a = signal.butter(1, BAND, "bandpass", fs=30.0)
    start = signal.lfilter_zi(b, a) * float(values[0, 0])
    expected = torch.from_numpy(signal.lfilter(b, a, values[0].numpy(), zi=start)[0])
    torch.testing.assert_close(band_pass(values, times, mask, BAND)[0], expected)


@pytest.mark.parametrize(("rate", "gain"), [(math.sqrt(3.0), 1.0), (0.5, math.sqrt(0.5)), (6.0, math.sqrt(0.5))])
def test_gain_in_the_middle_and_at_the_ends(rate: float, gain: float) -> None:
    _, times, mask = clip(2400, fps=120.0)
    wave = torch.sin(2 * math.pi * rate * times)
    passed = band_pass(wave, times, mask, BAND)[:, -240:]
    assert float(passed.square().mean().sqrt() / math.sqrt(0.5)) == pytest.approx(gain, abs=0.01)
    if gain == 1.0:
        # no delay
        assert float((passed - wave[:, -240:]).abs().max()) < 0.02


def test_what_stands_still_gives_nothing() -> None:
    _, times, mask = clip()
    assert not band_pass(torch.full((1, 40, 2, 3), 0.7, dtype=torch.float64), times, mask, BAND).any()


def test_after_a_long_gap_it_begins_anew() -> None:
    values, _, mask = clip()
    times = uneven()
    whole = band_pass(values, times, mask, BAND)
    torch.testing.assert_close(whole[:, 30:], band_pass(values[:, 30:], times[:, 30:], mask[:, 30:], BAND))
    assert not whole[:, 30].any()


def test_a_dropped_frame_is_a_straight_line() -> None:
    values, times, mask = clip(12, fps=10.0)
    # half a period of 6 Hz is 83 ms: at 10 frames per second, each gap has a value in its middle
    filled = torch.stack([values[:, :-1], (values[:, :-1] + values[:, 1:]) / 2], dim=-1).flatten(1)
    between = torch.stack([times[:, :-1], times[:, :-1] + 0.05], dim=-1).flatten(1)
    whole = band_pass(torch.cat([filled, values[:, -1:]], 1), torch.cat([between, times[:, -1:]], 1),
                      torch.ones(1, 23, dtype=torch.bool), BAND)  # fmt: skip
    torch.testing.assert_close(band_pass(values, times, mask, BAND), whole[:, ::2])


def test_padding_changes_nothing_and_clips_are_apart() -> None:
    values, times, mask = clip(12)
    kept = torch.arange(12) % 3 != 1
    alone = band_pass(values[:, kept], times[:, kept], mask[:, kept], BAND)
    both = torch.cat([values, values.flip(1)]), torch.cat([times, times]), torch.stack([kept, torch.zeros(12).bool()])
    padded = band_pass(*both, BAND)
    torch.testing.assert_close(padded[:1, kept], alone)
    assert not padded[:1, ~kept].any()
    assert not padded[1].any()


def test_steps_are_the_whole() -> None:
    values, times, mask = clip(8)
    state, found = None, []
    for t in range(8):
        passed, state = band_step(values[:, t], times[:, t], mask[:, t], BAND, state)
        found.append(passed)
    assert torch.equal(torch.stack(found, 1), band_pass(values, times, mask, BAND))
