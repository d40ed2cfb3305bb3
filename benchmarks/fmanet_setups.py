"""What FMANet's setups are, by name: for `fmanet_choice.py`, `fmanet.py` and `fmanet_parts.py`. A setup is a config and
a recipe."""

from __future__ import annotations

from dataclasses import replace

from affectkit_fmanet import FMANetConfig
from mer_maps import BOTH, FLOW

from affectkit import Branch, ConcatFusionConfig, FrameStream, MicroExpressionConfig, PipelineConfig
from affectkit.recipes import Augmentation, Recipe

# As many epochs as forty folds have time for.
RECIPE = Recipe(epochs=30, augmentation=Augmentation(flip=0.5, shift=1, gain=0.2, noise=0.05))
HEAD = MicroExpressionConfig(dropout=0.5, label_smoothing=0.1)
PLAIN = FMANetConfig(fusion="mean", modulation="none", has_motion_attention=False)
SINGLE = replace(PLAIN, phases="contraction")
FULL = FMANetConfig()


def make_setup(flow: FMANetConfig | None, phases: FMANetConfig | None) -> PipelineConfig:
    """Backbones of the two sets of maps, either or both, their features side by side."""
    inputs: dict[str, FrameStream] = {}
    branches: dict[str, Branch] = {}
    for name, backbone, stream in (("flow", flow, FLOW), ("phases", phases, BOTH)):
        if backbone is not None:
            inputs[name], branches[name] = stream, Branch(source=name, features=backbone)
    fusion = ConcatFusionConfig() if len(branches) > 1 else None
    return PipelineConfig(inputs=inputs, branches=branches, fusion=fusion, heads={"micro": HEAD})


def mirrored(backbone: FMANetConfig) -> FMANetConfig:
    """The same, with features of a clip and its mirror image once it is trained."""
    return replace(backbone, is_mirrored=True)
