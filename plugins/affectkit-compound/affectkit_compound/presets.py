"""Members alone, and the published ensemble of them, untrained."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from affectkit import (
    Branch,
    CompoundExpressionConfig,
    ConcatFusionConfig,
    ConfigError,
    EnsembleConfig,
    ExpressionConfig,
    FeaturesConfig,
    Frames,
    FrameStream,
    HeadConfig,
    MissingDependencyError,
    PipelineConfig,
    PipelineSpec,
    Weights,
)
from affectkit.data.labels import BASIC_7, COMPOUND_7, COMPOUND_11
from affectkit.errors import listed
from affectkit_compound.manet import MANetConfig
from affectkit_compound.manet_heads import MANetHeadsConfig
from affectkit_compound.member import SizeName
from affectkit_compound.system import make_compound
from affectkit_compound.timm_member import ResNetConfig, ViTConfig

if TYPE_CHECKING:
    from affectkit.recipes import Recipe

CITATION = "arXiv 2407.12257"
# Made by `affectkit-compound train` as it is by default, which prints what stands here.
WEIGHTS = Weights(
    name="compound",
    url="package:affectkit_compound/weights_data/compound.safetensors",
    sha256="28b66af8bb4013a6a7d5d301f9c0d8e8f5c507e9727c17784193e0c421c0d5da",
    size=5092520,
    license="Apache-2.0",
    training_data_terms="synthetic",
    preprocessing="RGB, 112 x 112 pixels, aligned by five points (arcface)",
    targets=COMPOUND_11,
    metrics={"macro F1 of compounds on synthetic choice people": 0.896},
)
MemberName = Literal["resnet", "vit", "manet", "poster2"]
MEMBERS: tuple[MemberName, ...] = ("resnet", "vit", "manet")
# the name of the head by which a member is trained on basic labels, and of the one that scores compounds
BASIC, COMPOUND = "basic", "compound"
_CONFIGS: Mapping[str, type[ResNetConfig] | type[ViTConfig] | type[MANetConfig]] = MappingProxyType(
    {"resnet": ResNetConfig, "vit": ViTConfig, "manet": MANetConfig}
)


def make_member(
    name: MemberName, size: SizeName, *, targets: tuple[str, ...] = BASIC_7, frozen: bool = False
) -> PipelineConfig:
    """A member alone: one network, and a head `basic` that says which of the basic expressions a face shows.

    Arguments:
        name: `resnet`, `vit` or `manet`; `poster2` needs affectkit-abaw7.
        size: `small` or `published`.
        targets: the classes of the head.
        frozen: whether the network keeps its weights in training.

    Raises:
        ConfigError: there is no member of that name.
        MissingDependencyError: it is `poster2`, and affectkit-abaw7 is not installed.
    """
    network, side = _network(name, size, frozen=frozen)
    head: HeadConfig = MANetHeadsConfig(targets=targets) if name == "manet" else ExpressionConfig(targets=targets)
    return PipelineConfig(
        input=FrameStream(height=side, width=side, alignment="arcface"),
        sampling=Frames(),
        branches={"face": Branch(features=network)},
        heads={BASIC: head},
    )


def make_published(
    third: Literal["manet", "poster2"] = "manet", *, targets: tuple[str, ...] = COMPOUND_7, frozen: bool = True
) -> EnsembleConfig:
    """The config of `compound-published`: features of three networks, concatenated, then a perceptron to the classes.

    Stated in accounts of arXiv 2407.12257: a convolutional network of 2048 features, a Vision Transformer, and as third
    a multi-scale local attention network in the abstract, or POSTER2 of 768 features in the body; features that are
    concatenated, and a perceptron to seven classes. Inferred: that the first two are ResNet-50 and ViT-B/16; that all
    three are concatenated; that members are frozen by then; and of the perceptron a normalization, 512 hidden units,
    GELU and a dropout of 0.3. That MA-Net hands on both of its vectors, 1024 values, is ours.

    Arguments:
        third: `manet`, or `poster2`, which needs affectkit-abaw7.
        targets: the classes: `COMPOUND_7`, or `COMPOUND_11`.
        frozen: whether the members keep their weights in training.

    Raises:
        MissingDependencyError: as `make_member`.
    """
    names: tuple[MemberName, ...] = ("resnet", "vit", third)
    return EnsembleConfig(
        members={name: make_member(name, "published", frozen=frozen) for name in names},
        fusion=ConcatFusionConfig(hidden=(512,), dropout=0.3),
        heads={COMPOUND: CompoundExpressionConfig(targets=targets)},
    )


def make_published_poster2() -> EnsembleConfig:
    """The config of `compound-published-poster2`; needs affectkit-abaw7."""
    return make_published("poster2")


def make_recipe() -> Recipe:
    """How a member is trained on basic and compound labels, unless another recipe is given."""
    # when it is asked for: listing presets needs no recipes
    from affectkit_compound.plan import Plan

    return Plan().compound


def _network(name: MemberName, size: SizeName, *, frozen: bool) -> tuple[FeaturesConfig, int]:
    """A member's network, and the side of its faces in pixels."""
    if name == "poster2":
        return _poster2(size, frozen=frozen)
    if name not in _CONFIGS:
        raise ConfigError(f"{name!r} is no member", f"write one of {listed((*_CONFIGS, 'poster2'))}", path="name")
    config = _CONFIGS[name](size=size, frozen=frozen)
    return config, config.side


def _poster2(size: SizeName, *, frozen: bool) -> tuple[FeaturesConfig, int]:
    # not at the top of the file: the plugin is worth having without it
    try:
        from affectkit_abaw7 import POSTER2Config
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "poster2: needs 'affectkit_abaw7', which is not installed; run pip install affectkit-abaw7"
        ) from error
    # 224, of which every second pixel is read, is what its public code takes
    return POSTER2Config(size=size, frozen=frozen), 64 if size == "small" else 224


SYSTEM = PipelineSpec(
    name="compound",
    config=make_compound,
    recipe=make_recipe,
    weights=WEIGHTS,
    summary="Seven basic and eleven compound expressions of a face: three small networks, joined, mirror images too.",
    citation=CITATION,
)
AS_PUBLISHED = PipelineSpec(
    name="compound-published",
    config=make_published,
    summary="ResNet-50, ViT-B/16 and MA-Net, their features fused, to seven compound expressions, untrained.",
    citation=CITATION,
)
AS_PUBLISHED_POSTER2 = PipelineSpec(
    name="compound-published-poster2",
    config=make_published_poster2,
    summary="ResNet-50, ViT-B/16 and POSTER2, their features fused, to seven compound expressions, untrained.",
    citation=CITATION,
)


def offered() -> tuple[PipelineSpec, ...]:
    """The presets of this installation: with POSTER2 where affectkit-abaw7 is there."""
    if importlib.util.find_spec("affectkit_abaw7") is None:
        return SYSTEM, AS_PUBLISHED
    return SYSTEM, AS_PUBLISHED, AS_PUBLISHED_POSTER2
