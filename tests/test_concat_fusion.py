"""Concatenating fusion. The checks on branches are shared with the affine fusion and tested there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.fusion.concat import SPEC, ConcatFusionConfig
from affectkit.fusion.concat_net import ConcatFusion
from affectkit.streams import FeatureStream
from tests.temporal_checks import MASK, compacted
from tests.test_affine_fusion import STREAMS, branches

PLAIN = ConcatFusionConfig(hidden=())


def build(config: ConcatFusionConfig) -> ConcatFusion:
    torch.manual_seed(0)
    return ConcatFusion(config, STREAMS).eval()


def test_plain_concatenation() -> None:
    fusion, inputs = build(PLAIN), branches()
    wanted = torch.cat([inputs[name].values for name in "abc"], dim=-1)
    output = fusion(inputs)
    assert torch.equal(output.values[MASK], wanted[MASK])
    assert output.values[~MASK].abs().sum() == 0
    assert list(fusion.parameters()) == []
    assert torch.equal(fusion(dict(reversed(inputs.items()))).values, output.values)


def test_default_is_the_perceptron_of_the_paper_as_reconstructed() -> None:
    fusion = build(ConcatFusionConfig())
    norm, linear, gelu, dropout = fusion.mlp
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(linear, nn.Linear)
    assert (linear.in_features, linear.out_features) == (13, 512)
    assert isinstance(gelu, nn.GELU)
    assert isinstance(dropout, nn.Dropout)
    assert dropout.p == 0.3


@pytest.mark.parametrize(
    ("config", "layers", "width"),
    [
        (PLAIN, [], 13),
        (ConcatFusionConfig(hidden=(), dim=5), ["LayerNorm", "Linear"], 5),
        (ConcatFusionConfig(hidden=(), dim=5, norm=False), ["Linear"], 5),
        (ConcatFusionConfig(hidden=(7,), norm=False), ["Linear", "GELU", "Dropout"], 7),
        (
            ConcatFusionConfig(hidden=(7, 6), dim=5),
            ["LayerNorm", "Linear", "GELU", "Dropout", "Linear", "GELU", "Dropout", "Linear"],
            5,
        ),
    ],
)
def test_layers_and_width(config: ConcatFusionConfig, layers: list[str], width: int) -> None:
    fusion = build(config)
    assert [type(layer).__name__ for layer in fusion.mlp] == layers
    assert config.output(STREAMS) == FeatureStream(dim=width)
    assert fusion(branches()).values.shape == (5, 7, width)
    assert config.is_frozen is (config == PLAIN)


def test_steps_batch_mates_and_padding() -> None:
    fusion, inputs = build(ConcatFusionConfig(hidden=(7,), dim=5)), branches()
    output = fusion(inputs).values
    assert output[~MASK].abs().sum() == 0
    for clip in (0, 1, 2, 4):
        alone = {name: compacted(sequence, clip) for name, sequence in inputs.items()}
        torch.testing.assert_close(output[clip, MASK[clip]], fusion(alone).values[0], atol=1e-6, rtol=1e-6)
    assert fusion.can_stream
    state = fusion.initial_state(5)
    for t in range(7):
        y_t, state = fusion.step({name: sequence.step(t) for name, sequence in inputs.items()}, state)
        torch.testing.assert_close(y_t.values, output[:, t : t + 1], atol=1e-6, rtol=1e-6)


def test_gradients_and_autocast() -> None:
    fusion, inputs = build(ConcatFusionConfig(hidden=(7,), dim=5)), branches()
    wanted = fusion(inputs).values
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(fusion(inputs).values.float(), wanted, atol=0.05, rtol=0.05)
    fusion.train()(inputs).values.square().sum().backward()
    for parameter in fusion.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


def test_branches_off_one_clock_are_refused() -> None:
    inputs = branches()
    inputs["c"] = inputs["c"].step(0)
    with pytest.raises(InputError) as caught:
        build(PLAIN)(inputs)
    assert str(caught.value) == "branches 'a' and 'c': 7 and 1 steps; resample them to one clock in the loader"
    with pytest.raises(StreamError) as refused:
        PLAIN.output({"a": FeatureStream(dim=2, stride=2), "b": FeatureStream(dim=2)})
    message = "branches 'a' and 'b' have stride 2 and 1; give every branch one vector for the same frames"
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 0}, "dim: 0 is less than 1; write 1 or more, or leave it out"),
        ({"hidden": (8, 0)}, "hidden[1]: 0 is less than 1; write 1 or more"),
        ({"dropout": -0.1}, "dropout: -0.1 is not in [0, 1); write 0 for none"),
    ],
)
def test_wrong_values_are_refused(fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ConcatFusionConfig(**fields)
    assert str(caught.value) == message


def test_spec_makes_the_module() -> None:
    assert SPEC.name == "concat"
    assert isinstance(SPEC.factory(SPEC.example_config(), STREAMS), ConcatFusion)
