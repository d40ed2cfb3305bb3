"""Generated patterns: their truth is exact, their seeds are kept, their clips keep their times."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affectkit.data.patterns import MOTIONS, Motion, Pattern, displacement, progress, render, speed
from affectkit.ops.lucas_kanade import lucas_kanade


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_flow_of_a_clip_is_its_displacement(motion: Motion) -> None:
    pattern = Pattern(motion=motion, texture=3, amount=0.02, size=48)
    first, last = torch.from_numpy(render(pattern, np.array([0.0, 1.0]))).double().mean(dim=-1) / 255
    truth = displacement(pattern, 1.0)
    flow = lucas_kanade(first[None], last[None], window=3.0)[0].numpy()
    inside = (slice(None), slice(6, -6), slice(6, -6))
    size = np.abs(truth[inside]).mean()
    assert size > 0.1
    assert np.abs(flow - truth)[inside].mean() < 0.25 * size


def test_displacement_by_hand() -> None:
    # Pixel centres lie half a pixel from the centre of an even picture.
    expand = displacement(Pattern(motion="expand", texture=0, amount=0.5, size=2), 1.0)
    assert expand[0].tolist() == [[-0.25, 0.25], [-0.25, 0.25]]
    assert expand[1].tolist() == [[-0.25, -0.25], [0.25, 0.25]]
    contract = displacement(Pattern(motion="contract", texture=0, amount=0.5, size=2), 1.0)
    np.testing.assert_allclose(contract, -expand)
    # A quarter turn takes what is at the right, x = 1/2, down: y grows downwards.
    turned = displacement(Pattern(motion="rotate", texture=0, amount=np.pi / 2, size=3), 1.0)
    np.testing.assert_allclose(turned[:, 1, 2], [-1.0, 1.0], atol=1e-12)
    assert not displacement(Pattern(motion="rotate", texture=0), 0.0).any()


def test_progress_and_speed() -> None:
    times = np.array([-1.0, 0.0, 0.5, 1.0, 3.0])
    np.testing.assert_allclose(progress(times, 1.0), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(speed(times, 1.0), [0, 0, 1, 0, 0], atol=1e-12)


def test_seeds() -> None:
    s = np.linspace(0.0, 1.0, 3)
    pattern = Pattern(motion="expand", texture=7, noise=0.02)
    frames = render(pattern, s)
    assert (frames.shape, frames.dtype.name) == ((3, 40, 40, 3), "uint8")
    np.testing.assert_array_equal(frames, render(pattern, s))
    assert (frames != render(Pattern(motion="expand", texture=8, noise=0.02), s)).mean() > 0.9
    # The texture of an unmoved picture does not tell the motion.
    still = [render(Pattern(motion=motion, texture=7), np.zeros(1)) for motion in MOTIONS]
    np.testing.assert_array_equal(still[0], still[1])
    np.testing.assert_array_equal(still[0], still[2])
