"""The flow magnifier: alpha, its map, its anchor, and that a network that has to learn alpha learns it."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from affectkit import Branch, FrameStream, MicroExpressionConfig, PipelineConfig, default_registry
from affectkit.codec import decode, encode
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.motion.flow_magnifier import ALPHAS, FlowMagnifierConfig
from affectkit.motion.flow_magnifier_net import FlowMagnifier
from affectkit.motion.gains import measure_gain, measure_gains
from affectkit.motion.unet_net import encode_alpha
from affectkit.sequences import Sequence, Targets

FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=16, width=16)


def flows(count: int = 2, steps: int = 1, size: int = 16, seed: int = 0) -> Tensor:
    """Smooth flow of up to a pixel."""
    coarse = torch.randn(count * steps, 2, 4, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic") / 3
    return smooth.view(count, steps, 2, size, size)


def make(**options: object) -> FlowMagnifier:
    torch.manual_seed(0)
    return FlowMagnifier(FlowMagnifierConfig(**options), FLOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [0.5, *ALPHAS])
def test_a_residual_magnifier_begins_with_plain_scaling(alpha: float) -> None:
    magnifier, flow = make(alpha=alpha), flows()
    out = magnifier(Sequence.of(flow))
    torch.testing.assert_close(out.values, alpha * flow)
    assert magnifier.auxiliary(Sequence.of(flow), out, {})["anchor"] == 0
    torch.testing.assert_close(measure_gain(flow[:, 0], out.values[:, 0]), torch.full((2,), alpha))


def test_alpha_holds_inside_the_region_and_one_around_it() -> None:
    flow = torch.ones(1, 1, 2, 16, 16)
    out = make(alpha=3.0, region=(0.25, 0.5, 1.0, 1.0))(Sequence.of(flow)).values[0, 0, 0]
    wanted = torch.ones(16, 16)
    wanted[8:, 4:] = 3.0
    torch.testing.assert_close(out, wanted)


def test_a_map_of_factors_by_hand() -> None:
    magnifier, flow = make(alpha=3.0), flows()[:, 0]
    factors = torch.linspace(1, 4, 16).expand(2, 1, 16, 16)
    torch.testing.assert_close(magnifier.magnify(flow, factors), factors * flow)


def test_the_anchor_is_the_mean_difference_to_plain_scaling_over_real_steps() -> None:
    magnifier = make(alpha=2.0)
    flow = flows(2, 2)
    inputs = Sequence.of(flow, mask=torch.tensor([[True, True], [True, False]]))
    output = magnifier(inputs)
    moved = output.with_values(output.values + torch.tensor([0.5, 1.0])[:, None, None, None, None])
    anchor = magnifier.auxiliary(inputs, moved, {})["anchor"]
    # two real steps are off by 0.5, one by 1; the padded one does not count
    assert float(anchor.detach()) == pytest.approx(2 / 3, rel=1e-5)


def test_padding_gives_zeros() -> None:
    magnifier = make(is_residual=False)
    out = magnifier(Sequence.of(flows(1, 2), mask=torch.tensor([[True, False]])))
    assert out.values[0, 0].abs().sum() > 0
    assert (out.values[0, 1] == 0).all()


def test_a_magnifier_that_makes_all_of_it_learns_what_alpha_means() -> None:
    config = FlowMagnifierConfig(is_residual=False, width=8, levels=1)
    torch.manual_seed(0)
    magnifier = FlowMagnifier(config, FLOW)
    optimizer = torch.optim.Adam(magnifier.parameters(), lr=3e-3)
    other = flows(8, seed=99)[:, 0]

    def gains() -> Tensor:
        with torch.no_grad():
            found = [magnifier.magnify(other, torch.full((1, 1, 1, 1), a).expand(1, 1, 16, 16)) for a in (2.0, 4.0)]
        return torch.stack([measure_gain(other, one).median() for one in found])

    before = gains()
    for step in range(300):
        flow = flows(16, seed=step)[:, 0]
        alpha = torch.tensor((2.0, 4.0))[torch.arange(16) % 2].view(16, 1, 1, 1).expand(16, 1, 16, 16)
        loss = (magnifier.magnify(flow, alpha) - alpha * flow).abs().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = gains()
    # maps it has not seen, after a few seconds of training: on the way to 2 and 4, and well told apart
    assert (after / torch.tensor([2.0, 4.0]) - 1).abs().max() < 0.4, (before, after)
    assert float(after[1] / after[0]) == pytest.approx(2.0, rel=0.15)
    assert (before / torch.tensor([2.0, 4.0]) - 1).abs().min() > 0.6


def test_the_classifier_bends_motion_and_the_anchor_holds_it() -> None:
    def trained(weight: float) -> float:
        torch.manual_seed(0)
        config = PipelineConfig(
            input=FLOW,
            branches={
                "flow": Branch(
                    motion=(FlowMagnifierConfig(alpha=2.0, width=4, levels=1, aux_weight=weight),),
                    features=ConvStemConfig(dim=8),
                )
            },
            heads={"micro": MicroExpressionConfig()},
        )
        model = config.build()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        inputs, targets = Sequence.of(flows(12)), {"micro": Targets.of(torch.arange(12) % 3)}
        for _ in range(20):
            _, losses = model(inputs, targets)
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        assert set(losses) == {"heads.micro", "branches.flow.motion[0].anchor"}
        return float(losses["branches.flow.motion[0].anchor"].detach()) / weight

    assert trained(100.0) < 0.5 * trained(0.01)


def test_alpha_turns_on_a_built_model() -> None:
    branch = Branch(motion=(FlowMagnifierConfig(),), features=ConvStemConfig(dim=8))
    config = PipelineConfig(input=FLOW, branches={"flow": branch}, heads={"micro": MicroExpressionConfig()})
    model = config.build().eval()
    flow = flows()
    seen = model.branches["flow"].motion[0](Sequence.of(flow)).values
    with model.dialed({"branches.flow.motion[0].alpha": 8.0}):
        torch.testing.assert_close(model.branches["flow"].motion[0](Sequence.of(flow)).values, 2 * seen)


def test_gains_of_a_model_for_every_alpha() -> None:
    branch = Branch(motion=(FlowMagnifierConfig(),), features=ConvStemConfig(dim=8))
    config = PipelineConfig(input=FLOW, branches={"flow": branch}, heads={"micro": MicroExpressionConfig()})
    model = config.build()
    gains = measure_gains(model, {"clip": Sequence.of(flows())})
    assert [gain.alpha for gain in gains] == list(ALPHAS)
    assert [gain.gain for gain in gains] == pytest.approx(list(ALPHAS), rel=1e-4)
    assert model.dials[0].value == 4.0


def test_still_maps_have_no_gain() -> None:
    flow = torch.stack([torch.zeros(2, 8, 8), torch.ones(2, 8, 8)])
    gain = measure_gain(flow, 3 * flow)
    assert gain[0].isnan()
    assert float(gain[1]) == pytest.approx(3.0)


def test_the_network_sees_alpha_as_so_many_channels() -> None:
    flow = flows()
    plain, waves, default = (make(is_residual=False, **one) for one in ({"alpha_channels": 1},
                             {"alpha_channels": 8}, {}))  # fmt: skip
    inside = [one.unet.get_parameter("enter.0.weight").shape[1] for one in (plain, waves, default)]
    assert inside == [3, 10, 34]
    seen: list[Tensor] = []
    plain.unet.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    plain(Sequence.of(flow))
    torch.testing.assert_close(seen[0], torch.cat([flow[:, 0], torch.full((2, 1, 16, 16), 4.0)], dim=1))
    waves.unet.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    waves(Sequence.of(flow))
    torch.testing.assert_close(seen[1][:, 2:], encode_alpha(torch.full((2, 1, 16, 16), 4.0), 8))


@pytest.mark.parametrize("norm", ["none", "group", "batch"])
def test_padding_has_no_part_in_the_statistics(norm: str) -> None:
    magnifier = make(is_residual=False, norm=norm, width=4, levels=1)
    # two convolutions on the way in, down and up
    assert sum("Norm" in type(one).__name__ for one in magnifier.modules()) == (0 if norm == "none" else 6)
    flow = flows(2, 2)
    mask = torch.tensor([[True, True], [True, False]])
    padded = magnifier(Sequence.of(flow, mask=mask)).values
    flow[1, 1] = 100.0
    torch.testing.assert_close(magnifier(Sequence.of(flow, mask=mask)).values, padded)
    whole = make(is_residual=False, norm=norm, width=4, levels=1)
    real = whole(Sequence.of(flow[mask].unsqueeze(1))).values[:, 0]
    torch.testing.assert_close(padded[mask], real)
    assert not padded[~mask].any()
    # a batch of padding alone
    nothing = magnifier(Sequence.of(flow, mask=torch.zeros(2, 2, dtype=torch.bool))).values
    assert not nothing.any()


def test_statistics_of_a_batch_under_autocast() -> None:
    magnifier = make(is_residual=False, norm="batch", width=4, levels=1)
    mask = torch.tensor([[True, True], [True, False]])
    inputs = Sequence.of(flows(2, 2), mask=mask)
    exact = magnifier(inputs).values.detach()
    with torch.autocast("cpu", torch.bfloat16):
        found = magnifier(inputs).values.detach()
    assert not found[~mask].any()
    # bfloat16 keeps eight bits, through eight convolutions
    assert float((found - exact).norm() / exact.norm()) < 0.03


def test_what_was_saved_before_these_fields_is_as_it_was() -> None:
    registry = default_registry()
    data = encode(FlowMagnifierConfig(), registry)
    before = {key: value for key, value in data.items() if key not in ("norm", "alpha_channels")}
    assert decode(FlowMagnifierConfig, before, registry) == FlowMagnifierConfig(norm="none", alpha_channels=32)
    assert {name: tuple(one.shape) for name, one in make().state_dict().items() if name.startswith("unet.enter")} == {
        "unet.enter.0.weight": (16, 34, 3, 3), "unet.enter.0.bias": (16,),
        "unet.enter.2.weight": (16, 16, 3, 3), "unet.enter.2.bias": (16,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.0}, "alpha: 0.0 is no factor; write more than 0; 1 leaves motion as it is"),
        ({"alpha": -2.0}, "alpha: -2.0 is no factor; write more than 0; 1 leaves motion as it is"),
        ({"alpha": float("inf")}, "alpha: inf is not finite; write a finite number (FlowMagnifierConfig)"),
        ({"width": 0}, "width: 0 is too small; write 1 or more"),
        ({"levels": 0}, "levels: 0 is too small; write 1 or more"),
        ({"alpha_channels": 0}, "alpha_channels: 0 is neither 1 nor an even number; write 1, 2, 4, ..."),
        ({"alpha_channels": 5}, "alpha_channels: 5 is neither 1 nor an even number; write 1, 2, 4, ..."),
        ({"norm": "layer"}, "norm: 'layer' is not accepted; values: 'none', 'group', 'batch' (FlowMagnifierConfig)"),
        ({"aux_weight": -1.0}, "aux_weight: -1.0 is below 0; write 0 or more"),
        (
            {"region": (0.5, 0.0, 0.5, 1.0)},
            "region: (0.5, 0.0, 0.5, 1.0) is no region; write left, top, right and bottom as shares, "
            "0 <= left < right <= 1 and top < bottom alike",
        ),
    ],
)
def test_what_a_config_refuses(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        FlowMagnifierConfig(**options)  # type: ignore[arg-type]


def test_the_length_of_the_magnified_flow_on_request() -> None:
    config = FlowMagnifierConfig(alpha=3.0, magnitude=True)
    assert config.output(FLOW).channels == ("u", "v", "magnitude")
    inputs = Sequence.of(flows())
    magnifier = FlowMagnifier(config, FLOW)
    out = magnifier(inputs)
    torch.testing.assert_close(out.values[:, :, 2], 3 * inputs.values.norm(dim=2))
    assert magnifier.auxiliary(inputs, out, {})["anchor"] == 0
    message = "magnitude: True, and the flow has one; write magnitude=False here or there"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        config.output(config.output(FLOW))


def test_pictures_are_no_flow() -> None:
    with pytest.raises(StreamError):
        FlowMagnifierConfig().output(FrameStream(height=16, width=16))


def test_flow_that_is_not_finite() -> None:
    flow = flows()
    flow[1, 0, 0, 3, 3] = torch.nan
    message = "flow-magnifier: nan in item 1 of the batch, frame 0; "
    message += "give finite values, or mask False for what is no real frame"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        make()(Sequence.of(flow))
