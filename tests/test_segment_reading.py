"""Segments from a dataset's labels and folders of features: in a file, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    ConfigError,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    InputError,
    MeanFusionConfig,
    PipelineConfig,
    TransformerConfig,
    ValenceArousalConfig,
    load,
    write_config,
)
from affectkit.cli import main
from affectkit.data.labels import BASIC_7
from affectkit.datasets import make_tree
from affectkit.datasets.trees.s_aff_wild2_tree import SMILE
from affectkit.protocols.frame_predictions import read_frame_predictions
from affectkit.recipes import Recipe
from affectkit.registry import default_registry
from affectkit.training import fit
from affectkit.training.frame_evaluation import evaluate_frames
from affectkit.training.frame_tables import predict_segments
from affectkit.training.sources import find_dataset, open_data

VIDEOS = {"demo-30-640x360_left": (1, 8, 17, 21), "demo-30-640x360_right": (2,), "video9": (3, 10, 14)}
CONFIG = PipelineConfig(
    inputs={"face": FeatureStream(dim=5), "fau": FeatureStream(dim=3)},
    branches={"face": Branch(source="face"), "fau": Branch(source="fau")},
    fusion=AffineFusionConfig(dim=4, positions="time"),
    temporal=TransformerConfig(dim=8, depth=1, heads=2, positions="none"),
    heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that names a synthetic s-Aff-Wild2 and features of its frames."""
    make_tree("s-aff-wild2", tmp_path / "labels", pictures=False)
    rng = np.random.default_rng(0)
    for name, width in (("face", 5), ("fau", 3)):
        (tmp_path / "features" / name).mkdir(parents=True)
        for video, frames in VIDEOS.items():
            values = rng.normal(size=(len(frames), width)).astype(np.float32)
            np.savez(tmp_path / "features" / name / f"{video}.npz", values=values, frames=np.array(frames))
    return write(tmp_path)


def write(folder: Path, more: str = "", fields: str = "") -> Path:
    path = folder / "data.toml"
    path.write_text(
        f'root = "labels"\nuse = "s-aff-wild2"\n{fields}'
        f'[tracks]\nface = "features/face"\nfau = "features/fau"\n[segments]\nlength = 3\nfps = 30.0\n{more}',
        encoding="utf-8",
    )
    return path


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_labels_and_features_are_joined_by_frame(source: Path) -> None:
    found = open_data(str(source), CONFIG)
    examples = found.examples
    assert examples.keys == (
        "demo-30-640x360_left:1", "demo-30-640x360_left:21", "demo-30-640x360_right:2", "video9:3",
    )  # fmt: skip
    assert examples.subjects == ("aff-wild2/demo-30-640x360",) * 3 + ("aff-wild2/video9",)
    # of frames 1, 8 and 17 the list says neutral, nothing and fear
    assert examples.targets["expr"].values[0].tolist() == [0, 0, 3]
    assert examples.targets["expr"].valid[0].tolist() == [True, False, True]
    assert examples.targets["va"].values[0, :2].tolist() == [pytest.approx([0.25, -0.5]), pytest.approx([0.3, -0.4])]
    assert not examples.targets["va"].valid[0, 2].any()
    assert examples.inputs["face"].times[0].tolist() == pytest.approx([0.0, 7 / 30, 16 / 30])
    # and of an ensemble, for what it joins
    joined = EnsembleConfig(members={"one": CONFIG, "other": CONFIG}, fusion=MeanFusionConfig())
    again = open_data(str(source), joined).examples
    assert again.digest() == examples.digest()
    # who computes features reads the same file, and takes the dataset alone
    dataset, root = find_dataset(str(source), default_registry())
    assert (type(dataset).__name__, root) == ("SAffWild2Config", source.parent / "labels")


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_the_command_line_trains_and_evaluates(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(CONFIG, tmp_path / "mine.toml")
    words = [str(tmp_path / "mine.toml"), str(source), "--epochs", "1", "--workers", "1"]
    assert main(["train", *words, "--out", str(tmp_path / "model")]) == 0
    assert "trained on 4 segments of 2 subjects, 1 epochs" in capsys.readouterr().out
    assert set(load(tmp_path / "model").traced.outputs) == {"va", "expr", "au"}
    out = tmp_path / "run"
    assert main(["evaluate", *words, "--protocol", "folds", "--folds", "2", "--out", str(out), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["scores"]) >= {"va", "expr", "au"}
    assert main(["score", str(out / "frames.parquet"), "--protocol", "mtl"]) == 0


def make_checked(folder: Path) -> None:
    """A second video of the validation half, and features of both."""
    with open(folder / "labels/MTL_Challenge/validation_set_annotations.txt", "a") as file:
        file.write("".join(f"8-24-640x480/{number:05}.jpg,0.{number},-0.5,{number % 8}{SMILE}\n" for number in (8, 9)))
    for name, width in (("face", 5), ("fau", 3)):
        for video, frames in (("7-25-320x240", (1, 6)), ("8-24-640x480", (8, 9))):
            values = np.random.default_rng(1).normal(size=(2, width)).astype(np.float32)
            np.savez(folder / "features" / name / f"{video}.npz", values=values, frames=np.array(frames))


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_the_official_split_is_evaluated(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_checked(tmp_path)
    write_config(CONFIG, tmp_path / "mine.toml")
    words = [str(tmp_path / "mine.toml"), str(source), "--epochs", "1", "--workers", "1", "--out", str(tmp_path / "a")]
    assert main(["evaluate", *words, "--protocol", "official"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: halves: no sample of 'validation'; read all of the dataset, split='all'"
    )
    write(tmp_path, fields='split = "all"\n')
    examples = open_data(str(source), CONFIG).examples
    assert dict(zip(examples.videos, examples.halves, strict=True)) == dict.fromkeys(VIDEOS, "train") | {
        "7-25-320x240": "validation", "8-24-640x480": "validation",
    }  # fmt: skip
    # of data with both halves it is what is done
    assert main(["evaluate", *words, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert set(scores) == {"va", "expr", "au", "P"}
    assert all(one["low"] <= one["value"] <= one["high"] for name, one in scores.items() if name == "expr")
    table = read_frame_predictions(tmp_path / "a/frames.parquet")
    assert list(zip(table.video.tolist(), table.frame.tolist(), strict=True)) == [
        ("7-25-320x240", 1), ("7-25-320x240", 6), ("8-24-640x480", 8), ("8-24-640x480", 9),
    ]  # fmt: skip
    alone = examples.take([row for row, half in enumerate(examples.halves) if half == "train"])
    model = fit(CONFIG, alone, Recipe(epochs=1))
    again = predict_segments(model, examples.take([examples.videos.index("8-24-640x480")]))
    np.testing.assert_allclose(table.outputs["va"].scores[2:], again.outputs["va"].scores, atol=1e-6)


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_nobody_is_in_both_halves(source: Path, tmp_path: Path) -> None:
    make_checked(tmp_path)
    lists = tmp_path / "labels/MTL_Challenge"
    rows = (lists / "training_set_annotations.txt").read_text().splitlines(keepends=True)
    (lists / "training_set_annotations.txt").write_text("".join(row for row in rows if "_right" not in row))
    with open(lists / "validation_set_annotations.txt", "a") as file:
        file.writelines(row for row in rows if "_right" in row)
    write(tmp_path, fields='split = "all"\n')
    with pytest.raises(InputError) as caught:
        evaluate_frames(CONFIG, open_data(str(source), CONFIG).examples, protocol="official")
    assert str(caught.value) == (
        "halves: subject 'aff-wild2/demo-30-640x360' is in both halves, train and validation; "
        "leave out one of them, as shared='drop' does for ABAW datasets"
    )
    write(tmp_path, fields='split = "all"\nshared = "drop"\n')
    examples = open_data(str(source), CONFIG).examples
    assert {video for video, half in zip(examples.videos, examples.halves, strict=True) if half == "train"} == {
        "video9"
    }
    found = evaluate_frames(CONFIG, examples, Recipe(epochs=1), protocol="official")
    assert set(found.video) == {"7-25-320x240", "8-24-640x480", "demo-30-640x360_right"}


def test_classes_that_the_head_lacks_are_refused_or_counted(source: Path) -> None:
    config = change(heads={"expr": ExpressionConfig(targets=BASIC_7)})
    with pytest.raises(InputError, match=r"^heads\.expr: scores .* and the dataset has 'other' too; "):
        open_data(str(source), config)
    found = open_data(str(source), config, extra="invalid")
    assert "heads.expr: 1 labels of 'other', which it does not score" in [str(issue) for issue in found.issues]
    # the one frame of that person shows it, so that nothing is left to learn from
    assert "demo-30-640x360_right:2" not in found.examples.keys


def change(**fields: Any) -> PipelineConfig:
    parts = {name: getattr(CONFIG, name) for name in ("inputs", "branches", "fusion", "temporal", "heads")}
    return PipelineConfig(**(parts | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"inputs": {"face": FeatureStream(dim=5)}, "branches": {"face": Branch(source="face")}, "fusion": None},
            "tracks: features of 'face', 'fau', and the pipeline takes 'face'; "
            "give a folder for each input of a pipeline on stored features",
        ),
        (
            {"heads": {"va": ValenceArousalConfig(resolution="clip")}},
            "heads.va: scores clips, and segments have labels of frames; write resolution='frame'",
        ),
        (
            {"heads": {"affect": ValenceArousalConfig(), "expr": ExpressionConfig()}},
            "heads.affect: no labels of it; the dataset has 'au', 'expr', 'va'; "
            "give it the name of its labels, or leave it untrained by unlabeled='leave' (--unlabeled-heads leave)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(source: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        open_data(str(source), change(**fields))
    assert str(caught.value) == message


def test_another_width_is_refused(source: Path) -> None:
    config = change(inputs={"face": FeatureStream(dim=6), "fau": FeatureStream(dim=3)})
    with pytest.raises(InputError) as caught:
        open_data(str(source), config)
    place = source.parent / "features/face"
    assert str(caught.value) == f"{place}: 5 features a frame, and input 'face' takes 6; set its dim"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'root = "labels"\nuse = "s-aff-wild2"\n[segments]\nlength = 3\n',
            "segments: there are no tracks; add a table [tracks] with a folder for each input",
        ),
        (
            'root = "labels"\nuse = "s-aff-wild2"\n[tracks]\nface = "f"\n[segments]\nlength = 0\n',
            "segments.length: 0 frames; write 1 or more",
        ),
        (
            'root = "labels"\nuse = "s-aff-wild2"\n[tracks]\nface = "f"\n[segments]\nlength = 3\noverlap = 3\n',
            "segments.overlap: 3 frames of 3; write 0 or more, below the length",
        ),
    ],
)
def test_a_file_that_can_not_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "data.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        open_data(str(path), CONFIG)
    assert str(caught.value) == f"{path}: {message}"
