"""Ensembles of one kind of model: variants of it that see the input another way, and models of several folds or seeds.

Both are ordinary ensembles, made here from what they have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from affectkit.configs import LateFusionConfig, MotionConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import ConfigError, InputError, join
from affectkit.graphs import OnnxConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.model import Model
from affectkit.motion.mirror import MirrorConfig
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry
from affectkit.variant_configs import PLAIN, augment_config


def with_augmentations(
    model: Model,
    variants: Mapping[str, tuple[MotionConfig, ...]],
    *,
    fusion: LateFusionConfig | None = None,
    agreement: bool = False,
    registry: Registry | None = None,
) -> Ensemble:
    """Test-time augmentation: a model that also looks at changed inputs, and averages what it scores.

    The members are `plain`, which is the given model itself, and one per variant. Their weights are tied: they are in
    memory and on the disk once.

    Arguments:
        model: a built pipeline or ensemble.
        variants: by name, front-ends that change every input of frames before anything else does, such as
            `{"mirrored": (MirrorConfig(),), "left": (ShiftConfig(right=-4),)}`.
        fusion: how the scores are joined; None for their mean.
        agreement: as in `EnsembleConfig`: whether it is reported how far the variants agree.
        registry: where components are looked up; None for the model's.

    Raises:
        InputError: the model has a target of one side of the face, and a variant mirrors it; stored features; or it is
            an exported pipeline.
        ConfigError: no variants, or what they put out is not what the model takes.
    """
    config = _config_of(model)
    if not model.has_weights:
        fact = "is an exported pipeline, and takes no other front-ends"
        raise InputError(f"model: {fact}; take the pipeline that it was made of")
    used = registry or model.registry
    joined = augment_config(config, variants, fusion=fusion, agreement=agreement, registry=used)
    return Ensemble(joined, registry=used, members={PLAIN: model}).eval()


def mirrored(model: Model, *, registry: Registry | None = None) -> Ensemble:
    """`with_augmentations` by a mirror alone: the mean of what a model says of a face and of its mirror image."""
    return with_augmentations(model, {"mirrored": (MirrorConfig(),)}, registry=registry)


def average_models(
    models: Mapping[str, Model] | Iterable[Model],
    *,
    fusion: LateFusionConfig | None = None,
    agreement: bool = False,
    registry: Registry | None = None,
) -> Ensemble:
    """Models of several folds or seeds as an ensemble that averages their decoded scores.

    It is for videos that none of them saw. arXiv 2407.12258 joins models that were trained on parts of the data
    ("integrated learning across sub-datasets"); that their decoded scores are averaged is inferred.

    Arguments:
        models: by name; or in order, as `model1`, `model2`, ... They become the members as they are, without a copy.
        fusion: how the scores are joined; None for their mean.
        agreement: as in `EnsembleConfig`.
        registry: where components are looked up; None for the first model's.

    Raises:
        InputError: there is none.
        ConfigError: they don't fit together, or differ in how they sample or where they look for faces.
    """
    if not isinstance(models, Mapping):
        models = {f"model{number}": model for number, model in enumerate(models, start=1)}
    if not models:
        raise InputError("models: none; give those of the folds or seeds")
    configs = {name: _config_of(model) for name, model in models.items()}
    known, first = next(iter(configs.items()))
    for name, config in configs.items():
        for fact in ("sampling", "faces", "tracking"):
            if getattr(config, fact) != getattr(first, fact):
                hint = "write an EnsembleConfig, which has its own"
                raise ConfigError(f"not that of {known!r}", hint, path=join("models", name, fact))
    joined = EnsembleConfig(
        members=configs,
        fusion=fusion or MeanFusionConfig(),
        agreement=agreement,
        sampling=first.sampling,
        faces=first.faces,
        tracking=first.tracking,
    )
    used = registry or next(iter(models.values())).registry
    return Ensemble(joined, registry=used, members=models).eval()


def _config_of(model: Model) -> PipelineConfig | EnsembleConfig | OnnxConfig:
    config = getattr(model, "config", None)
    if not isinstance(config, PipelineConfig | EnsembleConfig | OnnxConfig):
        raise InputError(f"models: {type(model).__name__} is no built model; give what build() or load() returns")
    return config
