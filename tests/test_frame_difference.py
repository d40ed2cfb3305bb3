"""Frame differences: values, padding, streaming, and what they refuse."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from affectkit.errors import ConfigError, StreamError
from affectkit.motion.frame_difference import SPEC, FrameDifferenceConfig
from affectkit.motion.frame_difference_net import FrameDifference
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

RGB = FrameStream(height=6, width=8)
GRAY = FrameStream(channels=("gray",), height=6, width=8)
Reference = Literal["previous", "first"]


def clip(batch: int = 2, steps: int = 4, channels: int = 3) -> Tensor:
    return torch.rand(batch, steps, channels, 6, 8, generator=torch.Generator().manual_seed(0))


def difference(reference: Reference = "previous", *, gray: bool = False, stream: FrameStream = RGB) -> FrameDifference:
    return FrameDifference(FrameDifferenceConfig(reference=reference, gray=gray), stream)


def test_the_output_names_what_the_channels_hold() -> None:
    assert FrameDifferenceConfig().output(RGB) == FrameStream(
        height=6, width=8, channels=("dr", "dg", "db"), unit="relative"
    )
    assert FrameDifferenceConfig(gray=True).output(RGB).channels == ("d",)
    assert FrameDifferenceConfig().output(GRAY).channels == ("d",)
    assert FrameDifferenceConfig(gray=True).output(GRAY).channels == ("d",)


def test_named_steps_and_rate_stay() -> None:
    stream = FrameStream(height=6, width=8, fps=200.0, steps=("onset", "apex", "offset"))
    output = FrameDifferenceConfig(reference="first").output(stream)
    assert (output.fps, output.steps) == (200.0, ("onset", "apex", "offset"))


def test_it_is_a_frozen_front_end_that_needs_two_frames() -> None:
    assert FrameDifferenceConfig.context == 2
    assert FrameDifferenceConfig().is_frozen
    assert SPEC.name == "frame-difference"
    assert isinstance(SPEC.factory(FrameDifferenceConfig(), RGB), FrameDifference)
    assert not list(difference().parameters())


def test_previous_subtracts_the_frame_before() -> None:
    values = clip()
    output = difference()(Sequence.of(values)).values
    assert torch.equal(output[:, 0], torch.zeros(2, 3, 6, 8))
    assert torch.equal(output[:, 1:], values[:, 1:] - values[:, :-1])


def test_first_subtracts_the_first_frame() -> None:
    values = clip()
    output = difference("first")(Sequence.of(values)).values
    torch.testing.assert_close(output, values - values[:, :1], rtol=0, atol=0)


def test_gray_weighs_red_green_and_blue() -> None:
    values = torch.zeros(1, 2, 3, 6, 8)
    values[:, 1, 1] = 0.5
    output = difference(gray=True)(Sequence.of(values)).values
    assert output.shape == (1, 2, 1, 6, 8)
    torch.testing.assert_close(output[:, 1], torch.full((1, 1, 6, 8), 0.587 * 0.5))


def test_gray_frames_stay_as_they_are() -> None:
    values = clip(channels=1)
    sequence = Sequence.of(values)
    plain = difference(stream=GRAY)(sequence).values
    assert torch.equal(difference(gray=True, stream=GRAY)(sequence).values, plain)


@pytest.mark.parametrize("reference", ["previous", "first"])
def test_a_still_clip_and_a_single_frame_have_no_difference(reference: Reference) -> None:
    values = clip(steps=1)
    assert not difference(reference)(Sequence.of(values)).values.any()
    assert not difference(reference)(Sequence.of(values.expand(-1, 5, -1, -1, -1))).values.any()


def test_a_difference_with_padding_is_zero() -> None:
    values = clip()
    mask = torch.tensor([[True, False, True, True], [False, True, True, False]])
    values[~mask] = float("nan")
    output = difference()(Sequence.of(values, mask=mask))
    assert torch.equal(output.mask, mask)
    assert torch.equal(output.values[0, :3], torch.zeros(3, 3, 6, 8))
    assert torch.equal(output.values[0, 3], values[0, 3] - values[0, 2])
    assert torch.equal(output.values[1, 2], values[1, 2] - values[1, 1])
    assert torch.equal(output.values[1, [0, 1, 3]], torch.zeros(3, 3, 6, 8))


def test_first_means_the_first_real_frame() -> None:
    values = clip(batch=1)
    mask = torch.tensor([[False, True, False, True]])
    values[~mask] = float("nan")
    output = difference("first")(Sequence.of(values, mask=mask)).values
    assert torch.equal(output[0, :3], torch.zeros(3, 3, 6, 8))
    assert torch.equal(output[0, 3], values[0, 3] - values[0, 1])


def test_padding_gets_no_gradient() -> None:
    values = clip().requires_grad_()
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    difference()(Sequence.of(values, mask=mask)).values.square().sum().backward()
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert not values.grad[0, 2:].any()


@pytest.mark.parametrize("reference", ["previous", "first"])
def test_steps_equal_the_whole(reference: Reference) -> None:
    mask = torch.tensor([[False, True, True, True, True], [True, True, False, True, False]])
    sequence = Sequence.of(clip(steps=5), mask=mask)
    module = difference(reference)
    assert module.can_stream
    whole, state = module(sequence).values, module.initial_state(2)
    for t in range(5):
        output, state = module.step(sequence.step(t), state)
        assert torch.equal(output.values, whole[:, t : t + 1])


def test_the_input_is_not_changed() -> None:
    values = clip()
    before = values.clone()
    difference("first", gray=True)(Sequence.of(values))
    assert torch.equal(values, before)


def test_a_displacement_is_refused() -> None:
    with pytest.raises(StreamError) as caught:
        difference(stream=FrameStream(channels=("u", "v"), unit="pixel", height=6, width=8))
    assert str(caught.value) == "unit 'pixel' is not accepted; accepts 'intensity'"


def test_gray_is_made_of_rgb_only() -> None:
    with pytest.raises(StreamError) as caught:
        FrameDifferenceConfig(gray=True).output(FrameStream(channels=("near", "far"), height=6, width=8))
    assert str(caught.value) == "channels ('near', 'far') are not accepted; accepts ('r', 'g', 'b'), ('gray',)"


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        FrameDifferenceConfig(reference="last")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "reference: 'last' is not accepted; values: 'previous', 'first' (FrameDifferenceConfig)"
    )
