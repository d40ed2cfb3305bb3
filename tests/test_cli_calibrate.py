"""`affectkit calibrate`: what it fits, in which order, on whom; what it says, saves and refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    CompoundExpressionConfig,
    CompoundLearnedConfig,
    ConcatFusionConfig,
    ConvStemConfig,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    FrameStream,
    MeanFusionConfig,
    Model,
    PipelineConfig,
    SmoothConfig,
    StackingConfig,
    TemperatureConfig,
    ThresholdsConfig,
    ValenceArousalConfig,
    WeightedFusionConfig,
    load,
    save,
)
from affectkit.data.labels import BASIC_7, COMPOUND_11
from affectkit.datasets import make_tree
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.training.compound_maps import fit_compound_map
from affectkit.training.examples import write_examples
from affectkit.training.late_fusions import fit_late_fusion
from affectkit.training.smoothing import set_smoothing
from affectkit.training.sources import open_data
from affectkit.training.temperature import calibrate_members, fit_temperature
from affectkit.training.thresholds import set_thresholds
from tests.cli_runs import run, run_json

pytestmark = pytest.mark.usefixtures("offline")
WEIGHTED = WeightedFusionConfig(weights={"one": 1, "two": 1})
NAMES = ("neutral", "happiness", "surprise")
UNITS = ("AU1", "AU2")
UNKNOWN = (
    "whether model was trained on any of them can't be checked, since it does not say on whom; "
    "name that data by --trained-on"
)


@pytest.fixture(autouse=True)
def cache(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(here / "cache"))


def pipeline(**maps: Any) -> PipelineConfig:
    return PipelineConfig(
        input=FeatureStream(dim=5),
        branches={"face": Branch()},
        heads={
            "expression": ExpressionConfig(targets=NAMES),
            "au": ActionUnitsConfig(targets=UNITS),
            "va": ValenceArousalConfig(),
        },
        maps=maps,
    )


def ensemble(fusion: Any, **maps: Any) -> EnsembleConfig:
    return EnsembleConfig(members={"one": pipeline(), "two": pipeline()}, fusion=fusion, maps=maps)


def saved(config: PipelineConfig | EnsembleConfig, name: str = "model") -> Model:
    """A saved model, and what comes of loading it; of stored features each head passes on its own, a member louder."""
    torch.manual_seed(0)
    model = config.build()
    with torch.no_grad():
        for path, weight in model.named_parameters():
            if ".heads." in f".{path}" and weight.shape[-1] == 5:
                first = {"expression": 0, "au": 0, "va": 3}[path.split(".")[-3]]
                weight.copy_((3 if "one" in path else 2) * torch.eye(5)[first : first + len(weight)])
    save(model, name)
    return load(name)


def segments(people: int = 8, *, first: int = 0) -> Examples:
    """A video of each of some people, with labels that the features tell but for noise."""
    make = torch.Generator().manual_seed(first)
    values = torch.randn(people, 20, 5, generator=make)
    noise = torch.randn(people, 20, 5, generator=make)
    return Examples(
        inputs={"clip": Sequence.of(values, times=torch.arange(20).double().expand(people, -1) / 30)},
        targets={
            "expression": Targets.of((values + noise)[..., :3].argmax(dim=-1)),
            "au": Targets.of(((values + noise)[..., :2] > 0.5).float()),
            "va": Targets.of(torch.tanh((values + noise)[..., 3:])),
        },
        subjects=tuple(f"made/{first + n}" for n in range(people)),
        videos=tuple(f"v{first + n}" for n in range(people)),
        frames=torch.arange(20).expand(people, -1),
    )


def clips(count: int = 12) -> Examples:
    """Labels of expressions alone, and no videos."""
    given = segments(count)
    return Examples(inputs=given.inputs, targets={"expression": given.targets["expression"]}, subjects=given.subjects)


def written(examples: Examples, name: str = "choice") -> str:
    write_examples(examples, Path(f"{name}.safetensors"))
    return f"{name}.safetensors"


def same(one: Model, other: Model) -> bool:
    states = one.state_dict(), other.state_dict()
    return (
        one.config == other.config
        and set(states[0]) == set(states[1])
        and all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    )


MAPS: dict[str, Any] = {
    "sure": TemperatureConfig(source="expression"),
    "calm": SmoothConfig(source="au"),
    "calm_va": SmoothConfig(source="va"),
    "cut": ThresholdsConfig(source="calm"),
}


def test_maps_are_fitted_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    model, given = saved(pipeline(**MAPS)), segments()
    found = run_json(capsys, "calibrate", "model", written(given), "--out", "new")
    temperature = fit_temperature(model, "sure", given)
    dials = set_smoothing(model, given)
    # cuts of smoothed scores: those of scores as they were would be others
    cuts = set_thresholds(model, "cut", given)
    assert same(load("new"), model)
    assert found == {
        "model": "new",
        "fitted": {
            "maps.sure": {"kind": "temperature", "values": {"T": temperature}},
            **{
                f"maps.{name}": {
                    "kind": "smooth", "values": {dial: dials[f"maps.{name}.{dial}"] for dial in ("sigma", "delta")}
                }
                for name in ("calm", "calm_va")
            },
            "maps.cut": {"kind": "thresholds", "values": cuts},
        },
        "left": {},
        "clips": 8,
        "subjects": 8,
        "checked": [],
    }  # fmt: skip
    card = Path("new/README.md").read_text()
    assert (
        "model, calibrated on 8 segments of 8 subjects of choice.safetensors: "
        "maps.sure, maps.calm, maps.calm_va, maps.cut. How it was trained, its own card says."
    ) in card


def test_a_map_that_smooths_after_a_fitted_one(capsys: pytest.CaptureFixture[str]) -> None:
    maps = {"sure": TemperatureConfig(source="expression"), "calm": SmoothConfig(source="sure")}
    model, given = saved(pipeline(calm_va=SmoothConfig(source="va"), **maps)), segments()
    run_json(capsys, "calibrate", "model", written(given), "--out", "new")
    set_smoothing(model, given, names=["calm_va"])
    fit_temperature(model, "sure", given)
    set_smoothing(model, given, names=["calm"])
    assert same(load("new"), model)


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    model, given = saved(pipeline(**MAPS)), clips()
    code, out, err = run(capsys, "calibrate", "model", written(given), "--out", "new")
    assert (code, err) == (0, "")
    value = fit_temperature(model, "sure", given)
    assert [" ".join(line.split()) for line in out.splitlines() if line.strip(" ─-")] == [
        "fitted what value",
        f"maps.sure temperature T {value:.4g}",
        "as it was why",
        "maps.calm the examples are no segments of videos",
        "maps.calm_va the examples are no segments of videos",
        "maps.cut examples: no labels of 'au'; they have 'expression'",
        "calibrated on 12 clips of 12 subjects: new",
        UNKNOWN,
    ]
    assert same(load("new"), model)


def test_what_is_named_is_fitted_alone(capsys: pytest.CaptureFixture[str]) -> None:
    maps = {"sure": TemperatureConfig(source="expression"), "cut": ThresholdsConfig(source="au")}
    model, given = saved(pipeline(**maps)), segments()
    found = run_json(capsys, "calibrate", "model", written(given), "--out", "new", "--fit", "maps.cut")
    assert list(found["fitted"]) == ["maps.cut"]
    set_thresholds(model, "cut", given)
    assert same(load("new"), model)


def test_a_unit_that_nobody_shows_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    saved(pipeline(cut=ThresholdsConfig(source="au")))
    given = segments()
    values = given.targets["au"].values.clone()
    values[..., 1] = 0
    given = replace(given, targets=dict(given.targets) | {"au": Targets.of(values)})
    code, _, err = run(capsys, "calibrate", "model", written(given), "--out", "new")
    assert (code, err) == (0, "warning: thresholds: no valid positive label of the targets 'AU2'; theirs stay at 0\n")
    assert load("new").get_buffer("maps.cut.thresholds")[1] == 0


@pytest.mark.parametrize("fusion", [WEIGHTED, StackingConfig()], ids=["weighted", "stacking"])
def test_temperatures_of_members_come_before_what_joins_them(fusion: Any, capsys: pytest.CaptureFixture[str]) -> None:
    given = segments()
    model: Any = saved(ensemble(fusion, sure=TemperatureConfig(source="expression")))
    found = run_json(capsys, "calibrate", "model", written(given), "--out", "new", "--add-temperatures")
    model, temperatures = calibrate_members(model, given, outputs=("expression", "au"))
    joined = fit_late_fusion(model, given, outputs=("expression_calibrated", "au_calibrated"))
    last = fit_temperature(model, "sure", given)
    assert same(load("new"), model)
    values = {path: one["values"] for path, one in found["fitted"].items()}
    assert values == {
        **{
            f"members.{member}.maps.{name}_calibrated": {"T": value}
            for name, by_member in temperatures.items()
            for member, value in by_member.items()
        },
        "fusion": dict(joined.weights or joined.penalties),
        "maps.sure": {"T": last},
    }
    assert found["left"] == {"fusion.va": "problem 'regression' has no likelihood"}
    # once they are there, they are of members
    again = run_json(capsys, "calibrate", "new", written(given), "--out", "newer")
    assert again["fitted"]["fusion"]["values"] == pytest.approx(values["fusion"])
    assert again["left"] == {
        **{
            f"members.{member}.maps.{name}_calibrated": "of a member; calibrate that before it is joined"
            for member in ("one", "two")
            for name in ("expression", "au")
        },
        "fusion.va": "problem 'regression' has no likelihood",
    }
    named = run_json(capsys, "calibrate", "new", written(given), "--out", "named", "--fit", "maps.sure")
    assert (list(named["fitted"]), named["left"]) == (["maps.sure"], {})


PICTURES = ("--faces", "whole-frame", "--workers", "1", "--out", "new")


def faces(head: Any = None, **maps: Any) -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        heads=head or {"expression": ExpressionConfig(targets=BASIC_7)},
        sampling=None,
        maps=maps,
    )


@pytest.mark.parametrize("fusion", [WEIGHTED, StackingConfig()], ids=["weighted", "stacking"])
@pytest.mark.filterwarnings("ignore:.*temperature.*")
def test_what_joins_members_is_fitted_on_pictures(fusion: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make_tree("raf-db", "RAF-DB")
    config = EnsembleConfig(members={"one": faces(), "two": faces()}, fusion=fusion)
    model: Any = saved(config)
    words = ("calibrate", "model", "raf-db=RAF-DB", *PICTURES)
    found = run_json(capsys, *words, "--part", "all", "--add-temperatures")
    given = open_data("raf-db=RAF-DB", config, faces="whole-frame").examples
    model, _ = calibrate_members(model, given)
    fit_late_fusion(model, given)
    assert same(load("new"), model)
    assert (found["clips"], found["subjects"], found["left"]) == (7, 7, {})
    facts = {
        (): "raf-db=RAF-DB: has the halves 'train', 'test'; say which one to choose by, or 'all' (--part)",
        ("--part", "validation"): (
            "raf-db=RAF-DB: no half 'validation', it has 'train', 'test'; name another one, or 'all' (--part)"
        ),
        # of seven classes, four are in one half
        ("--part", "train"): (
            "examples: no expression label is 'disgust', 'fear', 'happiness'; "
            "add people who show it, or drop it from the members' targets"
        ),
    }
    for options, fact in facts.items():
        assert run(capsys, *words, *options, "--overwrite")[2].splitlines()[-1] == f"error: {fact}"


def test_a_half_may_not_share_people_with_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    saved(pipeline(sure=TemperatureConfig(source="expression")))
    halves = ("train", "train", "train", "validation", "validation", "test", "test", "test")
    given = replace(segments(), halves=halves)
    found = run_json(capsys, "calibrate", "model", written(given), "--out", "new", "--part", "validation")
    assert (found["clips"], found["subjects"]) == (2, 2)
    shared = replace(given, subjects=(given.subjects[4], *given.subjects[1:]))
    code, _, err = run(capsys, "calibrate", "model", written(shared), "--out", "newer", "--part", "validation")
    fact = "error: examples: subjects 'made/4' are used elsewhere too; choose by others\n"
    assert (code, err) == (1, fact)
    assert not Path("newer").exists()
    whole = written(segments())
    code, _, err = run(capsys, "calibrate", "model", whole, "--out", "newer", "--part", "test")
    assert (code, err) == (
        1, f"error: {whole}: no half 'test', it has no halves; name another one, or 'all' (--part)\n"
    )  # fmt: skip


def test_people_of_the_training_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    saved(pipeline(sure=TemperatureConfig(source="expression")))
    words = ("calibrate", "model", written(segments()), "--out", "new", "--trained-on")
    train = written(segments(first=6), "train")
    assert run(capsys, *words, train) == (
        1, "", "error: examples: subjects 'made/6', 'made/7' are used elsewhere too; choose by others\n"
    )  # fmt: skip
    make_tree("casme2", "CASME2")
    others = written(segments(first=8), "others")
    code, out, _ = run(capsys, *words, others, "casme2=CASME2")
    assert (code, out.splitlines()[-1]) == (0, "nobody of them is in others.safetensors, casme2=CASME2")


def test_features_of_another_encoder_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    model = saved(pipeline(hot=TemperatureConfig(source="expression")))
    model.encoders = {"clip": "ab" * 32}
    save(model, "known")
    other = written(replace(segments(), encoders={"clip": "cd" * 32}))
    assert run(capsys, "calibrate", "known", other, "--out", "new")[::2] == (
        1,
        "error: examples: features 'clip' are of encoder cdcdcdcdcdcd, and the model learned from those of "
        "abababababab; compute them by that one\n",
    )
    # where either side doesn't say it, nobody can know; and what the model knows is kept
    assert run(capsys, "calibrate", "known", written(segments()), "--out", "new")[0] == 0
    assert load("new").encoders == {"clip": "ab" * 32}


def test_a_map_that_learns_is_fitted_on_pictures_of_compounds(capsys: pytest.CaptureFixture[str]) -> None:
    make_tree("raf-db-compound", "compounds")
    data = "raf-db-compound=compounds"
    given = open_data(data, faces({"c": CompoundExpressionConfig(targets=COMPOUND_11)}), faces="whole-frame").examples
    numbers = given.targets["c"].values.flatten()
    shown = tuple(COMPOUND_11[k] for k in sorted(set(numbers.tolist())))
    assert len(shown) == 7
    maps = {
        "compound": CompoundLearnedConfig(source="expression", targets=shown),
        "surer": TemperatureConfig(source="compound"),
    }
    model = saved(faces(**maps))
    words = ("calibrate", "model", data, *PICTURES, "--part", "all", "--fit", "maps.compound")
    code, _, err = run(capsys, *words)
    lacking = ", ".join(repr(name) for name in COMPOUND_11 if name not in shown)
    assert (code, err) == (
        1,
        f"error: maps.compound: scores {', '.join(map(repr, shown))}, and the dataset has {lacking} too; "
        "set the head's 'targets' or what the dataset reads, or leave them out by extra='invalid'\n",
    )
    found = run_json(capsys, *words, "--extra-classes", "invalid")
    labels = torch.tensor([shown.index(COMPOUND_11[k]) for k in numbers.tolist()]).view(-1, 1)
    fit = fit_compound_map(model, "compound", replace(given, targets={"compound": Targets.of(labels)}))
    assert same(load("new"), model)
    assert found["fitted"]["maps.compound"]["values"] == {"before": fit.before, "after": fit.after}
    # a class that nobody shows can't be learned
    saved(faces(compound=CompoundLearnedConfig(source="expression", targets=COMPOUND_11)), "eleven")
    code, _, err = run(capsys, "calibrate", "eleven", data, *PICTURES, "--part", "all", "--overwrite")
    assert (code, err) == (
        1, f"error: examples: no valid label of {lacking}; give some, or leave it out of the map's targets\n"
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:thresholds.*")
def test_cuts_of_units_on_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    make_tree("emotionet", "units")
    targets = ("AU1", "AU12")
    model = saved(faces({"au": ActionUnitsConfig(targets=targets)}, cut=ThresholdsConfig(source="au")))
    words = ("calibrate", "model", "emotionet=units", *PICTURES, "--extra-classes", "invalid")
    found = run_json(capsys, *words)
    given = open_data("emotionet=units", model.config, faces="whole-frame", extra="invalid").examples
    assert found["fitted"]["maps.cut"]["values"] == set_thresholds(model, "cut", given)
    assert same(load("new"), model)


def test_segments_of_videos_by_their_stored_features(capsys: pytest.CaptureFixture[str]) -> None:
    make_tree("s-aff-wild2", "labels", pictures=False)
    Path("features").mkdir()
    make = np.random.default_rng(0)
    for name, numbers in (("video9", [3, 10, 14]), ("7-25-320x240", [1, 2, 3, 4, 5])):
        np.savez(f"features/{name}.npz", values=make.normal(size=(len(numbers), 5)).astype("f4"), frames=numbers)
    Path("data.toml").write_text(
        'root = "labels"\nuse = "s-aff-wild2"\n[tracks]\nclip = "features"\n[segments]\nlength = 5\nfps = 30.0\n'
    )
    config = replace(pipeline(calm=SmoothConfig(source="va")), heads={"va": ValenceArousalConfig()})
    model = saved(config)
    code, out, err = run(capsys, "calibrate", "model", "data.toml", "--out", "new")
    assert (code, err) == (0, "")
    set_smoothing(model, open_data("data.toml", config).examples)
    assert same(load("new"), model)
    assert "it is neither trained nor scored" not in out


def test_several_data_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    maps = {"sure": TemperatureConfig(source="expression"), "cut": ThresholdsConfig(source="au")}
    model, one, two = saved(pipeline(**maps)), segments(), segments(first=8)
    labeled = [replace(part, targets={name: part.targets[name]}) for part, name in ((one, "expression"), (two, "au"))]
    files = [written(part, name) for part, name in zip(labeled, ("a", "b"), strict=True)]
    found = run_json(capsys, "calibrate", "model", *files, "--out", "new")
    fit_temperature(model, "sure", one)
    set_thresholds(model, "cut", two)
    assert same(load("new"), model)
    assert (found["clips"], found["left"]) == (16, {})


def test_nothing_is_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    model, data = saved(pipeline(sure=TemperatureConfig(source="expression"))), written(segments())
    code, _, err = run(capsys, "calibrate", "model", data, "--out", "model")
    assert (code, err) == (1, "error: model: is there already; give another folder, or add --overwrite\n")
    assert same(load("model"), model)
    assert run(capsys, "calibrate", "model", data, "--out", "model", "--overwrite")[0] == 0
    fit_temperature(model, "sure", segments())
    assert same(load("model"), model)


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (
            pipeline(),
            (),
            "model: nothing that is fitted after the training; give it a score map such as temperature or thresholds, "
            "or join members by weighted or stacking",
        ),
        (
            pipeline(),
            ("--fit", "fusion"),
            "model: nothing that is fitted after the training; give it a score map such as temperature or thresholds, "
            "or join members by weighted or stacking",
        ),
        (
            EnsembleConfig(members={"one": pipeline(**MAPS)}, fusion=MeanFusionConfig(), outputs=("expression",)),
            (),
            "model: nothing that is fitted after the training; members.one.maps.sure is of a member, calibrate that "
            "before it is joined",
        ),
        (
            EnsembleConfig(members={"one": pipeline(**MAPS)}, fusion=MeanFusionConfig(), outputs=("expression",)),
            ("--fit", "members.one.maps.sure"),
            "model: nothing that is fitted after the training; members.one.maps.sure is of a member, calibrate that "
            "before it is joined",
        ),
        (
            pipeline(**MAPS),
            ("--fit", "maps.cuts"),
            "maps.cuts: nothing that is fitted; did you mean 'maps.cut'? "
            "fitted: 'maps.sure', 'maps.calm', 'maps.calm_va', 'maps.cut'",
        ),
        (
            pipeline(**MAPS),
            ("--fit", "maps.calm"),
            "maps.calm: can't be fitted: the examples are no segments of videos",
        ),
        (
            pipeline(cut=ThresholdsConfig(source="au")),
            (),
            "maps.cut: can't be fitted: examples: no labels of 'au'; they have 'expression'",
        ),
        (
            EnsembleConfig(
                members={"one": pipeline(**MAPS), "two": pipeline(**MAPS)}, fusion=WEIGHTED, outputs=("au",)
            ),
            (),
            "fusion: can't be fitted: examples: no labels of 'au'; they have 'expression'",
        ),
        (
            pipeline(**MAPS),
            ("--add-temperatures",),
            "temperatures: the model is no ensemble; give the pipeline a score map temperature",
        ),
        (
            replace(ensemble(MeanFusionConfig()), outputs=("va",)),
            ("--add-temperatures",),
            "fusion.va: no temperatures: problem 'regression' has no likelihood",
        ),
        (
            EnsembleConfig(
                members={"one": pipeline()}, fusion=ConcatFusionConfig(), heads={"va": ValenceArousalConfig()}
            ),
            ("--add-temperatures",),
            "ensemble: joined by features; write a map `temperature` of its own head into its config, and calibrate "
            "that without temperatures",
        ),
    ],
)
def test_what_can_not_be_fitted(
    config: Any, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(config)
    data = written(clips())
    assert run(capsys, "calibrate", "model", data, "--out", "new", *options) == (1, "", f"error: {message}\n")
    assert not Path("new").exists()


def test_labels_that_are_none_and_data_that_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    saved(pipeline(sure=TemperatureConfig(source="expression")))
    given = clips()
    values = given.targets["expression"].values
    empty = replace(given, targets={"expression": Targets(values, torch.zeros_like(values, dtype=torch.bool))})
    code, _, err = run(capsys, "calibrate", "model", written(empty), "--out", "new")
    assert (code, err) == (1, "error: maps.sure: can't be fitted: examples: no valid label of 'expression'\n")
    np.savez("none.npz", clip=np.zeros((0, 4, 5), np.float32), expression=np.zeros(0, int), subject=np.zeros(0, "U1"))
    code, _, err = run(capsys, "calibrate", "model", "none.npz", "--out", "new")
    assert (code, err) == (
        1, "error: examples: nothing to learn from; give at least one clip with an input and a target\n"
    )  # fmt: skip
    code, _, err = run(capsys, "calibrate", "modle", "none.npz", "--out", "new")
    assert (code, err) == (
        1, "error: modle: no pipeline.json; a saved model holds pipeline.json and model.safetensors\n"
    )  # fmt: skip
