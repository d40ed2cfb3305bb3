"""FMANet: what its parts do, that all of it learns, missing phases, and the presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from affectkit_fmanet import FMANetConfig
from affectkit_fmanet.backbone_net import FMANet
from affectkit_fmanet.modulation import HIGH, LOW, TAU, Modulation
from affectkit_fmanet.presets import make_fmanet, make_fmanet_flow
from torch import Tensor

from affectkit import ConfigError, FrameStream, InputError, Sequence, StreamError
from affectkit.motion.flow_maps_net import mirror

FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=28, width=28, steps=("contraction", "relaxation"))


def network(**options: Any) -> FMANet:
    torch.manual_seed(0)
    return FMANet(FMANetConfig(**{"dim": 8, "width": 4, "dropout": 0.0, **options}), FLOW)


def flows(batch: int = 3) -> Tensor:
    return torch.randn(batch, 2, 2, 28, 28, generator=torch.Generator().manual_seed(1))


def message(work: Callable[[], object], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


@pytest.mark.parametrize("fusion", ["attention", "mean", "concat"])
def test_everything_learns(fusion: str) -> None:
    module = network(fusion=fusion)
    module(Sequence.of(flows())).values.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_soft_tends_to_hard() -> None:
    lengths = torch.linspace(0, 1, 2 * 400).reshape(1, 2, 20, 20)
    lengths = lengths[:, :1].expand(-1, 2, -1, -1)
    is_real = torch.ones(1, 2, dtype=torch.bool)
    hard = Modulation(is_soft=False)(lengths, is_real)
    assert hard.unique().tolist() == [LOW, HIGH]
    apart = (lengths[:, :1] - TAU).abs() > 0.01
    distances = []
    for steepness in (10.0, 100.0, 1000.0, 10000.0):
        soft = Modulation(is_soft=True)
        soft.steepness.data.fill_(steepness)
        distances.append(float((soft(lengths, is_real) - hard)[apart].detach().abs().max()))
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.1
    assert distances[-1] < 1e-5


def test_the_gains_stay_within_their_limits_whatever_is_learned() -> None:
    lengths = torch.rand(4, 2, 9, 9)
    is_real = torch.tensor([[True, True], [True, False]] * 2)
    for value in (-50.0, -3.0, 0.0, 3.0, 50.0):
        soft = Modulation(is_soft=True)
        for parameter in soft.parameters():
            parameter.data.fill_(value)
        gains = soft(lengths, is_real)
        assert gains.isfinite().all()
        assert 0 <= gains.min() <= gains.max() <= 2


@pytest.mark.parametrize("fusion", ["attention", "mean", "concat"])
def test_a_missing_relaxation_is_no_relaxation_at_all(fusion: str) -> None:
    mask = torch.tensor([[True, False], [True, True], [False, True]])
    module = network(fusion=fusion).eval()
    output = module(Sequence.of(flows(), mask=mask))
    assert output.mask.tolist() == [[True], [True], [False]]
    assert not output.values[2].any()
    changed = flows()
    changed[~mask] = float("nan")
    assert torch.equal(module(Sequence.of(changed, mask=mask)).values, output.values)
    assert not torch.equal(output.values[0], module(Sequence.of(flows())).values[0])


def test_a_single_phase_does_not_see_the_other() -> None:
    module = network(phases="contraction").eval()
    changed = flows()
    changed[:, 1] = 5.0
    assert torch.equal(module(Sequence.of(changed)).values, module(Sequence.of(flows())).values)
    changed[:, 0] = 5.0
    assert not torch.equal(module(Sequence.of(changed)).values, module(Sequence.of(flows())).values)


def test_every_part_changes_what_comes_out() -> None:
    whole = network().eval()
    for change in ({"modulation": "hard"}, {"modulation": "none"}, {"fusion": "mean"}, {"has_motion_attention": False}):
        part = network(**change).eval()
        known = part.state_dict()
        part.load_state_dict({name: value for name, value in whole.state_dict().items() if name in known})
        assert not torch.allclose(part(Sequence.of(flows())).values, whole(Sequence.of(flows())).values), change


def test_a_mirrored_network_says_the_same_of_a_mirrored_clip() -> None:
    module = network(is_mirrored=True)
    mirrored = mirror(flows(), ("u", "v"))
    assert not torch.allclose(module(Sequence.of(flows())).values, module(Sequence.of(mirrored)).values)
    module.eval()
    torch.testing.assert_close(module(Sequence.of(flows())).values, module(Sequence.of(mirrored)).values)


def test_the_contraction_may_stand_alone() -> None:
    stream = FrameStream(channels=("u", "v", "strain"), unit="pixel", height=28, width=28, steps=("contraction",))
    module = FMANet(FMANetConfig(dim=8, width=4, phases="contraction"), stream).eval()
    assert module(Sequence.of(torch.rand(3, 1, 3, 28, 28))).values.shape == (3, 1, 8)
    assert message(lambda: FMANetConfig().output(stream), ConfigError) == (
        "phases: the input has the contraction alone; write phases='contraction', or give both"
    )
    assert message(lambda: module(Sequence.of(torch.rand(3, 2, 3, 28, 28))), InputError) == (
        "fmanet-backbone: 2 flows; needs 1: contraction"
    )


def test_shared_streams_are_fewer_parameters() -> None:
    def count(module: FMANet) -> int:
        return sum(parameter.numel() for parameter in module.streams.parameters())

    assert count(network()) == 2 * count(network(is_shared=True))


def test_the_presets_score_events() -> None:
    assert make_fmanet().build()(torch.rand(2, 3, 3, 128, 128))["micro"].shape == (2, 3)
    assert make_fmanet_flow().build()(torch.rand(2, 2, 2, 28, 28))["micro"].shape == (2, 3)


def test_what_makes_no_sense_is_refused() -> None:
    assert message(lambda: FMANetConfig(dim=0), ConfigError) == "dim: 0 is too small; write 1 or more"
    assert message(lambda: FMANetConfig(width=0), ConfigError) == "width: 0 is too small; write 1 or more"
    assert message(lambda: FMANetConfig(dropout=1.0), ConfigError) == (
        "dropout: 1.0 is no share; write 0 or more, and less than 1"
    )
    frames = FrameStream(height=28, width=28, steps=("onset", "apex", "offset"))
    assert message(lambda: FMANetConfig().output(frames), StreamError) == (
        "channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v'), ('u', 'v', 'strain')"
    )
    assert message(lambda: network()(Sequence.of(flows()[:, :1])), InputError) == (
        "fmanet-backbone: 1 flows; needs 2: contraction and relaxation"
    )
