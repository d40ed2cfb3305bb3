"""POSTER and POSTER2: published sizes, slow twins, padding, what is frozen, one step of training, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from abaw7_public_forms import poster2_ref, poster_ref
from affectkit_abaw7 import POSTER2Config, POSTERConfig, poster, poster2
from affectkit_abaw7.poster2_net import POSTER2, relative_places
from affectkit_abaw7.poster_net import POSTER
from affectkit_abaw7.public_names import poster2_parts, poster_parts
from affectkit_abaw7.tokens_net import drop_path
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from affectkit import FeatureStream, FrameStream, Sequence, StreamError
from affectkit.features.public_weights import PublicNames

CUT = FrameStream(height=64, width=64)
FACE = FrameStream(height=224, width=224)
Encoder = POSTER | POSTER2


def encoder(name: str, stream: FrameStream = CUT, **options: Any) -> Encoder:
    torch.manual_seed(0)
    options = {"size": "small", **options}
    return POSTER(POSTERConfig(**options), stream) if name == "poster" else POSTER2(POSTER2Config(**options), stream)


def scattered(name: str, stream: FrameStream = CUT) -> Encoder:
    """Every weight and statistic at random, so that none of them can be left out or exchanged unseen."""
    module, make = encoder(name, stream), torch.Generator().manual_seed(2)
    for tensor in module.network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape, generator=make))
    return module.eval()


def public_state(module: Encoder) -> dict[str, Tensor]:
    """The state dict under the names of the public code."""
    if isinstance(module, POSTER):
        names = PublicNames(poster_parts(poster.SIZES[module.config.size]))
    else:
        names = PublicNames(poster2_parts(poster2.SIZES[module.config.size]))
    return {names.theirs(key): value.clone() for key, value in module.network.state_dict().items()}


def clip(batch: int = 2, steps: int = 2, side: int = 64) -> Tensor:
    return torch.rand(batch, steps, 3, side, side, generator=torch.Generator().manual_seed(0))


def features_ref(module: Encoder, faces: Tensor) -> Tensor:
    state = public_state(module)
    if isinstance(module, POSTER):
        return poster_ref(state, faces, poster.SIZES[module.config.size].heads)
    return poster2_ref(state, faces)


@pytest.mark.parametrize("name", ["poster", "poster2"])
def test_the_network_is_the_public_form(name: str) -> None:
    module = scattered(name)
    with torch.no_grad():
        found = module(Sequence.of(clip())).values
        wanted = features_ref(module, clip().flatten(0, 1)).view(found.shape)
    assert wanted.std(dim=1).mean() > 1e-3
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["poster", "poster2"])
def test_of_a_face_of_twice_the_size_every_second_pixel_is_read(name: str) -> None:
    large = clip(side=128)
    with torch.no_grad():
        found = scattered(name, FrameStream(height=128, width=128))(Sequence.of(large)).values
        wanted = scattered(name)(Sequence.of(functional.interpolate(large.flatten(0, 1), size=64).view(clip().shape)))
    torch.testing.assert_close(found, wanted.values)


@pytest.mark.parametrize(
    ("name", "dim", "parameters", "unused", "millions", "operations"),
    [
        # in the published counts: the end of IR50 (POSTER alone), that of MobileFaceNet, and a classifier of 7
        ("poster", 512, 58_902_664, 12_847_616 + 96_144 + 3_591, 71.8, 15.7 / 2),
        ("poster2", 768, 43_748_558, 96_144 + 5_383, 43.7, 8.4),
    ],
)
def test_published_sizes_are_as_large_as_published(
    name: str, dim: int, parameters: int, unused: int, millions: float, operations: float
) -> None:
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        module = encoder(name, FACE, size="published").eval()
        assert module.network(torch.zeros(1, 3, 224, 224)).shape == (1, dim)
    assert module.config.output(FACE) == FeatureStream(dim=dim)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert (parameters + unused) / 1e6 == pytest.approx(millions, rel=0.004)
    # a multiplication and its addition are two, and one in the figure of POSTER2
    assert counter.get_total_flops() / 2e9 == pytest.approx(operations, rel=0.03)


@pytest.mark.parametrize("name", ["poster", "poster2"])
def test_padding_is_zero_and_never_shows(name: str) -> None:
    values, mask = clip(), torch.tensor([[True, True], [True, False]])
    module = encoder(name).eval()
    clean = module(Sequence.of(values)).values
    values[~mask] = float("nan")
    output = module(Sequence.of(values, mask=mask)).values
    torch.testing.assert_close(output[mask], clean[mask])
    assert not output[~mask].any()


@pytest.mark.parametrize("name", ["poster", "poster2"])
@pytest.mark.parametrize(("options", "still"), [({}, ""), ({"frozen_landmarks": True}, "network.landmarks.")])
def test_all_that_is_not_frozen_learns(name: str, options: dict[str, Any], still: str) -> None:
    module = encoder(name, **options).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    torch.autograd.backward((module(Sequence.of(clip())).values * torch.randn(2, 2, module.dim)).sum())
    for key, parameter in module.named_parameters():
        is_still = bool(still) and key.startswith(still)
        assert (parameter.grad is None or not parameter.grad.any()) == is_still, key
    moved = {key for key, value in module.state_dict().items() if not torch.equal(value, before[key])}
    assert any(key.startswith("network.image.") for key in moved)
    assert any(key.startswith("network.landmarks.") for key in moved) == (not still)


@pytest.mark.parametrize("config", [POSTERConfig, POSTER2Config])
def test_landmarks_are_frozen_where_they_begin_with_weights(config: Any) -> None:
    assert config().has_frozen_landmarks
    assert not config(size="small").has_frozen_landmarks
    assert not config(frozen_landmarks=False).has_frozen_landmarks
    assert config(size="small", frozen_landmarks=True).has_frozen_landmarks
    assert config(size="small", frozen=True).has_frozen_landmarks
    assert config(frozen=True).is_frozen
    assert not config(frozen_landmarks=True).is_frozen


@pytest.mark.parametrize("name", ["poster", "poster2"])
def test_frozen_keeps_weights_and_statistics(name: str) -> None:
    module = encoder(name, frozen=True).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    values = clip().requires_grad_()
    torch.autograd.backward(module(Sequence.of(values)).values.square().sum())
    assert values.grad is not None
    assert values.grad.any()
    assert all(parameter.grad is None for parameter in module.parameters())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poster", "poster2"])
def test_a_published_size_learns(name: str) -> None:
    module = encoder(name, FACE, size="published").train()
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=1e-2)
    faces, wanted = clip(1, 4, 224), torch.randn(1, 4, module.dim)
    losses = []
    for _ in range(2):
        torch.manual_seed(1)
        optimizer.zero_grad()
        loss = functional.mse_loss(module(Sequence.of(faces)).values, wanted)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_stochastic_depth_keeps_the_mean() -> None:
    torch.manual_seed(0)
    update = torch.ones(4000, 1, 1)
    assert drop_path(update, 0.5, is_training=False) is update
    dropped = drop_path(update, 0.25, is_training=True)
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0.0, 4 / 3])
    assert dropped.mean() == pytest.approx(1.0, abs=0.05)


def test_places_are_counted_by_how_far_they_lie_apart() -> None:
    assert relative_places(2).tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


@pytest.mark.parametrize("config", [POSTERConfig(), POSTER2Config()])
@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (FrameStream(height=112, width=224), "size 112x224 is not accepted; accepts 112x112 or 224x224"),
        (
            FrameStream(height=112, width=112, channels=("gray",)),
            "channels ('gray',) are not accepted; accepts ('r', 'g', 'b')",
        ),
        (FrameStream(height=112, width=112, unit="relative"), "unit 'relative' is not accepted; accepts 'intensity'"),
    ],
)
def test_what_they_refuse(config: Any, stream: FrameStream, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        config.output(stream)
    assert str(caught.value) == message
