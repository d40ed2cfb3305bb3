"""Sparse VSSD: sizes, windows, blocks and mixers, gathered against masked, padding, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from affectkit.errors import ConfigError
from affectkit.features.sparse_vssd import SIZES, SPEC, SparseVSSDConfig
from affectkit.features.sparse_vssd_block import AttentionMixer, Block, NCSSDMixer, convolve, depthwise
from affectkit.features.sparse_vssd_net import SparseVSSD
from affectkit.features.sparse_vssd_ss2d import SS2DMixer, from_orders, in_orders
from affectkit.features.sparse_vssd_windows import choose, count_kept, cut, join, put, strengths, take
from affectkit.ops.selective_scan_ref import selective_scan_ref
from affectkit.ops.ssd import nc_ssd_ref
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream

FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=28, width=28)
PICTURE = FrameStream(height=224, width=224)
Mixer = Literal["nc-ssd", "ss2d"]
DIM = 8


def maps(batch: int = 2, height: int = 14, width: int = 14, channels: int = 16) -> Tensor:
    make = torch.Generator().manual_seed(height)
    return torch.randn(batch, height, width, channels, generator=make, dtype=torch.float64)


def pico(stream: FrameStream = FLOW, **fields: Any) -> SparseVSSD:
    """With half the tokens per side, unless said otherwise, to save time."""
    torch.manual_seed(0)
    return SparseVSSD(SparseVSSDConfig(**{"size": "pico", "stride": 2, **fields}), stream)


def make_mixer(name: str) -> Any:
    torch.manual_seed(0)
    if name == "nc-ssd":
        return NCSSDMixer(DIM, heads=4, state=3, expansion=2).double()
    if name == "ss2d":
        return SS2DMixer(DIM, state=3, expansion=2).double()
    return AttentionMixer(DIM, heads=2).double()


def named_gradients(module: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*module.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


# Sizes


@pytest.mark.parametrize(
    ("size", "millions", "giga"),
    [("micro", 13.5, 2.3), ("tiny", 24.3, 4.5), ("small", 40.0, 7.4), ("base", 89.0, 16.1)],
)
def test_sizes_have_the_published_parameters_and_operations(size: Any, millions: float, giga: float) -> None:
    with torch.device("meta"):
        module = SparseVSSD(SparseVSSDConfig(size=size), PICTURE).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            width = module.features(torch.zeros(1, 3, 224, 224)).shape[1]
    classifier = (width + 1) * 1000
    count = sum(parameter.numel() for parameter in module.parameters()) + classifier
    assert count / 1e6 == pytest.approx(millions, rel=0.003)
    # published is one per multiplication and addition, and it counts a little less than torch does
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, rel=0.045)


def test_pico_is_small() -> None:
    module = pico(stride=1)
    assert module.features(torch.rand(1, 2, 28, 28)).shape == (1, 64)
    assert sum(parameter.numel() for parameter in module.parameters()) == 70_341
    assert not [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert SparseVSSDConfig(size="pico").resolved.stride == 1


def test_a_last_norm_makes_all_places_equally_loud() -> None:
    flow = torch.randn(1, 2, 28, 28, generator=torch.Generator().manual_seed(0))
    flow[..., 14:] = 0.0
    spreads = []
    for last_norm in (False, True):
        module = pico(last_norm=last_norm, cells=4).eval()
        with torch.no_grad():
            loudness = module.features(flow).view(64, 16).std(dim=0, correction=0)
        spreads.append(float(loudness.std() / loudness.mean()))
    assert spreads[1] < 1e-3 < 0.05 < spreads[0]


def test_the_more_windows_are_left_out_the_fewer_operations() -> None:
    counts = []
    for ratio in (0.0, 0.2, 0.5, 0.8):
        with torch.device("meta"):
            module = SparseVSSD(SparseVSSDConfig(ratios=(ratio,) * 3), PICTURE).eval()
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                module.features(torch.zeros(1, 3, 224, 224))
        counts.append(counter.get_total_flops())
    assert counts == sorted(counts, reverse=True)
    assert counts[0] / counts[2] > 1.4


# What the config says and refuses


def test_the_width_is_known_without_torch() -> None:
    stream = FrameStream(height=224, width=224, fps=30.0, steps=("event",))
    assert SparseVSSDConfig().output(stream) == FeatureStream(dim=384, fps=30.0, steps=("event",))
    assert SparseVSSDConfig(size="base").output(stream).dim == 768
    assert SparseVSSDConfig(size="pico", cells=3).output(stream).dim == 64 * 9
    assert SPEC.name == "sparse-vssd"


def test_fields_stand_in_place_of_the_size() -> None:
    config = SparseVSSDConfig(
        size="pico", dims=(8, 24), depths=(2, 1), heads=(4, 3), ratios=(0.5,), state=5, expansion=2, feedforward=3,
        window=3, stride=1, reduction="deep", norm="group", attention=True, drop_path=0.0,
    )  # fmt: skip
    assert config.resolved == ((8, 24), (2, 1), (4, 3), 5, 2, 3, 3, 1, "deep", "group", True, 0.0, False)
    assert SparseVSSDConfig(size="tiny").resolved == SIZES["tiny"]
    module = SparseVSSD(config, FLOW)
    assert [len(blocks) for blocks in module.stages] == [2, 1]  # type: ignore[arg-type]
    assert module(Sequence.of(torch.rand(1, 1, 2, 28, 28))).values.shape == (1, 1, 24)
    assert module.stem(torch.rand(1, 2, 28, 28)).shape == (1, 8, 28, 28)


@pytest.mark.parametrize("reduction", ["deep", "plain"])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_stem_has_a_token_per_stride_pixels(reduction: str, stride: int) -> None:
    module = pico(reduction=reduction, stride=stride)
    assert module.stem(torch.rand(1, 2, 28, 28)).shape[-2:] == (28 // stride, 28 // stride)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depths": (1, 1)}, "depths: 2 values; give one for each of 4 stages"),
        ({"dims": ()}, "dims: no stage; give a width for each"),
        ({"dims": (48, 96, 0, 384)}, "dims: 0 is too small; write 1 or more"),
        ({"window": 0}, "window: 0 is too small; write 1 or more"),
        ({"state": 0}, "state: 0 is too small; write 1 or more"),
        ({"expansion": 0}, "expansion: 0 is too small; write 1 or more"),
        ({"feedforward": 0}, "feedforward: 0 is too small; write 1 or more"),
        ({"cells": 0}, "cells: 0 is too small; write 1 or more"),
        ({"drop_path": 1.0}, "drop_path: 1.0 is not in [0, 1); write 0 for none"),
        ({"dropout": -0.1}, "dropout: -0.1 is not in [0, 1); write 0 for none"),
        ({"heads": (5, 4, 8, 16)}, "heads[0]: 5 does not divide 96; change dims or heads"),
        ({"heads": (2, 4, 8, 5), "mixer": "ss2d"}, "heads[3]: 5 does not divide 384; change dims or heads"),
        ({"ratios": (0.0,) * 4}, "ratios: 4 values; give 3 or fewer: that many stages are without attention"),
        ({"ratios": (0.5, 1.1)}, "ratios[1]: 1.1 is not in [0, 1]; write 0 for none left out"),
    ],
)
def test_what_can_not_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SparseVSSDConfig(**fields)
    assert str(caught.value) == message


def test_only_mixers_with_heads_need_heads_that_divide() -> None:
    assert SparseVSSDConfig(heads=(5, 5, 5, 16), mixer="ss2d").resolved.heads == (5, 5, 5, 16)


# Windows


@pytest.mark.parametrize(("height", "width"), [(14, 14), (12, 9), (1, 3), (7, 4)])
def test_cut_and_join_undo_each_other(height: int, width: int) -> None:
    given = maps(2, height, width, 3)
    tokens, real = cut(given, 4)
    assert tokens.shape == (2, -(-height // 4) * -(-width // 4), 4, 4, 3)
    assert torch.equal(join(tokens, height, width), given)
    assert torch.equal(tokens[:, 0, : min(4, height), : min(4, width)], given[:, :4, :4])
    if real is None:
        assert (height % 4, width % 4) == (0, 0)
    else:
        assert not tokens[:, ~real].any()
        assert tokens[:, real].all()
        assert int(real.sum()) == height * width


@pytest.mark.parametrize(
    ("windows", "ratio", "kept"),
    [(64, 0.0, 64), (64, 0.5, 32), (10, 0.7, 3), (10, 0.3, 7), (16, 0.8, 4), (4, 0.1, 4), (49, 1.0, 1), (1, 0.8, 1)],
)
def test_kept_windows_are_rounded_up(windows: int, ratio: float, kept: int) -> None:
    assert count_kept(windows, ratio) == kept


def test_strength_is_a_norm_of_mean_magnitudes() -> None:
    tokens = torch.tensor([[[3.0, -1.0], [-4.0, 2.0]], [[0.0, 0.0], [-6.0, 6.0]]]).view(1, 2, 1, 2, 2)
    assert torch.equal(strengths(tokens, "l2"), torch.tensor([[13.0**0.5, 6.0]]))
    assert torch.equal(strengths(tokens, "l1"), torch.tensor([[5.0, 6.0]]))
    assert torch.equal(strengths(tokens, "max"), torch.tensor([[3.0, 6.0]]))


def test_the_strongest_are_chosen_wherever_they_are_and_of_equal_ones_the_first() -> None:
    strength = torch.tensor([[1.0, 5.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0]])
    assert choose(strength, 2).tolist() == [[1, 3], [0, 1]]
    order = torch.tensor([2, 0, 3, 1])
    assert order[choose(strength[:1, order], 2)[0]].sort().values.tolist() == [1, 3]


def test_what_is_taken_is_put_back_and_nothing_else_changes() -> None:
    tokens, chosen = torch.randn(2, 5, 3, 3, 4), torch.tensor([[1, 4], [0, 2]])
    taken = take(tokens, chosen)
    assert torch.equal(taken, torch.stack([tokens[0, [1, 4]], tokens[1, [0, 2]]]))
    before = tokens.clone()
    replaced = put(tokens, chosen, -taken)
    assert torch.equal(tokens, before)
    expected = tokens.clone()
    expected[0, [1, 4]] *= -1
    expected[1, [0, 2]] *= -1
    assert torch.equal(replaced, expected)


# Blocks and mixers


def test_the_mixer_is_that_of_the_formulas() -> None:
    mixer = make_mixer("nc-ssd")
    x = maps(2, 4, 5, DIM)
    z, xbc, dt = mixer.enter(x).tensor_split((16, 38), dim=-1)
    weight, bias = mixer.convolution.weight, mixer.convolution.bias
    xbc = functional.silu(functional.conv2d(xbc.permute(0, 3, 1, 2), weight, bias, padding=1, groups=22))
    values, b, c = xbc.flatten(2).transpose(1, 2).tensor_split((16, 19), dim=-1)
    dt = functional.softplus(dt + mixer.step_bias).flatten(1, 2)
    heads = (values.reshape(2, 20, 4, 4), dt, -mixer.log_decay.exp(), b[:, :, None], c[:, :, None], mixer.skip)
    expected = mixer.leave(mixer.norm(nc_ssd_ref(*heads).reshape(2, 4, 5, 16)) * z)
    torch.testing.assert_close(mixer(x[:, None], None)[:, 0], expected, rtol=1e-12, atol=1e-12)


def test_a_new_mixer_begins_with_small_steps_and_decays_of_all_kinds() -> None:
    torch.manual_seed(0)
    mixer = NCSSDMixer(64, heads=64, state=2, expansion=1)
    steps = functional.softplus(mixer.step_bias)
    assert 1e-3 <= steps.min() < 2e-3
    assert 5e-2 < steps.max() <= 0.1 + 1e-6
    assert 1 <= mixer.log_decay.exp().min() < mixer.log_decay.exp().max() <= 16


def test_orders_are_rows_columns_and_both_backwards() -> None:
    x = torch.arange(12.0).view(1, 2, 2, 3, 1)
    rows, columns = list(range(12)), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]
    assert in_orders(x)[0, :, :, 0].tolist() == [rows, columns, rows[::-1], columns[::-1]]
    assert torch.equal(from_orders(in_orders(x), x.shape), 4 * x)


def test_the_scan_is_that_of_four_orders() -> None:
    mixer = make_mixer("ss2d")
    x = maps(2, 3, 4, DIM)
    values, gate = mixer.enter(x).chunk(2, dim=-1)
    values = functional.silu(convolve(mixer.convolution, values[:, None], None))[:, 0].flatten(1, 2)
    rows = torch.arange(12).view(3, 4)
    total = torch.zeros_like(values)
    for k, order in enumerate((rows.flatten(), rows.t().flatten(), rows.flatten().flip(0), rows.t().flatten().flip(0))):
        part = slice(16 * k, 16 * (k + 1))
        u = values[:, order].transpose(1, 2)
        steps, b, c = (mixer.project[k] @ u).tensor_split((1, 4), dim=1)
        delta, bias = mixer.step[k] @ steps, mixer.step_bias[part]
        decay, skip = -mixer.log_decay[part].exp(), mixer.skip[part]
        y = selective_scan_ref(u, delta, decay, b, c, skip, delta_bias=bias, delta_softplus=True)
        assert isinstance(y, Tensor)
        total[:, order] += y.transpose(1, 2)
    expected = mixer.leave(mixer.norm(total.view(2, 3, 4, 16)) * functional.silu(gate))
    torch.testing.assert_close(mixer(x[:, None], None)[:, 0], expected)


@pytest.mark.parametrize("name", ["nc-ssd", "ss2d"])
def test_tokens_that_take_no_part_are_as_if_absent(name: str) -> None:
    block = Block(DIM, make_mixer(name), feedforward=16, drop_path=0.0, dropout=0.0).double()
    tokens, chosen = torch.randn(2, 5, 3, 3, DIM, dtype=torch.float64), torch.tensor([[1, 4], [0, 2]])
    active = torch.zeros(2, 5, dtype=torch.bool).scatter(1, chosen, True)[..., None, None].expand(-1, -1, 3, 3)
    expected = block(take(tokens, chosen), None)
    torch.testing.assert_close(take(block(tokens, active), chosen), expected)
    others = torch.where(active.unsqueeze(-1), tokens, 100 * torch.ones_like(tokens))
    torch.testing.assert_close(take(block(others, active), chosen), expected)


def test_convolutions_end_at_the_window_and_at_what_is_filled_up() -> None:
    layer, tokens = depthwise(3), torch.randn(2, 4, 5, 5, 3)
    expected = torch.stack([layer(tokens[:, k].permute(0, 3, 1, 2)).permute(0, 2, 3, 1) for k in range(4)], dim=1)
    torch.testing.assert_close(convolve(layer, tokens, None), expected)
    real = torch.zeros(2, 4, 5, 5, dtype=torch.bool)
    real[:, :, :3, :4] = True
    cropped = convolve(layer, tokens[:, :, :3, :4], None)
    torch.testing.assert_close(convolve(layer, tokens, real)[:, :, :3, :4], cropped)


def test_updates_of_whole_pictures_are_dropped_in_training_alone() -> None:
    block = Block(DIM, make_mixer("attention"), feedforward=16, drop_path=0.5, dropout=0.0).double()
    # all but the mixer's update is nothing
    for name, parameter in block.named_parameters():
        if name.startswith(("before_", "feedforward.4")):
            nn.init.zeros_(parameter)
    x = maps(1, 2, 2, DIM)[:, None].expand(400, -1, -1, -1, -1)
    update = block.eval()(x, None) - x
    drawn = (block.train()(x, None) - x).flatten(1)
    dropped = (drawn == 0).all(dim=1)
    assert 0.4 < dropped.double().mean() < 0.6
    torch.testing.assert_close(drawn[~dropped], 2 * update.flatten(1)[~dropped])


def test_later_blocks_are_dropped_more_often() -> None:
    module = pico(depths=(1, 2, 2), drop_path=0.4, dropout=0.3)
    blocks = [layer for layer in module.modules() if isinstance(layer, Block)]
    assert [round(block.drop_path, 6) for block in blocks] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert {layer.p for layer in module.modules() if isinstance(layer, nn.Dropout)} == {0.3}


# Stages


@pytest.mark.parametrize("form", ["gather", "mask"])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("mixer", ["nc-ssd", "ss2d"])
def test_windows_that_are_left_out_stay_bit_for_bit(mixer: Mixer, ratio: float, form: str) -> None:
    module = pico(mixer=mixer, ratios=(ratio,), sparse_form=form).double().eval()
    given = maps()
    before, after = cut(given, 4).tokens, cut(module.run_stage(0, given), 4).tokens
    kept = count_kept(16, ratio)
    changed = (before != after).flatten(2).any(dim=2)
    assert changed.sum(dim=1).tolist() == [kept, kept]
    strength = strengths(before, "l2")
    for one, is_changed in zip(strength, changed, strict=True):
        assert one[is_changed].min() > one[~is_changed].max()


@pytest.mark.parametrize("mixer", ["nc-ssd", "ss2d"])
@pytest.mark.parametrize("size", [(16, 16), (14, 11), (5, 3)])
def test_gathered_equals_masked(mixer: Mixer, size: tuple[int, int]) -> None:
    module = pico(mixer=mixer, depths=(2, 1, 1), ratios=(0.6,), drop_path=0.9).double().train()
    given = maps(3, *size)
    results = []
    for form in ("gather", "mask"):
        module.config = replace(module.config, sparse_form=form)
        torch.manual_seed(1)
        output = module.run_stage(0, given)
        results.append((output, named_gradients(module.stages[0], output.square().sum())))
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("mixer", ["nc-ssd", "ss2d"])
def test_ratio_zero_is_dense_with_convolutions_over_the_whole_map(mixer: Mixer) -> None:
    given = maps()
    dense = pico(mixer=mixer, ratios=()).double().eval().run_stage(0, given)
    stages: Any = pico(mixer=mixer).double().eval().stages
    assert torch.equal(dense, stages[0][0](given[:, None], None)[:, 0])
    for form in ("gather", "mask"):
        assert torch.equal(pico(mixer=mixer, sparse_form=form).double().eval().run_stage(0, given), dense)
    # 16 windows less a share of 0.05 are 16, rounded up
    assert torch.equal(pico(mixer=mixer, ratios=(0.05,)).double().eval().run_stage(0, given), dense)


def test_a_map_smaller_than_a_window_is_dense_at_any_ratio() -> None:
    given = maps(2, 3, 4)
    dense = pico().double().eval().run_stage(0, given)
    for ratio in (0.5, 1.0):
        assert torch.equal(pico(ratios=(ratio,)).double().eval().run_stage(0, given), dense)


def test_gradient_passes_by_windows_that_are_left_out() -> None:
    module, given = pico(ratios=(0.5,)).double().eval(), maps().requires_grad_()
    output = module.run_stage(0, given)
    left_out = (cut(output, 4).tokens == cut(given, 4).tokens).flatten(2).all(dim=2)
    torch.autograd.backward(cut(output, 4).tokens[left_out].sum())
    assert given.grad is not None
    gradient = cut(given.grad, 4).tokens
    # those at the border are filled up, and nothing of the map lies there
    assert torch.equal(gradient[left_out], cut(torch.ones_like(given), 4).tokens[left_out])
    assert not gradient[~left_out].any()


# The extractor


def test_any_channels_and_any_size_give_one_vector_per_frame() -> None:
    for height, width in ((1, 1), (3, 50), (31, 28)):
        stream = FrameStream(channels=("a", "b", "c", "d"), unit="relative", height=height, width=width)
        module = pico(stream, ratios=(0.5, 0.5, 0.5)).eval()
        output = module(Sequence.of(torch.rand(2, 3, 4, height, width))).values
        assert output.shape == (2, 3, 64)
        assert output.isfinite().all()


def test_pictures_go_through_micro_sparse_or_not() -> None:
    values = torch.rand(1, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    module = SparseVSSD(SparseVSSDConfig(), FrameStream(height=64, width=64)).eval()
    with torch.no_grad():
        dense = module(Sequence.of(values)).values
        module.config = SparseVSSDConfig(ratios=(0.5, 0.5, 0.0))
        sparse = module(Sequence.of(values)).values
    assert dense.shape == sparse.shape == (1, 1, 384)
    assert not torch.allclose(dense, sparse, atol=1e-3)


def test_frames_are_independent_of_clip_and_batch() -> None:
    module = pico(ratios=(0.5, 0.5)).double().eval()
    values = torch.randn(2, 3, 2, 28, 28, dtype=torch.float64)
    together = module(Sequence.of(values)).values
    torch.testing.assert_close(module(Sequence.of(values[1:, 2:])).values, together[1:, 2:])
    step, _ = module.step(Sequence.of(values).step(1), module.initial_state(2))
    torch.testing.assert_close(step.values, together[:, 1:2])


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_padding_is_zero_and_never_shows(norm: Any) -> None:
    values = torch.randn(2, 3, 2, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    first, second = (pico(norm=norm, ratios=(0.5,), drop_path=0.0).double().train() for _ in range(2))
    expected = first(Sequence.of(values[mask][None])).values[0]
    values[~mask] = float("nan")
    output = second(Sequence.of(values, mask=mask)).values
    torch.testing.assert_close(output[mask], expected)
    assert not output[~mask].any()
    for (name, buffer), (_, other) in zip(first.named_buffers(), second.named_buffers(), strict=True):
        assert torch.equal(buffer, other), name
    output.sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in second.parameters())
    assert not second(Sequence.of(values, mask=torch.zeros_like(mask))).values.any()


@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0), (0, 0)])
def test_a_batch_without_a_real_frame_is_zeros_and_teaches_nothing(shape: tuple[int, int]) -> None:
    module = pico(norm="batch", cells=2).train()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    values = torch.full((*shape, 2, 28, 28), torch.nan)
    output = module(Sequence.of(values, mask=torch.zeros(shape, dtype=torch.bool))).values
    assert output.shape == (*shape, 256)
    assert not output.any()
    output.sum().backward()
    assert all(one.grad is not None and not one.grad.any() for one in module.parameters())
    assert all(torch.equal(buffer, before[name]) for name, buffer in module.named_buffers())
    with torch.no_grad():
        assert not module(Sequence.of(values, mask=torch.zeros(shape, dtype=torch.bool))).values.requires_grad


@pytest.mark.parametrize("mixer", ["nc-ssd", "ss2d"])
def test_every_parameter_gets_a_gradient(mixer: Mixer) -> None:
    module = pico(mixer=mixer, ratios=(0.5, 0.5), reduction="deep", norm="batch", drop_path=0.0, state=2).train()
    module(Sequence.of(torch.randn(2, 2, 2, 28, 28))).values.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_it_runs_in_bfloat16() -> None:
    module, values = pico(ratios=(0.5, 0.5)).eval(), torch.randn(2, 2, 2, 28, 28)
    exact = module(Sequence.of(values)).values
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = module(Sequence.of(values)).values
    assert rough.isfinite().all()
    assert torch.nn.functional.cosine_similarity(rough.float(), exact, dim=-1).min() > 0.9
    half = module.bfloat16()(Sequence.of(values.bfloat16())).values
    assert half.dtype == torch.bfloat16
    assert half.isfinite().all()


def test_cells_are_means_over_parts_of_the_map() -> None:
    whole, parts = pico(cells=1).double().eval(), pico(cells=2).double().eval()
    values = Sequence.of(torch.randn(1, 1, 2, 32, 32, dtype=torch.float64))
    quarters = parts(values).values.view(64, 4)
    torch.testing.assert_close(quarters.mean(dim=1), whole(values).values.flatten())
