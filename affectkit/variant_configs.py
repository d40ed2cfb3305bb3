"""Test-time augmentation as data: one system, and variants of it that see the input another way. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from affectkit.configs import LateFusionConfig, MotionConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, InputError, join
from affectkit.graphs import OnnxConfig, check_no_graphs
from affectkit.late.mean import MeanFusionConfig
from affectkit.motion.mirror import MirrorConfig
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry
from affectkit.streams import FeatureStream

# The member that sees the input as it is.
PLAIN = "plain"
# `left_brow`, `brow-left`; `AU12_L`, `12R`; `L12`, `RAU4`
_SIDED = re.compile(r"(.*[_ -])?(left|right)([_ -].*)?|(au)?\d+[_ -]?[lr]|[lr][_ -]?(au)?\d+", re.IGNORECASE)


def augment_config(
    config: PipelineConfig | EnsembleConfig | OnnxConfig,
    variants: Mapping[str, tuple[MotionConfig, ...]],
    *,
    fusion: LateFusionConfig | None = None,
    agreement: bool = False,
    registry: Registry | None = None,
) -> EnsembleConfig:
    """The config of `with_augmentations`: tied members, `plain` and one per variant, whose scores are joined.

    Arguments:
        config: of a pipeline or an ensemble.
        variants: by name, front-ends that change every input of frames before anything else does.
        fusion: how the scores are joined; None for their mean.
        agreement: as in `EnsembleConfig`: whether it is reported how far the variants agree.
        registry: where components are looked up.

    Raises:
        InputError: `config` is none, or has an exported member; there is a target of one side of the face, and a
            variant mirrors it; or stored features.
        ConfigError: no variants, one of a name that is taken, or whose front-ends are no tuple.
    """
    if not isinstance(config, PipelineConfig | EnsembleConfig):
        fact = f"{type(config).__name__} is no PipelineConfig or EnsembleConfig"
        raise InputError(f"config: {fact}; give the .config of a built model, or use with_augmentations")
    check_no_graphs(config, "and takes no other front-ends; take the pipeline that it was made of")
    if not variants:
        raise ConfigError("none", "name one, such as {'mirrored': (MirrorConfig(),)}", path="variants")
    if PLAIN in variants:
        raise ConfigError(f"{PLAIN!r} is the model as it is", "give the variant another name", path="variants")
    for name, front_ends in variants.items():
        if isinstance(front_ends, MotionConfig):
            kind = type(front_ends).__name__
            raise ConfigError(f"{kind} is no tuple", f"write ({kind}(...),)", path=join("variants", name))
        if any(isinstance(one, MirrorConfig) for one in front_ends):
            _check_sides(config, name, registry)
    return EnsembleConfig(
        members={PLAIN: config} | {name: _changed(config, front_ends) for name, front_ends in variants.items()},
        fusion=fusion or MeanFusionConfig(),
        agreement=agreement,
        tied=True,
        sampling=config.sampling,
        faces=config.faces,
        tracking=config.tracking,
    )


def _changed(
    config: PipelineConfig | EnsembleConfig | OnnxConfig, front_ends: tuple[MotionConfig, ...]
) -> PipelineConfig | EnsembleConfig:
    """The same system with front-ends before all others of every branch."""
    assert not isinstance(config, OnnxConfig)  # has been refused
    if isinstance(config, EnsembleConfig):
        members = {name: _changed(member, front_ends) for name, member in config.members.items()}
        return replace(config, members=members)
    for name, branch in config.branches.items():
        if isinstance(config.inputs[branch.source], FeatureStream):
            raise InputError(f"branches.{name}: holds stored features; change pictures before they become features")
    branches = {name: replace(branch, motion=(*front_ends, *branch.motion)) for name, branch in config.branches.items()}
    return replace(config, branches=branches)


def _check_sides(config: PipelineConfig | EnsembleConfig, variant: str, registry: Registry | None) -> None:
    for name, output in config.trace(registry=registry).outputs.items():
        for target in output.targets:
            if _SIDED.fullmatch(target):
                fact = f"mirrors the face, and {join(name, target)!r} is of one side of it"
                raise InputError(f"variants.{variant}: {fact}; leave the mirror out, or score both sides as one target")
