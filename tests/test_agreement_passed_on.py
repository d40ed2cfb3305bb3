"""Agreement of members of members: an ensemble without its own passes on theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit.agreement import average_agreement
from affectkit.artifact import load, save
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, StreamError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.maps.temperature import TemperatureConfig
from affectkit.motion.mirror import MirrorConfig
from affectkit.motion.shift import ShiftConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream
from affectkit.training.labeled_outputs import labeled_outputs, scored_outputs
from affectkit.variant_configs import augment_config
from tests.toys import message_of

EXPRESSION = ExpressionConfig(targets=("a", "b", "c"))
HEADS = {"expr": EXPRESSION, "va": ValenceArousalConfig()}
OUTPUTS = ["expr", "va", "expr_agreement", "va_agreement"]
LOOKS: Any = {"mirrored": (MirrorConfig(),), "left": (ShiftConfig(right=-2),)}
NAN = float("nan")


def looking(**fields: Any) -> PipelineConfig:
    extractor = ConvStemConfig(dim=6, width=4, depth=1)
    stream = FrameStream(height=16, width=16)
    return PipelineConfig(
        **{"input": stream, "branches": {"face": Branch(features=extractor)}, "heads": HEADS, **fields}
    )


def scores(count: int = 3, **fields: Any) -> EnsembleConfig:
    members = {f"net{number}": looking() for number in range(count)}
    return EnsembleConfig(**{"members": members, "fusion": MeanFusionConfig(), "agreement": True, **fields})


def features(count: int = 3, **fields: Any) -> EnsembleConfig:
    return scores(count, **{"fusion": ConcatFusionConfig(hidden=(5,)), "heads": HEADS, **fields})


def over(*members: Any, **fields: Any) -> EnsembleConfig:
    """Members are called a, b, c."""
    named = dict(zip("abc", members, strict=False))
    return EnsembleConfig(**{"members": named, "fusion": MeanFusionConfig(), **fields})


def built(config: EnsembleConfig) -> Any:
    torch.manual_seed(0)
    model = config.build().eval()
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, Pipeline) and "expr" in part.heads:
                # so that decisions differ from frame to frame
                head = part.heads["expr"].linear
                head.weight.mul_(300)
                head.bias.copy_(-head.weight @ part.features(batch()).values.mean((0, 1)))
    return model


def batch() -> Sequence:
    return Sequence.of(torch.rand(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(1)))


def means(model: Any, name: str, *members: str) -> torch.Tensor:
    routed = model.member_batches(batch())
    return torch.stack([model.members[one].predict(routed[one])[name] for one in members]).mean(dim=0)


def test_rows_are_averaged_over_those_that_scored_them() -> None:
    given = torch.tensor(
        [
            [[1.0, 0.1, 3.0], [NAN, NAN, 0.0], [NAN, NAN, 0.0]],
            [[0.5, 0.3, 2.0], [0.5, 0.2, 2.0], [NAN, NAN, 0.0]],
        ]
    )
    wanted = torch.tensor([[0.75, 0.2, 2.5], [0.5, 0.2, 2.0], [NAN, NAN, 0.0]])
    torch.testing.assert_close(average_agreement(given), wanted, equal_nan=True)
    torch.testing.assert_close(average_agreement(given[:1]), given[0], equal_nan=True)
    assert not average_agreement(given.requires_grad_()).requires_grad


@pytest.mark.parametrize("inner", [scores(), features()], ids=["scores", "features"])
def test_variants_pass_on_how_far_the_networks_agree(inner: EnsembleConfig, tmp_path: Path) -> None:
    model = built(augment_config(inner, LOOKS))
    found = model.predict(batch())
    assert list(found) == list(model.traced.outputs) == OUTPUTS
    step = model.traced["agreement.expr"]
    assert (list(step.inputs), step.note) == (["plain", "mirrored", "left"], "mean of 'plain', 'mirrored', 'left'")
    for name in OUTPUTS[2:]:
        torch.testing.assert_close(found[name], means(model, name, *model.members))
    assert len(found["expr_agreement"][..., 0].unique()) > 1  # or this would show little
    assert (found["expr_agreement"][..., 2] == 3).all()
    session, whole = model.stream(batch=2), model(batch())
    steps = [session.step(batch().step(t)) for t in range(5)]
    for name, values in whole.items():
        torch.testing.assert_close(torch.cat([step[name] for step in steps], dim=1), values)
    again = load(save(model, tmp_path / "model"))(batch())
    assert list(again) == OUTPUTS
    assert torch.equal(again["va_agreement"], whole["va_agreement"])
    # what is said about members has no labels, and says nothing of a face
    assert list(labeled_outputs(model.config)) == list(scored_outputs(model.config)) == ["expr", "va"]


def test_scores_are_the_same_as_without_it() -> None:
    with_it = built(augment_config(features(), LOOKS)).predict(batch())
    without = built(augment_config(features(agreement=False), LOOKS)).predict(batch())
    assert list(without) == ["expr", "va"]
    assert all(torch.equal(with_it[name], values) for name, values in without.items())


def test_only_those_that_have_it_are_asked() -> None:
    model = built(over(scores(2), looking(), features(4)))
    found = model.predict(batch())
    assert list(model.traced["agreement.expr"].inputs) == ["a", "c"]
    for name in OUTPUTS[2:]:
        torch.testing.assert_close(found[name], means(model, name, "a", "c"))
        assert (found[name][..., -1] == 3).all()  # the mean of 2 and 4
    assert list(over(scores(agreement=False), looking()).trace().outputs) == ["expr", "va"]


def test_an_ensemble_with_its_own_counts_its_own_members() -> None:
    model = built(over(scores(4), looking(), agreement=True))
    assert (model.predict(batch())["expr_agreement"][..., 2] == 2).all()
    assert model.traced["agreement.expr"].note == ""


def test_of_outputs_that_are_joined() -> None:
    model = over(scores(), scores(), outputs=("va",), maps={"expr_agreement": SmoothConfig(source="va", delta=1)})
    assert list(model.trace().outputs) == ["va", "va_agreement", "expr_agreement"]
    taken = over(scores(), maps={"expr_agreement": TemperatureConfig(source="expr")})
    assert message_of(ConfigError, taken.trace) == (
        "maps.expr_agreement: 'expr_agreement' is taken by a head or map; give the map another name"
    )


@pytest.mark.parametrize("between", [over(scores(), scores(2)), features(members={"a": features(), "b": features(2)})])
def test_nested_twice(between: EnsembleConfig) -> None:
    quiet = between if between.level == "scores" else features(members=between.members, agreement=False)
    model = built(augment_config(over(quiet, looking()), LOOKS))
    found = model.predict(batch())
    assert list(found) == list(model.traced.outputs) == OUTPUTS
    looks = model.members
    routed = model.member_batches(batch())
    for name in OUTPUTS[2:]:
        torch.testing.assert_close(found[name], means(model, name, *looks))
        # of `a` of every look, and in it of its two members
        torch.testing.assert_close(
            looks["mirrored"].predict(routed["mirrored"])[name],
            looks["mirrored"].members["a"].predict(routed["mirrored"])[name],
        )
    assert (found["va_agreement"][..., 1] == 2.5).all()
    session = model.stream(batch=2)
    steps = [session.step(batch().step(t))["expr_agreement"] for t in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), found["expr_agreement"])


def test_features_of_ensembles_that_say_it() -> None:
    model = built(features(members={"a": features(), "b": looking(), "c": features(2)}, agreement=False))
    found = model.predict(batch())
    for name in OUTPUTS[2:]:
        torch.testing.assert_close(found[name], means(model, name, "a", "c"))
    clips = {"expr": ExpressionConfig(targets=("a", "b"), resolution="clip")}
    other = features(members={"a": features(2), "b": looking()}, heads=clips, agreement=False)
    assert message_of(StreamError, other.trace) == (
        "agreement.expr: member 'a' says regression per frame: share, divergence, members, "
        "and of the ensemble's 'expr' it would be regression per clip: share, divergence, members; "
        "score it alike, or take the member's agreement out"
    )
    taken = features(members={"a": features(2)}, heads={**HEADS, "va_agreement": EXPRESSION}, agreement=False)
    assert message_of(ConfigError, taken.trace) == (
        "agreement: the ensemble has a head 'va_agreement' of its own; call that head or map something else"
    )
    assert list(features(members={"a": features(2)}, heads={"x": EXPRESSION}, agreement=False).trace().outputs) == ["x"]


def test_it_is_where_the_ensemble_is() -> None:
    model, meta = built(over(scores(), features(2))), torch.device("meta")
    said = {
        name: model.members[name].run(model.member_batches(batch())[name], None, {}, None) for name in model.members
    }
    raw, clocks = ({name: one[place] for name, one in said.items()} for place in (0, 1))
    model.maps.add_module("here", torch.nn.Linear(1, 1, device=meta))
    found, _ = model.join(raw, clocks)
    assert {str(values.device) for values in found.values()} == {"meta"}
    assert found["va_agreement"].shape == (2, 5, 2)
