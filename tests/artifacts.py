"""Saved models for tests: small ones, and what edits and signs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from affectkit import artifact
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ArtifactError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.model import Model
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import Registry
from affectkit.streams import FeatureStream, FrameStream
from tests.toys_torch import (
    REGISTRY,
    ToyMagnifierConfig,
    ToySparseConfig,
    ToyTiedConfig,
)


def stored(dim: int = 4, **fields: Any) -> PipelineConfig:
    defaults: dict[str, Any] = {"temporal": ToyTiedConfig(), "heads": {"va": ValenceArousalConfig()}}
    return PipelineConfig(input=FeatureStream(dim=dim), branches={"x": Branch()}, **defaults | fields)


def full() -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={
            "flow": Branch(motion=(OpticalFlowConfig(), ToyMagnifierConfig()), features=ToySparseConfig(dim=4)),
            "face": Branch(features=ConvStemConfig(dim=4, width=4, depth=1)),
        },
        fusion=AffineFusionConfig(dim=2),
        temporal=ToyTiedConfig(),
        heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig()},
        maps={"compound": CompoundFromBasicConfig(source="expr")},
    )


def frames() -> Tensor:
    return torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def features() -> Tensor:
    return torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))


def build(config: PipelineConfig | EnsembleConfig, registry: Registry = REGISTRY) -> Model:
    torch.manual_seed(0)
    return config.build(registry=registry)


def equal(one: Model, two: Model, values: Tensor) -> bool:
    first, second = one.eval()(values), two(values)
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def refusal(call: Callable[[], object], error: type[Exception] = ArtifactError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def edit(folder: Path, **changes: Any) -> None:
    """Change `pipeline.json`."""
    path = folder / "pipeline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def sign(folder: Path) -> None:
    """Make hashes right again, as one who saves anew would."""
    data = json.loads((folder / "pipeline.json").read_text())
    weights = folder / "model.safetensors"
    with safe_open(weights, framework="pt") as file:
        metadata = file.metadata()
    metadata["pipeline"] = artifact._digest(data)
    save_file(load_file(weights), weights, metadata=metadata)
    edit(folder, weights=data["weights"] | {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest()})
