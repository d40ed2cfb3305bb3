"""Built ensembles: how members' scores and features are joined, and what is computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from affectkit.artifact import load, save
from affectkit.configs import HeadConfig, TemporalConfig
from affectkit.data.labels import BASIC_7
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import InputError
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.micro_expression import MicroExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.interfaces import TemporalEncoder
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.product import ProductFusionConfig
from affectkit.late.stacking import StackingConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.score_joining import to_scores
from affectkit.sequences import Losses, Sequence, Targets
from affectkit.specs import TemporalSpec
from affectkit.streams import FeatureStream, FrameStream
from tests.toys_torch import REGISTRY, ToyPixelsConfig, ToyPowerConfig, ToySumConfig

AUS = ("AU1", "AU2", "AU4")
PROBLEMS: Mapping[str, HeadConfig] = {
    "multiclass": ExpressionConfig(targets=("a", "b", "c")),
    "multilabel": ActionUnitsConfig(targets=AUS),
    "ordinal": ActionUnitsConfig(targets=AUS, intensity=True),
    "regression": ValenceArousalConfig(),
}


def member(dim: int = 3, **heads: HeadConfig) -> PipelineConfig:
    return PipelineConfig(input=FeatureStream(dim=dim), branches={"x": Branch()}, heads=heads)


def build(config: EnsembleConfig) -> Ensemble:
    torch.manual_seed(0)
    return config.build(registry=REGISTRY).eval()


def inputs(dim: int = 3) -> Sequence:
    return Sequence.of(torch.randn(2, 4, dim, generator=torch.Generator().manual_seed(dim)))


def decoded(model: Ensemble, name: str, batch: Any) -> Tensor:
    return model.predict(batch)[name]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_mean_is_the_mean_of_decoded_scores(problem: str) -> None:
    config = member(out=PROBLEMS[problem])
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=MeanFusionConfig()))
    batch = inputs()
    one, two = (model.members[name].predict(batch)["out"] for name in ("one", "two"))
    assert not torch.equal(one, two)
    mean = (one + two) / 2
    scores = model(batch)["out"].detach()
    torch.testing.assert_close(decoded(model, "out", batch), mean)
    if problem == "multiclass":  # raw scores are log-probabilities, logits, or values
        torch.testing.assert_close(scores, mean.log())
    elif problem == "multilabel":
        torch.testing.assert_close(scores, torch.logit(mean))
    else:
        torch.testing.assert_close(scores, mean)


def test_a_clip_is_scored_as_a_clip() -> None:
    config = member(micro=MicroExpressionConfig())
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=MeanFusionConfig()))
    assert model(inputs())["micro"].shape == (2, 3)


def test_scores_at_the_ends_stay_finite() -> None:
    ends = torch.tensor([0.0, 1.0])
    for problem in ("multiclass", "multilabel"):
        assert to_scores(ends, problem).isfinite().all()
    assert torch.equal(to_scores(ends, "ordinal"), ends)


def ordered(first: tuple[str, ...], second: tuple[str, ...], **fields: Any) -> Ensemble:
    members = {"one": member(out=ExpressionConfig(targets=first)), "two": member(out=ExpressionConfig(targets=second))}
    return build(EnsembleConfig(members=members, fusion=MeanFusionConfig(), **fields))


def test_intersection_goes_by_name_and_sums_to_one() -> None:
    model = ordered(("a", "b", "c", "d"), ("d", "x", "b", "a"))
    assert model.traced.outputs["out"].targets == ("a", "b", "d")
    one, two = (model.members[name].predict(inputs())["out"] for name in ("one", "two"))
    one, two = one[..., [0, 1, 3]], two[..., [3, 2, 0]]
    wanted = (one / one.sum(-1, keepdim=True) + two / two.sum(-1, keepdim=True)) / 2
    torch.testing.assert_close(decoded(model, "out", inputs()), wanted)


def test_union_fills_what_a_member_does_not_know() -> None:
    model = ordered(("a", "b"), ("b", "c"), targets="union", fill=0.2)
    assert model.traced.outputs["out"].targets == ("a", "b", "c")
    one, two = (model.members[name].predict(inputs())["out"] for name in ("one", "two"))
    filled = torch.full_like(one[..., :1], 0.2)
    one, two = torch.cat([one, filled], -1) / 1.2, torch.cat([filled, two], -1) / 1.2
    torch.testing.assert_close(decoded(model, "out", inputs()), (one + two) / 2)


def test_labels_of_any_number_are_not_renormalized() -> None:
    members = {
        "one": member(out=ActionUnitsConfig(targets=("AU1", "AU2"))),
        "two": member(out=ActionUnitsConfig(targets=("AU2", "AU4"))),
    }
    model = build(EnsembleConfig(members=members, fusion=MeanFusionConfig(), targets="union", fill=0.0))
    one, two = (model.members[name].predict(inputs())["out"] for name in ("one", "two"))
    wanted = torch.stack([one[..., 0] / 2, (one[..., 1] + two[..., 0]) / 2, two[..., 1] / 2], dim=-1)
    torch.testing.assert_close(decoded(model, "out", inputs()), wanted)


def test_a_member_that_is_certain_of_something_else_stays_neutral() -> None:
    model = ordered(("a", "b", "z"), ("a", "b"))
    with torch.no_grad():
        head = model.members["one"].heads["out"].linear
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0.0, 0.0, 200.0]))
    two = model.members["two"].predict(inputs())["out"]
    torch.testing.assert_close(decoded(model, "out", inputs()), (two + 0.5) / 2)
    with torch.no_grad():  # certain up to 1e-13: what is left still tells the two apart
        head.bias.copy_(torch.tensor([2.0, 0.0, 30.0]))
    share = torch.softmax(torch.tensor([2.0, 0.0]), 0)
    torch.testing.assert_close(decoded(model, "out", inputs()), (two + share) / 2)


def test_only_named_outputs_are_joined() -> None:
    members = {
        "one": member(va=ValenceArousalConfig(), expr=ExpressionConfig()),
        "two": member(expr=ExpressionConfig()),
    }
    model = build(EnsembleConfig(members=members, fusion=ProductFusionConfig(), outputs=("expr",)))
    assert list(model(inputs())) == ["expr"]
    assert [key for key in model.state_dict() if not key.startswith("members.")] == []


def test_weights_belong_to_members_by_name() -> None:
    config = member(out=ValenceArousalConfig())
    fusion = WeightedFusionConfig(weights={"two": 0.0, "one": 3.0})
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=fusion))
    torch.testing.assert_close(decoded(model, "out", inputs()), model.members["one"].predict(inputs())["out"])


def test_maps_work_on_joined_scores() -> None:
    config = member(basic=ExpressionConfig(targets=BASIC_7))
    maps = {"compound": CompoundFromBasicConfig(source="basic")}
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=MeanFusionConfig(), maps=maps))
    scores = model(inputs())
    assert list(scores) == ["basic", "compound"]
    assert torch.equal(scores["compound"], model.maps["compound"].combine(scores["basic"]))
    torch.testing.assert_close(decoded(model, "compound", inputs()).sum(-1), torch.ones(2, 4))


def test_inputs_of_different_size_are_told_apart_by_member() -> None:
    members = {"one": member(3, va=ValenceArousalConfig()), "two": member(5, va=ValenceArousalConfig())}
    model = build(EnsembleConfig(members=members, fusion=MeanFusionConfig()))
    batch = {"one.clip": inputs(3), "two.clip": inputs(5)}
    wanted = (model.members["one"].predict(inputs(3))["va"] + model.members["two"].predict(inputs(5))["va"]) / 2
    torch.testing.assert_close(decoded(model, "va", batch), wanted)
    with pytest.raises(InputError) as caught:
        model(inputs(3))
    assert str(caught.value) == "batch: one sequence for 2 inputs; give a dict with one.clip, two.clip"


def test_nested_ensembles() -> None:
    config = member(va=ValenceArousalConfig())
    inner = EnsembleConfig(members={"one": config, "two": config}, fusion=MeanFusionConfig())
    model = build(EnsembleConfig(members={"pair": inner, "three": config}, fusion=MeanFusionConfig()))
    pair, three = model.members["pair"], model.members["three"]
    one, two = pair.members["one"], pair.members["two"]
    parts = [part.predict(inputs())["va"] for part in (one, two, three)]
    torch.testing.assert_close(decoded(model, "va", inputs()), (parts[0] + parts[1]) / 4 + parts[2] / 2)


def test_features_are_joined_before_the_heads() -> None:
    members = {"one": member(3, va=ValenceArousalConfig()), "two": member(5, va=ValenceArousalConfig())}
    config = EnsembleConfig(members=members, fusion=ConcatFusionConfig(hidden=()), heads={"expr": ExpressionConfig()})
    model = build(config)
    batch = {"one.clip": inputs(3), "two.clip": inputs(5)}
    fused = model.features(batch)
    assert torch.equal(fused.values, torch.cat([inputs(3).values, inputs(5).values], dim=-1))
    scores, losses = model(batch, {"expr": Targets.of(torch.zeros(2, 4, dtype=torch.long))})
    assert torch.equal(scores["expr"], model.heads["expr"](fused))
    assert list(losses) == ["heads.expr"]
    outer = build(
        EnsembleConfig(members={"in": config, "b": members["one"]}, fusion=ToySumConfig(), heads=config.heads)
    )
    assert list(outer.config.input_streams()) == ["one.clip", "two.clip", "clip"]
    wanted = fused.values[..., :3] + inputs(3).values
    assert torch.equal(outer.features({**batch, "clip": inputs(3)}).values, wanted)


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig(TemporalConfig):
    """Passes features on, and scores them itself for a loss of its own."""

    aux_weight: float = 0.5

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


class Supervised(TemporalEncoder[SupervisedConfig]):
    def __init__(self, config: SupervisedConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.linear = torch.nn.Linear(stream.dim, 2)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs._replace(extras={"scores": self.linear(inputs.values)})

    def auxiliary(self, inputs: Sequence, output: Sequence, targets: Mapping[str, Targets]) -> Losses:
        assert output.extras is not None
        labels = {name: target for name, target in targets.items() if name == "va"}
        return {name: (output.extras["scores"] - target.values).square().mean() for name, target in labels.items()}


def test_deep_supervision_reaches_members_whose_features_are_joined() -> None:
    spec = TemporalSpec(name="supervised", config=SupervisedConfig, factory=Supervised, summary="Supervised.")
    one = replace(member(va=ValenceArousalConfig()), temporal=SupervisedConfig())
    inner = EnsembleConfig(members={"one": one}, fusion=ToySumConfig(), heads={"va": ValenceArousalConfig()})
    joined = EnsembleConfig(members={"in": inner, "one": one}, fusion=ToySumConfig(), heads=inner.heads)
    model = joined.build(registry=REGISTRY.with_components(spec))
    losses = model(inputs(), {"va": Targets.of(torch.zeros(2, 4, 2))})[1]
    assert list(losses) == [
        "members.in.members.one.temporal.va",
        "members.in.fusion.size",
        "members.one.temporal.va",
        "fusion.size",
        "heads.va",
    ]


def test_features_of_joined_scores_are_refused() -> None:
    model = build(EnsembleConfig(members={"one": member(va=ValenceArousalConfig())}, fusion=MeanFusionConfig()))
    with pytest.raises(InputError) as caught:
        model.features(inputs())
    assert str(caught.value) == "features: the ensemble joins scores; ask a member, or fuse features"


def refusal(model: Ensemble, targets: Mapping[str, Targets]) -> str:
    with pytest.raises(InputError) as caught:
        model(inputs(), targets)
    return str(caught.value)


def test_labels_that_do_not_fit_are_refused() -> None:
    config = member(expr=ExpressionConfig(targets=("a", "b")), va=ValenceArousalConfig())
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=MeanFusionConfig()))
    whole = torch.zeros(2, 4, dtype=torch.long)
    assert refusal(model, {"exp": Targets.of(whole)}) == (
        "targets.exp: no head 'exp'; did you mean 'expr'? heads: 'expr', 'va'"
    )
    assert refusal(model, {"expr": Targets.of(whole[:, :3])}) == (
        "targets.expr: shape (2, 3) of values; the joined scores need (2, 4)"
    )
    assert refusal(model, {"va": Targets(torch.zeros(2, 4, 2), torch.ones(2, 4, dtype=torch.bool))}) == (
        "targets.va: shape (2, 4) of valid; the joined scores need (2, 4, 2)"
    )
    assert refusal(model, {"expr": Targets.of(whole.float())}) == (
        "targets.expr: dtype torch.float32; class indices are whole numbers, give torch.int64"
    )
    assert refusal(model, {"expr": Targets.of(whole + 2)}) == (
        "targets.expr: class 2; write 0 to 1, or mark it not valid"
    )


def of_inputs(name: str, **heads: Any) -> PipelineConfig:
    return PipelineConfig(inputs={name: FeatureStream(dim=3)}, branches={"x": Branch(source=name)}, heads=heads)


def test_members_on_two_clocks_score_clips_and_no_frames() -> None:
    frames = {name: of_inputs(name, va=ValenceArousalConfig()) for name in ("a", "b")}
    batch = {"a": Sequence.of(torch.rand(2, 4, 3)), "b": Sequence.of(torch.rand(2, 9, 3))}
    with pytest.raises(InputError) as caught:
        build(EnsembleConfig(members=frames, fusion=MeanFusionConfig()))(batch)
    assert str(caught.value) == (
        "fusion.va: members 'a' and 'b' score (2, 4) and (2, 9) clips and steps; "
        "give the same clips, on one clock where frames are scored"
    )
    clips = {name: of_inputs(name, va=ValenceArousalConfig(resolution="clip")) for name in ("a", "b")}
    model = build(EnsembleConfig(members=clips, fusion=MeanFusionConfig()))
    half = Targets(torch.tensor([[0.5, 0.5], [0.1, 0.1]]), torch.ones(2, 2, dtype=torch.bool))
    padded = {**batch, "b": batch["b"]._replace(mask=torch.tensor([[True], [False]]).expand(2, 9))}
    scores, losses = model(padded, {"va": half})
    # The second clip is padding in one member: it does not count.
    torch.testing.assert_close(losses["fusion.va"], (scores["va"][0] - 0.5).square().mean())


@pytest.mark.parametrize("problem", PROBLEMS)
def test_stacking_learns_from_the_joint_loss(problem: str) -> None:
    config = member(out=PROBLEMS[problem])
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=StackingConfig()))
    if problem == "multiclass":
        labels = Targets.of(torch.tensor([[0, 1, 2, 0], [1, 1, 2, -1]]), torch.arange(8).reshape(2, 4) < 7)
    else:
        values = torch.linspace(0, 1, 2 * 4 * len(AUS)).reshape(2, 4, len(AUS)).round()
        labels = Targets.of(values[..., : len(model.traced.outputs["out"].targets)])
    optimizer = torch.optim.Adam(model.fusion.parameters(), lr=0.05)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = model(inputs(), {"out": labels})[1]["fusion.out"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.01


def test_padding_and_missing_labels_do_not_count() -> None:
    config = member(out=ExpressionConfig(targets=("a", "b")))
    model = build(EnsembleConfig(members={"one": config, "two": config}, fusion=MeanFusionConfig()))
    sequence, labels = inputs(), torch.zeros(2, 4, dtype=torch.long)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    padded = sequence._replace(mask=mask)
    valid = torch.tensor([[True, True, True, True], [True, False, True, False]])
    loss = model(padded, {"out": Targets.of(labels, valid)})[1]["fusion.out"]
    counted = -model(sequence)["out"][..., 0][mask & valid]
    torch.testing.assert_close(loss, counted.mean())


FRAMES = FrameStream(height=8, width=8)


def looking(frozen: bool, *, stream: FrameStream = FRAMES, **fields: Any) -> PipelineConfig:
    features = ToyPixelsConfig(frozen=frozen, **fields)
    return PipelineConfig(input=stream, branches={"x": Branch(features=features)}, heads={"va": ValenceArousalConfig()})


def pair(one: PipelineConfig, two: PipelineConfig, *, equal: bool = True) -> Ensemble:
    model = build(EnsembleConfig(members={"one": one, "two": two}, fusion=MeanFusionConfig()))
    if equal:
        state = model.members["one"].branches["x"].state_dict()
        model.members["two"].branches["x"].load_state_dict(state)
    return model


def clip() -> Sequence:
    return Sequence.of(torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0)))


def runs(model: Ensemble, batch: Any = None) -> int:
    """How often extractors ran in one forward."""
    count = [0]

    def count_up(*_: object) -> None:
        count[0] += 1

    stages = [stage for path, stage in model.stages().items() if path.endswith(".features")]
    handles = [stage.register_forward_hook(count_up) for stage in stages]
    model(clip() if batch is None else batch)
    for handle in handles:
        handle.remove()
    return count[0]


def agrees(model: Ensemble) -> bool:
    """Whether the ensemble gives the mean of what its members give alone."""
    alone = [model.members[name].predict(clip())["va"] for name in model.members]
    return torch.allclose(decoded(model, "va", clip()), torch.stack(alone).mean(0), atol=1e-6)


def test_equal_frozen_branches_are_computed_once() -> None:
    model = pair(looking(True), looking(True))
    assert runs(model) == 1
    assert agrees(model)
    assert "shared with two where weights are equal" in str(model.traced["members.one.branches.x.features"])


@pytest.mark.parametrize(
    ("one", "two", "equal"),
    [
        (looking(True), looking(True), False),
        (looking(False), looking(False), True),
        (looking(True), looking(True, gain=0.5), True),
        (looking(True), looking(False), True),
    ],
)
def test_branches_that_differ_or_train_are_not_shared(one: PipelineConfig, two: PipelineConfig, equal: bool) -> None:
    model = pair(one, two, equal=equal)
    assert runs(model) == 2
    assert agrees(model)


def test_sharing_follows_the_weights() -> None:
    model = pair(looking(True), looking(True))
    assert runs(model) == 1
    extractor = model.members["two"].branches["x"].features
    with torch.no_grad():
        extractor.linear.bias.add_(1.0)  # by hand, deep inside one member
    assert runs(model) == 2
    assert agrees(model)
    extractor.load_state_dict(model.members["one"].branches["x"].features.state_dict())
    assert runs(model) == 1
    model.members["two"].double()
    model.members["two"].float()
    assert runs(model) == 1


def test_sharing_follows_the_dials() -> None:
    model = pair(looking(True), looking(True))
    with model.dialed({"members.two.branches.x.features.gain": 0.5}):
        assert runs(model) == 2
        assert agrees(model)
    assert runs(model) == 1


def test_sharing_holds_after_loading_and_in_copies(tmp_path: Path) -> None:
    model = pair(looking(True), looking(True))
    again = load(save(model, tmp_path / "model"), registry=REGISTRY)
    assert isinstance(again, Ensemble)
    assert runs(again) == 1
    assert torch.equal(again(clip())["va"], model(clip())["va"])
    unequal = load(save(pair(looking(True), looking(True), equal=False), tmp_path / "other"), registry=REGISTRY)
    assert isinstance(unequal, Ensemble)
    assert runs(unequal) == 2


def test_nested_ensembles_share_too() -> None:
    inner = EnsembleConfig(members={"one": looking(True), "two": looking(True)}, fusion=ToyPowerConfig())
    model = build(EnsembleConfig(members={"in": inner, "three": looking(True)}, fusion=MeanFusionConfig()))
    first = model.members["three"].branches["x"].state_dict()
    for name in ("one", "two"):
        model.members["in"].members[name].branches["x"].load_state_dict(first)
    assert runs(model) == 1


def test_one_tensor_read_in_two_ways_is_not_shared() -> None:
    """Inputs that differ in what their stream says, or in mask, are other inputs, though the values are the same."""
    other = FrameStream(height=8, width=8, channels=("x", "y", "z"))
    model = pair(looking(True), looking(True, stream=other))
    values = clip()
    assert runs(model, {"one.clip": values, "two.clip": values}) == 2
    members = {
        name: PipelineConfig(
            inputs={name: FRAMES},
            branches={"x": Branch(source=name, features=ToyPixelsConfig(frozen=True))},
            heads={"va": ValenceArousalConfig()},
        )
        for name in ("a", "b")
    }
    model = build(EnsembleConfig(members=members, fusion=MeanFusionConfig()))
    model.members["b"].branches["x"].load_state_dict(model.members["a"].branches["x"].state_dict())
    assert runs(model, {"a": values, "b": values}) == 1
    masked = values._replace(mask=torch.tensor([[True, True, False]]).expand(2, 3))
    assert runs(model, {"a": values, "b": masked}) == 2


def test_members_on_different_clocks_are_refused_at_score_level() -> None:
    members = {"one": member(3, va=ValenceArousalConfig()), "two": member(5, va=ValenceArousalConfig())}
    model = build(EnsembleConfig(members=members, fusion=MeanFusionConfig()))
    times = torch.arange(4.0).double().expand(2, 4)
    batch = {
        "one.clip": Sequence.of(torch.randn(2, 4, 3), times=times),
        "two.clip": Sequence.of(torch.randn(2, 4, 5), times=times + 0.25),
    }
    with pytest.raises(InputError) as caught:
        model(batch)
    assert str(caught.value) == (
        "fusion.va: members 'one' and 'two' score frames up to 0.25 s apart; bring them to one clock in the loader"
    )
