"""The small convolutional extractor: shapes, padding, independence, gradients, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from affectkit.errors import ConfigError
from affectkit.features.conv_stem import SPEC, ConvStemConfig
from affectkit.features.conv_stem_net import ConvStem
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream

FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=17, width=20)


def clip(batch: int = 2, steps: int = 3) -> Tensor:
    return torch.randn(batch, steps, 2, 17, 20, generator=torch.Generator().manual_seed(0))


def stem(config: ConvStemConfig | None = None, stream: FrameStream = FLOW) -> ConvStem:
    torch.manual_seed(0)
    return ConvStem(config or ConvStemConfig(), stream).eval()


def test_any_channels_and_any_size_give_one_vector_per_frame() -> None:
    assert SPEC.name == "conv-stem"
    stream = FrameStream(channels=("a", "b", "c", "d"), unit="relative", height=1, width=3, fps=50.0, steps=("event",))
    config = ConvStemConfig(dim=5, width=3, depth=4)
    assert config.output(stream) == FeatureStream(dim=5, fps=50.0, steps=("event",))
    output = SPEC.factory(config, stream)(Sequence.of(torch.rand(2, 1, 4, 1, 3)))
    assert output.values.shape == (2, 1, 5)
    assert output.values.isfinite().all()
    assert not config.is_frozen


@pytest.mark.parametrize("width", [1, 3, 16])
@pytest.mark.parametrize("norm", ["group", "none"])
def test_every_parameter_gets_a_gradient(width: int, norm: str) -> None:
    module = stem(ConvStemConfig(width=width, norm=norm)).train()  # type: ignore[arg-type]
    module(Sequence.of(clip())).values.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_frames_are_independent_of_clip_and_batch() -> None:
    values, module = clip(), stem().train()
    together = module(Sequence.of(values)).values
    alone = module(Sequence.of(values[1:, 2:])).values
    torch.testing.assert_close(together[1:, 2:], alone)


def test_padding_is_zero_and_never_shows() -> None:
    values, module = clip(), stem().train()
    mask = torch.tensor([[True, True, True], [True, False, False]])
    clean = module(Sequence.of(values)).values
    values[~mask] = float("nan")
    output = module(Sequence.of(values, mask=mask))
    assert not output.values[~mask].any()
    torch.testing.assert_close(output.values[mask], clean[mask])
    output.values.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())


def test_strong_motion_differs_from_weak() -> None:
    values, module = clip(), stem()
    weak, strong = module(Sequence.of(values)).values, module(Sequence.of(3 * values)).values
    assert (strong - weak).abs().max() > 0.01


def test_one_pixel_is_not_normalized_to_nothing() -> None:
    network = stem(ConvStemConfig(width=2, depth=2), FrameStream(height=1, width=1))
    values = torch.tensor([[0.1, 0.5, 0.9], [0.9, 0.5, 0.1]]).view(1, 2, 3, 1, 1)
    dark, light = network(Sequence.of(values)).values[0]
    assert not torch.allclose(dark, light, atol=1e-3)


def test_only_group_norm_looks_at_the_whole_frame() -> None:
    kinds = [type(layer).__name__ for layer in stem(ConvStemConfig(depth=2)).layers]
    assert kinds == ["Conv2d", "GELU", "Conv2d", "GroupNorm", "GELU"]
    kinds = [type(layer).__name__ for layer in stem(ConvStemConfig(depth=2, norm="none")).layers]
    assert kinds == ["Conv2d", "GELU", "Conv2d", "GELU"]


def test_it_streams_and_runs_in_bfloat16() -> None:
    values, module = clip(), stem()
    whole = module(Sequence.of(values)).values
    assert module.can_stream
    step, _ = module.step(Sequence.of(values).step(1), module.initial_state(2))
    torch.testing.assert_close(step.values, whole[:, 1:2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert module(Sequence.of(values)).values.isfinite().all()


def test_one_cell_does_not_know_where_and_several_do() -> None:
    # far from the border, and moved by whole strides: all that differs is the place
    left = torch.zeros(1, 1, 2, 64, 64)
    left[..., 28:32, 20:24] = 1.0
    right = left.roll(16, dims=-1)
    stream = FrameStream(channels=("u", "v"), unit="pixel", height=64, width=64)
    for cells, is_known in ((1, False), (4, True)):
        module = stem(ConvStemConfig(cells=cells, norm="none"), stream)
        features = [module(Sequence.of(values)).values for values in (left, right)]
        assert torch.allclose(features[0], features[1], atol=1e-6) is not is_known


@pytest.mark.parametrize("size", [(17, 20), (64, 48), (3, 3)])
def test_cells_are_means_over_the_map(size: tuple[int, int]) -> None:
    module = stem(ConvStemConfig(dim=6, cells=3))
    values = torch.randn(2, 1, 2, *size, generator=torch.Generator().manual_seed(1))
    maps = module.layers(values.flatten(0, 1))
    assert module.project.in_features == maps.shape[1] * 9
    height, width = maps.shape[-2:]
    means = [
        maps[:, :, row * height // 3 : -(-(row + 1) * height // 3), at * width // 3 : -(-(at + 1) * width // 3)]
        .mean(dim=(-2, -1))
        for row in range(3)
        for at in range(3)
    ]  # fmt: skip
    expected = module.project(torch.stack(means, dim=-1).flatten(1)).unsqueeze(1)
    torch.testing.assert_close(module(Sequence.of(values)).values, expected)


@pytest.mark.parametrize("name", ["dim", "width", "depth", "cells"])
def test_sizes_are_positive(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ConvStemConfig(**{name: 0})  # type: ignore[arg-type]
    assert str(caught.value) == f"{name}: 0 is too small; write 1 or more"
