"""The Transformer encoder, and attention against its slow twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
import torch

from affectkit.errors import ConfigError, StreamError
from affectkit.ops.attention import attend, attend_ref, visible_steps
from affectkit.ops.dropout import draw_factors, to_least
from affectkit.streams import FeatureStream
from affectkit.temporal.transformer import SPEC, TransformerConfig
from affectkit.temporal.transformer_net import Transformer
from tests import temporal_checks as checks

STREAM = FeatureStream(dim=8)
FORMS: list[dict[str, Any]] = [{}, {"causal": True}, {"causal": True, "window": 1}, {"causal": True, "window": 3}]


def build(**fields: Any) -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerConfig(**{"depth": 2, "heads": 2, **fields}), STREAM)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("mask", [checks.MASK, torch.ones_like(checks.MASK)], ids=["padded", "whole"])
@pytest.mark.parametrize("form", FORMS)
def test_attention_equals_its_slow_twin(form: dict[str, Any], mask: torch.Tensor, dropout: float) -> None:
    torch.manual_seed(0)
    query, key, value = leaves = [torch.randn(5, 2, 7, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    weight = torch.randn(5, 2, 7, 3, dtype=torch.float64) * mask[:, None, :, None]
    drawn = torch.get_rng_state()
    fast = attend(query, key, value, mask, dropout=dropout, **form)
    torch.set_rng_state(drawn)
    factors = draw_factors(torch.empty(5, 2, 7, 7).double(), int(torch.randint(2**63 - 1, ())), to_least(dropout))
    slow = attend_ref(query, key, value, mask, factors=factors, **form)
    real = mask[:, None, :, None].expand_as(fast)
    torch.testing.assert_close(fast[real], slow[real])
    assert fast.isfinite().all()
    ours = torch.autograd.grad((fast * weight).sum(), leaves)
    theirs = torch.autograd.grad((slow * weight).sum(), leaves)
    for fast_gradient, slow_gradient in zip(ours, theirs, strict=True):
        torch.testing.assert_close(fast_gradient, slow_gradient)


def test_window_counts_real_steps() -> None:
    mask = torch.tensor([[1, 1, 0, 1, 1]], dtype=torch.bool)
    visible = visible_steps(mask, causal=True, window=2)[0].int().tolist()
    del visible[2]  # padding: what it sees means nothing
    assert visible == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 1, 1]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("positions", ["none", "index", "time"])
def test_padding_is_absent(form: dict[str, Any], positions: Literal["none", "index", "time"]) -> None:
    checks.check_padding_is_absent(build(positions=positions, **form))


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("positions", ["none", "index", "time"])
def test_causal_forms_stream(form: dict[str, Any], positions: Literal["none", "index", "time"]) -> None:
    checks.check_streams(build(positions=positions, **form))


@pytest.mark.parametrize("window", [None, 16])
def test_long_clips_stream(window: int | None) -> None:
    checks.check_long_streams(build(positions="time", causal=True, window=window))


def test_without_causal_the_future_matters() -> None:
    encoder, inputs = build().eval(), checks.ragged()
    later = inputs.with_values(torch.cat((inputs.values[:, :6], inputs.values[:, 6:].flip(-1)), dim=1))
    assert not torch.allclose(encoder(inputs).values[4, 0], encoder(later).values[4, 0])


def test_window_bounds_what_a_step_depends_on_and_what_a_stream_keeps() -> None:
    encoder, inputs = build(causal=True, window=2).eval(), checks.ragged()
    # depth 2: a step depends on the last 2 * (2 - 1) + 1 = 3; positions of the rest stay as they are
    moved = inputs.with_values(torch.cat((inputs.values[:, :1].flip(-1), inputs.values[:, 1:]), dim=1))
    ours, theirs = encoder(inputs).values[4], encoder(moved).values[4]
    torch.testing.assert_close(ours[3:], theirs[3:], atol=1e-6, rtol=0)
    assert not torch.allclose(ours[2], theirs[2])
    state = encoder.initial_state(5)
    for t in range(7):
        _, state = encoder.step(inputs.step(t), state)
        assert [keys.shape for keys in (*state.keys, *state.values)] == [(5, 2, 1, 4)] * 4


@pytest.mark.parametrize("window", [None, 3])
def test_padded_steps_leave_the_state_of_a_clip_alone(window: int | None) -> None:
    encoder, inputs = build(causal=True, window=window).eval(), checks.ragged()
    _, state = encoder.step(inputs.step(0), encoder.initial_state(5))
    gap = inputs.step(1)._replace(mask=torch.zeros(5, 1, dtype=torch.bool))
    _, after = encoder.step(gap, state)
    ours, _ = encoder.step(inputs.step(6), after)
    theirs, _ = encoder.step(inputs.step(6), state)
    torch.testing.assert_close(ours.values, theirs.values, atol=1e-6, rtol=0)
    assert torch.equal(after.clock.seen, state.clock.seen)


def test_irregular_times_are_seen_with_time_alone() -> None:
    inputs = checks.ragged()
    stretched = inputs._replace(times=36000.0 + (inputs.times - 36000.0) * 2)
    later = inputs._replace(times=inputs.times + 1000.0)
    for positions, seen in (("none", False), ("index", False), ("time", True)):
        encoder = build(positions=positions).eval()
        ours = encoder(inputs).values
        assert torch.allclose(ours, encoder(stretched).values, atol=1e-6) is not seen
        torch.testing.assert_close(ours, encoder(later).values, atol=1e-5, rtol=0)


def test_order_is_seen_with_positions_alone() -> None:
    inputs = checks.ragged()
    turned = inputs.with_values(inputs.values.flip(1))
    for positions, seen in (("none", False), ("index", True)):
        encoder = build(positions=positions).eval()
        same = torch.allclose(encoder(inputs).values[4], encoder(turned).values[4].flip(0), atol=1e-5)
        assert same is not seen


@pytest.mark.parametrize("form", FORMS)
def test_gradients_autocast_and_one_step(form: dict[str, Any]) -> None:
    checks.check_gradients(build(**form))
    checks.check_autocast(build(**form), streams=form.get("causal", False))
    checks.check_one_step(build(**form), 8)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_training_alone(training: bool) -> None:
    encoder, inputs = build(dropout=0.5).train(training), checks.ragged()
    assert torch.equal(encoder(inputs).values, encoder(inputs).values) is not training


def test_attention_can_have_a_dropout_of_its_own() -> None:
    inputs = checks.ragged()
    for dropout, inner, is_same in ((0.0, 0.5, False), (0.0, 0.0, True), (0.5, 0.0, False)):
        encoder = build(dropout=dropout, attention_dropout=inner).train()
        assert torch.equal(encoder(inputs).values, encoder(inputs).values) is is_same


def test_widths() -> None:
    wide = Transformer(TransformerConfig(dim=12, depth=1, heads=3, feedforward=20), STREAM)
    assert wide(checks.ragged()).values.shape == (5, 7, 12)
    assert sorted(wide.state_dict()) == [
        "enter.bias",
        "enter.weight",
        *sorted(
            f"layers.0.{name}.{part}"
            for name in ("attention_norm", "qkv", "merge", "feedforward.0", "feedforward.1", "feedforward.4")
            for part in ("weight", "bias")
        ),
        "norm.bias",
        "norm.weight",
    ]
    assert wide.state_dict()["layers.0.feedforward.1.weight"].shape == (20, 12)
    same = build()
    assert "enter.weight" not in same.state_dict()
    assert same.state_dict()["layers.0.feedforward.1.weight"].shape == (32, 8)


def test_output() -> None:
    stream = FeatureStream(dim=8, fps=25.0, stride=2)
    assert TransformerConfig().output(stream) == stream
    assert TransformerConfig(dim=12).output(stream) == FeatureStream(dim=12, fps=25.0, stride=2)
    assert TransformerConfig(causal=True).is_causal
    assert not TransformerConfig().is_causal
    assert not build().can_stream
    with pytest.raises(StreamError) as caught:
        TransformerConfig(heads=3).output(stream)
    assert str(caught.value) == "width 8 is no multiple of heads=3; set dim to a multiple of heads, or change heads"


def test_only_a_causal_encoder_has_a_stream() -> None:
    with pytest.raises(ConfigError) as caught:
        build().initial_state(1)
    assert str(caught.value) == "causal: False, so there is no streaming step; build it with causal=True"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(
            ({name: 0}, f"{name}: 0 is less than 1; write 1 or more")
            for name in ("dim", "depth", "heads", "feedforward", "window")
        ),
        ({"dim": 10, "heads": 4}, "heads: 4 does not divide dim=10; change one of them"),
        ({"dropout": 1.5}, "dropout: 1.5 is not in [0, 1); write 0 for none"),
        ({"attention_dropout": -0.1}, "attention_dropout: -0.1 is not in [0, 1); write 0 for none"),
        ({"window": 5}, "window: 5 without causal; add causal=True, or leave it out"),
        ({"time_unit": -1.0}, "time_unit: -1.0 is no duration; write more than 0 seconds"),
        (
            {"positions": "none", "time_unit": 0.1},
            "time_unit: 0.1 with positions='none', which look at no time; leave it out, or use positions='time'",
        ),
    ],
)
def test_wrong_values_are_refused(fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TransformerConfig(**fields)
    assert str(caught.value) == message


def test_spec_makes_the_module() -> None:
    assert SPEC.name == "transformer"
    assert isinstance(SPEC.factory(SPEC.example_config(), STREAM), Transformer)
