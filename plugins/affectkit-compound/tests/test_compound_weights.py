"""MA-Net against its slow twin, checkpoints of the public code and of timm, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from affectkit_compound import MANetConfig, MANetHeadsConfig, ResNetConfig
from affectkit_compound.manet import SIZES
from affectkit_compound.manet_heads_net import MANetHeads
from affectkit_compound.manet_net import MANet
from affectkit_compound.member import SizeName
from affectkit_compound.public_names import manet_parts
from affectkit_compound.timm_member_net import TimmMember
from affectkit_compound.weights import MANET_7, load_manet, load_manet_heads, load_timm
from compound_public_forms import logits_ref, manet_ref, manet_shapes
from safetensors.torch import save_file
from test_compound_members import SMALL, clip, network
from torch import Tensor

from affectkit import ConfigError, FeatureStream, Sequence, WeightsError
from affectkit.data.labels import BASIC_7
from affectkit.features.public_weights import PublicNames


def encoder(size: SizeName = "small") -> MANet:
    found = network("manet", size)
    assert isinstance(found, MANet)
    return found


def head(**options: Any) -> MANetHeads:
    return MANetHeads(MANetHeadsConfig(**{"targets": MANET_7, **options}), FeatureStream(dim=128))


def scattered() -> MANet:
    """Every weight and statistic at random, so that none of them can be left out or exchanged unseen."""
    module, make = encoder(), torch.Generator().manual_seed(2)
    for tensor in module.network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape, generator=make))
    return module.eval()


def stored(module: MANet, classes: int = 7) -> dict[str, Tensor]:
    """A state dict under the names of the public code, with both classifiers."""
    names, make = PublicNames(manet_parts(SIZES[module.config.size])), torch.Generator().manual_seed(3)
    state = {names.theirs(key): value.clone() for key, value in module.network.state_dict().items()}
    for name in ("fc_1", "fc_2"):
        state |= {f"{name}.weight": torch.randn(classes, 64, generator=make)}
        state |= {f"{name}.bias": torch.randn(classes, generator=make)}
    return state


def message(work: Any, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


def test_the_network_is_the_public_form() -> None:
    module, faces = scattered(), clip()
    state = stored(module)
    mine, theirs = faces.clone().requires_grad_(), faces.clone().requires_grad_()
    found = module(Sequence.of(mine)).values
    wanted = manet_ref(state, theirs.flatten(0, 1)).view(found.shape)
    assert wanted.std(dim=1).mean() > 1e-3
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    readout = torch.randn(found.shape, generator=torch.Generator().manual_seed(4))
    torch.autograd.backward([(found * readout).sum(), (wanted * readout).sum()])
    assert mine.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4 * float(theirs.grad.abs().max()))


@pytest.mark.slow
def test_the_published_network_is_the_public_form() -> None:
    module = encoder("published").eval()
    names = PublicNames(manet_parts(SIZES["published"]))
    state = {names.theirs(key): value for key, value in module.network.state_dict().items()}
    with torch.no_grad():
        found = module(Sequence.of(clip(1, 1, 224))).values.flatten(0, 1)
        wanted = manet_ref(state, clip(1, 1, 224).flatten(0, 1))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("size", ["small", "published"])
def test_the_map_of_names_is_that_of_the_public_code_both_ways(size: SizeName) -> None:
    with torch.device("meta"):
        own = {key: tuple(value.shape) for key, value in encoder(size).network.state_dict().items() if value.ndim}
    chosen = SIZES[size]
    public = manet_shapes(chosen.widths, chosen.depths, reduction=chosen.reduction, classes=7)
    names = PublicNames(manet_parts(chosen), ("fc_1", "fc_2"))
    assert {names.theirs(key): shape for key, shape in own.items()} == {
        key: shape for key, shape in public.items() if not names.is_unused(key)
    }
    assert {names.own(key): shape for key, shape in public.items() if not names.is_unused(key)} == own


def test_a_public_checkpoint_is_loaded_whole(tmp_path: Path) -> None:
    source, other, path = scattered(), encoder().eval(), tmp_path / "raf-db.safetensors"
    state = stored(source)
    save_file(state, path)
    load_manet(other, path)
    features = other(Sequence.of(clip()))
    assert torch.equal(features.values, source(Sequence.of(clip())).values)
    scorer = head()
    load_manet_heads(scorer, path, MANET_7)
    wanted = logits_ref(state, features.values.flatten(0, 1)).softmax(dim=-1).view(2, 2, 7)
    torch.testing.assert_close(scorer.predict(scorer(features)), wanted)


def test_the_classes_are_the_basic_ones() -> None:
    assert set(MANET_7) == set(BASIC_7)


def test_names_that_do_not_fit_are_named(tmp_path: Path) -> None:
    module, path = encoder(), tmp_path / "p.safetensors"
    state = stored(module)
    del state["layer4_2.0.bn2_2_3.running_var"]
    save_file({**state, "other.weight": torch.zeros(2)}, path)
    assert message(lambda: load_manet(module, path), WeightsError) == (
        f"{path}: does not fit 'manet small': missing 'layer4_2.0.bn2_2_3.running_var'; unexpected 'other.weight'"
    )


def test_classifiers_that_do_not_fit(tmp_path: Path) -> None:
    path, scorer = tmp_path / "p.safetensors", head()
    before = {key: value.clone() for key, value in scorer.state_dict().items()}
    save_file(stored(encoder(), classes=9), path)
    assert message(lambda: load_manet_heads(scorer, path, MANET_7), WeightsError) == (
        f"{path}: fc_1 has 9 classes, not 7; name its own"
    )
    save_file(stored(encoder()), path)
    assert message(lambda: load_manet_heads(head(targets=BASIC_7), path, MANET_7), ConfigError) == (
        f"targets: {BASIC_7!r} are not the classes of {path}; write {MANET_7!r}"
    )
    assert message(lambda: load_manet_heads(head(hidden=(4,)), path, MANET_7), ConfigError) == (
        "hidden: (4,) stand before the classifiers; write ()"
    )
    wide = MANetHeads(MANetHeadsConfig(targets=MANET_7), FeatureStream(dim=10))
    assert message(lambda: load_manet_heads(wide, path, MANET_7), WeightsError) == (
        f"{path}: fc_1 takes 64 features, the head's 5; put the head behind manet of the checkpoint's size, alone"
    )
    for wrong, shapes in (
        ({"fc_2.bias": torch.zeros(9)}, "weight (7, 64), bias (9,)"),
        ({"fc_2.bias": torch.zeros(1)}, "weight (7, 64), bias (1,)"),
        ({"fc_2.weight": torch.zeros(7)}, "weight (7,), bias (7,)"),
    ):
        save_file(stored(encoder()) | wrong, path)
        assert message(lambda: load_manet_heads(scorer, path, MANET_7), WeightsError) == (
            f"{path}: fc_2 is no linear layer: {shapes}; give a checkpoint of MA-Net"
        )
    save_file({"fc_1.weight": torch.zeros(7, 64), "fc_1.bias": torch.zeros(7)}, path)
    assert message(lambda: load_manet_heads(scorer, path, MANET_7), WeightsError) == (
        f"{path}: has no 'fc_2.weight', 'fc_2.bias'; give a checkpoint with both classifiers of MA-Net"
    )
    assert all(torch.equal(value, before[key]) for key, value in scorer.state_dict().items())


@pytest.mark.parametrize(("name", "classifier"), [("resnet", "fc"), ("vit", "head")])
def test_a_checkpoint_of_timm_is_loaded_without_its_classifier(name: str, classifier: str, tmp_path: Path) -> None:
    source, other, path = network(name).eval(), network(name).eval(), tmp_path / "t.safetensors"
    assert isinstance(other, TimmMember)
    for tensor in source.network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape))
    beside = {f"{classifier}.weight": torch.zeros(7, source.dim), f"{classifier}.bias": torch.zeros(7)}
    state = {key: value.contiguous() for key, value in source.network.state_dict().items()}
    save_file({**state, **beside}, path)
    load_timm(other, path)
    assert torch.equal(other(Sequence.of(clip())).values, source(Sequence.of(clip())).values)


def test_a_checkpoint_of_another_network_of_timm_does_not_fit(tmp_path: Path) -> None:
    path, member = tmp_path / "t.safetensors", TimmMember(ResNetConfig(size="small"), SMALL)
    state = {key: value.contiguous() for key, value in member.network.state_dict().items()}
    del state["bn1.bias"]
    save_file({**state, "other": torch.zeros(2)}, path)
    assert message(lambda: load_timm(member, path), WeightsError) == (
        f"{path}: does not fit 'resnet50 small': missing 'bn1.bias'; unexpected 'other'"
    )
    gone = tmp_path / "gone.safetensors"
    assert message(lambda: load_timm(member, gone), WeightsError) == (
        f"{gone}: no such file; give a safetensors file of 'resnet50 small'"
    )


def test_building_loads_nothing() -> None:
    first, second = (MANet(MANetConfig(size="small"), SMALL) for _ in range(2))
    assert not torch.equal(first.network.get_parameter("stem.0.weight"), second.network.get_parameter("stem.0.weight"))
