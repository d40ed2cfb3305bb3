"""Difference from rest: values, padding, gradients, and that a clip may begin in an expression."""

from __future__ import annotations

import torch
from torch import Tensor

from affectkit import (
    Branch,
    ConvStemConfig,
    FrameStream,
    OpticalFlowConfig,
    PipelineConfig,
    RestDifferenceConfig,
    ValenceArousalConfig,
)
from affectkit.motion.rest_difference import SPEC
from affectkit.motion.rest_difference_net import RestDifference, median_of_real, sorted_median
from affectkit.sequences import Sequence

FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=4, width=6)
FRAMES = FrameStream(height=4, width=6)


def maps(batch: int = 2, steps: int = 5) -> Tensor:
    return torch.randn(batch, steps, 2, 4, 6, generator=torch.Generator().manual_seed(0))


def difference() -> RestDifference:
    return RestDifference(RestDifferenceConfig(), FLOW)


def test_flow_stays_flow_and_intensities_become_signed() -> None:
    config = RestDifferenceConfig()
    assert config.output(FLOW) == FLOW
    assert config.output(FRAMES) == FrameStream(height=4, width=6, unit="relative")
    assert config.is_frozen
    assert SPEC.name == "rest-difference"


def test_the_median_of_every_pixel_is_subtracted() -> None:
    values = maps()
    found = difference()(Sequence.of(values)).values
    torch.testing.assert_close(found, values - values.sort(dim=1).values[:, 2:3], rtol=0, atol=0)


def test_it_does_not_matter_what_the_first_frame_shows() -> None:
    # flow to another frame is, to first order, flow less what that frame had moved by
    values = torch.zeros(1, 7, 2, 4, 6)
    values[:, 2:5] = 0.5
    before, after = (difference()(Sequence.of(values - values[:, t : t + 1])).values for t in (0, 3))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-7)
    torch.testing.assert_close(before, values, rtol=0, atol=1e-7)


def test_padding_is_no_frame_and_gets_no_gradient() -> None:
    values = maps()
    mask = torch.tensor([[True, True, True, False, False], [False] * 5])
    values[~mask] = float("nan")
    values.requires_grad_()
    found = difference()(Sequence.of(values, mask=mask))
    short = difference()(Sequence.of(values[:1, :3].detach()))
    assert torch.equal(found.values[:1, :3], short.values)
    assert not found.values[~mask].any()
    found.values.square().sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert not values.grad[~mask].any()


def test_the_form_for_graphs_finds_the_same() -> None:
    values = maps(batch=5, steps=6)
    # even and odd numbers of real steps, a hole, and none
    real = ["111111", "111110", "101101", "000100", "000000"]
    mask = torch.tensor([[one == "1" for one in row] for row in real])
    values[~mask] = float("nan")
    values.requires_grad_()
    found, expected = sorted_median(values, mask), median_of_real(values, mask)
    assert torch.equal(found, expected)
    ours, theirs = (torch.autograd.grad(rest.square().sum(), values)[0] for rest in (found, expected))
    assert torch.equal(ours, theirs)


def test_a_frame_alone_is_at_rest() -> None:
    assert not difference()(Sequence.of(maps(steps=1))).values.any()


def test_behind_optical_flow() -> None:
    flow = OpticalFlowConfig(pairs="first", rigid="subtract")
    config = PipelineConfig(
        input=FrameStream(height=16, width=16, channels=("gray",)),
        branches={"motion": Branch(motion=(flow, RestDifferenceConfig()), features=ConvStemConfig(dim=4))},
        heads={"va": ValenceArousalConfig()},
    )
    assert str(config.trace()["branches.motion.motion[1]"].output) == "frames [T] u+v 16x16 pixel"
