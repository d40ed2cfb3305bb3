"""Evaluations of pictures: on the split of a dataset's owners, by heads of frames, and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import (
    Branch,
    ConcatFusionConfig,
    ConvStemConfig,
    ExpressionConfig,
    FrameStream,
    InputError,
    IResNetConfig,
    PipelineConfig,
    ValenceArousalConfig,
    write_config,
)
from affectkit.cli import main
from affectkit.data.labels import BASIC_7, BASIC_8
from affectkit.datasets import make_tree
from affectkit.errors import DataWarning
from affectkit.protocols.frame_report import report_frames
from affectkit.protocols.report import score_predictions
from affectkit.protocols.splits import Fold, split_official
from affectkit.recipes import Recipe
from affectkit.sequences import Targets
from affectkit.training import evaluate, evaluation, fit, folds
from affectkit.training.examples import Examples
from affectkit.training.fitting import fit_tail
from affectkit.training.frame_evaluation import evaluate_frames
from affectkit.training.picture_reading import gather_pictures
from tests.picture_examples import CLASSES, RECIPE, STILLS, gather, make_index

INNER = replace(RECIPE, epoch="inner")


def test_the_owners_say_the_halves() -> None:
    halves = ["test", "train", "validation", "train"]
    assert split_official(halves) == (Fold("test", (1, 3), (0,)), (2,))
    assert split_official(["validation", "train"]) == (Fold("validation", (1,), (0,)), ())
    for wrong, message in (
        ([], "halves: no sample with one; read a dataset that has an official split, or take folds"),
        (
            ["train", "", "test"],
            "halves: 1 of 3 samples in none of train, validation, test; "
            "read a dataset that has an official split, or take folds",
        ),
        (["train", "train"], "halves: no sample of 'validation'; read all of the dataset, split='all'"),
        (["test", "test"], "halves: no sample of 'train'; read all of the dataset, split='all'"),
    ):
        with pytest.raises(InputError) as caught:
            split_official(wrong)
        assert str(caught.value) == message


def test_the_test_half_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = gather(tmp_path, 108).examples
    seen: list[tuple[str, ...]] = []
    trained: list[tuple[str, ...]] = []
    probabilities = folds.probabilities

    def watch(model: Any, some: Examples, head: str) -> torch.Tensor:
        seen.append(some.halves)
        return probabilities(model, some, head)

    def train(config: Any, some: Examples, *args: Any, **options: Any) -> Any:
        trained.append(some.halves)
        return fit_tail(config, some, *args, **options)

    monkeypatch.setattr(folds, "probabilities", watch)
    monkeypatch.setattr(folds, "fit_tail", train)
    found = evaluate(STILLS, examples, INNER, protocol="official")
    # every epoch is judged by the validation half, and the test half comes last
    assert [set(halves) for halves in seen] == [{"validation"}] * INNER.epochs + [{"test"}]
    assert [set(halves) for halves in trained] == [{"train"}] * 2
    assert len(found.predictions) == examples.halves.count("test")
    assert score_predictions(found.predictions).scores["accuracy"].value > 0.6
    # without one, epochs are chosen on a part of the training half
    seen.clear()
    rows = [row for row, half in enumerate(examples.halves) if half != "validation"]
    evaluate(STILLS, examples.take(rows), INNER, protocol="official")
    assert [set(halves) for halves in seen] == [{"train"}] * INNER.epochs + [{"test"}]


def test_a_validation_half_without_use_is_said(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    with pytest.warns(DataWarning) as caught:
        evaluate(STILLS, examples, replace(RECIPE, epochs=1), protocol="official")
    assert str(caught[0].message) == (
        "halves: 6 examples of 'validation' are neither trained on nor tested; "
        "epoch='inner' in the recipe chooses by them"
    )
    shared = replace(examples, subjects=("made/all",) * len(examples))
    with pytest.raises(InputError, match="subject 'made/all' is in both halves"):
        evaluate(STILLS, shared, INNER, protocol="official")
    with pytest.raises(InputError) as wrong:
        evaluate_frames(STILLS, examples, protocol="loso")  # type: ignore[arg-type]
    assert str(wrong.value) == "protocol: 'loso'; give folds or official"
    assert evaluation.only_class_head(STILLS, examples) == "expression"


def test_labels_per_clip_give_the_same(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    clip = replace(STILLS, heads={"expression": ExpressionConfig(targets=CLASSES, resolution="clip")})
    labels = examples.targets["expression"]
    whole = replace(examples, targets={"expression": Targets(*(part.squeeze(1) for part in labels))})
    recipe = replace(RECIPE, epochs=2)
    one = evaluate(STILLS, examples, recipe, protocol="folds", folds=3)
    other = evaluate(clip, whole, recipe, protocol="folds", folds=3)
    assert one.predictions.columns == other.predictions.columns


def test_several_heads_are_scored_frame_by_frame(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    light = examples.targets["expression"].values.float() - 1
    affect = torch.stack([light, -light], dim=2) * 0.8
    both = replace(examples, targets={**examples.targets, "va": Targets.of(affect)})
    config = replace(STILLS, heads={**STILLS.heads, "va": ValenceArousalConfig()})
    frames = evaluate_frames(config, both, INNER, protocol="official", folder=tmp_path / "run", keep_models=True)
    assert len(frames) == examples.halves.count("test")
    report = report_frames(frames)
    assert report.scores["va"].value > 0.5
    assert (tmp_path / "run" / "models" / "test").is_dir()
    assert len(evaluate_frames(config, both, replace(RECIPE, epochs=1), folds=3)) == len(examples)


def test_each_branch_has_its_rate(tmp_path: Path) -> None:
    config = PipelineConfig(
        input=FrameStream(height=32, width=32),
        branches={
            "still": Branch(features=IResNetConfig(size="small", frozen=True)),
            "slow": Branch(features=ConvStemConfig(dim=8)),
            "fast": Branch(features=ConvStemConfig(dim=8)),
        },
        fusion=ConcatFusionConfig(),
        heads=STILLS.heads,
    )
    examples = gather_pictures(make_index(tmp_path), config, faces="whole-frame", folder=tmp_path / "cut").examples
    torch.manual_seed(0)
    start = config.build()
    before = {name: tensor.clone() for name, tensor in start.state_dict().items()}

    def moved(rates: dict[str, float]) -> dict[str, float]:
        recipe = Recipe(epochs=1, batch_size=12, learning_rate=1e-3, schedule="constant", rates=rates)
        model = fit(config, examples, replace(recipe, weight_decay=0.0), start=start)
        changes = {name: float((tensor - before[name]).abs().max()) for name, tensor in model.state_dict().items()}
        found = {}
        for stage in ("branches.still", "branches.slow", "branches.fast", "heads"):
            # batch statistics move without a rate
            own = [change for name, change in changes.items() if name.startswith(stage) and "running" not in name]
            found[stage] = max(own)
        return found

    alike, rated = moved({}), moved({"branches.slow": 0.01})
    assert alike["branches.still"] == rated["branches.still"] == 0
    assert rated["branches.slow"] < 0.02 * alike["branches.slow"]
    assert rated["branches.fast"] > 0.5 * alike["branches.fast"]
    assert moved({"branches.slow": 0.0})["branches.slow"] == 0


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dataset, a pipeline and a recipe; where a user is."""
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    make_tree("raf-db", tmp_path / "RAF-DB")
    heads = {"expression": ExpressionConfig(targets=BASIC_7)}
    write_config(replace(STILLS, heads=heads), tmp_path / "encoder.toml")
    (tmp_path / "recipe.toml").write_text('epochs = 2\nbatch_size = 4\nsampling = "balanced"\n', encoding="utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    return (code, *capsys.readouterr())


COMMON = ("encoder.toml", "raf-db=RAF-DB", "--faces", "whole-frame", "--recipe", "recipe.toml", "--workers", "1")


def test_a_session(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, err = run(capsys, "train", *COMMON, "--out", "mine")
    assert (code, err) == (0, "")
    assert "trained on 7 pictures, 2 epochs: mine" in text
    assert (user / "mine" / "model.safetensors").is_file()
    code, text, err = run(capsys, "evaluate", *COMMON, "--out", "run")
    assert (code, err) == (0, "")
    assert "3 samples of 3 subjects" in text
    record = json.loads((user / "run" / "evaluation.json").read_text())
    assert record["protocol"] == "official"
    code, text, _ = run(capsys, "evaluate", *COMMON, "--protocol", "folds", "--folds", "2", "--json")
    assert json.loads(text)["samples"] == 7


def test_classes_that_the_head_lacks_on_the_command_line(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads = {"expression": ExpressionConfig(targets=BASIC_7[:6])}
    write_config(replace(STILLS, heads=heads), user / "six.toml")
    words = ("train", "six.toml", *COMMON[1:], "--out", "six")
    code, _, err = run(capsys, *words)
    assert code == 1
    assert "and the dataset has 'surprise' too" in err
    code, text, _ = run(capsys, *words, "--extra-classes", "invalid")
    assert code == 0
    assert "trained on 6 pictures, 2 epochs: six" in text
    assert "1 label of 'surprise', which it does not score; not valid" in text


def test_several_heads_on_the_command_line(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tree("affectnet", user / "AffectNet")
    heads = {"expression": ExpressionConfig(targets=BASIC_8), "va": ValenceArousalConfig()}
    write_config(replace(STILLS, heads=heads), user / "both.toml")
    (user / "recipe.toml").write_text("epochs = 1\n", encoding="utf-8")
    words = ("evaluate", "both.toml", "affectnet=AffectNet", *COMMON[2:])
    code, text, err = run(capsys, *words, "--out", "both")
    assert (code, "error" in err) == (0, False)
    assert "frames of" in text
    assert "predictions: both/frames.parquet" in text
    code, _, err = run(capsys, *words, "--seeds", "2")
    assert (code, err) == (
        1, "error: --seeds: is for one head of classes, one per clip or picture; leave it out\n"
    )  # fmt: skip
