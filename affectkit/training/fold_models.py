"""Models of several folds as one, for videos that none of them saw.

arXiv 2407.12258 joins models that were trained on parts of the data ("integrated learning across sub-datasets"); that
their decoded scores are averaged is inferred.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.late.mean import MeanFusionConfig
from affectkit.model import Model
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry


def join_models(models: Iterable[Model], *, registry: Registry | None = None) -> Model:
    """Models of several folds as an ensemble that averages their decoded scores, for videos that none of them saw.

    Raises:
        InputError: there is none.
        ConfigError: they don't fit together.
    """
    members = {f"fold{number}": model for number, model in enumerate(models, start=1)}
    if not members:
        raise InputError("models: none; give those of the folds")
    configs = {name: cast("PipelineConfig | EnsembleConfig", model.config) for name, model in members.items()}
    first = next(iter(configs.values()))
    joined = EnsembleConfig(
        members=configs, fusion=MeanFusionConfig(), sampling=first.sampling, faces=first.faces, tracking=first.tracking
    ).build(registry=registry)
    joined.load_state_dict(
        {f"members.{name}.{key}": one for name, model in members.items() for key, one in model.state_dict().items()}
    )
    return joined.eval()
