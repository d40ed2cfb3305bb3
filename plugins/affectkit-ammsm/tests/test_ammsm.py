"""AMMSM: presets, the plan, phases after each other, and that nobody's own clips choose what he is tested with."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affectkit_ammsm.cli import main
from affectkit_ammsm.evaluation import evaluate_phases
from affectkit_ammsm.phases import PHASES, adapt, refit, run_phases, train_jointly, tune
from affectkit_ammsm.plan import Plan, plan_to_data, read_plan, resolve_plan
from affectkit_ammsm.presets import make_ammsm, make_ammsm_flow

from affectkit import (
    Branch,
    ConvStemConfig,
    FlowMagnifierConfig,
    FrameStream,
    MicroExpressionConfig,
    OpticalFlowConfig,
    PipelineConfig,
    SparseVSSDConfig,
    export_onnx,
    load,
    load_onnx,
)
from affectkit.errors import ConfigError, InputError
from affectkit.files import write_config, write_text
from affectkit.protocols.splits import leave_one_out
from affectkit.recipes import Augmentation, Recipe
from affectkit.search.space import Evolution, Limits, Objectives, SearchSpace
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.training.folds import probabilities

# The class of `ammsm-flow`, at the size of a test.
SMALL = SparseVSSDConfig(size="pico", dims=(8, 8), depths=(1, 1), heads=(1, 1), ratios=(0.0, 0.0), state=4, cells=2)
CONFIG = PipelineConfig(
    input=FrameStream(channels=("u", "v"), unit="relative", height=16, width=16, steps=("contraction",)),
    branches={"flow": Branch(motion=(FlowMagnifierConfig(alpha=1.0, width=4, levels=1),), features=SMALL)},
    heads={"micro": MicroExpressionConfig()},
)
RATIO = "branches.flow.features.ratios[0]"
ALPHA = "branches.flow.motion[0].alpha"
SHORT = Recipe(epochs=1, batch_size=8)
PLAN = Plan(
    joint=SHORT,
    adaptation=replace(SHORT, random_dials=("branches",)),
    search=SearchSpace(dials={RATIO: "all", ALPHA: (1.0, 4.0)}, search=Evolution(population=3, generations=2)),
    tuning=SHORT,
)


def clips(people: int = 6, each: int = 3, seed: int = 0) -> Examples:
    """Flow whose direction is the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(people * each) % 3
    values = 0.3 * torch.randn(people * each, 1, 2, 16, 16, generator=generator)
    values[:, 0, 0] += (labels - 1)[:, None, None]
    return Examples(
        inputs={"clip": Sequence.of(values)},
        targets={"micro": Targets.of(labels)},
        subjects=tuple(f"made/{row // each:02}" for row in range(people * each)),
    )


def test_presets() -> None:
    trace = make_ammsm().trace()
    assert str(trace["branches.flow.motion[1]"].output) == "frames [contraction] u+v+magnitude 224x224 pixel"
    model = make_ammsm_flow().build().eval()
    assert model(torch.rand(2, 1, 3, 28, 28))["micro"].shape == (2, 3)
    assert [dial.path for dial in model.dials] == [
        ALPHA,
        *(f"branches.flow.features.ratios[{stage}]" for stage in range(3)),
    ]


@pytest.mark.slow
def test_the_preset_from_frames_scores_two_frames() -> None:
    model = make_ammsm().build().eval()
    with torch.no_grad():
        assert model(torch.rand(1, 2, 3, 224, 224))["micro"].shape == (1, 3)


def test_a_plan_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        f"share = 0.3\n[joint]\nepochs = 3\n[search.dials]\n'{RATIO}' = 'all'\n[search.search]\ngenerations = 2\n"
    )
    plan = read_plan(path)
    assert (plan.share, plan.joint.epochs) == (0.3, 3)
    assert plan.space is not None
    assert plan.space.dials == {RATIO: "all"}
    write_text(tmp_path / "again.json", json.dumps(plan_to_data(plan)))
    assert read_plan(tmp_path / "again.json") == plan


def test_a_plan_searches_all_dials_unless_it_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[joint]\nepochs = 5\n")
    plan = resolve_plan(read_plan(tmp_path / "plan.toml"), CONFIG)
    assert plan.space is not None
    dials = (ALPHA, RATIO, "branches.flow.features.ratios[1]")
    assert tuple(plan.space.dials) == plan.adaptation.random_dials == dials
    assert resolve_plan(plan, CONFIG) == plan
    assert Plan().refits
    assert plan.refits
    assert not replace(plan, refit=False).refits
    none = resolve_plan(Plan(search="none"), CONFIG)
    assert not none.refits
    assert (none.space, none.adaptation.random_dials) == (None, ())


def test_a_space_without_dials_is_one_of_all_dials(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("[search.dials]\n[search.search]\npopulation = 3\n[search.objectives]\ncost = 'flops'\n")
    space = resolve_plan(read_plan(path), CONFIG).space
    everything = resolve_plan(Plan(), CONFIG).space
    assert space is not None
    assert everything is not None
    assert space == replace(everything, search=Evolution(population=3), objectives=Objectives(cost="flops"))
    path.write_text("[search.limits]\nflops = 1e9\n")
    plan = resolve_plan(read_plan(path), CONFIG)
    assert plan.space == replace(everything, limits=Limits(flops=1e9))
    assert plan.adaptation.random_dials == tuple(everything.dials)
    path.write_text("[search.search]\npopulation = 1\n")
    with pytest.raises(ConfigError) as caught:
        read_plan(path)
    assert str(caught.value) == f"{path}: search.search.population: 1 can't have children; write 2 or more"
    stiff = replace(CONFIG, branches={"flow": Branch(features=ConvStemConfig(dim=8))})
    with pytest.raises(ConfigError) as caught:
        resolve_plan(Plan(search=SearchSpace()), stiff)
    assert str(caught.value) == "search: all dials, and the pipeline has none; write 'none'"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: 0; give 1 or more"),
        ({"seed": -1}, "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"),
        (
            {"plan": replace(PLAN, search=SearchSpace(objectives=Objectives(score="F1")))},
            "objectives.score: no score 'F1' of clips; did you mean 'UF1'? scores: 'UF1', 'UAR', 'accuracy'",
        ),
        ({"examples": clips(people=1)}, "all: 1 subject to learn from; an inner split needs at least 2"),
    ],
    ids=["workers", "seed", "score", "people"],
)
def test_what_is_wrong_is_said_before_anything_is_trained_or_written(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affectkit_ammsm.phases.fit", None)
    given: dict[str, Any] = {"config": CONFIG, "examples": clips(), "plan": PLAN, "folder": tmp_path / "run"}
    for until in PHASES:
        with pytest.raises((ConfigError, InputError)) as caught:
            run_phases(**(given | options), until=until)
        assert str(caught.value) == message
    if options.keys() & {"workers", "plan"}:
        with pytest.raises((ConfigError, InputError)) as caught:
            evaluate_phases(**(given | options), searches=2)
        assert str(caught.value) == message
    assert not (tmp_path / "run").exists()


def test_a_start_that_failed_blocks_no_other(tmp_path: Path) -> None:
    run, none = tmp_path / "run", replace(PLAN, search="none")
    wrong = replace(none, joint=replace(SHORT, random_dials=("branches.none",)))
    for call in (
        lambda plan: run_phases(CONFIG, clips(), plan, until="joint", folder=run),
        lambda plan: evaluate_phases(CONFIG, clips(), plan, searches=2, folder=tmp_path / "loso"),
    ):
        with pytest.raises(ConfigError, match=r"^random_dials"):
            call(wrong)
        call(none)
        with pytest.raises(InputError, match=r"holds a run with another plan; give another folder$"):
            call(wrong)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for call in (
        lambda: run_phases(CONFIG, clips(), PLAN, folder=file),
        lambda: evaluate_phases(CONFIG, clips(), PLAN, searches=2, folder=file),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == f"{file}: is a file; name a folder for the run"
    assert file.read_text() == "mine"


def test_what_a_plan_and_a_pipeline_do_not_agree_on() -> None:
    stiff = replace(CONFIG, branches={"flow": Branch(features=ConvStemConfig(dim=8))})
    with pytest.raises(ConfigError) as caught:
        run_phases(stiff, clips(), Plan())
    assert str(caught.value) == "search: all dials, and the pipeline has none; write 'none'"
    with pytest.raises(ConfigError) as caught:
        run_phases(stiff, clips(), Plan(search="none"), until="search")
    assert str(caught.value) == "search: 'none', so there is nothing to search; write 'all', or a space"


def test_clips_without_a_class_are_not_scored() -> None:
    examples = clips()
    labels = examples.targets["micro"]
    valid = labels.valid.clone()
    valid[4] = False
    partial = replace(examples, targets={"micro": Targets.of(labels.values, valid)})
    with pytest.raises(InputError, match="no class"):
        evaluate_phases(CONFIG, partial, PLAN, searches=3)
    with pytest.raises(InputError) as caught:
        evaluate_phases(CONFIG, examples, PLAN, searches=3, workers=0)
    assert str(caught.value) == "workers: 0; give 1 or more"


def test_flow_is_computed_once_and_dials_keep_their_names() -> None:
    frames = replace(
        CONFIG,
        inputs={"clip": FrameStream(height=24, width=24, steps=("onset", "apex"))},
        branches={
            "flow": replace(
                CONFIG.branches["flow"], motion=(OpticalFlowConfig(pairs="phases"), *CONFIG.branches["flow"].motion)
            )
        },
    )
    values = torch.rand(18, 2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    examples = replace(clips(), inputs={"clip": Sequence.of(values)})
    alpha = "branches.flow.motion[1].alpha"
    plan = replace(PLAN, search=SearchSpace(dials={alpha: (1.0, 4.0)}, search=Evolution(population=2, generations=1)))
    _, groups = evaluate_phases(frames, examples, plan, searches=2)
    assert [list(group.values) for group in groups] == [[alpha], [alpha]]
    whole = run_phases(frames, examples, plan)
    assert list(whole.values) == [alpha]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share: 0.0 is no share; write more than 0, and less than 1"),
        (
            {"search": SearchSpace(fields={"heads.micro.dropout": (0.0, 0.5)})},
            "search.fields: 'heads.micro.dropout' is no dial, and training needs it fixed; search dials",
        ),
    ],
)
def test_what_a_plan_refuses(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Plan(**options)  # type: ignore[arg-type]


def test_phases_one_by_one_are_all_together() -> None:
    examples, plan = clips(), replace(PLAN, search="none")
    joint = train_jointly(CONFIG, examples, plan)
    adapted = adapt(CONFIG, examples, plan, start=joint)
    tuned = tune(CONFIG, examples, plan, start=adapted, values={})
    together = run_phases(CONFIG, examples, plan)
    assert (together.values, together.score) == ({}, None)
    for name, tensor in tuned.state_dict().items():
        torch.testing.assert_close(together.model.state_dict()[name], tensor)


def test_the_winner_has_the_dials_that_were_found() -> None:
    found = run_phases(CONFIG, clips(), PLAN)
    assert set(found.values) == {RATIO, ALPHA}
    assert found.score is not None
    assert 0 <= found.score <= 1
    assert {dial.path: dial.value for dial in found.model.dials}.items() >= found.values.items()


def test_behind_a_search_all_subjects_are_learned_from() -> None:
    examples = clips()
    found = run_phases(CONFIG, examples, PLAN)
    start = refit(CONFIG, examples, PLAN)
    tuned = tune(CONFIG, examples, PLAN, start=start, values=found.values)
    begun: list[str] = []
    kept = run_phases(CONFIG, examples, replace(PLAN, refit=False), progress=begun.append)
    assert begun == ["joint", "adapt", "search", "tune"]
    assert (kept.values, kept.score) == (found.values, found.score)
    for name, tensor in tuned.state_dict().items():
        assert torch.equal(tensor, found.model.state_dict()[name])
    differ = [not torch.equal(one, kept.model.state_dict()[name]) for name, one in tuned.state_dict().items()]
    assert any(differ)
    # without a search nothing was set apart
    begun.clear()
    run_phases(CONFIG, examples, replace(PLAN, search="none"), progress=begun.append)
    assert begun == ["joint", "adapt", "tune"]


@pytest.mark.parametrize("is_refit", [True, False])
def test_a_group_is_predicted_as_by_the_phases_themselves(is_refit: bool) -> None:
    examples, plan = clips(), replace(PLAN, refit=is_refit)
    _, groups = evaluate_phases(CONFIG, examples, plan, searches=2)
    fold = next(one for one in leave_one_out(examples.subjects) if one.name == "made/00")
    (mine,) = (group for group in groups if fold.name in group.probabilities)
    others = examples.take([row for row, one in enumerate(examples.subjects) if one not in mine.probabilities])
    start = refit(CONFIG, others, plan) if is_refit else run_phases(CONFIG, others, plan, until="search").model
    model = tune(CONFIG, examples.take(fold.train), plan, start=start, values=mine.values)
    expected = probabilities(model, examples.take(fold.test), "micro").tolist()
    assert mine.probabilities[fold.name] == expected


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    begun: list[str] = []
    run_phases(CONFIG, clips(), PLAN, until="adapt", folder=tmp_path, progress=begun.append)
    assert begun == ["joint", "adapt"]
    first = load(tmp_path / "adapt").state_dict()
    begun.clear()
    found = run_phases(CONFIG, clips(), PLAN, folder=tmp_path, progress=begun.append)
    assert begun == ["search", "refit", "tune"]
    whole = run_phases(CONFIG, clips(), PLAN)
    assert found.values == whole.values
    for name, tensor in found.model.state_dict().items():
        torch.testing.assert_close(tensor, whole.model.state_dict()[name])
    assert all(torch.equal(tensor, load(tmp_path / "adapt").state_dict()[name]) for name, tensor in first.items())
    assert PHASES == ("joint", "adapt", "search", "tune")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    plan = replace(PLAN, search="none")
    run_phases(CONFIG, clips(), plan, until="joint", folder=tmp_path)
    message = f"{tmp_path}: holds a run with other examples; give another folder"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run_phases(CONFIG, clips(seed=1), plan, until="joint", folder=tmp_path)
    message = f"{tmp_path}: holds a run with another plan; give another folder"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        run_phases(CONFIG, clips(), PLAN, until="joint", folder=tmp_path)
    message = f"{tmp_path / 'run.json'}: is no record, so nothing says of which run this is; give another folder"
    for broken in ("{", "[1]"):
        (tmp_path / "run.json").write_text(broken)
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            run_phases(CONFIG, clips(), plan, until="joint", folder=tmp_path)


def test_clips_of_other_channels_are_refused_before_they_are_augmented() -> None:
    wide = replace(clips(), inputs={"clip": Sequence.of(torch.rand(18, 1, 3, 16, 16))})
    plan = replace(PLAN, joint=replace(SHORT, augmentation=Augmentation(flip=0.5)))
    with pytest.raises(InputError) as caught:
        run_phases(CONFIG, wide, plan)
    assert str(caught.value) == "batch.clip: shape (12, 1, 3, 16, 16); the input 'clip' is (B, 1, 2, 16, 16)"


def test_nobodys_own_clips_choose_his_dials() -> None:
    """With one subject's clips and labels changed, the search of his group finds the same, score by score."""
    examples = clips()
    _, plain = evaluate_phases(CONFIG, examples, PLAN, searches=3)
    values = examples.inputs["clip"].values.clone()
    labels = examples.targets["micro"].values.clone()
    rows = [row for row, subject in enumerate(examples.subjects) if subject == "made/00"]
    values[rows], labels[rows] = 9.0, (labels[rows] + 1) % 3
    poisoned = replace(examples, inputs={"clip": Sequence.of(values)}, targets={"micro": Targets.of(labels)})
    predictions, changed = evaluate_phases(CONFIG, poisoned, PLAN, searches=3)
    for one, other in zip(plain, changed, strict=True):
        is_same = (one.values, one.score) == (other.values, other.score)
        # other groups' searches saw his clips, and notice: the poison can be seen where it may be
        assert is_same == ("made/00" in one.probabilities)
    assert len(predictions.columns["clip"]) == len(examples)
    # nor is he learned from anywhere: with other labels he is predicted the same
    relabeled = replace(examples, targets={"micro": Targets.of(labels)})
    _, others = evaluate_phases(CONFIG, relabeled, PLAN, searches=3)
    (before,), (after,) = (
        [group for group in groups if "made/00" in group.probabilities] for groups in (plain, others)
    )
    assert after.probabilities["made/00"] == before.probabilities["made/00"]
    # all others have learned from him
    assert after.probabilities.keys() == before.probabilities.keys()
    changed_for = [name for name, one in after.probabilities.items() if one != before.probabilities[name]]
    assert changed_for == [name for name in after.probabilities if name != "made/00"]


def test_leaving_out_goes_on_where_it_was(tmp_path: Path) -> None:
    plan = replace(PLAN, search="none")
    done: list[str] = []
    first, _ = evaluate_phases(
        CONFIG, clips(), plan, searches=2, folder=tmp_path, progress=lambda n, of, name: done.append(f"{n}/{of}")
    )
    assert done == ["1/2", "2/2"]
    (tmp_path / "groups" / "seed-0-part-2.json").unlink()
    done.clear()
    again, _ = evaluate_phases(
        CONFIG, clips(), plan, searches=2, folder=tmp_path, progress=lambda n, of, name: done.append(f"{n}/{of}")
    )
    assert done == ["2/2"]
    assert again.columns == first.columns
    assert not (tmp_path / "examples.safetensors").exists()


def test_both_presets_become_onnx_files(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    stored, (flow,) = make_ammsm_flow(), make_ammsm().branches.values()
    # the flow and magnifier of `ammsm`, at the size of a test
    small = PipelineConfig(
        input=FrameStream(height=20, width=20, steps=("onset", "apex")),
        branches={"flow": replace(flow, features=replace(SMALL, ratios=(0.5, 0.5)))},
        heads={"micro": MicroExpressionConfig()},
    )
    for name, config in (("stored", stored), ("frames", small)):
        torch.manual_seed(0)
        model, path = config.build(), tmp_path / f"{name}.onnx"
        facts = export_onnx(model, path)
        assert facts.differences["random"] <= 1e-4
        stream = config.input_streams()["clip"]
        assert isinstance(stream, FrameStream)
        batch = Sequence.of(torch.rand(3, len(stream.steps), len(stream.channels), stream.height, stream.width))
        found, expected = load_onnx(path).predict(batch)["micro"], model.predict(batch)["micro"]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = clips()
    data = tmp_path / "clips.npz"
    np.savez(
        data,
        clip=examples.inputs["clip"].values.numpy(),
        micro=examples.targets["micro"].values.numpy(),
        subject=np.array(examples.subjects),
    )
    write_config(CONFIG, tmp_path / "pipeline.toml")
    write_text(tmp_path / "plan.json", json.dumps(plan_to_data(PLAN)))
    common = [str(data), "--pipeline", str(tmp_path / "pipeline.toml"), "--plan", str(tmp_path / "plan.json")]
    assert main(["search", *common, "--out", str(tmp_path / "run"), "--workers", "1"]) == 0
    out, told = capsys.readouterr()
    assert ALPHA in out
    assert "on the subjects that the search chose by: no result" in out
    assert told.splitlines() == ["joint", "adapt", "search"]
    assert main(["all", *common, "--out", str(tmp_path / "run"), "--workers", "1"]) == 0
    assert capsys.readouterr().err.splitlines() == ["search", "refit", "tune"]
    assert (tmp_path / "run" / "tune" / "model.safetensors").is_file()
    assert main(["loso", *common, "--out", str(tmp_path / "loso"), "--workers", "1", "--searches", "2"]) == 0
    assert "2 searches, each without the subjects that it is for" in capsys.readouterr().out
    saved = str(tmp_path / "run" / "tune")
    assert main(["loso", str(data), "--pipeline", saved, "--out", str(tmp_path / "no")]) == 1
    assert capsys.readouterr().err == (
        f"error: {saved}: is a saved model, whose dials and class weights may come from those who would be tested; "
        "give a preset or a pipeline file\n"
    )
    assert main(["loso", *common, "--out", str(tmp_path / "no"), "--seed", "7"]) == 1
    assert capsys.readouterr().err == "error: --seed: 7 with loso, which begins at 0; say how many by --seeds\n"
    assert not (tmp_path / "no").exists()
    assert main(["all", *common, "--out", str(tmp_path / "run"), "--seed", "1"]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'run'}: holds a run with another seed; give another folder\n"
    assert main(["all", *common, "--out", str(tmp_path / "new"), "--seed", "-1"]) == 1
    wanted = "error: seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1\n"
    assert (capsys.readouterr().err, (tmp_path / "new").exists()) == (wanted, False)
