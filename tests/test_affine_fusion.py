"""Affine-aligned fusion, and the checks on branches that both fusions share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
import torch

from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.fusion.affine import SPEC, AffineFusionConfig
from affectkit.fusion.affine_net import AffineFusion
from affectkit.ops.positions import locate, sinusoid, start_clock
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from tests.temporal_checks import MASK, ragged

STREAMS = {"a": FeatureStream(dim=4), "b": FeatureStream(dim=6), "c": FeatureStream(dim=3)}
RESAMPLE = "resample them to one clock in the loader"


def branches() -> dict[str, Sequence]:
    """Three branches on the irregular clock of `ragged`, with masks and times of their own."""
    clock = ragged()
    return {
        name: Sequence(ragged(stream.dim, seed).values, MASK.clone(), clock.times.clone())
        for seed, (name, stream) in enumerate(STREAMS.items())
    }


def build(**fields: Any) -> AffineFusion:
    torch.manual_seed(0)
    return AffineFusion(AffineFusionConfig(**{"dim": 8, **fields}), STREAMS).eval()


@pytest.mark.parametrize("mode", ["concat", "sum"])
@pytest.mark.parametrize("positions", ["none", "index", "time"])
def test_it_is_the_formula(mode: Literal["concat", "sum"], positions: Literal["none", "index", "time"]) -> None:
    unit = {"time_unit": 0.5} if positions == "time" else {}
    fusion, inputs = build(mode=mode, positions=positions, **unit), branches()
    output = fusion(inputs)
    assert output.values.shape[-1] == fusion.config.output(STREAMS).dim
    times = inputs["a"].times
    for clip in range(len(MASK)):
        for t in range(MASK.shape[1]):
            if not MASK[clip, t]:
                assert output.values[clip, t].abs().sum() == 0
                continue
            real = [s for s in range(MASK.shape[1]) if MASK[clip, s]]
            p = real.index(t) if positions == "index" else (times[clip, t] - times[clip, real[0]]).item() / 0.5
            parts = []
            for name in STREAMS:
                layer = fusion.affine[name]
                aligned = layer.weight @ inputs[name].values[clip, t] + layer.bias
                if positions != "none":
                    aligned = aligned + sinusoid(torch.tensor([[p]], dtype=torch.float64), 8)[0, 0]
                parts.append(aligned)
            wanted = torch.cat(parts) if mode == "concat" else torch.stack(parts).sum(dim=0)
            torch.testing.assert_close(output.values[clip, t], wanted, atol=1e-5, rtol=1e-5)


def test_the_encoding_depends_on_position_alone() -> None:
    fusion, inputs = build(), branches()
    with_positions = fusion(inputs).values
    without = AffineFusion(AffineFusionConfig(dim=8, positions="none"), STREAMS).eval()
    without.load_state_dict(fusion.state_dict())
    added = with_positions - without(inputs).values
    index, _ = locate(MASK, inputs["a"].times, start_clock(5, torch.device("cpu")), kind="index")
    wanted = sinusoid(index, 8).repeat(1, 1, 3).masked_fill(~MASK.unsqueeze(-1), 0.0)
    torch.testing.assert_close(added, wanted, atol=1e-5, rtol=0)


def test_order_is_that_of_the_streams_not_of_the_batch() -> None:
    fusion, inputs = build(), branches()
    turned = dict(reversed(inputs.items()))
    assert torch.equal(fusion(inputs).values, fusion(turned).values)
    assert list(fusion.affine) == ["a", "b", "c"]
    assert set(fusion.state_dict()) == {f"affine.{name}.{part}" for name in "abc" for part in ("weight", "bias")}


@pytest.mark.parametrize("positions", ["index", "time"])
def test_step_equals_forward(positions: Literal["index", "time"]) -> None:
    fusion, inputs = build(positions=positions), branches()
    state, values = fusion.initial_state(5), []
    for t in range(7):
        y_t, state = fusion.step({name: sequence.step(t) for name, sequence in inputs.items()}, state)
        values.append(y_t.values)
    assert fusion.can_stream
    torch.testing.assert_close(torch.cat(values, dim=1), fusion(inputs).values, atol=1e-5, rtol=1e-5)


def test_batch_mates_and_padding_are_invisible() -> None:
    fusion, inputs = build(positions="time"), branches()
    before = {name: sequence.values.clone() for name, sequence in inputs.items()}
    whole = fusion(inputs).values
    for clip in (0, 1, 2, 4):
        real = MASK[clip]
        alone = {
            name: Sequence(s.values[clip : clip + 1, real], real[real].unsqueeze(0), s.times[clip : clip + 1, real])
            for name, s in inputs.items()
        }
        torch.testing.assert_close(whole[clip, real], fusion(alone).values[0], atol=1e-6, rtol=1e-6)
    assert whole.isfinite().all()
    for name, sequence in inputs.items():
        assert torch.equal(sequence.values.nan_to_num(), before[name].nan_to_num())


@pytest.mark.parametrize("mode", ["concat", "sum"])
def test_gradients_are_finite(mode: Literal["concat", "sum"]) -> None:
    fusion = build(mode=mode, dropout=0.5).train()
    fusion(branches()).values.square().sum().backward()
    for parameter in fusion.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


def test_dropout_acts_in_training_alone() -> None:
    fusion, inputs = build(dropout=0.5), branches()
    assert torch.equal(fusion(inputs).values, fusion(inputs).values)
    fusion.train()
    assert (fusion(inputs).values[4] == 0).float().mean().item() == pytest.approx(0.5, abs=0.15)


def test_bfloat16_autocast_and_one_step() -> None:
    fusion, inputs = build(), branches()
    wanted = fusion(inputs).values
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(fusion(inputs).values.float(), wanted, atol=0.05, rtol=0.05)
    assert fusion({name: sequence.step(0) for name, sequence in inputs.items()}).values.shape == (5, 1, 24)


def test_times_that_differ_by_rounding_are_equal_and_at_padding_anything_goes() -> None:
    fusion, inputs = build(), branches()
    wanted = fusion(inputs).values
    times = (inputs["b"].times + 1e-9).masked_fill(~MASK, -5.0)
    assert torch.equal(fusion({**inputs, "b": inputs["b"]._replace(times=times)}).values, wanted)


def _changed(part: str) -> dict[str, Sequence]:
    inputs = branches()
    a, b = inputs["a"], inputs["b"]
    if part == "missing":
        del inputs["b"]
    elif part == "empty":
        inputs.clear()
    elif part == "unknown":
        inputs["d"] = a
    elif part == "width":
        inputs["b"] = b.with_values(b.values[..., :5])
    elif part == "rank":
        inputs["b"] = b.with_values(b.values.unsqueeze(-1))
    elif part == "clips":
        inputs["b"] = Sequence(b.values[:3], b.mask[:3], b.times[:3])
    elif part == "steps":
        inputs["b"] = Sequence(b.values[:, :6], b.mask[:, :6], b.times[:, :6])
    elif part in ("mask of a", "mask of b"):
        name = part[-1]
        mask = MASK.clone()
        mask[1, 3] = False
        inputs[name] = inputs[name]._replace(mask=mask)
        if name == "a":
            inputs["c"] = inputs["c"]._replace(mask=mask)
    elif part in ("times", "nan"):
        times = torch.arange(7, dtype=torch.float64).expand(5, 7)
        inputs["a"], inputs["c"] = a._replace(times=times), inputs["c"]._replace(times=times)
        moved = times.clone()
        moved[2, 5] = 5.25 if part == "times" else float("nan")
        inputs["b"] = b._replace(times=moved)
    return inputs


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("missing", "branch 'b': missing; the fusion was built for 'a', 'b', 'c'"),
        ("empty", "branch 'a': missing; the fusion was built for 'a', 'b', 'c'"),
        ("unknown", "branch 'd': unknown; the fusion was built for 'a', 'b', 'c'"),
        ("width", "branch 'b': values of shape (5, 7, 5); the fusion was built for (B, T, 6)"),
        ("rank", "branch 'b': values of shape (5, 7, 6, 1); the fusion was built for (B, T, 6)"),
        ("clips", "branches 'a' and 'b': 5 and 3 clips; give the same clips in the same order"),
        ("steps", f"branches 'a' and 'b': 7 and 6 steps; {RESAMPLE}"),
        (
            "mask of b",
            "branches 'a' and 'b': masks differ first at clip 1, step 3 (real in 'a', padding in 'b'); " + RESAMPLE,
        ),
        (
            "mask of a",
            "branches 'a' and 'b': masks differ first at clip 1, step 3 (real in 'b', padding in 'a'); " + RESAMPLE,
        ),
        ("times", f"branches 'a' and 'b': times differ first at clip 2, step 5 (5.0 and 5.25 s); {RESAMPLE}"),
        ("nan", f"branches 'a' and 'b': times differ first at clip 2, step 5 (5.0 and nan s); {RESAMPLE}"),
    ],
)
def test_branches_off_one_clock_are_refused(part: str, message: str) -> None:
    fusion = build()
    with pytest.raises(InputError) as caught:
        fusion(_changed(part))
    assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        fusion.step(_changed(part), fusion.initial_state(5))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 0}, "dim: 0 is less than 1; write 1 or more"),
        ({"time_unit": 0.0}, "time_unit: 0.0 is no duration; write more than 0 seconds"),
        (
            {"time_unit": 0.1},
            "time_unit: 0.1 with positions='index', which look at no time; leave it out, or use positions='time'",
        ),
        ({"dropout": 1.0}, "dropout: 1.0 is not in [0, 1); write 0 for none"),
    ],
)
def test_wrong_values_are_refused(fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AffineFusionConfig(**fields)
    assert str(caught.value) == message


def test_output() -> None:
    assert AffineFusionConfig().output(STREAMS) == FeatureStream(dim=768)
    assert AffineFusionConfig(mode="sum").output(STREAMS) == FeatureStream(dim=256)
    named = {name: FeatureStream(dim=2, steps=("onset", "apex"), stride=2) for name in "ab"}
    assert AffineFusionConfig(dim=3).output(named) == FeatureStream(dim=6, steps=("onset", "apex"), stride=2)
    known = {"a": FeatureStream(dim=2), "b": FeatureStream(dim=2, fps=25.0)}
    assert AffineFusionConfig(dim=3).output(known) == FeatureStream(dim=6, fps=25.0)


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ({}, "no branches; give at least one"),
        (
            {"a": FeatureStream(dim=2), "b": FeatureStream(dim=2, steps=("apex",))},
            "branches 'a' and 'b' have steps () and ('apex',); give every branch the same steps",
        ),
        (
            {"a": FeatureStream(dim=2), "b": FeatureStream(dim=2, stride=4)},
            "branches 'a' and 'b' have stride 1 and 4; give every branch one vector for the same frames",
        ),
        (
            {"a": FeatureStream(dim=2), "b": FeatureStream(dim=2, fps=25.0), "c": FeatureStream(dim=2, fps=30.0)},
            "branches 'b' and 'c' have fps 25.0 and 30.0; resample them to one clock in the loader",
        ),
    ],
)
def test_streams_off_one_clock_are_refused(streams: Mapping[str, FeatureStream], message: str) -> None:
    with pytest.raises(StreamError) as caught:
        AffineFusionConfig().output(streams)
    assert str(caught.value) == message


def test_any_name_of_a_branch_will_do() -> None:
    streams = {"values": FeatureStream(dim=4), "train": FeatureStream(dim=6)}
    inputs = branches()
    fusion = AffineFusion(AffineFusionConfig(dim=8), streams)
    assert fusion({"values": inputs["a"], "train": inputs["b"]}).values.shape == (5, 7, 16)


def test_spec_makes_the_module() -> None:
    assert SPEC.name == "affine"
    assert isinstance(SPEC.factory(SPEC.example_config(), STREAMS), AffineFusion)
