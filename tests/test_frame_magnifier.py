"""The frame form of the flow-based magnifier: what it draws, its losses, that it learns, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit.data.patterns import MOTIONS, Pattern, displacement, render
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.motion.frame_magnifier import SPEC, FrameMagnifierConfig
from affectkit.motion.frame_magnifier_net import FrameMagnifier
from affectkit.motion.frame_pairs_net import luma
from affectkit.ops.clg import clg
from affectkit.ops.lucas_kanade import lucas_kanade
from affectkit.ops.warping import warp
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

RGB = FrameStream(height=12, width=14)
GRAY = FrameStream(channels=("gray",), height=12, width=14)


def build(stream: FrameStream = RGB, **fields: Any) -> FrameMagnifier:
    torch.manual_seed(0)
    return FrameMagnifier(FrameMagnifierConfig(**{"width": 4, "levels": 1, **fields}), stream)


def bent(**fields: Any) -> FrameMagnifier:
    """One whose network changes what it sees."""
    module = build(**fields).eval()
    module.unet.leave.weight.data.mul_(100.0)
    return module


def clip(batch: int = 2, steps: int = 4, channels: int = 3) -> Tensor:
    return torch.rand(batch, steps, channels, 12, 14, generator=torch.Generator().manual_seed(0))


def test_the_stream_stays() -> None:
    keyframes = replace(RGB, steps=("onset", "apex"), fps=200.0)
    assert FrameMagnifierConfig().output(keyframes) is keyframes
    assert FrameMagnifierConfig().output(GRAY) is GRAY
    assert FrameMagnifierConfig.context == 2
    assert not FrameMagnifierConfig().is_frozen
    assert SPEC.name == "frame-magnifier"
    assert isinstance(SPEC.factory(FrameMagnifierConfig(), RGB), FrameMagnifier)


@pytest.mark.parametrize("stream", [RGB, GRAY])
def test_untrained_it_is_nearly_a_copy(stream: FrameStream) -> None:
    values = clip(channels=len(stream.channels))
    output = build(stream).eval()(Sequence.of(values)).values
    assert torch.equal(output[:, 0], values[:, 0])
    torch.testing.assert_close(output, values, atol=0.02, rtol=0)
    assert not torch.equal(output[:, 1:], values[:, 1:])


def test_black_and_white_stay_within_the_range() -> None:
    values = clip().round()
    output = bent()(Sequence.of(values)).values
    assert output.isfinite().all()
    assert output.min() >= 0
    assert output.max() <= 1


def test_each_frame_is_drawn_from_itself_and_the_first_real_one() -> None:
    values, module = clip(), bent(alpha=3.0)
    mask = torch.tensor([[False, True, True, True], [True, True, False, True]])
    values[~mask] = math.nan
    output = module(Sequence.of(values, mask=mask)).values
    assert not output[~mask].any()
    assert torch.equal(output[0, 1], values[0, 1])
    alpha = torch.full((1, 1, 12, 14), 3.0)
    for item, first, t in ((0, 1, 2), (0, 1, 3), (1, 0, 1), (1, 0, 3)):
        alone = module.magnify(values[item, first, None], values[item, t, None], alpha)
        torch.testing.assert_close(output[item, t, None], alone)


def test_steps_equal_the_whole() -> None:
    sequence = Sequence.of(clip(), mask=torch.tensor([[False, True, True, True], [True, True, False, True]]))
    module = bent()
    whole, state = module(sequence).values, module.initial_state(2)
    for t in range(4):
        output, state = module.step(sequence.step(t), state)
        torch.testing.assert_close(output.values, whole[:, t : t + 1])


def test_outside_of_the_region_nothing_changes() -> None:
    values, module = clip(), bent(alpha=8.0, region=(0.5, 0.0, 1.0, 0.5))
    output = module(Sequence.of(values)).values
    inside = torch.zeros(12, 14, dtype=torch.bool)
    inside[:6, 7:] = True
    torch.testing.assert_close(output[..., ~inside], values[..., ~inside], atol=0.002, rtol=0)
    assert ((output - values)[:, 1:].abs().amax(dim=2)[..., inside] > 0.002).double().mean() > 0.9


def test_a_narrow_region_is_never_empty() -> None:
    module = bent(alpha=8.0, region=(0.43, 0.42, 0.44, 0.43))
    valid = torch.tensor([[False, True]])
    alpha = module._alpha_map(torch.tensor([8.0]), valid, clip(1, 2))
    assert (alpha == 8).nonzero().tolist() == [[0, 0, 5, 6]]


def test_a_map_gives_every_pixel_its_own_factor() -> None:
    frames, module = clip(1, 2), bent()
    alpha = torch.ones(1, 1, 12, 14)
    copy = module.magnify(frames[:, 0], frames[:, 1], alpha)
    torch.testing.assert_close(copy, frames[:, 1], atol=0.002, rtol=0)
    alpha[..., 6, 7] = 5.0
    changed = (module.magnify(frames[:, 0], frames[:, 1], alpha) - copy).abs().amax(dim=1)[0]
    assert changed.nonzero().tolist() == [[6, 7]]


def test_the_factor_is_a_dial() -> None:
    sequence, module = Sequence.of(clip()), bent(alpha=2.0)
    low = module(sequence).values
    module.config = replace(module.config, alpha=16.0)
    assert not torch.allclose(module(sequence).values, low)


def test_training_draws_a_factor_for_each_clip() -> None:
    sequence = Sequence.of(clip(batch=64, steps=2))
    drawn = build().train()(sequence).extras
    assert drawn is not None
    alpha = drawn["alpha"]
    assert alpha.shape == (64,)
    assert 1 <= alpha.min() < 2
    assert 8 < alpha.max() <= 16
    assert alpha.log2().mean().item() == pytest.approx(2.0, abs=0.5)
    for module in (build().eval(), build(sample_alpha=False).train()):
        assert module(sequence).extras["alpha"].tolist() == [4.0] * 64


@pytest.mark.parametrize("flow", ["lucas-kanade", "combined-local-global"])
def test_the_losses_are_the_equations(flow: str) -> None:
    module = bent(flow=flow, color_weight=2.0, alpha=3.0, sample_alpha=False, region=(0.0, 0.0, 0.5, 1.0))
    sequence = Sequence.of(clip())
    output = module(sequence)
    losses = module.auxiliary(sequence, output, {})
    compute = lucas_kanade if flow == "lucas-kanade" else clg
    alpha = torch.where(torch.arange(14) < 7, 3.0, 1.0)
    magnification, color = [], []
    for item in range(2):
        for t in range(1, 4):
            first, frame, drawn = (
                sequence.values[item, :1],
                sequence.values[item, t, None],
                output.values[item, t, None],
            )
            moved, made = (compute(luma(first)[0], luma(one)[0]) for one in (frame, drawn))
            magnification.append((made - alpha * moved).abs().mean())
            color.append((warp(drawn, made) - warp(frame, moved)).abs().mean())
    torch.testing.assert_close(losses["magnification"], torch.stack(magnification).mean())
    torch.testing.assert_close(losses["color"], 2 * torch.stack(color).mean())


def test_a_copy_has_no_color_loss_and_its_motion_is_missing() -> None:
    module, sequence = build(alpha=3.0, sample_alpha=False), Sequence.of(clip())
    output = module(sequence)
    losses = module.auxiliary(sequence, output._replace(values=sequence.values), {})
    flow = lucas_kanade(
        *(luma(part).flatten(0, 2) for part in (clip()[:, :1].expand(-1, 3, -1, -1, -1), clip()[:, 1:]))
    )
    assert losses["color"] == 0
    torch.testing.assert_close(losses["magnification"], 2 * flow.abs().mean())


def test_without_a_pair_the_losses_are_zero_with_a_gradient() -> None:
    values = clip(steps=1).requires_grad_()
    sequence = Sequence.of(values)
    module = build().train()
    losses = module.auxiliary(sequence, module(sequence), {})
    assert {name: loss.item() for name, loss in losses.items()} == {"magnification": 0.0, "color": 0.0}
    torch.autograd.backward(sum(losses.values(), torch.zeros(())))
    assert values.grad is not None
    assert not values.grad.any()


@pytest.mark.parametrize("norm", ["group", "batch", "none"])
def test_every_parameter_gets_a_gradient_and_padding_none(norm: str) -> None:
    module = build(norm=norm).train()
    mask = torch.tensor([[True, True, False, True], [False, True, True, False]])
    values = clip().masked_fill(~mask[..., None, None, None], math.nan).requires_grad_()
    sequence = Sequence.of(values, mask=mask)
    torch.autograd.backward(sum(module.auxiliary(sequence, module(sequence), {}).values(), torch.zeros(())))
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert values.grad is not None
    assert values.grad.isfinite().all()
    assert not values.grad[~mask].any()


def test_in_a_pipeline_its_losses_come_with_those_of_the_heads() -> None:
    from affectkit.features.conv_stem import ConvStemConfig
    from affectkit.heads.expression import ExpressionConfig

    model = PipelineConfig(
        input=RGB,
        branches={
            "face": Branch(
                motion=(FrameMagnifierConfig(width=4, levels=1, sample_alpha=False, aux_weight=0.5),),
                features=ConvStemConfig(dim=4, width=4),
            )
        },
        heads={"expression": ExpressionConfig()},
    ).build()
    sequence = Sequence.of(clip())
    _, losses = model(sequence, {})
    module = model.stages()["branches.face.motion[0]"]
    alone = module.auxiliary(sequence, module(sequence), {})
    path = "branches.face.motion[0]"
    assert set(losses) == {f"{path}.magnification", f"{path}.color"}
    for name, loss in alone.items():
        torch.testing.assert_close(losses[f"{path}.{name}"], 0.5 * loss)


def moving(textures: range) -> tuple[Tensor, Tensor]:
    """Pairs of frames `(N, 2, 3, 32, 32)` that move by up to a quarter of a pixel, and by what: `(N, 2, 32, 32)`."""
    patterns = [Pattern(motion=MOTIONS[seed % 3], texture=seed, amount=0.01, size=32) for seed in textures]
    pictures = np.stack([render(pattern, np.array([0.0, 1.0])) for pattern in patterns])
    truth = np.stack([displacement(pattern, 1.0) for pattern in patterns])
    return torch.from_numpy(pictures).movedim(-1, 2).float() / 255, torch.from_numpy(truth).float()


def test_it_learns_to_magnify_by_any_factor() -> None:
    """Few steps on some textures; measured on others, by another flow than the losses', against the exact motion."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    module = build(FrameStream(height=32, width=32), width=8, levels=2)
    seen, (unseen, truth) = moving(range(48))[0], moving(range(100, 109))
    optimizer = torch.optim.Adam(module.train().parameters(), lr=3e-3)
    for _ in range(60):
        sequence = Sequence.of(seen[torch.randint(len(seen), (4,))])
        loss = sum(module.auxiliary(sequence, module(sequence), {}).values(), torch.zeros(()))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    torch.set_num_threads(threads)
    module.eval()
    first, copy = (luma(unseen[:, t]).squeeze(1) for t in (0, 1))
    for alpha in (2.0, 4.0, 8.0):
        module.config = replace(module.config, alpha=alpha)
        with torch.no_grad():
            drawn = luma(module(Sequence.of(unseen)).values[:, 1]).squeeze(1)
        flows = [clg(first, second) for second in (copy, drawn)]
        apart = [(flow - alpha * truth).norm(dim=1).mean().item() for flow in flows]
        assert apart[1] < 0.65 * apart[0]
        # by least squares over all pixels
        assert ((flows[1] * truth).sum() / truth.square().sum()).item() == pytest.approx(alpha, rel=0.25)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    values = clip()
    values[1, 2, 0, 3, 4] = value
    with pytest.raises(InputError) as caught:
        build()(Sequence.of(values))
    assert str(caught.value) == (
        f"frame-magnifier: {value} in item 1 of the batch, frame 2; "
        "give finite values, or mask False for what is no real frame"
    )


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(StreamError) as caught:
        build(FrameStream(channels=("u", "v"), unit="pixel", height=6, width=8))
    assert str(caught.value) == "channels ('u', 'v') are not accepted; accepts ('r', 'g', 'b'), ('gray',)"
    with pytest.raises(StreamError) as caught:
        FrameMagnifierConfig().output(replace(GRAY, unit="relative"))
    assert str(caught.value) == "unit 'relative' is not accepted; accepts 'intensity'"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alpha": 0.0}, "alpha: 0.0 is no factor; write more than 0; 1 is no change"),
        ({"width": 0}, "width: 0 is less than 1; write 1 or more"),
        ({"levels": -1}, "levels: -1 is negative; write 0 or more"),
        ({"color_weight": -1.0}, "color_weight: -1.0 is negative; write 0 or more"),
        ({"aux_weight": -0.5}, "aux_weight: -0.5 is negative; write 0 or more"),
        (
            {"region": (0.5, 0.0, 0.5, 1.0)},
            "region: (0.5, 0.0, 0.5, 1.0) is no box within the frame; write (left, top, right, bottom), each from 0.0 "
            "to 1.0",
        ),
        (
            {"region": (0.0, 0.0, 64.0, 64.0)},
            "region: (0.0, 0.0, 64.0, 64.0) is no box within the frame; write (left, top, right, bottom), each from "
            "0.0 to 1.0",
        ),
    ],
)
def test_wrong_values_are_refused(fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FrameMagnifierConfig(**fields)
    assert str(caught.value) == message
