"""`affectkit search` in process: what it writes, prints and refuses."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectkit import FeatureStream, SmoothConfig, load, registry, write_config
from affectkit.cli.search import _lines
from affectkit.search import Candidate
from affectkit.search.inner import find_unadapted, read_adapted
from affectkit.training.examples import write_examples
from tests.cli_runs import run
from tests.frame_examples import CONFIG as FRAMES, make_segments
from tests.searches import CONFIG, FLOPS, install, make_space
from tests.test_segment_reading import source as source
from tests.test_training import make_examples

SPACE = """
[dials]
"temporal.kept" = "all"
"temporal.shift" = [0, 1]
"temporal.blur" = { low = 0.0, high = 0.5 }
[objectives]
cost = "flops"
[search]
population = 4
generations = 2
"""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """A pipeline of an installed plugin, examples for it and a search space."""
    install(tmp_path)
    sys.path.insert(0, str(tmp_path))
    registry._discovered.cache_clear()
    examples = make_examples()
    np.savez(
        tmp_path / "made.npz",
        clip=examples.inputs["clip"].values.numpy(),
        micro=examples.targets["micro"].values.numpy(),
        subject=np.array(examples.subjects),
    )
    write_config(CONFIG, tmp_path / "small.toml")
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "recipe.toml").write_text("[augmentation]\nflip = 0.0\n", encoding="utf-8")
    yield str(tmp_path / "small.toml"), str(tmp_path / "made.npz"), str(tmp_path / "space.toml")
    sys.path.remove(str(tmp_path))
    registry._discovered.cache_clear()


def test_a_pipeline_is_trained_and_searched(
    tmp_path: Path, files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found"
    options: tuple[object, ...] = ("--out", out, "--leave-out", "made/00", "--share", "0.4", "--workers", "1")
    options += ("--epochs", "2", "--recipe", tmp_path / "recipe.toml")
    code, text, err = run(capsys, "search", *files, *options)
    assert (code, err) == (0, "")
    dials = "'temporal.kept', 'temporal.shift', 'temporal.blur'"
    assert text.splitlines()[0] == (
        f"the weights are not adapted to other values of {dials}, which may score too low for it; give --adapt"
    )
    assert "what no other candidate dominates" in text
    assert "scores are of the half that was chosen by, and no result" in text
    trained = json.loads((out / "trained.json").read_text())["subjects"]
    # of the five that are not left out, two are for the search
    assert len(trained) == 3
    assert "made/00" not in trained
    assert load(out / "winner").traced.outputs["micro"].targets == ("negative", "positive", "surprise")
    code, _, err = run(capsys, "search", *files, *options)
    assert (code, err) == (1, f"error: {out}: holds a search already; resume it, or give another folder\n")
    code, text, _ = run(capsys, "search", *files, *options, "--resume", "--json")
    data = json.loads(text)
    assert data["candidates"] == 8
    assert data["unadapted"] == ["temporal.kept", "temporal.shift", "temporal.blur"]
    assert data["front"][0]["values"].keys() == {"temporal.kept", "temporal.shift", "temporal.blur"}
    code, _, err = run(capsys, "search", *files, *options, "--resume", "--seed", "1")
    assert (code, err) == (1, f"error: {out}: holds a model with another seed; give another folder\n")
    saved = ("search", out / "model", *files[1:], "--trained-on", out / "trained.json", "--leave-out", "made/00")
    code, text, err = run(capsys, *saved, "--out", tmp_path / "again", "--workers", "1")
    assert (code, err) == (0, "")
    assert text.splitlines()[:2] == [
        f"nothing says that the weights were adapted to other values of {dials}, which may score too low for it; "
        "adapted ones come from a search with --adapt",
        "searching by 12 of 36 clips, of the 2 subjects that are in neither list",
    ]
    again = (tmp_path / "again" / "candidates.parquet").read_bytes()
    assert again == (out / "candidates.parquet").read_bytes()
    url = f"sqlite:///{tmp_path / 'again' / 'search.db'}"
    code, text, err = run(capsys, *saved, "--storage", url, "--join", "--workers", "1")
    assert (code, err, text.splitlines()[-1]) == (0, "", "0 candidates evaluated here")
    everybody = tmp_path / "everybody.txt"
    everybody.write_text("\n".join(f"made/{number:02}" for number in range(6)), encoding="utf-8")
    code, _, err = run(capsys, *saved[:4], "--trained-on", everybody, "--out", tmp_path / "none")
    assert (code, err) == (
        1, "error: --trained-on: nobody is left to search by; give clips of people that the model has not seen\n"
    )  # fmt: skip
    code, _, err = run(capsys, *saved, "--out", tmp_path / "none", "--adapt")
    assert (code, err) == (1, "error: --adapt: a saved model is not trained; give a pipeline file or preset\n")
    code, _, err = run(capsys, *saved[:4], "--out", tmp_path / "none")
    assert (code, err) == (1, "error: --trained-on: is missing for a saved model; say who it has seen\n")
    code, _, err = run(capsys, "search", *files, *saved[4:6], "--out", tmp_path / "none")
    assert (code, err) == (1, "error: --trained-on: is for a saved model; use --leave-out\n")
    assert not (tmp_path / "none").exists()
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("01\n02\n", encoding="utf-8")
    code, text, _ = run(capsys, *saved[:4], "--trained-on", elsewhere, "--out", tmp_path / "others", "--workers", "1")
    assert (code, text.splitlines()[1:3]) == (
        0,
        [
            "nobody in --trained-on is among these subjects ('01' there, 'made/00' here): right if these are other "
            "people",
            "searching by 36 of 36 clips, of the 6 subjects that are in neither list",
        ],
    )


def test_adapted_weights_are_searched_without_a_word(
    tmp_path: Path, files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = tmp_path / "found", tmp_path / "again"
    options: tuple[object, ...] = ("--leave-out", "made/00", "--share", "0.4", "--workers", "1")
    recipe = ("--epochs", "2", "--recipe", tmp_path / "recipe.toml")
    code, text, err = run(capsys, "search", *files, *options, *recipe, "--out", out, "--adapt")
    assert (code, err, "other values" in text) == (0, "", False)
    saved = ("--trained-on", out / "trained.json", "--leave-out", "made/00", "--workers", "1")
    code, text, _ = run(capsys, "search", out / "model", *files[1:], *saved, "--out", again)
    assert (code, text.splitlines()[0]) == (
        0, "searching by 12 of 36 clips, of the 2 subjects that are in neither list"
    )  # fmt: skip
    # a recipe may name a part of them, by what has them too
    (tmp_path / "recipe.toml").write_text('random_dials = ["temporal.kept"]\n', encoding="utf-8")
    code, text, _ = run(capsys, "search", *files, *options, *recipe, "--out", tmp_path / "some")
    assert (code, text.splitlines()[0]) == (
        0, "the weights are not adapted to other values of 'temporal.shift', 'temporal.blur', which may score too low "
           "for it; give --adapt"
    )  # fmt: skip
    assert find_unadapted(make_space(), ["temporal"]) == ()
    assert read_adapted(out / "trained.json") == ("temporal.kept", "temporal.shift", "temporal.blur")
    assert read_adapted("nobody") == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--out: is missing; name a folder for what is found"),
        (("--join",), "--join: needs a database that both machines see; add --storage URL"),
        (
            ("--join", "--storage", "sqlite:///x.db"),
            "--join: needs the weights that are searched; give OUT/model as PIPELINE",
        ),
        (
            ("--out", "x", "--leave-out", "made/0"),
            "--leave-out: no subject 'made/0'; did you mean 'made/05'? subjects: "
            "'made/00', 'made/01', 'made/02', 'made/03', 'made/04', 'made/05'",
        ),
    ],
)
def test_wrong_options(
    files: tuple[str, str, str], words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "search", *files, *words)
    assert (code, err) == (1, f"error: {message}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--workers", "0"), "workers: 0; give 1 or more"),
        (("--seed", "-1"), "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"),
    ],
)
def test_what_is_wrong_leaves_no_folder(
    tmp_path: Path,
    files: tuple[str, str, str],
    words: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run(capsys, "search", *files, "--out", tmp_path / "out", *words)
    assert (code, err, (tmp_path / "out").exists()) == (1, f"error: {message}\n", False)


def test_a_dial_that_is_none_is_all_that_is_said(
    tmp_path: Path, files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "none.toml"
    space.write_text("[dials]\n'temporal.blurr' = 'all'\n", encoding="utf-8")
    code, text, err = run(capsys, "search", *files[:2], space, "--out", tmp_path / "out")
    dials = "'temporal.kept', 'temporal.shift', 'temporal.blur', 'temporal.mode'"
    assert err == f"error: {space}: dials: no dial 'temporal.blurr'; did you mean 'temporal.blur'? dials: {dials}\n"
    assert (code, text, (tmp_path / "out").exists()) == (1, "", False)


def test_a_file_in_place_of_the_folder(
    tmp_path: Path, files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "search", *files, "--out", files[0], "--workers", "1")
    assert (code, err) == (1, f"error: {files[0]}: is a file; name a folder for the search\n")


def test_the_live_table() -> None:
    space = make_space(objectives=FLOPS)
    everybody = [
        Candidate(0, 0, {"temporal.blur": 0.25}, "done", score=0.5, flops=40.0),
        Candidate(1, 0, {"temporal.blur": 0.5}, "failed", reason="RuntimeError: no"),
        Candidate(2, 1, {"temporal.blur": 0.25}, "done", score=0.5, flops=40.0, same_as=0),
    ]
    assert _lines(everybody, space) == (
        "generation 2 of 3: 1 evaluated, 1 known before, 1 failed",
        ["number", "UF1", "FLOPs", "temporal.blur"],
        [[0, "0.500", "40", "0.25"]],
    )
    assert _lines([], space) == ("generation 1 of 3: 0 evaluated", [], [])


def test_frames_of_videos_are_searched_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(FRAMES, maps={"calm": SmoothConfig(source="va", sigma=9.0, time_unit=1 / 30)})
    write_config(config, tmp_path / "mine.toml")
    write_examples(make_segments(6), tmp_path / "made.safetensors")
    space = '[dials]\n"maps.calm.delta" = [0, 2, 40]\n[objectives]\nscore = "{}"\n'
    space += "[search]\npopulation = 2\ngenerations = 2\n"
    for name in ("calm", "P", "UF1"):
        (tmp_path / f"{name}.toml").write_text(space.format(name), encoding="utf-8")
    given = ("search", tmp_path / "mine.toml", tmp_path / "made.safetensors")
    options = ("--epochs", "2", "--leave-out", "made/p0", "--share", "0.4", "--workers", "1")
    out = tmp_path / "found"
    code, text, err = run(capsys, *given, tmp_path / "calm.toml", *options, "--out", out)
    assert (code, err) == (0, "")
    # a map's dials are behind all weights
    assert "other values" not in text
    assert re.search(r"number +calm +maps\.calm\.delta", text)
    # the mistake is told before the model is trained
    code, _, err = run(capsys, *given, tmp_path / "UF1.toml", *options, "--out", tmp_path / "none")
    message = "objectives.score: no score 'UF1' of frames; scores: 'va', 'expr', 'au', 'calm', 'P'"
    assert (code, err, (tmp_path / "none").exists()) == (1, f"error: {message}\n", False)
    code, _, err = run(capsys, *given, tmp_path / "P.toml", *options, "--out", tmp_path / "none", "--head", "va")
    assert (code, err) == (
        1, "error: head: 'va' beside a score of frames; leave it out: objectives.score says whose\n"
    )  # fmt: skip
    saved = ("search", out / "model", given[2], tmp_path / "P.toml", "--trained-on", out / "trained.json")
    code, text, err = run(capsys, *saved, "--leave-out", "made/p0", "--workers", "1", "--out", tmp_path / "p")
    assert (code, err) == (0, "")
    assert "searching by 6 of 18 segments, of the 2 subjects that are in neither list" in text
    everybody = tmp_path / "everybody.txt"
    everybody.write_text("\n".join(f"made/p{number}" for number in range(6)), encoding="utf-8")
    code, _, err = run(capsys, *saved[:4], "--trained-on", everybody, "--out", tmp_path / "nobody")
    assert (code, err) == (
        1, "error: --trained-on: nobody is left to search by; give segments of people that the model has not seen\n"
    )  # fmt: skip


def test_a_dataset_with_features_is_searched_by(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(FRAMES, inputs={"face": FeatureStream(dim=5), "fau": FeatureStream(dim=3)})
    folder = source.parent
    write_config(config, folder / "mine.toml")
    space = '[fields]\n"heads.va.dropout" = [0.0, 0.5]\n[objectives]\nscore = "va"\n'
    space += "[search]\npopulation = 2\ngenerations = 1\n"
    (folder / "space.toml").write_text(space, encoding="utf-8")
    given = (folder / "mine.toml", source, folder / "space.toml", "--out", folder / "found")
    code, _, err = run(capsys, "search", *given, "--epochs", "1", "--share", "0.5", "--workers", "1")
    # there are too few labels to learn much
    assert (code, {line.partition(" ")[0] for line in err.splitlines()}) == (0, {"warning:"})
    assert load(folder / "found" / "winner").config.heads["va"].dropout in (0.0, 0.5)  # type: ignore[attr-defined]
