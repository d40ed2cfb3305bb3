"""The presets: members alone, and the published ensembles, as data and on torch's meta device."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from affectkit_compound import manet, manet_heads, presets, timm_member
from affectkit_compound.presets import MEMBERS, MemberName, make_member, make_published, make_published_poster2

from affectkit import (
    ComponentSpec,
    ConfigError,
    FeatureStream,
    MissingDependencyError,
    Registry,
    Sequence,
    default_registry,
)
from affectkit.data.labels import BASIC_8, COMPOUND_7, COMPOUND_11
from affectkit.sequences import Targets

has_abaw7 = importlib.util.find_spec("affectkit_abaw7") is not None
needs_abaw7 = pytest.mark.skipif(not has_abaw7, reason="affectkit-abaw7 is not installed")


def registry() -> Registry:
    """With the plugin's parts, whether it is installed or lies beside."""
    found = default_registry()
    specs: list[ComponentSpec[Any]] = [manet.SPEC, manet_heads.SPEC, timm_member.RESNET, timm_member.VIT]
    known = {component.spec.name for component in found.components() if component.provider == "affectkit-compound"}
    return found.with_components(*(spec for spec in specs if spec.name not in known))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_alone_scores_basic_expressions_and_learns_them(name: MemberName) -> None:
    torch.manual_seed(0)
    config = make_member(name, "small", targets=BASIC_8)
    model = config.build(registry=registry()).train()
    faces, labels = torch.rand(8, 1, 3, 112, 112), Targets.of(torch.arange(8)[:, None])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        scores, parts = model(Sequence.of(faces), {"basic": labels})
        assert scores["basic"].shape == (8, 1, 8)
        loss = sum(parts.values())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("targets", [COMPOUND_7, COMPOUND_11])
def test_the_published_ensemble(targets: tuple[str, ...]) -> None:
    trace = make_published(targets=targets).trace(registry=registry())
    assert trace["fusion"].inputs == {
        "resnet": FeatureStream(dim=2048), "vit": FeatureStream(dim=768), "manet": FeatureStream(dim=1024)
    }  # fmt: skip
    assert trace["fusion"].output == FeatureStream(dim=512)
    assert trace.outputs["compound"].targets == targets


@needs_abaw7
def test_the_published_ensemble_with_poster2() -> None:
    trace = make_published_poster2().trace(registry=registry())
    assert trace["fusion"].inputs == {
        "resnet": FeatureStream(dim=2048), "vit": FeatureStream(dim=768), "poster2": FeatureStream(dim=768)
    }  # fmt: skip
    assert presets.offered() == (presets.SYSTEM, presets.AS_PUBLISHED, presets.AS_PUBLISHED_POSTER2)


def test_without_affectkit_abaw7(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "affectkit_abaw7", None)
    assert presets.offered() == (presets.SYSTEM, presets.AS_PUBLISHED)
    assert list(make_published().members) == ["resnet", "vit", "manet"]
    with pytest.raises(MissingDependencyError) as caught:
        make_published_poster2()
    assert str(caught.value) == (
        "poster2: needs 'affectkit_abaw7', which is not installed; run pip install affectkit-abaw7"
    )


def test_a_name_that_is_no_member() -> None:
    with pytest.raises(ConfigError) as caught:
        make_member("resnet18", "small")  # type: ignore[arg-type]
    assert str(caught.value) == "name: 'resnet18' is no member; write one of 'resnet', 'vit', 'manet', 'poster2'"


def test_in_the_published_ensemble_the_perceptron_alone_learns() -> None:
    with torch.device("meta"):
        model = make_published().build(registry=registry())
    learning = [key for key, value in model.named_parameters() if value.requires_grad and ".heads." not in key]
    assert learning
    assert all(key.startswith(("fusion.", "heads.compound.")) for key in learning)
    count = sum(value.numel() for key, value in model.named_parameters() if key in learning)
    # LayerNorm, Linear to 512, Linear to 7
    assert count == 2 * 3840 + (3840 + 1) * 512 + (512 + 1) * 7


def test_small_members_as_an_ensemble_of_the_same_shape() -> None:
    config = make_published(targets=COMPOUND_11)
    small = replace(config, members={name: make_member(name, "small", frozen=True) for name in MEMBERS})
    model = small.build(registry=registry()).eval()
    assert model(torch.rand(2, 1, 3, 112, 112))["compound"].shape == (2, 1, 11)
    assert [str(name) for name in small.input_streams()] == ["clip"]
