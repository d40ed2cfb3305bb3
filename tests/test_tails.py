"""What comes before the first stage that learns is computed once, and the whole model is as if it had not been."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import (
    Branch,
    FlowMagnifierConfig,
    FrameStream,
    MagNetConfig,
    MicroExpressionConfig,
    OpticalFlowConfig,
    PipelineConfig,
    SmoothConfig,
    load,
)
from affectkit.errors import ConfigError, InputError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.model import Model
from affectkit.motion.eulerian import EulerianConfig
from affectkit.motion.eulerian_net import Eulerian
from affectkit.motion.flow_magnifier import ALPHAS
from affectkit.motion.flow_magnifier_net import FlowMagnifier
from affectkit.motion.optical_flow_net import OpticalFlow
from affectkit.recipes import Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, evaluate, fit
from affectkit.training.tails import cut_model, cut_tail
from tests.frame_examples import CONFIG, RECIPE as LONG_RECIPE, make_segments

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


MAGNIFIED = PipelineConfig(
    input=FrameStream(height=32, width=32, steps=("onset", "apex", "offset")),
    branches={
        "flow": Branch(
            motion=(
                OpticalFlowConfig(method="lucas-kanade", pairs="phases"),
                FlowMagnifierConfig(alpha=2.0, width=4, levels=1),
            ),
            features=ConvStemConfig(dim=8),
        )
    },
    heads={"micro": MicroExpressionConfig()},
)
ALPHA = "branches.flow.motion[1].alpha"


def test_training_begins_with_the_weights_of_another_model() -> None:
    examples = clips()
    first = fit(MAGNIFIED, examples, RECIPE)
    # so small a rate that nothing moves: what comes out is what went in
    still = Recipe(epochs=1, learning_rate=1e-12, weight_decay=0.0)
    again = fit(MAGNIFIED, examples, still, start=first, seed=5)
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor)


def test_a_start_of_other_stages_is_refused() -> None:
    examples = clips()
    narrow = FlowMagnifierConfig(width=2, levels=1)
    branch = replace(MAGNIFIED.branches["flow"], motion=(MAGNIFIED.branches["flow"].motion[0], narrow))
    other = replace(MAGNIFIED, branches={"flow": branch}).build()
    message = (
        "start: branches.flow.motion.1.unet.down.0.0.bias: (4,), and (8,) in what is trained; "
        "give a model of the same stages"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit(MAGNIFIED, examples, RECIPE, start=other)


def test_a_start_may_lack_a_map_without_weights() -> None:
    """Smoothing is often thought of when a model is there already."""
    segments = make_segments(2)
    smoothed = replace(CONFIG, maps={"calm": SmoothConfig(source="va")})
    model = fit(smoothed, segments, replace(LONG_RECIPE, epochs=1), start=CONFIG.build())
    assert "calm" in model.traced.outputs


def test_a_start_with_other_classes_is_refused() -> None:
    """Weights of a class mean nothing for another one, though the shapes are the same."""
    head = MicroExpressionConfig(targets=("negative", "surprise", "positive"))
    other = replace(MAGNIFIED, heads={"micro": head}).build()
    message = (
        "start: micro has 'surprise' at place 2 of 3, the model 'positive'; "
        "use heads with the same targets in the same order"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit(MAGNIFIED, clips(), RECIPE, start=other)


def test_dials_are_turned_anew_in_every_step_and_are_back_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    forward = FlowMagnifier.forward

    def watch(self: FlowMagnifier, inputs: Sequence) -> Sequence:
        seen.append(self.config.alpha)
        return forward(self, inputs)

    monkeypatch.setattr(FlowMagnifier, "forward", watch)
    recipe = replace(RECIPE, epochs=10, random_dials=(ALPHA,))
    model = fit(MAGNIFIED, clips(), recipe)
    assert len(seen) == 30
    assert len(set(seen)) > 4
    assert set(seen) <= set(ALPHAS)
    assert {dial.path: dial.value for dial in model.dials}[ALPHA] == 2.0
    # the same seed turns them alike, and all below a path are meant by it
    first = list(seen)
    seen.clear()
    fit(MAGNIFIED, clips(), replace(recipe, random_dials=("branches.flow",)))
    assert seen == first


def test_a_dial_that_is_not_there_is_refused() -> None:
    message = "random_dials: no dial at 'branches.flow.motion[0].alfa'; did you mean 'branches.flow.motion[0].alpha'?"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        fit(MAGNIFIED, clips(), replace(RECIPE, random_dials=("branches.flow.motion[1].alfa",)))


def test_what_is_computed_once_does_not_learn() -> None:
    where = "rates.branches.flow.motion[0]"
    message = (
        f"{where}: branches.flow.motion[0] does not learn, and is computed once before training; leave its path out"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        fit(MAGNIFIED, clips(), Recipe(rates={"branches.flow.motion[0]": 0.1}))


def test_a_dial_of_a_front_end_that_does_not_learn_turns_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # six frames are a quarter of a second
    branch = Branch(motion=(EulerianConfig(band=(5.0, 10.0)),), features=ConvStemConfig(dim=8))
    config = PipelineConfig(
        input=FrameStream(height=32, width=32), branches={"face": branch}, heads={"micro": MicroExpressionConfig()}
    )
    values = torch.rand(6, 6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    examples = Examples(
        inputs={"clip": Sequence.of(values)},
        targets={"micro": Targets.of(torch.arange(6) % 3)},
        subjects=tuple(f"made/{row}" for row in range(6)),
    )
    seen: list[float] = []
    forward = Eulerian.forward

    def watch(self: Eulerian, inputs: Sequence) -> Sequence:
        seen.append(self.config.alpha)
        return forward(self, inputs)

    monkeypatch.setattr(Eulerian, "forward", watch)
    fit(config, examples, RECIPE)
    assert len(seen) == 1
    seen.clear()
    recipe = replace(RECIPE, epochs=4, random_dials=("branches.face.motion[0].alpha",))
    model = fit(config, examples, recipe)
    assert len(set(seen)) > 2
    assert model.config == fit(config, examples, RECIPE).config
    slow = replace(config, branches={"face": replace(branch, motion=(EulerianConfig(),))})
    message = "branches.face.motion[0]: needs 2 s, and clip 0 lasts 0.24 s; give longer clips, or raise the lowest "
    for dials in ((), ("branches.face.motion[0].alpha",)):
        with pytest.raises(InputError, match=f"^{re.escape(message)}frequency of its filter$"):
            fit(slow, examples, replace(recipe, random_dials=dials))


def test_rates_are_found_by_the_path_in_the_whole_pipeline() -> None:
    def last_weight(recipe: Recipe) -> float:
        magnifier = fit(MAGNIFIED, clips(), recipe).stages()["branches.flow.motion[1]"]
        return float(magnifier.state_dict()["unet.leave.weight"].abs().max())

    # it begins with zeros
    assert last_weight(RECIPE) > 1e-4
    assert last_weight(replace(RECIPE, rates={"branches.flow.motion[1]": 0.0})) == 0.0


def test_weights_of_a_front_end_that_does_not_learn_stay_those_of_the_start() -> None:
    branch = Branch(motion=(MagNetConfig(),), features=ConvStemConfig(dim=8))
    stream = FrameStream(height=32, width=32)
    config = PipelineConfig(input=stream, branches={"face": branch}, heads={"micro": MicroExpressionConfig()})
    values = torch.rand(6, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    examples = Examples(
        inputs={"clip": Sequence.of(values)},
        targets={"micro": Targets.of(torch.arange(6) % 3)},
        subjects=tuple(f"made/{row}" for row in range(6)),
    )
    message = "branches.face.motion[0]: has weights that training doesn't make; start with a model that has them loaded"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit(config, examples, Recipe(epochs=1))
    start = config.build()
    trained = fit(config, examples, Recipe(epochs=1), start=start)
    for name, tensor in start.state_dict().items():
        if name.startswith("branches.face.motion.0."):
            assert torch.equal(trained.state_dict()[name], tensor)
    tail, mapped = cut_model(trained, examples)
    torch.testing.assert_close(
        tail.predict(dict(mapped.inputs))["micro"], trained.predict(dict(examples.inputs))["micro"]
    )
