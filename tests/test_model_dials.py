"""Dials on built models: they change what a model computes, and never its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from affectkit.artifact import load, save
from affectkit.dials import turn
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import ConfigError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.model import Model
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FeatureStream, FrameStream
from tests.toys_torch import (
    REGISTRY,
    ToyMagnifierConfig,
    ToyPixelsConfig,
    ToyPowerConfig,
    ToySparseConfig,
    ToySumConfig,
    ToyTiedConfig,
)

ALPHA, RATIO = "branches.flow.motion[1].alpha", "branches.flow.features.ratios[1]"


def flow_config() -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={
            "flow": Branch(motion=(OpticalFlowConfig(), ToyMagnifierConfig()), features=ToySparseConfig()),
            "face": Branch(features=ConvStemConfig(dim=8, width=4, depth=1)),
        },
        fusion=ToySumConfig(aux_weight=0.0),
        heads={"expr": ExpressionConfig()},
    )


def build(config: PipelineConfig | EnsembleConfig) -> Model:
    torch.manual_seed(0)
    return config.build(registry=REGISTRY).eval()


def frames() -> Tensor:
    return torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def scores(model: Model, name: str = "expr") -> Tensor:
    with torch.no_grad():
        score: Tensor = model(frames())[name]
    return score


def refusal(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


def test_dials_are_listed_with_value_and_domain() -> None:
    assert list(map(str, build(flow_config()).dials)) == [
        "branches.flow.motion[1].alpha = 4.0 (of 1.0, 2.0, 4.0, 8.0)",
        "branches.flow.features.ratios[0] = 0.5 (of 0.0, 0.25, 0.5, 0.75)",
        "branches.flow.features.ratios[1] = 0.25 (of 0.0, 0.25, 0.5, 0.75)",
        "branches.flow.features.ratios[2] = 0.0 (of 0.0, 0.25, 0.5, 0.75)",
        "fusion.gain = 1.0 (of 0.0 to 2.0)",
    ]


@pytest.mark.parametrize(("path", "value"), [(ALPHA, 8.0), (RATIO, 0.75), ("fusion.gain", 0.5)])
def test_a_dial_changes_scores_and_no_weights(path: str, value: float) -> None:
    model = build(flow_config())
    before, weights = scores(model), {key: tensor.clone() for key, tensor in model.state_dict().items()}
    model.set_dials({path: value})
    assert not torch.equal(scores(model), before)
    assert {dial.path: dial.value for dial in model.dials}[path] == value
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())
    rebuilt = model.config.build(registry=REGISTRY).eval()
    rebuilt.load_state_dict(weights)
    assert torch.equal(scores(rebuilt), scores(model))


def test_stages_see_the_new_config_and_the_model_keeps_no_old_one() -> None:
    model = build(flow_config())
    model.set_dials({ALPHA: 1.0, RATIO: 0.5})
    assert model.stages()["branches.flow.motion[1]"].config == ToyMagnifierConfig(alpha=1.0)
    assert model.stages()["branches.flow.features"].config == ToySparseConfig(ratios=(0.5, 0.5, 0.0))
    assert model.stages()["branches.face.features"].config == ConvStemConfig(dim=8, width=4, depth=1)
    assert model.traced == model.config.trace(registry=REGISTRY)


def test_dialed_restores_also_after_an_exception() -> None:
    model = build(flow_config())
    before = scores(model)
    with model.dialed({ALPHA: 8.0, RATIO: 0.0}):
        assert not torch.equal(scores(model), before)
        with model.dialed({ALPHA: 1.0}):
            assert model.stages()["branches.flow.motion[1]"].config == ToyMagnifierConfig(alpha=1.0)
        assert model.stages()["branches.flow.motion[1]"].config == ToyMagnifierConfig(alpha=8.0)
    assert torch.equal(scores(model), before)
    with pytest.raises(ZeroDivisionError), model.dialed({ALPHA: 8.0}):
        raise ZeroDivisionError
    assert torch.equal(scores(model), before)
    assert model.config == flow_config()


def test_dialed_restores_what_no_dial_could_be_set_to() -> None:
    config = flow_config()
    branch = config.branches["flow"]
    magnified = replace(branch, motion=(OpticalFlowConfig(), ToyMagnifierConfig(alpha=3.0)))
    config = replace(config, branches={**config.branches, "flow": magnified})
    model = build(config)
    with model.dialed({ALPHA: 8.0}):
        model.set_dials({RATIO: 0.75})
    assert model.config == config
    assert model.stages()["branches.flow.motion[1]"].config == ToyMagnifierConfig(alpha=3.0)


def test_a_dial_of_a_member_may_be_set_on_the_member(tmp_path: Path) -> None:
    inner = EnsembleConfig(members={"a": pixels(), "b": pixels()}, fusion=ToyPowerConfig())
    model = build(EnsembleConfig(members={"in": inner, "c": pixels()}, fusion=ToyPowerConfig()))
    assert isinstance(model, Ensemble)
    before = model.config
    assert model.config is before
    path = "members.in.members.b.branches.x.features.gain"
    model.members["in"].members["b"].set_dials({"branches.x.features.gain": 0.5})
    assert {dial.path: dial.value for dial in model.dials}[path] == 0.5
    assert model.config == turn(before, {path: 0.5})
    again = load(save(model, tmp_path / "model"), registry=REGISTRY)
    assert torch.equal(scores(again), scores(model))


def test_a_dial_that_is_not_there_or_outside_its_domain_is_refused() -> None:
    model = build(flow_config())
    assert refusal(model.set_dials, {"branches.flow.motion[1].alfa": 1.0}) == (
        "no dial 'branches.flow.motion[1].alfa'; did you mean 'branches.flow.motion[1].alpha'? dials: "
        "'branches.flow.motion[1].alpha', 'branches.flow.features.ratios[0]', 'branches.flow.features.ratios[1]', "
        "'branches.flow.features.ratios[2]', 'fusion.gain'"
    )
    assert refusal(model.set_dials, {"fusion.gain": 0.5, ALPHA: 3.0}) == (
        "branches.flow.motion[1].alpha: 3.0 is outside the domain; the domain is 1.0, 2.0, 4.0, 8.0"
    )
    assert refusal(model.set_dials, {"fusion.gain": 2.5}) == (
        "fusion.gain: 2.5 is outside the domain; the domain is 0.0 to 2.0"
    )
    assert refusal(model.dialed({ALPHA: 3.0}).__enter__) == (
        "branches.flow.motion[1].alpha: 3.0 is outside the domain; the domain is 1.0, 2.0, 4.0, 8.0"
    )
    assert model.config == flow_config()
    plain = PipelineConfig(
        input=FeatureStream(dim=3), branches={"x": Branch()}, heads={"va": ValenceArousalConfig()}
    ).build(registry=REGISTRY)
    assert refusal(plain.set_dials, {"alpha": 1.0}) == "no dial 'alpha'; there are no dials"


def test_a_dial_that_breaks_a_rule_or_changes_a_shape_is_refused() -> None:
    config = PipelineConfig(
        input=FeatureStream(dim=4),
        branches={"x": Branch()},
        temporal=ToyTiedConfig(),
        heads={"va": ValenceArousalConfig()},
    )
    model = build(config)
    assert refusal(model.set_dials, {"temporal.width": 2}) == (
        "temporal: output becomes features [T] 2, was features [T] 4; build it anew"
    )
    assert refusal(model.set_dials, {"temporal.order": 3}) == "temporal.order: 3 is more than 2; write 1 or 2"
    assert model.config == config
    assert model.stages()["temporal"].config == ToyTiedConfig()


def test_saving_writes_the_dials_as_they_are(tmp_path: Path) -> None:
    model = build(flow_config())
    model.set_dials({ALPHA: 8.0})
    again = load(save(model, tmp_path / "model"), registry=REGISTRY)
    assert {dial.path: dial.value for dial in again.dials}[ALPHA] == 8.0
    assert torch.equal(scores(again), scores(model))
    with model.dialed({ALPHA: 1.0}):
        kept = load(save(model, tmp_path / "other"), registry=REGISTRY)
    assert kept.config != model.config
    assert {dial.path: dial.value for dial in kept.dials}[ALPHA] == 1.0


def pixels(**fields: Any) -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"x": Branch(features=ToyPixelsConfig(**fields))},
        heads={"expr": ExpressionConfig()},
    )


def test_dials_of_an_ensemble_of_scores() -> None:
    config = EnsembleConfig(members={"a": pixels(), "b": flow_config()}, fusion=ToyPowerConfig())
    model = build(EnsembleConfig(members={"inner": config, "c": pixels()}, fusion=ToyPowerConfig()))
    paths = [dial.path for dial in model.dials]
    assert paths[0] == "members.inner.members.a.branches.x.features.gain"
    assert "members.inner.members.b.branches.flow.features.ratios[1]" in paths
    assert paths[-3:] == ["members.inner.fusion.power", "members.c.branches.x.features.gain", "fusion.power"]
    before = scores(model)
    for path, value in (
        ("fusion.power", 2.0),
        ("members.inner.fusion.power", 2.0),
        ("members.inner.members.a.branches.x.features.gain", 0.5),
        ("members.inner.members.b.branches.flow.features.ratios[1]", 0.75),
    ):
        with model.dialed({path: value}):
            assert not torch.equal(scores(model), before), path
        assert torch.equal(scores(model), before)


def test_dials_of_an_ensemble_of_features() -> None:
    config = EnsembleConfig(
        members={"a": pixels(), "b": pixels(dim=5)}, fusion=ToySumConfig(), heads={"expr": ExpressionConfig()}
    )
    model = build(config)
    before = scores(model)
    with model.dialed({"fusion.gain": 2.0, "members.b.branches.x.features.gain": 0.0}):
        inner = {dial.path: dial.value for dial in model.dials}
        assert inner["members.b.branches.x.features.gain"] == 0.0
        assert not torch.equal(scores(model), before)
    assert torch.equal(scores(model), before)


def test_dials_and_members_losses_go_through_an_ensemble() -> None:
    labels = {"expr": Targets.of(torch.zeros(2, 3, dtype=torch.long))}
    batch = Sequence.of(frames())
    scored = build(EnsembleConfig(members={"a": flow_config()}, fusion=ToyPowerConfig()))
    path = "members.a.branches.flow.motion[1].magnification"
    assert list(scored(batch, labels)[1]) == [path, "members.a.fusion.size", "fusion.expr"]
    before = scored(batch, labels)[1][path]
    with scored.dialed({"members.a.branches.flow.motion[1].alpha": 8.0}):
        assert not torch.equal(scored(batch, labels)[1][path], before)
    nested = EnsembleConfig(
        members={"a": flow_config()}, fusion=ToySumConfig(), heads={"expr": ExpressionConfig(weight=0.5)}
    )
    model = build(EnsembleConfig(members={"n": nested, "b": pixels()}, fusion=ToyPowerConfig()))
    assert list(model(batch, labels)[1]) == [
        "members.n.members.a.branches.flow.motion[1].magnification",
        "members.n.members.a.fusion.size",
        "members.n.fusion.size",
        "fusion.expr",
    ]
