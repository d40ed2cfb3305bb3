"""The small ensemble: plans, training from faces to one model, ways of joining, scores."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from affectkit_compound.cli import main
from affectkit_compound.joining import freeze_members, halves, join_members, join_ways, take_apart
from affectkit_compound.plan import Plan, World, quick, read_plan
from affectkit_compound.scores import confusions, describe_scores, labeled, score_people
from affectkit_compound.synthetic_faces import WORLDS
from affectkit_compound.system import (
    JOINED,
    MEMBERS,
    WAYS,
    make_compound,
    make_ensemble,
    make_small_member,
    make_tail,
    name_mirrored,
)
from affectkit_compound.training import (
    RESULTS,
    extract_features,
    load_members,
    mirror,
    train_fusion,
    train_members,
    train_system,
)

from affectkit import MeanFusionConfig, analyze, analyze_pictures, from_pretrained, load, mirrored, read_results
from affectkit.agreement import measure_agreement
from affectkit.configs import FusionConfig, LateFusionConfig
from affectkit.data.labels import BASIC_7, COMPOUND_11
from affectkit.datasets import make_tree
from affectkit.datasets.trees.c_expr_db_tree import LIST
from affectkit.errors import ConfigError, InputError
from affectkit.features.frame_network import FrameNetwork
from affectkit.model import Memo, Model
from affectkit.protocols.abaw_answers import check_answer, write_answer
from affectkit.protocols.abaw_video_answers import Answer
from affectkit.protocols.video_predictions import aggregate_tables
from affectkit.recipes import Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, evaluate
from affectkit.training.folds import probabilities
from affectkit.training.plan_folders import open_folder, read_plan_of
from affectkit.training.sources import open_data


def is_installed() -> bool:
    """Whether its components and presets are found by name."""
    try:
        distribution("affectkit-compound")
    except PackageNotFoundError:
        return False
    return True


pytestmark = pytest.mark.skipif(not is_installed(), reason="affectkit-compound is not installed")
PLAN = replace(
    quick(Plan()),
    basic=Recipe(epochs=1, batch_size=9),
    compound=Recipe(epochs=1, batch_size=9),
    fusion=Recipe(epochs=1, batch_size=9),
)
NAMES = (*BASIC_7, *COMPOUND_11)


def faces(first: int = 0, people: int = 2, seed: int = 0) -> Examples:
    """Checks of random colors; each person shows each of the 18 expressions once."""
    label = torch.arange(18).repeat(people).unsqueeze(1)
    is_basic = label < 7
    coarse = torch.rand(18 * people, 1, 3, 14, 14, generator=torch.Generator().manual_seed(seed))
    return Examples(
        inputs={"clip": Sequence.of(coarse.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1))},
        targets={
            "expression": Targets(torch.where(is_basic, label, 0), is_basic),
            "compound": Targets(torch.where(is_basic, 0, label - 7), ~is_basic),
        },
        subjects=tuple(f"made/{first + row // 18:02}" for row in range(18 * people)),
    )


def tail_of(members: Mapping[str, Model], examples: Examples) -> Model:
    """Untrained fusion and heads behind the members' features."""
    inputs = extract_features(members, examples).inputs
    return make_tail({name: one.values.shape[-1] for name, one in inputs.items()}).build().eval()


def refusal(call: Any, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_a_plan_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("train_people = 12\nseed = 3\n[fusion]\nepochs = 5\n")
    plan = read_plan(path)
    assert (plan.train_people, plan.seed, plan.fusion.epochs, plan.basic) == (12, 3, 5, Plan().basic)
    folder = tmp_path / "run"
    open_folder(folder, plan)
    open_folder(folder, plan)
    assert read_plan_of(folder, Plan) == plan
    assert refusal(lambda: open_folder(folder, Plan())) == (
        f"{folder}: holds a run of another plan; give another folder, or --plan {folder / 'plan.json'}"
    )
    assert refusal(lambda: open_folder(path, plan)) == f"{path}: is a file; name a folder for the run"
    wrong = refusal(lambda: Plan(choice_people=1), ConfigError)
    assert wrong == "choice_people: 1 is out of range; write 2 to 5000"
    wrong = refusal(lambda: Plan(seed=-1), ConfigError)
    assert wrong == "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"
    wrong = refusal(lambda: Plan(rates={"vgg": 1.0}), ConfigError)
    assert wrong == "rates: no member 'vgg'; members: 'resnet', 'vit', 'manet'"
    assert refusal(lambda: Plan(rates={"vit": 0.0}), ConfigError) == "rates.vit: 0.0 is no factor; write more than 0"


def test_a_run_knows_its_world(tmp_path: Path) -> None:
    assert get_args(World) == tuple(WORLDS)
    folder, plan = tmp_path / "run", Plan(world="APEX_V1")
    open_folder(folder, plan)
    assert read_plan_of(folder, Plan).world == "APEX_V1"
    assert "holds a run of another plan" in refusal(lambda: open_folder(folder, Plan()))
    path = tmp_path / "plan.toml"
    path.write_text('world = "STILLS_V1"\n')
    choices = "did you mean 'STILLS_V2'? values: 'APEX_V1', 'STILLS_V2', 'BOTH_V1'"
    assert refusal(lambda: read_plan(path), ConfigError) == f"{path}: world: 'STILLS_V1' is not accepted; {choices}"


def test_faces_are_drawn_in_the_world_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, Any]] = []

    def draw(seeds: range, *given: Any, **options: Any) -> Examples:
        asked.append((len(seeds), options["settings"]))
        if len(asked) == 2:
            raise InputError("that will do")
        return faces(2)

    monkeypatch.setattr("affectkit_compound.synthetic_faces.render_examples", draw)
    path = tmp_path / "plan.toml"
    path.write_text('world = "APEX_V1"\ntrain_people = 3\nchoice_people = 4\n')
    assert main(["train", "--out", str(tmp_path / "run"), "--plan", str(path)]) == 1
    assert asked == [(3, WORLDS["APEX_V1"]), (4, WORLDS["APEX_V1"])]


def test_each_member_has_a_rate_of_its_own() -> None:
    plan = Plan(rates={"vit": 0.5})
    assert plan.recipe("basic", "vit") == replace(plan.basic, learning_rate=0.5 * plan.basic.learning_rate)
    assert plan.recipe("compound", "manet") == plan.compound


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("train_people = 0\n")
    assert main(["train", "--out", str(tmp_path / "run"), "--plan", str(path)]) == 1
    assert capsys.readouterr().err == f"error: {path}: train_people: 0 is out of range; write 1 to 5000\n"
    assert main(["train", "--out", str(tmp_path / "run"), "--workers", "0"]) == 1
    assert capsys.readouterr().err == "error: --workers: 0 processes; write 1 or more\n"
    assert not (tmp_path / "run").exists()


def test_the_preset_scores_basic_and_compound_expressions_of_every_face() -> None:
    outputs = {name: (one.targets, one.resolution) for name, one in make_compound().trace().outputs.items()}
    agreement = ("share", "divergence", "members")
    assert outputs == {
        "expression": (BASIC_7, "frame"),
        "compound": (COMPOUND_11, "frame"),
        "expression_agreement": (agreement, "frame"),
        "compound_agreement": (agreement, "frame"),
    }
    assert JOINED in WAYS
    assert make_compound().tied
    assert list(make_compound().members) == ["plain", "mirrored"]
    assert make_compound().members["plain"] == replace(make_ensemble(WAYS[JOINED]), agreement=True)
    # one cut of each face for all members
    assert list(make_compound().input_streams()) == ["clip"]
    assert list(make_small_member("manet", ("expression",)).trace().outputs) == ["expression"]


@pytest.mark.filterwarnings("ignore::affectkit.errors.SyntheticWeightsWarning")
def test_the_preset_says_how_far_its_networks_agree(tmp_path: Path) -> None:
    model, quiet = from_pretrained("compound"), mirrored(make_ensemble(WAYS[JOINED]).build())
    # the same file: what is asked for has no weights
    assert list(quiet.state_dict()) == list(model.state_dict())
    quiet.load_state_dict(model.state_dict())
    inputs = faces(people=1).inputs["clip"]
    found = model.predict(inputs)
    for name, values in quiet.predict(inputs).items():
        assert torch.equal(found[name], values)
    looks = [inputs, mirror(faces(people=1)).inputs["clip"]]
    for name in ("expression", "compound"):
        parts = []
        looking: Any = model.members
        joined = looking["plain"]
        for seen in looks:
            alone = torch.stack([joined.members[member].predict(seen)[name] for member in MEMBERS])
            own = joined.predict(seen)[name]
            parts.append(measure_agreement(alone, None, own, "multiclass"))
        torch.testing.assert_close(found[f"{name}_agreement"], sum(parts) / 2)
        assert (found[f"{name}_agreement"][..., 2] == len(MEMBERS)).all()
        assert len(set(found[f"{name}_agreement"][..., 0].flatten().tolist())) > 1
    session = model.stream(batch=len(inputs.values))
    torch.testing.assert_close(session.step(inputs), model(inputs))
    table = tmp_path / "rows.csv"
    picture = (255 * inputs.values[0, 0].permute(1, 2, 0)).byte().numpy()
    analyze(frames=picture[None], pipeline=model, fps=25.0, faces="whole-frame", out=table)
    (row,) = read_results(table)
    assert list(row.predictions)[18:] == [
        f"{name}_agreement.{fact}" for name in ("expression", "compound") for fact in ("share", "divergence", "members")
    ]
    assert row.predictions["compound_agreement.members"] == 3.0


def test_crops_to_an_answer(tmp_path: Path) -> None:
    root = make_tree("c-expr-db", tmp_path / "C-EXPR-DB").root
    table, sample, out = tmp_path / "pictures.csv", root / LIST, tmp_path / "answer.txt"
    analyze_pictures(root / "cropped_aligned", make_compound().build(), faces="whole-frame", out=table)
    # of its eleven classes, the four that the challenge does not ask for are no answer
    assert write_answer("abaw7-ce", table, sample, out, missing="nearest") == Answer(12, 3, 1)
    assert check_answer("abaw7-ce", out, sample) == Answer(12, 3, 0)
    assert [one.video for one in aggregate_tables(table, "compound")] == ["01", "02", "10"]


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_on_a_dataset_with_labels_of_one_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    make_tree("raf-db-compound", tmp_path / "RAF-DB")
    data = f"raf-db-compound={tmp_path / 'RAF-DB'}"
    for config in (make_small_member("resnet"), make_compound()):
        with pytest.raises(InputError, match=r"\.expression: no labels of it; .*--unlabeled-heads leave\)$"):
            open_data(data, config, faces="whole-frame")
    examples = open_data(data, make_compound(), faces="whole-frame", unlabeled="leave").examples
    assert set(examples.targets) == {"compound"}
    # the preset with its weights, as the command line scores it by --artifacts compound
    found = evaluate(make_compound(), examples, protocol="official", head="compound", artifacts="compound")
    test = [row for row, half in enumerate(examples.halves) if half == "test"]
    expected = probabilities(from_pretrained("compound"), examples.take(test), "compound")
    columns = [found.predictions.columns[f"p.{name}"] for name in COMPOUND_11]
    np.testing.assert_allclose(np.array(columns, float).T, expected.numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_from_faces_to_one_model_that_is_as_its_parts(tmp_path: Path) -> None:
    train, choice = faces(0, 2), faces(10, 4, seed=1)
    told: list[str] = []
    model = train_system(train, choice, PLAN, folder=tmp_path, say=told.append)
    joined = name_mirrored(JOINED)
    assert told[-1] == f"written: joined by {joined}"
    members, tail = load_members(tmp_path), load(tmp_path / "fusion")
    assert tuple(members) == tuple(MEMBERS)
    fitting, choosing = halves(choice)
    ways = join_ways(members, tail, fitting, used_elsewhere=train.subjects)
    plain = {*WAYS, "calibrated", "weighted"}
    assert set(ways) == plain | {f"mirrored {name}" for name in plain}
    inputs = choosing.inputs["clip"]
    found = model(inputs)
    for name, scores in ways[joined](inputs).items():
        torch.testing.assert_close(scores, found[name])
    looks = [inputs, mirror(choosing).inputs["clip"]]
    both = torch.stack([ways["features"].predict(one)["compound"] for one in looks]).mean(dim=0)
    torch.testing.assert_close(ways["mirrored features"].predict(inputs)["compound"], both, rtol=1e-4, atol=1e-6)
    # the preset's, whose members can train
    assert model.config == make_compound()
    # behind the features as behind the faces
    features = extract_features(members, choosing)
    for name, scores in tail(features.inputs).items():
        torch.testing.assert_close(ways["features"](inputs)[name], scores, rtol=1e-4, atol=1e-4)
    alone = torch.stack([member.predict(inputs)["compound"] for member in members.values()])
    torch.testing.assert_close(ways["mean"].predict(inputs)["compound"], alone.mean(dim=0), rtol=1e-4, atol=1e-6)
    basic = load_members(tmp_path, "basic")
    assert all(list(one.traced.outputs) == ["expression"] for one in basic.values())
    # what is done is not done again
    again: list[str] = []
    train_system(train, choice, PLAN, folder=tmp_path, say=again.append)
    assert not [line for line in again if line.startswith(("members ", "member ", "fusion: "))]


@pytest.mark.slow
def test_members_of_two_workers_are_those_of_one(tmp_path: Path) -> None:
    told: list[str] = []
    apart = train_members(faces(), PLAN, folder=tmp_path / "two", workers=2, say=told.append)
    done = [re.fullmatch(r"member (\w+), (\w+): done after \d+ s", line) for line in told[1:]]
    stages = [found.groups() for found in done if found is not None]
    assert sorted(stages) == sorted((name, stage) for name in MEMBERS for stage in RESULTS)
    assert all(stages.index((name, "basic")) < stages.index((name, "compound")) for name in MEMBERS)
    before = torch.get_num_threads()
    # as many as a worker has: sums of other threads round otherwise, and small gradients turn their sign
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", max((os.cpu_count() or 1) // 2, 1))))
    alone = train_members(faces(), PLAN, folder=tmp_path / "one")
    torch.set_num_threads(before)
    for name, member in alone.items():
        for key, value in member.state_dict().items():
            assert torch.equal(apart[name].state_dict()[key], value), key


def test_a_stage_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    train_members(faces(), PLAN, folder=tmp_path)
    shutil.rmtree(tmp_path / RESULTS["compound"] / "vit")
    basic = tmp_path / RESULTS["basic"] / "vit" / "model.safetensors"
    before, told = basic.stat().st_mtime_ns, list[str]()
    assert tuple(train_members(faces(), PLAN, folder=tmp_path, say=told.append)) == tuple(MEMBERS)
    assert told[:2] == ["members vit: 36 faces", "member vit, basic: is there"]
    assert len(told) == 3
    assert basic.stat().st_mtime_ns == before


def test_the_fusion_of_features_learns_and_members_stay() -> None:
    torch.manual_seed(0)
    members = {name: make_small_member(name).build().eval() for name in MEMBERS}
    before = {name: {k: v.clone() for k, v in one.state_dict().items()} for name, one in members.items()}
    train = faces()
    features = extract_features(members, train)
    tail = train_fusion(features, replace(PLAN, fusion=Recipe(epochs=150, batch_size=36, learning_rate=3e-3)))
    found = probabilities(tail, labeled(features, "compound"), "compound").argmax(dim=1)
    assert (found == torch.arange(11).repeat(2)).float().mean() > 0.5
    for name, one in members.items():
        for key, value in one.state_dict().items():
            assert torch.equal(value, before[name][key])


def test_who_is_trained_on_chooses_nothing(tmp_path: Path) -> None:
    assert refusal(lambda: train_system(faces(), faces(), PLAN, folder=tmp_path)) == (
        "choice: 'made/00' is in the training set too; choose by other people"
    )
    assert refusal(lambda: halves(faces(people=1))) == (
        "examples: 1 person; give two at least, one to fit and one to choose by"
    )
    assert refusal(lambda: load_members(tmp_path)) == (
        f"{tmp_path / 'members' / 'resnet'}: no such member; run affectkit-compound train --out {tmp_path}"
    )


def test_halves_share_nobody() -> None:
    first, second = halves(faces(people=5))
    assert sorted(set(first.subjects)) == ["made/00", "made/01"]
    assert sorted(set(second.subjects)) == ["made/02", "made/03", "made/04"]


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_scores_are_of_what_is_labeled() -> None:
    examples = faces()
    some = labeled(examples, "compound")
    assert len(some) == 22
    assert tuple(some.targets) == ("compound",)
    right = torch.eye(11).repeat(2, 1)
    assert np.trace(confusions(right, some, "compound").sum(axis=0)) == 22
    members = {name: make_small_member(name).build().eval() for name in MEMBERS}
    model = join_members(make_ensemble(MeanFusionConfig()), members)
    assert score_people({"mean": model}, examples, "expression")["mean"].sum() == 14
    lines = describe_scores({"mean": model}, examples)
    calibrated = join_ways(members, tail_of(members, examples), faces(10), used_elsewhere=())["calibrated"]
    assert describe_scores({"calibrated": calibrated}, examples)["calibrated"].startswith("expression 0.")
    basic = make_small_member("vit", ("expression",)).build()
    assert re.fullmatch(r"expression 0\.\d{3}", describe_scores({"basic": basic}, examples)["basic"])
    assert list(lines) == ["mean"]
    assert re.fullmatch(r"expression 0\.\d{3}, compound 0\.\d{3}", lines["mean"])
    hidden = replace(examples, targets={"compound": Targets(*(0 * part for part in examples.targets["compound"]))})
    assert refusal(lambda: labeled(hidden, "compound")) == (
        "examples: none has a label of 'compound'; give some that have"
    )


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_frozen_members_are_run_once_for_all_ways() -> None:
    torch.manual_seed(0)
    members = {name: make_small_member(name).build().eval() for name in MEMBERS}
    ways: dict[str, Model] = dict(
        join_ways(members, tail_of(members, faces()), faces(10, 2, seed=1), used_elsewhere=())
    )
    ways |= freeze_members(members)
    ways |= {f"{name} mirrored": mirrored(model) for name, model in freeze_members(members).items()}
    networks = {id(part): part for model in ways.values() for part in model.modules() if isinstance(part, FrameNetwork)}
    runs: list[Any] = []
    for network in networks.values():
        network.register_forward_hook(lambda module, given, found: runs.append(module.config))
    found = score_people(ways, faces(), "compound")
    # a face and its mirror image
    assert Counter(runs) == {replace(config, frozen=True): 2 for config in MEMBERS.values()}
    for name, model in ways.items():
        np.testing.assert_array_equal(found[name], score_people({name: model}, faces(), "compound")[name])
    # what is shared is what a way gives by itself
    memo: Memo = {}
    inputs = faces().inputs
    for model in ways.values():
        with torch.no_grad():
            torch.testing.assert_close(model(inputs, memo=memo), model(inputs), rtol=0, atol=0)


def test_the_preset_is_its_parts_joined_again() -> None:
    preset = from_pretrained("compound").eval()
    members, tail = take_apart(preset)
    assert list(members) == list(MEMBERS)
    again = mirrored(join_members(make_ensemble(WAYS["features"], frozen=True), members, tail))
    faces = torch.rand(2, 1, 3, 112, 112)
    theirs = preset.predict(faces)
    for name, ours in again.predict(faces).items():
        # frozen ones look one by one, those of the preset at once: they differ in rounding
        torch.testing.assert_close(ours, theirs[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", [MeanFusionConfig(), WAYS["features"]])
def test_nothing_but_the_preset_is_taken_apart(way: LateFusionConfig | FusionConfig) -> None:
    model = make_ensemble(way, ("expression",)).build()
    with pytest.raises(InputError) as caught:
        take_apart(model)
    assert str(caught.value) == "model: has another config than the preset 'compound'; give that"


def test_a_mirror_turns_faces_and_keeps_labels() -> None:
    examples = faces(people=1)
    seen = mirror(examples)
    assert torch.equal(seen.inputs["clip"].values, examples.inputs["clip"].values.flip(-1))
    assert torch.equal(seen.targets["compound"].values, examples.targets["compound"].values)
    assert seen.keys[0] == f"{examples.keys[0]}-mirrored"
