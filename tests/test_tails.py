"""What comes before the first stage that learns is computed once, and the whole model is as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import Branch, FrameStream, MicroExpressionConfig, OpticalFlowConfig, PipelineConfig, load
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.model import Model
from affectkit.motion.optical_flow_net import OpticalFlow
from affectkit.recipes import Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, evaluate, fit
from affectkit.training.tails import cut_tail

FRAMES = PipelineConfig(
    input=FrameStream(height=32, width=32, steps=("onset", "apex", "offset")),
    branches={
        "flow": Branch(
            motion=(OpticalFlowConfig(method="lucas-kanade", pairs="phases"),), features=ConvStemConfig(dim=8)
        )
    },
    heads={"micro": MicroExpressionConfig()},
)
RECIPE = Recipe(epochs=2, batch_size=4)


def clips() -> Examples:
    values = torch.rand(12, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return Examples(
        inputs={"clip": Sequence.of(values)},
        targets={"micro": Targets.of(torch.arange(12) % 3)},
        subjects=tuple(f"made/{row // 3}" for row in range(12)),
    )


def test_a_tail_scores_maps_as_the_whole_scores_frames() -> None:
    examples = clips()
    tail, mapped = cut_tail(FRAMES, examples)
    assert isinstance(tail, PipelineConfig)
    assert tail.inputs["flow"].steps == ("contraction", "relaxation")
    assert tail.branches["flow"].motion == ()
    learned: list[Any] = []

    def watch(model: Model, epoch: int) -> None:
        if epoch == RECIPE.epochs:
            learned.append(model.predict(dict(mapped.inputs))["micro"])

    whole = fit(FRAMES, examples, RECIPE, after_epoch=watch)
    assert whole.config.inputs == FRAMES.inputs  # type: ignore[attr-defined]
    torch.testing.assert_close(whole.predict(dict(examples.inputs))["micro"], learned[0])


def test_motion_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    forward = OpticalFlow.forward

    def count(self: OpticalFlow, inputs: Sequence) -> Sequence:
        seen.append(len(inputs.values))
        return forward(self, inputs)

    monkeypatch.setattr(OpticalFlow, "forward", count)
    evaluate(FRAMES, clips(), RECIPE, seeds=2)
    assert sum(seen) == 12


def test_motion_is_computed_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = clips()
    first = evaluate(FRAMES, examples, RECIPE, cache=tmp_path).predictions.columns

    def refuse(self: OpticalFlow, inputs: Sequence) -> Sequence:
        raise AssertionError("computed again")

    monkeypatch.setattr(OpticalFlow, "forward", refuse)
    assert evaluate(FRAMES, examples, RECIPE, cache=tmp_path).predictions.columns == first


def test_kept_models_are_whole(tmp_path: Path) -> None:
    examples = clips()
    found = evaluate(FRAMES, examples, RECIPE, folder=tmp_path, keep_models=True)
    model = load(tmp_path / "models" / "seed-0" / "made-0")
    shares = model.predict(examples.take(range(3)).inputs["clip"].values)["micro"]
    assert [f"{share:.4f}" for share in shares[:, 0].tolist()] == [
        f"{float(cell):.4f}" for cell in found.predictions.columns["p.negative"][:3]
    ]
    pattern = str(tmp_path / "models" / "seed-0" / "{subject}")
    assert (
        evaluate(FRAMES, examples, RECIPE, artifacts=pattern).predictions.columns["predicted"]
        == (found.predictions.columns["predicted"])
    )
