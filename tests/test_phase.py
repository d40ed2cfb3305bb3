"""`phase` alone: what it does with noise, colors and borders, and its octaves by the slow pyramid."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit import EulerianConfig, FrameStream, PhaseConfig
from affectkit.motion.phase_net import Phase
from affectkit.ops.band_pass import band_pass_ref
from affectkit.ops.steerable import make_windows, make_windows_ref
from tests.swinging import FPS, swing, swinging
from tests.test_eulerian import MIDDLE, magnified


def test_a_quarter_of_a_wave_is_not_too_much() -> None:
    times = torch.arange(75) / FPS
    frames = swinging(3.0 / 8, times, MIDDLE)
    by_phase, by_brightness = (swing(magnified(make(alpha=8.0), frames)) for make in (PhaseConfig, EulerianConfig))
    assert 0.85 < by_phase / swing(frames) / 8 < 1.15
    assert by_brightness / swing(frames) / 8 < 0.85


def test_noise_is_moved_and_not_amplified() -> None:
    make = torch.Generator().manual_seed(0)
    rest = swinging(0.0, torch.zeros(1), 1.0)
    frames = rest + 0.004 * torch.randn(60, *rest.shape[1:], generator=make)
    left = {make: (magnified(make(alpha=16.0), frames) - rest)[30:].std() for make in (PhaseConfig, EulerianConfig)}
    noise = (frames - rest).std()
    assert left[PhaseConfig] < 2 * noise
    assert left[EulerianConfig] > 6 * noise


def test_colors_stay() -> None:
    frames = swinging(0.5, torch.arange(30) / FPS, 2.0)
    tinted = torch.cat([0.9 * frames, frames, 0.8 * frames + 0.1], dim=1)
    change = magnified(PhaseConfig(alpha=4.0), tinted) - tinted
    assert change.abs().max() > 0.02
    torch.testing.assert_close(change, change[:, :1].expand_as(change), rtol=0, atol=1e-6)


def test_one_wave_is_shifted_by_its_own_phase() -> None:
    # a wave that goes round within the mirrored frame has one window's phase everywhere: k times the motion
    x = torch.arange(64, dtype=torch.float64)
    places = 0.2 * torch.sin(2 * math.pi * MIDDLE * torch.arange(60, dtype=torch.float64) / FPS)
    frames = 0.5 + 0.3 * torch.cos(2 * math.pi / 16 * (x - places[:, None])).float()
    clip = frames[:, None, None].expand(60, 1, 64, 64)
    made = magnified(PhaseConfig(alpha=5.0), clip)[59, 0, 32, 24:40]
    moved = places[59] + 4 * band_pass_ref(places, torch.arange(60, dtype=torch.float64) / FPS, (0.5, 4.0))[59]
    expected = 0.5 + 0.3 * torch.cos(2 * math.pi / 16 * (x[24:40] - moved))
    torch.testing.assert_close(made.double(), expected, rtol=0, atol=0.01)
    assert abs(float(moved - places[59])) > 0.1


def test_gradients_are_those_of_small_changes() -> None:
    module = Phase(PhaseConfig(alpha=3.0), FrameStream(height=8, width=8))
    make = torch.Generator().manual_seed(0)
    # away from waves of no amplitude, whose phase jumps
    length, angle = 0.5 + torch.rand(2, 1, 2, 3, 4, generator=make).double(), torch.randn(2, 1, 2, 3, 4, generator=make)
    before, after = torch.polar(length, angle.double())
    times, mask = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.bool)

    def shifted(first: Tensor, second: Tensor) -> Tensor:
        _, state = module._shift(first, times, mask, None)
        return module._shift(second, times + 0.04, mask, state)[0]

    assert shifted(before, after).abs().max() > 0.1
    assert torch.autograd.gradcheck(shifted, (before.requires_grad_(), after.requires_grad_()))


def test_windows_are_those_of_the_slow_twin() -> None:
    for level in range(2):
        full = make_windows_ref((16, 24), level, 6)
        rows = torch.arange(16)[: 16 >> level + 1], torch.arange(16)[-(16 >> level + 1) :]
        columns = torch.arange(24)[: 24 >> level + 1], torch.arange(24)[-(24 >> level + 1) :]
        corners = full[:, torch.cat(rows)][..., torch.cat(columns)]
        torch.testing.assert_close(make_windows((16, 24), level, 6), corners)
