"""`affectkit export --int8 --calibrate DATASET`: people in halves, and a gate of accuracy on those held out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectkit.cli import export_labels
from affectkit.cli.export_labels import int8_by_labels, is_dataset
from affectkit.cli.output import Output
from affectkit.configs import Frames
from affectkit.data.labels import BASIC_7
from affectkit.datasets import make_tree
from affectkit.export.int8 import Int8
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.files import write_config
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.model import Model
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.streams import FrameStream
from tests.cli_runs import run, run_json

pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

SIDE = 24
COUNT = 24


def config(**heads: Any) -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=SIDE, width=SIDE),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        heads=heads or {"expr": ExpressionConfig(targets=("calm", "glad", "sad"), resolution="clip")},
        sampling=Frames(),
        faces=WholeFrameConfig(),
    )


def build() -> Model:
    torch.manual_seed(0)
    return config().build().eval()


def write_clips(path: Path, people: int) -> Path:
    """Clips of a few people whose first pixel says which one it is, and whose class is its number modulo 3."""
    values = np.random.default_rng(0).random((COUNT, 2, 3, SIDE, SIDE)).astype(np.float32)
    numbers = np.arange(COUNT)
    values[:, 0, 0, 0, 0] = numbers / 100
    labels = numbers % 3
    # one that nobody has labeled
    labels[5] = -1
    np.savez(path, clip=values, expr=labels, subject=np.array([f"toy/{number % people}" for number in numbers]))
    return path


def halves(
    here: Path, monkeypatch: pytest.MonkeyPatch, *, people: int = 5, **changes: Any
) -> tuple[Int8, dict[str, Any]]:
    monkeypatch.chdir(here)
    data = str(write_clips(Path("clips.npz"), people))
    given = {"calibrate": data, "faces": None, "seed": 0, "max_drop": 0.1, "most": 64, **changes}
    most, seen = given.pop("most"), dict[str, Any]()
    found = int8_by_labels(argparse.Namespace(**given), build(), seen, Output(), most=most)
    return found, seen["calibrate"]


def numbers_in(batches: Any) -> list[int]:
    return [round(float(value) * 100) for batch in batches for value in batch["clip"].values[:, 0, 0, 0, 0]]


def test_nobody_is_in_both_halves(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, seen = halves(here, monkeypatch)
    calibrate, held_out = numbers_in(found.calibrate), numbers_in(found.held_out)
    assert sorted(calibrate + held_out) == list(range(COUNT))
    people = [{number % 5 for number in half} for half in (calibrate, held_out)]
    assert people[0].isdisjoint(people[1])
    assert sorted(map(len, people)) == [2, 3]
    assert seen == {
        "examples": COUNT, "subjects": 5,
        "calibrated_on": {"examples": len(calibrate), "subjects": len(people[0])},
        "held_out": {"examples": len(held_out), "subjects": len(people[1])},
    }  # fmt: skip
    assert found.max_drop == 0.1
    # labels are those of the clips beside them
    labels = torch.cat([targets["expr"].values for targets in found.labels]).tolist()
    valid = torch.cat([targets["expr"].valid for targets in found.labels]).tolist()
    assert [label for label, is_valid in zip(labels, valid, strict=True) if is_valid] == [
        number % 3 for number in held_out if number != 5
    ]
    # the other half's people, by another seed
    others = {tuple(sorted(numbers_in(halves(here, monkeypatch, seed=seed)[0].held_out))) for seed in range(4)}
    assert len(others) > 1


def test_of_many_examples_some_are_drawn(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_labels, "_AT_ONCE", 2)
    found, seen = halves(here, monkeypatch, most=3)
    assert [len(half) for half in (found.calibrate, found.held_out, found.labels)] == [3, 3, 3]
    numbers = numbers_in(found.held_out)
    assert numbers == sorted(numbers)
    # not the first ones
    whole = numbers_in(halves(here, monkeypatch)[0].held_out)
    assert set(numbers) < set(whole)
    assert numbers != whole[:6]
    assert seen["held_out"]["examples"] == 6


def test_what_names_data_with_labels(here: Path) -> None:
    (here / "a=b").mkdir()
    assert [is_dataset(text) for text in ("photos", "a=b", "one.png")] == [False, False, False]
    assert all(map(is_dataset, ("raf-db=/data/RAF", "casme2=CASME2", "mine.toml", "clips.npz", "x.safetensors")))


def test_clips_on_the_command_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(config(), here / "p.toml")
    write_clips(here / "clips.npz", people=5)
    words = ("export", "p.toml", "p.onnx", "--int8", "--max-drop", "0.9", "--calibrate", "clips.npz")
    code, out, _ = run(capsys, *words)
    assert code == 0
    lines = out.splitlines()
    made = run_json(capsys, *words, "--overwrite")
    counts = {name: made["seen"]["calibrate"][name] for name in ("calibrated_on", "held_out")}
    on, held = (counts[name]["examples"] for name in counts)
    people = [counts[name]["subjects"] for name in counts]
    assert lines[0] == (
        f"--calibrate clips.npz: {on} clips to calibrate on, {held} others held out, of {COUNT}; "
        f"{people[0]} and {people[1]} people, nobody in both"
    )
    gate = made["gate"]
    assert (list(gate["accuracy"]), gate["agreement"], gate["max_drop"]) == (["expr"], {}, 0.9)
    shares, count = gate["accuracy"]["expr"], gate["decisions"]["expr"]
    assert lines[-1] == (
        f"decisions of expr that are right, of {count} held out: "
        f"float32 {shares['float32']:.4f}, int8 {shares['int8']:.4f}"
    )
    write_clips(here / "clips.npz", people=1)
    assert run(capsys, *words, "--overwrite")[::2] == (
        1, "warning: the pipeline is untrained: its scores come from random weights (seed 0)\n"
        "error: clips.npz: 24 clips of one person, and halves have different people; "
        "give data of two people at the least, better hundreds\n",
    )  # fmt: skip


def test_a_dataset_on_the_command_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from affectkit.weights import sha256

    make_tree("raf-db", here / "RAF")
    heads = {"expression": ExpressionConfig(targets=BASIC_7[1:]), "va": ValenceArousalConfig()}
    write_config(config(**heads), here / "p.toml")
    words = ("export", "p.toml", "p.onnx", "--int8", "--max-drop", "0.9", "--calibrate", "raf-db=RAF")
    code, out, _ = run(capsys, *words)
    assert code == 0
    lines = out.splitlines()
    # a class that the head lacks is said, and an output without labels is measured as before
    issue = "info heads.expression 1 label of 'neutral', which it does not score; not valid"
    assert " ".join(lines[3].split()) == issue
    assert "it is neither trained nor scored" not in out
    said = "3 pictures to calibrate on, 3 others held out, of 6; each counts as another person"
    assert f"--calibrate raf-db=RAF: {said}" in lines
    assert f"sha256: {sha256(here / 'p.onnx')}" in lines
    assert [line.partition(", of")[0] for line in lines[-2:]] == [
        "decisions of expression that are right", "decisions of va that are PyTorch's",
    ]  # fmt: skip
