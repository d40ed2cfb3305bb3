"""Makes `tests/data/golden-format-1`: a saved model of format 1, with inputs and the outputs that it has to give.

    python -m tests.make_golden

Made once, at the first release of the format, and kept: it stands for the models that users have saved. A change of the
code that no longer loads it, or scores otherwise, breaks theirs. A new format gets a folder beside it, and the old one
stays. That is why the script refuses to replace a folder that is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from affectkit.artifact import save
from affectkit.files import FORMAT
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from affectkit.temporal.gru import GRUConfig

FOLDER = Path(__file__).parent / "data" / f"golden-format-{FORMAT}"
EXPECTED = "expected.safetensors"


def config() -> PipelineConfig:
    """Small, and of stored features: what it pins is the format, not the accuracy of a backbone."""
    return PipelineConfig(
        inputs={"face": FeatureStream(dim=4), "body": FeatureStream(dim=3)},
        branches={"face": Branch(source="face"), "body": Branch(source="body")},
        fusion=AffineFusionConfig(dim=4, positions="time"),
        temporal=GRUConfig(dim=5),
        heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
        maps={"compound": CompoundFromBasicConfig(source="expr")},
    )


def batch(tensors: dict[str, Tensor]) -> dict[str, Sequence]:
    """The inputs that are stored beside the model."""
    return {name: Sequence(tensors[f"in.{name}"], tensors["mask"], tensors["times"]) for name in ("face", "body")}


def main() -> None:
    if FOLDER.exists():
        sys.exit(f"{FOLDER}: already there, and it has to stay as it is")
    torch.manual_seed(0)
    model = config().build().eval()
    tensors = {
        "in.face": torch.randn(2, 6, 4),
        "in.body": torch.randn(2, 6, 3),
        "mask": torch.tensor([[True] * 6, [True] * 4 + [False] * 2]),
        "times": torch.rand(2, 6, dtype=torch.float64).cumsum(dim=1),
    }
    with torch.no_grad():
        outputs = {f"out.{name}": scores.contiguous() for name, scores in model(batch(tensors)).items()}
    save(model, FOLDER, notes="Not trained: random weights, for a test.")
    save_file(tensors | outputs, FOLDER / EXPECTED)


if __name__ == "__main__":
    main()
