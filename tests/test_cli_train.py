"""`affectkit train` and `evaluate` in process: what they write, print and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affectkit import load, write_config
from affectkit.cli import main
from affectkit.recipes import Recipe
from affectkit.registry import default_registry
from affectkit.specs import PipelineSpec
from tests.test_training import FEATURES, make_examples


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A pipeline and examples for it."""
    examples = make_examples()
    np.savez(
        tmp_path / "made.npz",
        clip=examples.inputs["clip"].values.numpy(),
        micro=examples.targets["micro"].values.numpy(),
        subject=np.array(examples.subjects),
    )
    write_config(FEATURES, tmp_path / "small.toml")
    (tmp_path / "recipe.toml").write_text(
        "epochs = 3\nbatch_size = 8\nlearning_rate = 0.05\n[augmentation]\nflip = 0.0\n", encoding="utf-8"
    )
    return str(tmp_path / "small.toml"), str(tmp_path / "made.npz")


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = main([str(word) for word in argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_trained_model_is_saved_and_its_losses_are_kept(
    tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    code, text, err = run(capsys, "train", *files, "--recipe", tmp_path / "recipe.toml", "--out", out)
    assert (code, err) == (0, "")
    assert f"trained on 36 clips of 6 subjects, 3 epochs: {out}" in text
    assert load(out).traced.outputs["micro"].targets == ("negative", "positive", "surprise")
    assert "Not evaluated on other people." in (out / "README.md").read_text()
    assert (tmp_path / "mine.run" / "logs" / "metrics.csv").is_file()
    code, _, err = run(capsys, "train", *files, "--out", out)
    assert (code, err) == (1, f"error: {out}: is there already; give another folder\n")


STOPPED = """
import os, signal, sys
from affectkit.cli import main
from affectkit.training.learner import Learner

signal.signal(signal.SIGINT, signal.default_int_handler)
number, step = getattr(signal, sys.argv[1]), Learner.on_train_epoch_end

def end(self):
    step(self)
    if self.current_epoch == 1:
        os.kill(os.getpid(), number)

Learner.on_train_epoch_end = end
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_training_that_is_told_to_stop_says_how_to_go_on(
    number: str, code: int, tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    words = ("train", *files, "--recipe", str(tmp_path / "recipe.toml"), "--out", str(out))
    # in a process of its own: the signal might meet what runs the tests
    done = subprocess.run([sys.executable, "-c", STOPPED, number, *words], capture_output=True, text=True, check=False)
    where = f"{tmp_path / 'mine.run'} holds what was trained so far"
    note = f"{where}; the same command with --resume (in Python resume=True) goes on there"
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"stopped\n{note}\n")
    assert not out.exists()
    code, _, err = run(capsys, *words, "--resume")
    assert (code, err, out.is_dir()) == (0, "", True)


def test_an_evaluation_is_printed_and_kept(
    tmp_path: Path, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ("--recipe", tmp_path / "recipe.toml", "--out", out, "--workers", "1", "--peer-rule", "--by", "dataset")
    code, text, err = run(capsys, "evaluate", *files, *options)
    assert (code, err) == (0, "")
    assert "36 samples of 6 subjects; 95 % intervals over subjects" in text
    assert "INFLATED, no result: UF1 " in text
    assert (out / "inflated.parquet").is_file()
    code, text, _ = run(capsys, "evaluate", *files, *options, "--resume", "--json")
    data = json.loads(text)
    assert data["inflated"]["accuracy"] >= data["scores"]["accuracy"]["value"]
    code, text, _ = run(capsys, "score", out / "predictions.parquet", "--json")
    assert json.loads(text)["scores"] == data["scores"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--executor", "threads"), "--executor: needs a folder that the cluster sees; add --out FOLDER"),
        (
            ("--executor", "threads", "--out", "run"),
            "--executor: 'threads' is no executor; write dask=ADDRESS, such as dask=tcp://10.0.0.1:8786",
        ),
        (("--keep-models",), "keep_models: no folder to keep them in; give folder"),
    ],
)
def test_wrong_options(
    files: tuple[str, str], words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "evaluate", *files, *words)
    assert (code, err) == (1, f"error: {message}\n")


def test_data_that_is_none(files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "evaluate", files[0], "casme2")
    assert (code, err) == (
        1, "error: casme2: no data; give NAME=ROOT, such as casme2=/data/CASME2, or .npz, .toml\n"
    )  # fmt: skip
    path = tmp_path / "data.toml"
    path.write_text("use = 'casme2'\n", encoding="utf-8")
    code, _, err = run(capsys, "evaluate", files[0], path)
    assert (code, err) == (
        1, f"error: {path}: 'root' is missing; write the folder of the dataset, root = '/data/CASME2'\n"
    )  # fmt: skip


def test_a_preset_brings_its_recipe() -> None:
    spec = PipelineSpec(name="small", config=lambda: FEATURES, summary="Small.", recipe=lambda: Recipe(epochs=7))
    assert spec.recipe is not None
    assert spec.recipe().epochs == 7
    for preset in default_registry().presets():
        if preset.spec.recipe is not None:
            assert isinstance(preset.spec.recipe(), Recipe)
