"""The GRU encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from affectkit.errors import ConfigError
from affectkit.streams import FeatureStream
from affectkit.temporal.gru import SPEC, GRUConfig
from affectkit.temporal.gru_net import GRU
from tests import temporal_checks as checks

STREAM = FeatureStream(dim=8)
FORMS: list[dict[str, Any]] = [{}, {"depth": 2}, {"bidirectional": True}, {"bidirectional": True, "depth": 2}]


def build(**fields: Any) -> GRU:
    torch.manual_seed(0)
    return GRU(GRUConfig(**{"dim": 6, **fields}), STREAM)


@pytest.mark.parametrize("form", FORMS)
def test_padding_is_absent(form: dict[str, Any]) -> None:
    checks.check_padding_is_absent(build(**form))


@pytest.mark.parametrize("form", FORMS[:2])
def test_one_direction_streams(form: dict[str, Any]) -> None:
    checks.check_streams(build(**form))


def test_long_clips_stream() -> None:
    checks.check_long_streams(build(depth=2))


@pytest.mark.parametrize("form", FORMS)
def test_gradients_autocast_and_one_step(form: dict[str, Any]) -> None:
    both = form.get("bidirectional", False)
    checks.check_gradients(build(**form))
    checks.check_autocast(build(**form), streams=not both)
    checks.check_one_step(build(**form), 12 if both else 6)


def test_one_step_is_the_equation() -> None:
    encoder, inputs = build().eval(), checks.ragged().step(0)
    x, weights = inputs.values[4, 0], encoder.state_dict()
    gates = weights["gru.weight_ih_l0"] @ x + weights["gru.bias_ih_l0"]
    hidden = weights["gru.bias_hh_l0"]
    reset, update = torch.sigmoid(gates[:6] + hidden[:6]), torch.sigmoid(gates[6:12] + hidden[6:12])
    wanted = (1 - update) * torch.tanh(gates[12:] + reset * hidden[12:])
    torch.testing.assert_close(encoder(inputs).values[4, 0], wanted, atol=1e-6, rtol=1e-6)


def test_a_padded_step_leaves_the_state_unchanged() -> None:
    encoder, inputs = build(depth=2).eval(), checks.ragged()
    _, state = encoder.step(inputs.step(0), encoder.initial_state(5))
    assert state.shape == (2, 5, 6)
    _, after = encoder.step(inputs.step(1), state)
    for clip, real in enumerate(checks.MASK[:, 1].tolist()):
        assert torch.equal(after[:, clip], state[:, clip]) is not real


def test_backward_direction_begins_at_the_last_real_step() -> None:
    encoder, inputs = build(bidirectional=True).eval(), checks.ragged()
    later = inputs.values.clone()
    later[0, 3] += 3.0
    ours, theirs = encoder(inputs).values[0], encoder(inputs.with_values(later)).values[0]
    torch.testing.assert_close(ours[:3, :6], theirs[:3, :6], atol=1e-6, rtol=0)
    assert not torch.allclose(ours[0, 6:], theirs[0, 6:], atol=1e-6)


@pytest.mark.parametrize("depth", [1, 2])
def test_dropout_acts_in_training_alone(depth: int) -> None:
    encoder, inputs = build(depth=depth, dropout=0.5), checks.ragged()
    assert not torch.equal(encoder(inputs).values, encoder(inputs).values)
    encoder.eval()
    assert torch.equal(encoder(inputs).values, encoder(inputs).values)


def test_output() -> None:
    stream = FeatureStream(dim=8, fps=25.0, stride=2)
    assert GRUConfig().output(stream) == FeatureStream(dim=128, fps=25.0, stride=2)
    assert GRUConfig(bidirectional=True).output(stream) == FeatureStream(dim=256, fps=25.0, stride=2)
    assert GRUConfig().is_causal
    assert not GRUConfig(bidirectional=True).is_causal
    assert not build(bidirectional=True).can_stream


def test_only_one_direction_has_a_stream() -> None:
    with pytest.raises(ConfigError) as caught:
        build(bidirectional=True).initial_state(1)
    message = "bidirectional: True, so there is no streaming step; build it with bidirectional=False"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 0}, "dim: 0 is less than 1; write 1 or more"),
        ({"depth": 0}, "depth: 0 is less than 1; write 1 or more"),
        ({"dropout": 1.0}, "dropout: 1.0 is not in [0, 1); write 0 for none"),
    ],
)
def test_wrong_values_are_refused(fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GRUConfig(**fields)
    assert str(caught.value) == message


def test_spec_makes_the_module() -> None:
    assert SPEC.name == "gru"
    assert isinstance(SPEC.factory(SPEC.example_config(), STREAM), GRU)
