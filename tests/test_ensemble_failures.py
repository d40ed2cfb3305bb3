"""Ensembles whose members fail, are elsewhere, or are missing: named, left out as configured, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from affectkit.artifact import load, save
from affectkit.configs import HeadConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import ArtifactError, ConfigError, InputError, LeftOutWarning, RegistryError
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.action_units import ActionUnitsConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.product import ProductFusionConfig
from affectkit.late.stacking import StackingConfig
from affectkit.late.vote import VoteFusionConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.maps.smooth import SmoothConfig
from affectkit.maps.temperature import TemperatureConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.score_joining import all_finite
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FeatureStream
from affectkit.tensor_files import load_state
from tests.toys import message_of
from tests.toys_torch import REGISTRY

NAN, INF = float("nan"), float("inf")
ROW = torch.tensor([0])
EXPRESSION = ExpressionConfig(targets=("a", "b", "c"))
PROBLEMS: Mapping[str, HeadConfig] = {
    "multiclass": EXPRESSION,
    "multilabel": ActionUnitsConfig(targets=("AU1", "AU2", "AU4")),
    "ordinal": ActionUnitsConfig(targets=("AU1", "AU2", "AU4"), intensity=True),
    "regression": ValenceArousalConfig(),
}


def member(dim: int = 3, **heads: HeadConfig) -> PipelineConfig:
    return PipelineConfig(input=FeatureStream(dim=dim), branches={"x": Branch()}, heads=heads or {"out": EXPRESSION})


def ensemble(**fields: Any) -> EnsembleConfig:
    """Three members of inputs of their own, so that one can be given NaN and the others not."""
    members = {name: member(dim) for name, dim in (("one", 3), ("two", 4), ("three", 5))}
    return EnsembleConfig(**{"members": members, "fusion": MeanFusionConfig(), **fields})


def build(config: EnsembleConfig) -> Ensemble:
    torch.manual_seed(0)
    return config.build(registry=REGISTRY).eval()


def inputs(**bad: float) -> dict[str, Sequence]:
    """Batches of 2 clips and 4 steps; `two=NAN` puts that into step 1 of clip 0 of member `two`."""
    batch = {}
    for name, dim in (("one", 3), ("two", 4), ("three", 5)):
        values = torch.randn(2, 4, dim, generator=torch.Generator().manual_seed(dim))
        if name in bad:
            values[0, 1, 0] = bad[name]
        batch[f"{name}.clip"] = Sequence.of(values)
    return batch


def refusal(model: Ensemble, batch: Any) -> str:
    with pytest.raises(InputError) as caught:
        model(batch)
    return str(caught.value)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_member_that_is_not_finite_is_named(bad: float) -> None:
    assert refusal(build(ensemble()), inputs(two=bad)) == (
        "members.two: output 'out' is not finite (NaN or infinite) in 1 of 8 rows; "
        "mend the member or what it is given, or write on_nan='drop' to join the others"
    )


def test_it_is_named_in_a_nested_ensemble_in_a_stream_and_by_its_features() -> None:
    heads = {"out": EXPRESSION}
    nested = build(EnsembleConfig(members={"in": ensemble()}, fusion=MeanFusionConfig()))
    text = refusal(nested, inputs(two=NAN))
    assert text.startswith("members.in.members.two: output 'out' is not finite (NaN or infinite) in 1 of 8 rows; ")
    session = nested.stream(batch=2)
    batches = [{name: one.step(t) for name, one in inputs(two=NAN).items()} for t in (0, 1)]
    session.step(batches[0])
    with pytest.raises(InputError) as caught:
        session.step(batches[1])
    assert str(caught.value) == text.replace("1 of 8", "1 of 2")
    fused = build(ensemble(fusion=ConcatFusionConfig(hidden=()), heads=heads))
    text = "members.two: features are not finite (NaN or infinite) in 1 of 8 rows; mend the member or what it is given"
    assert refusal(fused, inputs(two=NAN)) == text
    deep = build(EnsembleConfig(members={"in": fused.config}, fusion=ConcatFusionConfig(hidden=()), heads=heads))
    assert refusal(deep, inputs(two=NAN)) == f"members.in.{text}"
    with pytest.raises(InputError) as caught:
        deep.stream(batch=2).step(batches[1])
    assert str(caught.value) == f"members.in.{text.replace('1 of 8', '1 of 2')}"


def test_padding_may_hold_anything() -> None:
    padded = {
        name: one._replace(mask=torch.tensor([[True, False, True, True], [True] * 4]))
        for name, one in inputs(two=NAN).items()
    }
    scores = build(ensemble())(padded)["out"]
    assert scores[0, 0].isfinite().all()
    assert scores[1].isfinite().all()


FUSIONS = (
    MeanFusionConfig(),
    ProductFusionConfig(),
    VoteFusionConfig(),
    WeightedFusionConfig(weights={"one": 1.0, "two": 5.0, "three": 3.0}),
)


RULES = (FUSIONS[0], FUSIONS[3])
# products and votes are not for values
PAIRS = [(problem, fusion) for problem in PROBLEMS for fusion in FUSIONS if problem[:5] == "multi" or fusion in RULES]


@pytest.mark.parametrize(("problem", "fusion"), PAIRS)
def test_where_a_member_is_left_out_the_others_join_as_if_it_were_not_there(problem: str, fusion: Any) -> None:
    members = {name: member(dim, out=PROBLEMS[problem]) for name, dim in (("one", 3), ("two", 4), ("three", 5))}
    model = build(ensemble(members=members, fusion=fusion, on_nan="drop"))
    few = {name: config for name, config in members.items() if name != "two"}
    without = fusion
    if isinstance(fusion, WeightedFusionConfig):
        without = WeightedFusionConfig(weights={"one": 1.0, "three": 3.0})
    pair = build(EnsembleConfig(members=few, fusion=without))
    for name in few:
        pair.members[name].load_state_dict(model.members[name].state_dict())
    whole = model.predict(inputs())["out"]
    given = {name: one for name, one in inputs().items() if name != "two.clip"}
    others = pair.predict(given)["out"]
    with pytest.warns(LeftOutWarning) as caught:
        found = model.predict(inputs(two=NAN))
    assert [str(one.message) for one in caught] == [
        "members.two: output 'out' is not finite in some rows; they are joined without it"
    ]
    is_left_out = torch.zeros(2, 4, dtype=torch.bool)
    is_left_out[0, 1] = True
    torch.testing.assert_close(found["out"][is_left_out], others[is_left_out])
    torch.testing.assert_close(found["out"][~is_left_out], whole[~is_left_out])
    assert found["out_agreement"][..., -1].tolist() == [[3, 2, 3, 3], [3, 3, 3, 3]]


def test_a_row_that_no_member_scores_has_no_score() -> None:
    config = ensemble(on_nan="drop", maps={"smooth": SmoothConfig(source="out", delta=1)})
    model = build(config)
    with pytest.warns(LeftOutWarning):
        found = model.predict(inputs(one=NAN, two=INF, three=NAN))
    assert found["out"].isnan().any(dim=-1).nonzero().tolist() == [[0, 1]]
    assert found["out"][0, 1].isnan().all()
    assert found["out_agreement"][0, 1, 2] == 0
    # it counts as padding for what comes after it, and for the loss
    assert found["smooth"][0, 2:].isfinite().all()
    labels = {"out": Targets.of(torch.zeros(2, 4, dtype=torch.long))}
    with pytest.warns(LeftOutWarning):
        scores, losses = model(inputs(one=NAN, two=INF, three=NAN), labels)
    rows = torch.ones(2, 4, dtype=torch.bool)
    rows[0, 1] = False
    torch.testing.assert_close(losses["fusion.out"], -scores["out"][..., 0][rows].mean())


def test_whoever_has_no_weight_can_not_stand_in() -> None:
    fusion = WeightedFusionConfig(weights={"one": 1.0, "two": 2.0, "three": 0.0})
    with pytest.warns(LeftOutWarning):
        found = build(ensemble(fusion=fusion, on_nan="drop")).predict(inputs(one=NAN, two=NAN))["out"]
    assert found[0, 1].isnan().all()
    assert int(found.isnan().any(dim=-1).sum()) == 1

    calm = {"calm": SmoothConfig(source="out", delta=1)}
    model = build(ensemble(fusion=fusion, on_nan="drop", maps=calm))
    with pytest.warns(LeftOutWarning):
        rows = model.predict(inputs(one=NAN, two=NAN))
    assert rows["out_agreement"][0, 1, 2] == 0
    # as if nobody had scored it: what comes after takes it for padding
    assert int(rows["calm"].isnan().any(dim=-1).sum()) <= 1
    labels = {"out": Targets.of(torch.zeros(2, 4, dtype=torch.long))}
    with pytest.warns(LeftOutWarning):
        _, losses = model(inputs(one=NAN, two=NAN), labels)
    assert losses["fusion.out"].isfinite()


@pytest.mark.parametrize("output", ["out", "calm"])
@pytest.mark.parametrize("resolution", ["frame", "clip"])
def test_a_row_that_a_nested_ensemble_gave_up_is_not_padding(output: str, resolution: Any) -> None:
    heads = {"out": ExpressionConfig(targets=("a", "b", "c"), resolution=resolution)}
    members = {name: member(dim, **heads) for name, dim in (("one", 3), ("two", 4))}
    maps = {"calm": TemperatureConfig(source="out")}
    alone: dict[str, Any] = {name: replace(member(5, **heads), maps=maps) for name in ("three", "four")}
    inner = EnsembleConfig(members=members, fusion=MeanFusionConfig(), on_nan="drop", maps=maps)

    def over(on_nan: Any) -> Ensemble:
        found = EnsembleConfig(
            members={"in": inner, **alone}, fusion=MeanFusionConfig(), on_nan=on_nan, outputs=(output,)
        )
        return build(found)

    batch = inputs(one=NAN, two=INF)
    given = {"one.clip": batch["one.clip"], "two.clip": batch["two.clip"], "clip": batch["three.clip"]}
    model = over("drop")
    with pytest.warns(LeftOutWarning):
        found = model.predict(given)
    row = (0, 1) if resolution == "frame" else (0,)
    others = [model.members[name].predict(given["clip"])[output] for name in alone]
    torch.testing.assert_close(found[output][row], (others[0] + others[1])[row] / 2)
    assert found[output].isfinite().all()
    assert found[f"{output}_agreement"][..., -1].flatten().tolist().count(2.0) == 1
    with pytest.warns(LeftOutWarning), pytest.raises(InputError) as caught:
        over("refuse").predict(given)
    count = "1 of 8" if resolution == "frame" else "1 of 2"
    assert str(caught.value) == (
        f"members.in: output {output!r} is not finite (NaN or infinite) in {count} rows; "
        "mend the member or what it is given, or write on_nan='drop' to join the others"
    )
    # what is padding for all stays padding
    padded = {
        name: one._replace(mask=torch.tensor([[True, False, True, True], [True] * 4])) for name, one in given.items()
    }
    if resolution == "frame":
        assert over("refuse").predict(padded)[output][0, 0].isfinite().all()


def test_streams_leave_members_out_too() -> None:
    model = build(ensemble(on_nan="drop"))
    session = model.stream(batch=2)
    batches = [{name: one.step(t) for name, one in inputs(two=NAN).items()} for t in range(4)]
    with pytest.warns(LeftOutWarning):
        whole = model(inputs(two=NAN))
    with pytest.warns(LeftOutWarning):
        steps = [session.step(batch) for batch in batches]
    for name in ("out", "out_agreement"):
        torch.testing.assert_close(torch.cat([step[name] for step in steps], dim=1), whole[name])


def test_a_distribution_over_other_targets_stays_nan_where_it_is() -> None:
    """Restricting to common targets must not make a uniform distribution of NaN."""
    members = {"one": member(3, out=ExpressionConfig(targets=("b", "x", "a"))), "two": member(4), "three": member(5)}
    text = refusal(build(ensemble(members=members)), inputs(one=NAN))
    assert text.startswith("members.one: output 'out' is not finite (NaN or infinite) in 1 of 8 rows; ")


JOINS: Mapping[str, Any] = {
    "refuse": {"agreement": True},
    "drop": {"on_nan": "drop"},
    "union": {"targets": "union", "fill": 0.1, "agreement": True},
    "features": {"fusion": ConcatFusionConfig(hidden=(4,)), "heads": PROBLEMS},
}


@pytest.mark.parametrize("resolution", ["frame", "clip"])
@pytest.mark.parametrize("fields", JOINS.values(), ids=JOINS)
@pytest.mark.parametrize("broken", [False, True])
def test_one_look_at_all_members_finds_what_a_look_at_each_row_does(
    fields: dict[str, Any], resolution: Any, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    every: Mapping[str, Any] = PROBLEMS
    heads = {name: replace(head, resolution=resolution) for name, head in every.items()}
    members = {name: member(dim, **heads) for name, dim in (("one", 3), ("two", 4), ("three", 5))}
    other = replace(EXPRESSION, targets=("c", "a", "d"), resolution=resolution)
    members["two"] = member(4, **{**heads, "multiclass": other})
    model = build(ensemble(members=members, **fields))
    if broken and fields.get("on_nan") == "drop":
        # finite members whose join is not: no row of it may count as scored
        monkeypatch.setattr(model.fusion["regression"], "forward", lambda values: values["one"].index_fill(0, ROW, INF))
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    batch = {name: one._replace(mask=mask) for name, one in inputs().items()}
    once = model(batch)
    counted = []
    with monkeypatch.context() as patched:
        for looking in ("ensemble_model", "member_outputs", "member_agreement"):
            patched.setattr(f"affectkit.{looking}.all_finite", lambda tensors: counted.append(tensors))
        each = model(batch)
    assert counted
    assert list(once) == list(each)
    for name in each:
        torch.testing.assert_close(once[name], each[name], rtol=0, atol=0, equal_nan=True)
    if broken and fields.get("on_nan") == "drop":
        assert once["regression_agreement"][0, ..., -1].flatten()[:3].eq(0).all()


def test_under_an_export_nothing_is_decided() -> None:
    model = build(ensemble())
    batch = inputs()
    program = torch.export.export(model, (batch,))
    torch.testing.assert_close(program.module()(batch)["out"], model(batch)["out"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"fusion": StackingConfig(), "on_nan": "drop"},
            "on_nan: 'drop', and StackingConfig needs every member; write 'refuse', or join by a rule such as the mean",
        ),
        (
            {"fusion": ConcatFusionConfig(hidden=()), "heads": {"out": EXPRESSION}, "on_nan": "drop"},
            "on_nan: 'drop' at feature level; write 'refuse': heads need all features",
        ),
        ({"on_nan": "skip"}, "on_nan: 'skip' is not accepted; values: 'refuse', 'drop' (EnsembleConfig)"),
    ],
)
def test_what_can_not_be_left_out(fields: dict[str, Any], message: str) -> None:
    assert message_of(ConfigError, ensemble, **fields) == message


def test_a_fill_beyond_the_bounds_of_values() -> None:
    units = {name: ActionUnitsConfig(targets=(name,), intensity=True) for name in ("AU1", "AU2")}
    config = ensemble(
        members={name: member(3, out=head) for name, head in zip(("one", "two"), units.values(), strict=True)},
        targets="union",
        fill=-1.0,
    )
    assert message_of(ConfigError, config.trace) == "fill: -1.0 is no value of 'out'; write 0 to 5"


def clips(**fields: Any) -> EnsembleConfig:
    heads = {"out": ExpressionConfig(targets=("a", "b"), resolution="clip")}
    members = {name: member(dim, **heads) for name, dim in (("one", 3), ("two", 4), ("three", 5))}
    return ensemble(members=members, **fields)


META = torch.device("meta")


def test_what_a_member_needs_goes_to_where_it_is() -> None:
    """The device `meta` has no values, but is a device of its own."""
    model = build(clips()).place({"two": META, "three": "cpu"})
    batch = inputs()
    routed = model.member_batches(batch)
    devices = {name: str(own["clip"].values.device) for name, own in routed.items()}
    assert devices == {"one": "cpu", "two": "meta", "three": "cpu"}
    assert routed["one"]["clip"] is batch["one.clip"]
    assert {str(part.device) for part in routed["two"]["clip"][:3]} == {"meta"}


def test_scores_are_joined_where_the_fusion_is() -> None:
    model = build(clips(fusion=StackingConfig())).place({"two": META})
    model.fusion.to(META)
    scores = model(inputs())["out"]
    assert (scores.shape, str(scores.device)) == ((2, 2), "meta")
    heads = {"out": ExpressionConfig(targets=("a", "b"), resolution="clip")}
    fused = build(clips(fusion=ConcatFusionConfig(hidden=()), heads=heads))
    fused.heads.to(META)
    features = {name: Sequence.of(torch.zeros(2, 4, 3)) for name in fused.members}
    assert {str(one.values.device) for one in fused.gather(features).values()} == {"meta"}


def test_finite_numbers_whose_sum_is_not_are_no_failure() -> None:
    huge = torch.full((2, 4, 3), 3e38)
    assert not all_finite([huge, huge])
    heads = {"out": ExpressionConfig(targets=("a", "b"), resolution="clip")}
    fused = build(clips(fusion=ConcatFusionConfig(hidden=()), heads=heads))
    gathered = fused.gather({name: Sequence.of(huge) for name in fused.members})
    assert all(torch.equal(one.values, huge) for one in gathered.values())


def test_members_that_share_a_device_get_one_copy() -> None:
    config = member()
    members = {"one": config, "two": config, "three": config}
    model = build(ensemble(members=members)).place({"one": META, "two": META})
    routed = model.member_batches(Sequence.of(torch.randn(2, 4, 3)))
    assert routed["one"]["clip"] is routed["two"]["clip"]
    assert routed["three"]["clip"] is not routed["one"]["clip"]


def test_nested_members_are_placed_one_by_one() -> None:
    model = build(EnsembleConfig(members={"in": clips(), "alone": clips()}, fusion=MeanFusionConfig()))
    model.members["in"].place({"two": META})
    batch = inputs()
    routed = model.member_batches(batch)
    assert routed["in"]["two.clip"] is batch["two.clip"]
    inner = model.members["in"].member_batches(routed["in"])
    assert str(inner["two"]["clip"].values.device) == "meta"


def test_places_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    model = build(ensemble())
    with pytest.raises(InputError) as caught:
        model.place({"one": "cpu", "tow": "cpu"})
    assert str(caught.value) == "place: no member 'tow'; did you mean 'two'? members: 'one', 'two', 'three'"
    with pytest.raises(ConfigError) as refused:
        model.place({"one": META, "two": "cuda:77"})
    assert str(refused.value) == "members.two.device: no device 'cuda:77'; devices: 'cpu'"
    assert {str(one.device) for one in model.parameters()} == {"cpu"}  # all or none
    same = member()
    tied = build(EnsembleConfig(members={"one": same, "two": same}, fusion=MeanFusionConfig(), tied=True))
    with pytest.raises(InputError) as caught:
        tied.place({"one": "cpu"})
    assert str(caught.value) == ("place: the members are tied, so they share their weights; move all with to(device)")


def rewritten(folder: Path, change: Any) -> Path:
    """A saved model whose weights were written anew, by someone who also wrote their hash anew."""
    from affectkit.artifact import WEIGHTS_FILE
    from affectkit.tensor_files import read_metadata
    from affectkit.weights import sha256

    path = folder / WEIGHTS_FILE
    metadata, state = read_metadata(path), load_file(path)
    save_file(change(state), path, metadata=metadata)
    data = json.loads((folder / "pipeline.json").read_text())
    data["weights"]["sha256"] = sha256(path)
    (folder / "pipeline.json").write_text(json.dumps(data))
    return folder


def test_a_member_whose_weights_are_missing_is_named(tmp_path: Path) -> None:
    model = build(EnsembleConfig(members={"in": ensemble(), "alone": member()}, fusion=MeanFusionConfig()))
    folder = save(model, tmp_path / "model")

    def without(prefix: str) -> Any:
        return lambda state: {key: value for key, value in state.items() if not key.startswith(prefix)}

    path = folder / "model.safetensors"
    with pytest.raises(ArtifactError) as caught:
        load(rewritten(folder, without("members.in.members.two.")), registry=REGISTRY)
    assert str(caught.value) == f"{path}: does not fit the model: nothing of members.in.members.two (2 tensors)"
    with pytest.raises(ArtifactError) as caught:
        load(rewritten(folder, without("members.in.")), registry=REGISTRY)
    assert str(caught.value) == f"{path}: does not fit the model: nothing of members.in (6 tensors)"
    only = {"members.more.heads.out.linear.bias": torch.zeros(3)}
    with pytest.raises(ArtifactError) as caught:
        load(rewritten(folder, lambda state: state | only), registry=REGISTRY)
    assert str(caught.value) == (
        f"{path}: does not fit the model: nothing of members.in (6 tensors); "
        "unexpected keys: 'members.more.heads.out.linear.bias'"
    )


def test_weights_of_one_member_alone_do_not_fit(tmp_path: Path) -> None:
    model = build(ensemble())
    path = tmp_path / "one.safetensors"
    save_file(model.members["one"].state_dict(), path)
    with pytest.raises(ArtifactError) as caught:
        load_state(model, path)
    assert str(caught.value) == (
        f"{path}: does not fit the model: nothing of members.one (2 tensors); nothing of members.two (2 tensors); "
        "nothing of members.three (2 tensors); unexpected keys: 'heads.out.linear.bias', 'heads.out.linear.weight'"
    )


def test_a_member_of_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    from affectkit.registry import default_registry
    from tests.toys_torch import ToySmoothConfig

    toy = replace(member(), maps={"smooth": ToySmoothConfig(source="out")})
    config = EnsembleConfig(members={"one": member(), "toy": toy}, fusion=MeanFusionConfig(), outputs=("out",))
    folder = save(build(config), tmp_path / "model")
    with pytest.raises(RegistryError) as caught:
        load(folder, registry=default_registry())
    version = default_registry().reports[0].version
    assert str(caught.value) == (
        f"{folder / 'pipeline.json'}: members.toy.maps.smooth.use: no score map 'toys/smooth'; run pip install toys; "
        f"saved with affectkit=={version}"
    )


def test_a_config_that_lost_a_member_is_not_what_was_saved(tmp_path: Path) -> None:
    folder = save(build(ensemble()), tmp_path / "model")
    data = json.loads((folder / "pipeline.json").read_text())
    del data["config"]["members"]["two"]
    (folder / "pipeline.json").write_text(json.dumps(data))
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"{folder / 'pipeline.json'}: is not what was saved with these weights; "
        "load the original, set dials in Python and save again"
    )
