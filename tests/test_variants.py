"""Test-time augmentation and averaged models: one mechanism, tied weights, what is computed once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from affectkit.artifact import load, save
from affectkit.configs import HeadConfig, MotionConfig, Windows
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import AffectkitError, ConfigError, InputError, StreamError
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.product import ProductFusionConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.model import Model
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.motion.mirror import MirrorConfig
from affectkit.motion.mirror_net import Mirror
from affectkit.motion.shift import ShiftConfig
from affectkit.motion.shift_net import Shift
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream
from affectkit.temporal.gru import GRUConfig
from affectkit.variant_configs import augment_config
from affectkit.variants import average_models, mirrored, with_augmentations
from tests.toys_torch import REGISTRY, ToyPixelsConfig

FRAMES = FrameStream(height=8, width=8)
FLIP: dict[str, tuple[MotionConfig, ...]] = {"mirrored": (MirrorConfig(),)}
THREE: dict[str, tuple[MotionConfig, ...]] = {**FLIP, "left": (ShiftConfig(right=-2),)}


def config(*, frozen: bool = True, heads: dict[str, HeadConfig] | None = None, **fields: Any) -> PipelineConfig:
    return PipelineConfig(
        **{
            "input": FRAMES,
            "branches": {"x": Branch(features=ToyPixelsConfig(frozen=frozen))},
            "heads": heads or {"va": ValenceArousalConfig()},
            **fields,
        }
    )


def built(of: PipelineConfig | EnsembleConfig | None = None, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return (of or config()).build(registry=REGISTRY).eval()


def clip(seed: int = 0) -> Sequence:
    return Sequence.of(torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(seed)))


def extractions(model: Model, batch: Sequence | None = None, run: Callable[[Any], Any] | None = None) -> int:
    """How often extractors ran in one forward."""
    count = [0]

    def count_up(*_: object) -> None:
        count[0] += 1

    stages = {id(stage): stage for path, stage in model.stages().items() if path.endswith(".features")}
    handles = [stage.register_forward_hook(count_up) for stage in stages.values()]
    (run or model)(clip() if batch is None else batch)
    for handle in handles:
        handle.remove()
    return count[0]


def test_a_mirrored_model_is_the_mean_of_both_looks() -> None:
    model = built()
    both = mirrored(model)
    image = clip()._replace(values=clip().values.flip(-1))
    wanted = (model.predict(clip())["va"] + model.predict(image)["va"]) / 2
    torch.testing.assert_close(both.predict(clip())["va"], wanted)
    assert not torch.allclose(both.predict(clip())["va"], model.predict(clip())["va"], atol=1e-4)
    # and looks at a face and its mirror image alike
    torch.testing.assert_close(both.predict(clip())["va"], both.predict(image)["va"])


def test_a_config_is_augmented_as_a_model_is() -> None:
    augmented = augment_config(config(), THREE, agreement=True, registry=REGISTRY)
    assert augmented == with_augmentations(built(), THREE, agreement=True).config
    torch.manual_seed(0)
    joined = augmented.build(registry=REGISTRY).eval()
    torch.testing.assert_close(
        joined.predict(clip()), with_augmentations(built(), THREE, agreement=True).predict(clip())
    )
    sided: dict[str, HeadConfig] = {"au": ActionUnitsConfig(targets=("AU1", "AU12_L"))}
    assert refused(lambda: augment_config(config(heads=sided), FLIP, registry=REGISTRY)).startswith(
        "variants.mirrored: mirrors the face, and 'au.AU12_L' is of one side of it"
    )


def test_what_is_no_config_or_no_tuple_is_refused() -> None:
    given: Any = built()
    assert refused(lambda: augment_config(given, FLIP)) == (
        "config: Pipeline is no PipelineConfig or EnsembleConfig; "
        "give the .config of a built model, or use with_augmentations"
    )
    bare: Any = {"mirrored": MirrorConfig()}
    for make in (lambda: augment_config(config(), bare), lambda: with_augmentations(given, bare)):
        assert refused(make, ConfigError) == "variants.mirrored: MirrorConfig is no tuple; write (MirrorConfig(...),)"


def test_weights_are_tied_and_saved_once(tmp_path: Path) -> None:
    model = built(config(frozen=False, temporal=GRUConfig(dim=4)))
    joined = with_augmentations(model, THREE)
    assert list(joined.members) == ["plain", "mirrored", "left"]
    assert joined.members["plain"] is model
    assert sum(p.numel() for p in joined.parameters()) == sum(p.numel() for p in model.parameters())
    again = load(save(joined, tmp_path / "model"), registry=REGISTRY)
    with safe_open(tmp_path / "model" / "model.safetensors", framework="pt") as file:
        assert sorted(file.keys()) == sorted(f"members.plain.{key}" for key in model.state_dict())
    assert isinstance(again, Ensemble)
    assert torch.equal(again.predict(clip())["va"], joined.predict(clip())["va"])
    for one in (again, copy.deepcopy(joined), again.to(torch.float64).to(torch.float32)):
        assert isinstance(one, Ensemble)
        assert one.members["left"].temporal is one.members["plain"].temporal
        assert one.members["left"].branches["x"].features is one.members["plain"].branches["x"].features
    with torch.no_grad():
        again.members["mirrored"].heads["va"].linear.weight.zero_()
    assert not again.members["plain"].heads["va"].linear.weight.any()


def test_training_moves_the_one_set_of_weights() -> None:
    from affectkit.sequences import Targets

    joined = with_augmentations(built(config(frozen=False)), FLIP)
    optimizer = torch.optim.SGD(joined.parameters(), lr=0.1)
    _, losses = joined(clip(), {"va": Targets.of(torch.ones(2, 3, 2))})
    losses["fusion.va"].backward()
    optimizer.step()
    one, other = (joined.members[name].state_dict() for name in ("plain", "mirrored"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_trace_says_whose_weights_they_are() -> None:
    trace = with_augmentations(built(), FLIP).traced
    notes = {step.path: step.note for step in trace if step.note}
    assert notes == {
        "members.mirrored.branches.x.features": "weights of plain",
        "members.mirrored.heads.va": "weights of plain",
    }


def test_each_look_is_computed_once() -> None:
    model = built()
    assert extractions(model) == 1
    assert extractions(with_augmentations(model, THREE)) == 3
    # the plain look of an augmented model is that of a member beside it, whose backbone is the same
    beside = built(config(heads={"va": ValenceArousalConfig()}), seed=1)
    beside.branches["x"].load_state_dict(model.branches["x"].state_dict())
    both = average_models({"looks": with_augmentations(model, THREE), "beside": beside})
    assert extractions(both) == 3
    # two heads on one frozen backbone, both augmented in the same way
    two = average_models([with_augmentations(model, THREE), with_augmentations(beside, THREE)])
    assert extractions(two) == 3
    notes = {step.path: step.note for step in two.traced if step.note}
    assert notes["members.model1.members.left.branches.x.features"] == "shared with model2.left where weights are equal"
    assert notes["members.model2.members.plain.branches.x.features"] == (
        "shared with model1.plain where weights are equal"
    )
    alone = torch.stack([two.members[name].predict(clip())["va"] for name in two.members]).mean(0)
    torch.testing.assert_close(two.predict(clip())["va"], alone)


def test_streams_share_too() -> None:
    model = built()
    beside = built(seed=1)
    beside.branches["x"].load_state_dict(model.branches["x"].state_dict())
    two = average_models([with_augmentations(model, THREE), with_augmentations(beside, THREE)])
    session = two.stream(batch=2)
    assert extractions(two, clip().step(0), session.step) == 3
    steps = [session.step(clip().step(t))["va"] for t in range(3)]
    torch.testing.assert_close(torch.cat(steps, dim=1), two(clip())["va"])


def test_streams_do_not_share_what_remembers() -> None:
    remembers = Branch(motion=(FrameDifferenceConfig(),), features=ToyPixelsConfig(frozen=True))
    model = built(config(branches={"x": remembers}))
    two = average_models([model, copy.deepcopy(model)])
    session = two.stream(batch=2)
    steps = [session.step(clip().step(t))["va"] for t in range(3)]
    torch.testing.assert_close(torch.cat(steps, dim=1), two(clip())["va"])
    assert extractions(two) == 1
    assert extractions(two, clip().step(0), two.stream(batch=2).step) == 2


def test_front_ends_that_were_there_come_after() -> None:
    model = built(config(branches={"x": Branch(motion=(FrameDifferenceConfig(),), features=ToyPixelsConfig())}))
    joined = with_augmentations(model, FLIP)
    motion = joined.members["mirrored"].branches["x"].motion
    assert [type(part).__name__ for part in motion] == ["Mirror", "FrameDifference"]
    assert motion[1] is model.branches["x"].motion[0]


def test_an_ensemble_is_augmented_as_a_whole() -> None:
    pair = built(EnsembleConfig(members={"a": config(), "b": config(frozen=False)}, fusion=MeanFusionConfig()))
    joined = with_augmentations(pair, FLIP)
    count = sum(p.numel() for p in pair.parameters())
    assert sum(p.numel() for p in joined.parameters()) == count
    image = clip()._replace(values=clip().values.flip(-1))
    wanted = (pair.predict(clip())["va"] + pair.predict(image)["va"]) / 2
    torch.testing.assert_close(joined.predict(clip())["va"], wanted)


def test_another_rule_and_agreement() -> None:
    heads: dict[str, HeadConfig] = {"expr": ExpressionConfig()}
    joined = with_augmentations(built(config(heads=heads)), THREE, fusion=ProductFusionConfig(), agreement=True)
    assert (joined.predict(clip())["expr_agreement"][..., 2] == 3).all()
    assert isinstance(joined.config.fusion, ProductFusionConfig)


def test_models_of_seeds_are_members_as_they_are(tmp_path: Path) -> None:
    models = [built(config(frozen=False), seed) for seed in range(3)]
    facts = ("name", "url", "sha256", "license", "training_data_terms", "citation")
    models[1].provenance = (dict.fromkeys(facts, "known"),)
    models[2].provenance = models[1].provenance
    joined = average_models(models, agreement=True)
    assert list(joined.members) == ["model1", "model2", "model3"]
    assert joined.provenance == models[1].provenance
    assert joined.members["model2"] is models[1]
    wanted = torch.stack([one.predict(clip())["va"] for one in models]).mean(0)
    torch.testing.assert_close(joined.predict(clip())["va"], wanted)
    again = load(save(joined, tmp_path / "model"), registry=REGISTRY)
    assert torch.equal(again.predict(clip())["va"], joined.predict(clip())["va"])
    named = average_models({"one": models[0], "two": models[1]})
    assert Ensemble(named.config, registry=REGISTRY, members={"two": models[1]}).provenance == models[1].provenance
    assert list(named.members) == ["one", "two"]


def refused(make: Callable[[], object], error: type[AffectkitError] = InputError) -> str:
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    return str(caught.value)


@pytest.mark.parametrize("target", ["AU12_L", "AU12R", "L12", "r_au4", "left_brow", "brow_right", "mouth-left-corner"])
def test_a_mirror_is_refused_where_sides_are_told_apart(target: str) -> None:
    heads: dict[str, HeadConfig] = {"au": ActionUnitsConfig(targets=("AU1", target))}
    model = built(config(heads=heads))
    assert refused(lambda: mirrored(model)) == (
        f"variants.mirrored: mirrors the face, and 'au.{target}' is of one side of it; "
        "leave the mirror out, or score both sides as one target"
    )
    assert len(with_augmentations(model, {"left": (ShiftConfig(right=-1),)}).members) == 2


@pytest.mark.parametrize("target", ["bright", "leftover", "AU12", "relaxed", "upright", "anger"])
def test_other_targets_may_be_mirrored(target: str) -> None:
    heads: dict[str, HeadConfig] = {"au": ActionUnitsConfig(targets=("AU1", target))}
    assert len(mirrored(built(config(heads=heads))).members) == 2


def test_what_can_not_be_augmented() -> None:
    model = built()
    assert refused(lambda: with_augmentations(model, {}), ConfigError) == (
        "variants: none; name one, such as {'mirrored': (MirrorConfig(),)}"
    )
    assert refused(lambda: with_augmentations(model, {"plain": (MirrorConfig(),)}), ConfigError) == (
        "variants: 'plain' is the model as it is; give the variant another name"
    )
    stored = built(
        PipelineConfig(input=FeatureStream(dim=3), branches={"x": Branch()}, heads={"va": ValenceArousalConfig()})
    )
    assert refused(lambda: mirrored(stored)) == (
        "branches.x: holds stored features; change pictures before they become features"
    )
    far = {"far": (ShiftConfig(down=8),)}
    assert refused(lambda: with_augmentations(model, far), StreamError) == (
        "members.far.branches.x.motion[0].down: 8 pixels move all of 8 out of the frame; move by less"
    )
    assert refused(lambda: average_models([])) == "models: none; give those of the folds or seeds"
    windows = built(config(sampling=Windows(seconds=1.0)))
    assert refused(lambda: average_models({"one": built(), "two": windows}), ConfigError) == (
        "models.two.sampling: not that of 'one'; write an EnsembleConfig, which has its own"
    )
    wrong: Any = config()
    assert refused(lambda: average_models([wrong])) == (
        "models: PipelineConfig is no built model; give what build() or load() returns"
    )


@pytest.mark.parametrize(
    ("second", "path"),
    [
        (config(heads={"va": ValenceArousalConfig(weight=2.0)}), "heads"),
        (config(temporal=GRUConfig(dim=4)), "temporal"),
        (config(frozen=False), "branches.x.features"),
        (config(branches={"y": Branch(features=ToyPixelsConfig(frozen=True))}), "branches"),
        (
            config(branches={"x": Branch(motion=(MirrorConfig(),), features=ToyPixelsConfig(frozen=True))}),
            "branches.x.motion[0]",
        ),
    ],
)
def test_tied_members_that_differ_in_more(second: PipelineConfig, path: str) -> None:
    first = config()
    if path.endswith("[0]"):
        first = config(branches={"x": Branch(motion=(ShiftConfig(),), features=ToyPixelsConfig(frozen=True))})
    members = {"one": first, "two": second}
    make = lambda: EnsembleConfig(members=members, fusion=MeanFusionConfig(), tied=True)  # noqa: E731
    assert refused(make, ConfigError) == (
        f"members.two.{path}: 'two' is tied to 'one' and differs in it; "
        "let tied members differ in the front-ends that come first alone, or write tied=False"
    )


def test_tied_members_of_another_kind() -> None:
    nested = EnsembleConfig(members={"in": config()}, fusion=MeanFusionConfig())
    make = lambda: EnsembleConfig(members={"one": config(), "two": nested}, fusion=MeanFusionConfig(), tied=True)  # noqa: E731
    assert refused(make, ConfigError).startswith("members.two: 'two' is tied to 'one' and differs in it; ")


def test_a_front_end_may_not_change_what_tied_stages_are_given() -> None:
    gray = config(branches={"x": Branch(motion=(FrameDifferenceConfig(),), features=ToyPixelsConfig(frozen=True))})
    tied = EnsembleConfig(members={"one": config(), "two": gray}, fusion=MeanFusionConfig(), tied=True)
    assert refused(lambda: tied.trace(registry=REGISTRY), ConfigError) == (
        "members.two.branches.x.features: is tied to that of 'one' and gets frames [T] dr+dg+db 8x8 relative; "
        "use front-ends that leave frames [T] r+g+b 8x8 intensity"
    )


def test_a_dial_of_tied_members_is_turned_for_all() -> None:
    joined = with_augmentations(built(), FLIP)
    path = "branches.x.features.gain"
    text = refused(lambda: joined.set_dials({f"members.plain.{path}": 0.5}), ConfigError)
    assert text.startswith("members.mirrored.branches.x.features: 'mirrored' is tied to 'plain' and differs in it; ")
    before = joined.predict(clip())["va"]
    with joined.dialed({f"members.{name}.{path}": 0.5 for name in joined.members}):
        assert not torch.allclose(joined.predict(clip())["va"], before)
    assert torch.equal(joined.predict(clip())["va"], before)


def test_dials_of_tied_members_are_turned_on_one_after_the_other(tmp_path: Path) -> None:
    """On members themselves, of which each knows what was turned on another: its own next turn takes nothing back."""
    branches = {name: Branch(features=ToyPixelsConfig(frozen=True)) for name in ("x", "y")}
    joined = mirrored(built(config(branches=branches, fusion=ConcatFusionConfig())))
    plain, flipped = joined.members["plain"], joined.members["mirrored"]
    plain.set_dials({"branches.x.features.gain": 0.5})
    assert [dial.value for dial in flipped.dials] == [0.5, 1.0]
    flipped.set_dials({"branches.y.features.gain": 0.25})
    with plain.dialed({"branches.x.features.gain": 2.0}):
        assert [dial.value for dial in flipped.dials] == [2.0, 0.25]
    for member in (plain, flipped):
        assert [dial.value for dial in member.dials] == [0.5, 0.25]
    assert [dial.value for dial in joined.dials] == [0.5, 0.25, 0.5, 0.25]
    loaded = load(save(joined, tmp_path / "joined"), registry=REGISTRY)
    assert torch.equal(loaded.predict(clip())["va"], joined.predict(clip())["va"])


def test_dials_of_what_tied_ensembles_hold() -> None:
    """Turned on a pipeline of the one, then on the other as a whole."""
    pair = EnsembleConfig(members={"a": config(), "b": config()}, fusion=MeanFusionConfig())
    joined = mirrored(built(pair))
    plain, flipped = joined.members["plain"], joined.members["mirrored"]
    plain.members["a"].set_dials({"branches.x.features.gain": 0.5})
    flipped.set_dials({"members.b.branches.x.features.gain": 0.25})
    for model in (plain, flipped):
        assert [dial.value for dial in model.dials] == [0.5, 0.25]
    assert [dial.value for dial in joined.dials] == [0.5, 0.25, 0.5, 0.25]
    assert plain.members["b"].config.branches["x"].features.gain == 0.25


def test_a_config_is_the_same_until_a_dial_is_turned() -> None:
    """By which a model is known to need no rebuilding."""
    for names in (("a", "ab"), ("b", "a")):
        joined = built(EnsembleConfig(members=dict.fromkeys(names, config()), fusion=MeanFusionConfig()))
        before = joined.config
        joined.members[names[1]].set_dials({"branches.x.features.gain": 0.5})
        assert joined.config is not before
        assert joined.config is joined.config


def test_built_members_have_to_be_those_of_the_config() -> None:
    model, pair = built(), EnsembleConfig(members={"a": config(), "b": config()}, fusion=MeanFusionConfig())
    assert refused(lambda: Ensemble(pair, registry=REGISTRY, members={"c": model})) == (
        "members.c: no such member; members: 'a', 'b'"
    )
    other = built(config(frozen=False))
    assert refused(lambda: Ensemble(pair, registry=REGISTRY, members={"b": other})) == (
        "members.b: the model has another config; put its own into the ensemble's"
    )


def pixels() -> Tensor:
    return torch.arange(2 * 3 * 4.0).reshape(1, 1, 2, 3, 4)


def test_mirror_and_shift_by_hand() -> None:
    stream = FrameStream(height=3, width=4, channels=("u", "v"), unit="pixel")
    flipped = Mirror(MirrorConfig(), stream)(Sequence.of(pixels())).values[0, 0]
    assert flipped[1, 0].tolist() == [15.0, 14.0, 13.0, 12.0]
    assert flipped[0, 0].tolist() == [-3.0, -2.0, -1.0, 0.0]
    moved = Shift(ShiftConfig(right=2, down=-1), stream)(Sequence.of(pixels())).values[0, 0, 1]
    assert moved.tolist() == [[16.0, 16.0, 16.0, 17.0], [20.0, 20.0, 20.0, 21.0], [20.0, 20.0, 20.0, 21.0]]
    still = Shift(ShiftConfig(), stream)(Sequence.of(pixels())).values
    assert torch.equal(still, pixels())


def test_what_tied_members_share_is_changed_in_all_of_them_by_one(tmp_path: Path) -> None:
    """A fit that is kept in the config of the plain look; the other one's would differ from what they share."""
    pair = EnsembleConfig(
        members={"a": config(), "b": config()}, fusion=WeightedFusionConfig(weights={"a": 1.0, "b": 1.0})
    )
    model: Any = built(pair)
    joined = mirrored(model)
    before = joined.predict(clip())["va"]
    weighted = replace(model.config, fusion=WeightedFusionConfig(weights={"a": 0.25, "b": 0.75}))
    model._adopt(weighted, weighted.trace(registry=REGISTRY))
    assert joined.config.members["plain"] == weighted
    other: Any = joined.config.members["mirrored"]
    assert other.fusion == weighted.fusion
    assert joined.members["mirrored"].config == other
    after = joined.predict(clip())["va"]
    assert not torch.allclose(before, after)
    loaded = load(save(joined, tmp_path / "joined"), registry=REGISTRY)
    torch.testing.assert_close(loaded.predict(clip())["va"], after)
