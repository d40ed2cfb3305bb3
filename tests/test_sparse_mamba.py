"""The sparse Mamba encoder: its mixer against the equations, what it keeps, streams, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affectkit.errors import ConfigError, InputError
from affectkit.ops.selective_scan import describe_scan, selective_scan
from affectkit.ops.selective_scan_ref import selective_scan_ref
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from affectkit.temporal.s6_net import S6, S6Scan
from affectkit.temporal.sparse_mamba import SPEC, SparseMambaConfig
from affectkit.temporal.sparse_mamba_net import SparseLayer, SparseMamba
from tests import temporal_checks as checks

STREAM = FeatureStream(dim=8)
DENSE: list[dict[str, Any]] = [{}, {"bidirectional": True}, {"dim": 6}]
SPARSE: list[dict[str, Any]] = [
    {"ratios": (0.5, 0.3)},
    {"ratios": (0.8, 0.6), "window": 3},
    {"ratios": (0.5, 0.5), "scope": "encoder", "window": 4, "dim": 6},
    {"ratios": (0.5, 0.3), "bidirectional": True},
    {"ratios": (0.3, 0.6), "bidirectional": True, "scope": "encoder", "dim": 6},
]
STREAMING = [form for form in DENSE + SPARSE if "bidirectional" not in form]


def build(**fields: Any) -> SparseMamba:
    torch.manual_seed(0)
    return SparseMamba(SparseMambaConfig(**fields), STREAM)


def mixer(*, bidirectional: bool = False) -> S6:
    torch.manual_seed(0)
    return S6(6, state=4, inner=10, conv=3, rank=2, bidirectional=bidirectional).double()


def scan_ref(scan: S6Scan, x: Tensor, z: Tensor) -> Tensor:
    """One clip `(E, L)` by the equations, one step after the other."""
    width, h, ys = scan.conv.weight.shape[-1], x.new_zeros(scan.A_log.shape), []
    for t in range(x.shape[1]):
        seen = [x[:, s] if s >= 0 else torch.zeros_like(x[:, 0]) for s in range(t - width + 1, t + 1)]
        summed = sum(weight * value for weight, value in zip(scan.conv.weight[:, 0].unbind(-1), seen, strict=True))
        u = F.silu(summed + cast(Tensor, scan.conv.bias))
        r, b, c = scan.project(u).split(scan.sizes)
        delta = F.softplus(scan.dt(r))[:, None]
        h = torch.exp(-delta * scan.A_log.exp()) * h + delta * b * u[:, None]
        ys.append((h @ c + scan.D * u) * F.silu(z[:, t]))
    return torch.stack(ys, dim=1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_mixer_is_the_equations_with_gradients(*, bidirectional: bool) -> None:
    module = mixer(bidirectional=bidirectional)
    given = torch.randn(2, 9, 6, dtype=torch.float64, requires_grad=True)
    lengths = (9, 5)
    real = torch.arange(9) < torch.tensor(lengths)[:, None]
    fast, slow = module(given, real), []
    for clip, length in enumerate(lengths):
        x, z = module.enter(given[clip, :length]).t().chunk(2)
        y = scan_ref(module.forwards, x, z)
        if module.backwards is not None:
            y = (y + scan_ref(module.backwards, x.flip(-1), z.flip(-1)).flip(-1)) / 2
        slow.append(module.leave(y.t()))
        torch.testing.assert_close(fast[clip, :length], slow[-1])
    leaves = [given, *module.parameters()]
    ours = torch.autograd.grad(fast[real].square().sum(), leaves)
    theirs = torch.autograd.grad(torch.cat(slow).square().sum(), leaves)
    for fast_gradient, slow_gradient in zip(ours, theirs, strict=True):
        torch.testing.assert_close(fast_gradient, slow_gradient)


def test_the_mixer_starts_as_published() -> None:
    torch.manual_seed(0)
    scan = S6(8, state=16, inner=4096, conv=4, rank=4, bidirectional=False).forwards
    torch.testing.assert_close(scan.A_log.exp(), torch.arange(1.0, 17.0).expand(4096, 16))
    assert torch.equal(scan.D, torch.ones(4096))
    deltas = F.softplus(scan.dt.bias)
    assert 0.001 <= deltas.min() < 0.0011
    assert 0.09 < deltas.max() <= 0.1001
    assert deltas.log().mean().item() == pytest.approx(math.log(0.01), abs=0.1)
    assert scan.dt.weight.abs().max() <= 0.5


def test_dropping_steps_is_a_step_size_of_zero() -> None:
    make = torch.Generator().manual_seed(0)
    u, z = (torch.randn(1, 3, 12, generator=make, dtype=torch.float64) for _ in range(2))
    delta = torch.rand(1, 3, 12, generator=make, dtype=torch.float64)
    b, c = (torch.randn(1, 4, 12, generator=make, dtype=torch.float64) for _ in range(2))
    a, d = -torch.rand(3, 4, generator=make, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    kept = torch.rand(12, generator=make) > 0.5
    parts = u[..., kept], delta[..., kept], a, b[..., kept], c[..., kept], d, z[..., kept]
    gathered, whole = (cast(Tensor, selective_scan_ref(*one)) for one in (parts, (u, delta * kept, a, b, c, d, z)))
    assert torch.equal(whole[..., kept], gathered)
    gathered, whole = (cast(Tensor, selective_scan(*one)) for one in (parts, (u, delta * kept, a, b, c, d, z)))
    torch.testing.assert_close(whole[..., kept], gathered)


def test_the_mixer_skips_steps_as_if_they_were_absent() -> None:
    """The gather form against the form that keeps the whole sequence, with a step size of 0 at what is dropped."""
    module = mixer()
    x = torch.randn(1, 12, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    kept = torch.tensor([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1], dtype=torch.bool)
    entered, z = module.enter(x).transpose(1, 2).chunk(2, dim=1)
    scan = module.forwards
    u = torch.zeros_like(entered)
    # the convolution sees the kept steps alone, side by side, in both forms
    u[..., kept] = F.silu(scan.conv(F.pad(entered[..., kept], (2, 0))))
    r, b, c = (part.transpose(1, 2) for part in scan.project(u.transpose(1, 2)).split(scan.sizes, dim=-1))
    delta = F.softplus(scan.dt(r.transpose(1, 2))).transpose(1, 2) * kept
    y = cast(Tensor, selective_scan(u, delta, -scan.A_log.exp(), b, c, scan.D, z))
    ours = module(x[:, kept], torch.ones(1, int(kept.sum()), dtype=torch.bool))
    torch.testing.assert_close(ours, module.leave(y.transpose(1, 2))[:, kept], atol=1e-14, rtol=1e-12)


@pytest.mark.parametrize("form", DENSE + SPARSE)
def test_padding_is_absent(form: dict[str, Any]) -> None:
    checks.check_padding_is_absent(build(**form))


@pytest.mark.parametrize("form", STREAMING)
def test_one_direction_streams(form: dict[str, Any]) -> None:
    checks.check_streams(build(**form))


@pytest.mark.parametrize("form", STREAMING)
def test_long_clips_stream(form: dict[str, Any]) -> None:
    checks.check_long_streams(build(**form))


@pytest.mark.parametrize("form", DENSE + SPARSE)
def test_gradients_and_one_step(form: dict[str, Any]) -> None:
    checks.check_gradients(build(**form))
    checks.check_one_step(build(**form), form.get("dim", 8))


@pytest.mark.parametrize("form", DENSE)
def test_autocast(form: dict[str, Any]) -> None:
    checks.check_autocast(build(**form), streams="bidirectional" not in form)


@pytest.mark.parametrize("form", SPARSE)
def test_bfloat16_is_finite(form: dict[str, Any]) -> None:
    inputs = checks.ragged()
    low = build(**form).eval().bfloat16()(inputs.with_values(inputs.values.bfloat16())).values
    assert low.dtype == torch.bfloat16
    assert low.isfinite().all()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_steps_that_are_not_kept_pass_bit_for_bit(*, bidirectional: bool) -> None:
    layer = SparseLayer(SparseMambaConfig(bidirectional=bidirectional), 8)
    x = torch.randn(5, 7, 8, generator=torch.Generator().manual_seed(0))
    kept = checks.MASK & (torch.arange(7) % 3 != 1)
    output = layer(x, kept)
    assert torch.equal(output[~kept], x[~kept])
    assert (output[kept] != x[kept]).any(dim=-1).all()
    assert torch.equal(layer(x, torch.zeros_like(kept)), x)


def test_the_kept_steps_are_those_of_the_highest_score() -> None:
    encoder = build(depth=1, ratios=(0.5,), bidirectional=True).eval()
    values = torch.randn(1, 9, 8, generator=torch.Generator().manual_seed(0))
    changed = (encoder(Sequence.of(values)).values - encoder.norm(values)).abs().amax(dim=-1)[0] > 1e-6
    highest = values.abs().mean(dim=-1)[0].topk(5).indices
    assert sorted(highest.tolist()) == changed.nonzero()[:, 0].tolist()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_ratio_of_zero_is_dense(*, bidirectional: bool) -> None:
    encoder, inputs = build(bidirectional=bidirectional).eval(), checks.ragged()
    x = inputs.values[4:]
    for layer in encoder.layers:
        assert isinstance(layer, SparseLayer)
        x = x + layer.mixer(layer.norm(x), inputs.mask[4:])
    torch.testing.assert_close(encoder(inputs).values[4:], encoder.norm(x))


def test_scored_once_layers_of_one_ratio_keep_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    forward = SparseLayer.forward

    def watched(self: SparseLayer, x: Tensor, kept: Tensor, most: int | None = None) -> Tensor:
        seen.append(kept)
        return forward(self, x, kept, most)

    monkeypatch.setattr(SparseLayer, "forward", watched)
    inputs = Sequence.of(torch.randn(4, 40, 8, generator=torch.Generator().manual_seed(0)))
    for scope, same in (("encoder", True), ("layer", False)):
        seen.clear()
        encoder = build(depth=2, ratios=(0.5, 0.5), bidirectional=True, scope=scope)
        # a change as large as what is changed
        encoder.get_parameter("layers.0.mixer.leave.weight").data.mul_(50.0)
        encoder(inputs)
        assert torch.equal(*seen) is same


def test_the_dials_turn_without_new_weights() -> None:
    encoder, inputs = build(ratios=(0.0, 0.0)).eval(), checks.ragged()
    dense = encoder(inputs).values
    encoder.config = replace(encoder.config, ratios=(0.5, 0.8))
    assert not torch.allclose(encoder(inputs).values, dense)
    torch.testing.assert_close(checks.streamed(encoder, inputs), encoder(inputs).values, atol=1e-5, rtol=1e-5)
    encoder.config = replace(encoder.config, ratios=(0.0, 0.0))
    assert torch.equal(encoder(inputs).values, dense)


@pytest.mark.parametrize("scope", ["layer", "encoder"])
def test_a_stream_keeps_a_constant_size_and_padding_leaves_it_alone(scope: str) -> None:
    encoder, inputs = build(ratios=(0.5, 0.5), window=3, scope=scope).eval(), checks.ragged()
    state = encoder.initial_state(5)
    for t in range(7):
        before = state
        _, state = encoder.step(inputs.step(t), state)
        assert [tuple(scores.shape) for scores in state.scores] == [(5, 2)] * (2 if scope == "layer" else 1)
        for old, new in zip(before.mixers, state.mixers, strict=True):
            assert (new.inputs.shape, new.state.shape) == ((5, 16, 3), (5, 16, 16))
            still = ~inputs.mask[:, t]
            assert torch.equal(new.inputs[still], old.inputs[still])
            assert torch.equal(new.state[still], old.state[still])


def test_both_ways_the_future_matters() -> None:
    encoder, inputs = build(bidirectional=True).eval(), checks.ragged()
    later = inputs.with_values(torch.cat((inputs.values[:, :6], inputs.values[:, 6:].flip(-1)), dim=1))
    assert not torch.allclose(encoder(inputs).values[4, 0], encoder(later).values[4, 0])
    assert not encoder.can_stream


@pytest.mark.parametrize("training", [True, False])
def test_dropout_acts_in_training_alone(*, training: bool) -> None:
    encoder, inputs = build(dropout=0.5).train(training), checks.ragged()
    assert torch.equal(encoder(inputs).values, encoder(inputs).values) is not training


def test_output_and_sizes() -> None:
    stream = FeatureStream(dim=8, fps=25.0, stride=2)
    assert SparseMambaConfig().output(stream) == stream
    assert SparseMambaConfig(dim=12).output(stream) == FeatureStream(dim=12, fps=25.0, stride=2)
    assert SparseMambaConfig().is_causal
    assert not SparseMambaConfig(bidirectional=True).is_causal
    weights = build(dim=24, state=5, expand=3, conv=2).state_dict()
    assert weights["layers.1.mixer.enter.weight"].shape == (144, 24)
    assert weights["layers.1.mixer.forwards.conv.weight"].shape == (72, 1, 2)
    # rank 2, the sixteenth of 24 rounded up, and twice the state
    assert weights["layers.1.mixer.forwards.project.weight"].shape == (12, 72)
    assert build(dim=24, rank=7).state_dict()["layers.0.mixer.forwards.dt.weight"].shape == (48, 7)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    inputs = checks.ragged()
    inputs.values[2, 5, 3] = value
    with pytest.raises(InputError) as caught:
        build()(inputs)
    assert str(caught.value) == (
        f"sparse-mamba: {value} in item 2 of the batch, step 5; "
        "give finite values, or mask False for what is no real step"
    )


def test_only_one_direction_has_a_stream() -> None:
    with pytest.raises(ConfigError) as caught:
        build(bidirectional=True).initial_state(1)
    message = "bidirectional: True, so there is no streaming step; build it with bidirectional=False"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        *(
            ({name: 0}, f"{name}: 0 is less than 1; write 1 or more")
            for name in ("dim", "depth", "window", "state", "expand", "conv", "rank")
        ),
        ({"depth": 3}, "ratios: 2 values with depth=3; give one per layer, 0.0 for a layer that keeps all"),
        ({"ratios": ()}, "ratios: 0 values with depth=2; give one per layer, 0.0 for a layer that keeps all"),
        ({"ratios": (0.5, 1.0)}, "ratios[1]: 1.0 is not in [0, 1); write less than 1, and 0.0 to keep all"),
        ({"ratios": (-0.1, 0.5)}, "ratios[0]: -0.1 is not in [0, 1); write less than 1, and 0.0 to keep all"),
        ({"ratios": (math.nan, 0.5)}, "ratios[0]: nan is not finite; write a finite number (SparseMambaConfig)"),
        (
            {"bidirectional": True, "window": 8},
            "window: 8 with bidirectional=True, which ranks the whole clip; leave it out, or use bidirectional=False",
        ),
        ({"dropout": 1.0}, "dropout: 1.0 is not in [0, 1); write 0 for none"),
    ],
)
def test_wrong_values_are_refused(fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SparseMambaConfig(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(("window", "is_dense"), [(3, True), (4, False)])
def test_a_window_that_drops_less_than_one_step_drops_nothing(window: int, *, is_dense: bool) -> None:
    inputs = Sequence.of(torch.randn(2, 20, 8, generator=torch.Generator().manual_seed(0)))
    dense = build(window=window).eval()(inputs).values
    assert torch.equal(build(window=window, ratios=(0.3, 0.3)).eval()(inputs).values, dense) is is_dense


@pytest.mark.parametrize("form", [*DENSE, *SPARSE])
@pytest.mark.parametrize("shape", [(0, 5), (2, 0), (0, 0)])
def test_nothing_gives_nothing(form: dict[str, Any], shape: tuple[int, int]) -> None:
    output = build(**form)(Sequence.of(torch.zeros(*shape, 8))).values
    assert output.shape == (*shape, form.get("dim", 8))
    output.sum().backward()


def test_spec_makes_the_module_and_says_how_it_runs() -> None:
    assert SPEC.name == "sparse-mamba"
    assert isinstance(SPEC.factory(SPEC.example_config(), STREAM), SparseMamba)
    assert SPEC.status is not None
    assert SPEC.status() == describe_scan()
    assert "\n" not in describe_scan()
