"""How far members agree whose features are joined: by their own heads, run on what they encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit.agreement import measure_agreement
from affectkit.artifact import load, save
from affectkit.configs import HeadConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import ConfigError, InputError, StreamError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.files import read_config, write_config
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.maps.temperature import TemperatureConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FrameStream
from tests.toys import message_of

EXPRESSION = ExpressionConfig(targets=("a", "b", "c"))
HEADS: Mapping[str, HeadConfig] = {"expr": EXPRESSION, "va": ValenceArousalConfig()}
OUTPUTS = ["expr", "va", "expr_agreement", "va_agreement"]


def looking(width: int = 4, **fields: Any) -> PipelineConfig:
    return PipelineConfig(
        **{
            "input": FrameStream(height=16, width=16),
            "branches": {"face": Branch(features=ConvStemConfig(dim=6, width=width, depth=1))},
            "heads": HEADS,
            **fields,
        }
    )


def joined(**fields: Any) -> EnsembleConfig:
    members = {"one": looking(), "two": looking(), "three": looking(6)}
    fusion = ConcatFusionConfig(hidden=(5,))
    return EnsembleConfig(**{"members": members, "fusion": fusion, "heads": HEADS, "agreement": True, **fields})


def with_heads(**heads: HeadConfig) -> EnsembleConfig:
    """Of two members the second has these heads."""
    return joined(members={"one": looking(), "two": looking(heads=heads)})


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


def expected(model: Ensemble, name: str) -> torch.Tensor:
    """The slow way: every member scores the batch by itself."""
    alone = [model.members[member].predict(batch())[name] for member in model.members]
    own = model.predict(batch())[name]
    return measure_agreement(torch.stack(alone), None, own, model.traced.outputs[name].problem)


def test_members_say_what_they_think_of_the_features_that_are_joined() -> None:
    model = built(joined())
    found = model.predict(batch())
    assert list(found) == list(model.traced.outputs) == OUTPUTS
    assert [model.traced.outputs[name].targets for name in OUTPUTS[2:]] == [
        ("share", "divergence", "members"),
        ("spread", "members"),
    ]
    step = model.traced["agreement.expr"]
    assert (list(step.inputs), step.note) == (["one", "two", "three"], "")
    for name in HEADS:
        torch.testing.assert_close(found[f"{name}_agreement"], expected(model, name))
    assert len(found["expr_agreement"][..., 0].unique()) > 1  # or this would show little
    assert (found["va_agreement"][..., 1] == 3).all()


def test_networks_run_once_and_nothing_else_changes() -> None:
    asked, quiet = built(joined()), built(joined(agreement=False))
    runs: Counter[str] = Counter()
    for name in asked.members:
        network = asked.members[name].branches["face"].features
        network.register_forward_hook(lambda *_, name=name: runs.update([name]))
    labels = {"expr": Targets.of(torch.zeros(2, 5, dtype=torch.long))}
    (scores, losses), (silent, wanted) = asked(batch(), labels), quiet(batch(), labels)
    assert runs == {"one": 1, "two": 1, "three": 1}
    for name in HEADS:
        assert torch.equal(scores[name], silent[name])
        assert not scores[f"{name}_agreement"].requires_grad
    assert losses.keys() == wanted.keys() == {"heads.expr"}
    losses["heads.expr"].backward()
    wanted["heads.expr"].backward()
    own = dict(quiet.named_parameters())
    for name, part in asked.named_parameters():
        theirs = own[name].grad
        assert (part.grad is None) == (theirs is None)
        assert part.grad is None or torch.equal(part.grad, theirs)
    assert list(asked.state_dict()) == list(quiet.state_dict())


def test_the_order_of_classes_and_more_of_them() -> None:
    model = built(with_heads(expr=ExpressionConfig(targets=("c", "x", "a", "b")), va=ValenceArousalConfig()))
    assert model.traced["agreement.expr"].note == "without 'x' of two"
    alone = model.members["two"].predict(batch())["expr"][..., [2, 3, 0]]
    one = model.members["one"].predict(batch())["expr"]
    found = model.predict(batch())
    both = torch.stack([one, alone / alone.sum(dim=-1, keepdim=True)])
    torch.testing.assert_close(found["expr_agreement"], measure_agreement(both, None, found["expr"], "multiclass"))


def test_a_score_map_of_a_member_counts_as_its_output() -> None:
    member = looking(heads={"raw": EXPRESSION}, maps={"expr": TemperatureConfig(source="raw")})
    model = built(joined(members={"one": member, "two": member}, heads={"expr": EXPRESSION}))
    before = model.predict(batch())["expr_agreement"]
    for part in model.members["two"].maps["expr"].state_dict().values():
        part.fill_(3.0)
    found = model.predict(batch())["expr_agreement"]
    torch.testing.assert_close(found, expected(model, "expr"))
    assert not torch.equal(found, before)


def test_maps_of_the_ensemble_have_none_and_may_take_it() -> None:
    maps = {"calm": SmoothConfig(source="expr_agreement", delta=1), "mild": TemperatureConfig(source="expr")}
    model = built(joined(maps=maps))
    assert list(model.predict(batch())) == list(model.traced.outputs) == [*OUTPUTS, "calm", "mild"]


def test_clips_streams_and_files(tmp_path: Path) -> None:
    heads = {"expr": ExpressionConfig(resolution="clip")}
    clips = built(joined(members={"one": looking(heads=heads), "two": looking(heads=heads)}, heads=heads))
    assert clips.predict(batch())["expr_agreement"].shape == (2, 3)
    model = built(joined(maps={"mild": TemperatureConfig(source="expr")}))
    session, whole = model.stream(batch=2), model(batch())
    steps = [session.step(batch().step(t)) for t in range(5)]
    assert list(steps[0]) == list(whole)
    for name, values in whole.items():
        torch.testing.assert_close(torch.cat([step[name] for step in steps], dim=1), values)
    again = load(save(model, tmp_path / "model"))
    assert torch.equal(again(batch())["expr_agreement"], whole["expr_agreement"])
    write_config(model.config, tmp_path / "model.toml")
    assert read_config(tmp_path / "model.toml") == model.config


def test_it_is_measured_where_the_ensemble_is() -> None:
    model, meta = built(joined()), torch.device("meta")
    said = {
        name: model.members[name].run(model.member_batches(batch())[name], None, {}, None) for name in model.members
    }
    raw, clocks = ({name: one[place] for name, one in said.items()} for place in (0, 1))
    fused = model.features(batch()).to(meta)
    model.heads.to(meta)
    found, _ = model.score(fused, raw, clocks, None, {})
    assert {str(values.device) for values in found.values()} == {"meta"}
    assert found["expr_agreement"].shape == (2, 5, 3)


def test_under_an_export_nothing_is_decided() -> None:
    model = built(joined())
    program = torch.export.export(model, (batch(),))
    found = program.module()(batch())
    for name, values in model(batch()).items():
        torch.testing.assert_close(found[name], values)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            with_heads(expr=EXPRESSION),
            ConfigError,
            "agreement: member 'two' does not score 'va'; give it such a head, or write agreement=False",
        ),
        (
            with_heads(**{**HEADS, "expr": ExpressionConfig(targets=("a", "b", "x"))}),
            ConfigError,
            "agreement: member 'two' does not score 'c', of 'expr'; "
            "give its head the ensemble's targets, or write agreement=False",
        ),
        (
            with_heads(**{**HEADS, "expr": ExpressionConfig(targets=("a", "b", "C"))}),
            StreamError,
            "agreement.expr: 'heads.expr' has 'c', 'two' has 'C'; spell common targets the same way",
        ),
        (
            with_heads(**{**HEADS, "expr": ExpressionConfig(targets=("a", "b", "c"), resolution="clip")}),
            StreamError,
            "agreement.expr: resolution of 'two' is 'clip', of 'heads.expr' 'frame'; members agree on the resolution",
        ),
        (
            joined(
                heads={"expr": EXPRESSION, "expr_agreement": EXPRESSION},
                members={"one": looking(heads={"expr": EXPRESSION, "expr_agreement": EXPRESSION})},
            ),
            ConfigError,
            "agreement: the ensemble has a head 'expr_agreement' of its own; call that head or map something else",
        ),
    ],
)
def test_what_can_not_be_compared(config: EnsembleConfig, error: type[Exception], message: str) -> None:
    assert message_of(error, config.trace) == message


def test_a_map_of_that_name() -> None:
    maps = {"expr_agreement": TemperatureConfig(source="expr")}
    assert message_of(ConfigError, joined, maps=maps) == (
        "maps.expr_agreement: 'expr_agreement' is taken by a head or map; give the map another name"
    )


def test_a_head_that_is_not_finite_is_named() -> None:
    model = built(joined())
    with torch.no_grad():
        model.members["two"].heads["va"].linear.bias.fill_(float("nan"))
    fact = "members.two: output 'va' is not finite (NaN or infinite) in 10 of 10 rows"
    hint = "mend the member or what it is given, or write agreement=False"
    assert message_of(InputError, model, batch()) == f"{fact}; {hint}"
    outer = Ensemble(EnsembleConfig(members={"in": model.config}, fusion=MeanFusionConfig()), members={"in": model})
    assert message_of(InputError, outer, batch()) == f"members.in.{fact}; {hint}"


def test_a_fusion_that_changes_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(joined())
    whole = model.fusion.forward
    monkeypatch.setattr(model.fusion, "forward", lambda inputs: whole(inputs).step(0))
    fact = "agreement.expr: member 'one' scores (2, 5) clips and steps, and the ensemble (2, 1)"
    hint = "fuse on the members' clock, or write agreement=False"
    assert message_of(InputError, model, batch()) == f"{fact}; {hint}"
    outer = Ensemble(EnsembleConfig(members={"in": model.config}, fusion=MeanFusionConfig()), members={"in": model})
    assert message_of(InputError, outer, batch()) == f"members.in.{fact}; {hint}"


def test_an_ensemble_that_joins_features_is_a_member_like_any_other() -> None:
    """What counts is what its own head says, not what its members do."""
    inner = joined(agreement=False)
    model = built(joined(members={"in": inner, "alone": looking()}))
    found = model.predict(batch())
    torch.testing.assert_close(found["expr_agreement"], expected(model, "expr"))
    assert (found["expr_agreement"][..., 2] == 2).all()
    session = model.stream(batch=2)
    steps = [session.step(batch().step(t))["va_agreement"] for t in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), found["va_agreement"])


@pytest.mark.parametrize("is_outer", [False, True])
def test_in_training_nobody_is_asked(is_outer: bool) -> None:
    """Dropout of the members' heads would draw, and what their heads say of raw features may be no number."""
    heads = {"expr": ExpressionConfig(targets=("a", "b", "c"), dropout=0.5)}
    members = {"one": looking(heads=heads), "two": looking(heads=heads)}

    def train(agreement: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        config = joined(members=members, heads=heads, agreement=agreement)
        if is_outer:
            config = EnsembleConfig(members={"in": config}, fusion=MeanFusionConfig())
        torch.manual_seed(0)
        model = config.build().train()
        inner = model.members["in"] if is_outer else model
        with torch.no_grad():
            inner.members["two"].heads["expr"].linear.bias.fill_(float("nan"))
        scores, losses = model(batch(), {"expr": Targets.of(torch.zeros(2, 5, dtype=torch.long))})
        if agreement:
            assert scores["expr_agreement"].shape == (2, 5, 3)
            assert scores["expr_agreement"][..., :2].isnan().all()
            assert (scores["expr_agreement"][..., 2] == 0).all()
        return scores["expr"], torch.stack(list(losses.values())), torch.rand(1)

    for ours, theirs in zip(train(True), train(False), strict=True):
        assert torch.equal(ours, theirs)


def test_units_are_counted_one_by_one() -> None:
    heads = {"au": ActionUnitsConfig(targets=("AU1", "AU2"))}
    model = built(joined(members={"one": looking(heads=heads), "two": looking(heads=heads)}, heads=heads))
    torch.testing.assert_close(model.predict(batch())["au_agreement"], expected(model, "au"))
