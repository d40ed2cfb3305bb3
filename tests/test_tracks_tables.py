"""`predict_table` and `affectkit predict`: rows hold what `predict_track` says, and an answer is written from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    ConcatFusionConfig,
    ConvStemConfig,
    ExpressionConfig,
    FeatureStream,
    FrameStream,
    InputError,
    PipelineConfig,
    TransformerConfig,
    ValenceArousalConfig,
)
from affectkit.artifact import save
from affectkit.model import Model
from affectkit.protocols.abaw_answers import check_answer, write_answer
from affectkit.protocols.abaw_video_answers import Answer
from affectkit.tracks.predicting import predict_track
from affectkit.tracks.reading import read_track
from affectkit.tracks.tables import PredictedTable, predict_table
from tests.cli_runs import run, run_json

FRAMES = {"8-24-640x480_left": (1, 8, 17, 21), "01": (1, 2, 3)}


def make_model(**widths: int) -> Model:
    torch.manual_seed(0)
    return PipelineConfig(
        inputs={name: FeatureStream(dim=dim) for name, dim in widths.items()},
        branches={name: Branch(source=name) for name in widths},
        fusion=ConcatFusionConfig(),
        temporal=TransformerConfig(dim=8, depth=1, heads=2, positions="none"),
        heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
    ).build()


def write_tracks(folder: Path, dim: int) -> Path:
    folder.mkdir()
    for video, frames in FRAMES.items():
        values = np.random.default_rng(dim).normal(size=(len(frames), dim))
        np.savez(folder / f"{video}.npz", values=values, frames=frames)
    return folder


def test_a_row_for_every_frame(tmp_path: Path) -> None:
    model = make_model(face=6, fau=4)
    folders = {"face": write_tracks(tmp_path / "face", 6), "fau": write_tracks(tmp_path / "fau", 4)}
    out, done = tmp_path / "p.parquet", list[tuple[int, int]]()
    fields: dict[str, Any] = {"segment": 3, "overlap": 1, "batch_size": 1}
    found = predict_table(model, folders, out, fps=30, progress=lambda *count: done.append(count), **fields)
    assert found == PredictedTable(2, 7)
    assert done == [(1, 2), (2, 2)]
    table = pq.read_table(out)
    assert len(table.column_names) == 2 + 2 + 8 + 12
    rows = table.to_pylist()
    # the slow twin: video by video, output by output, target by target
    at = 0
    for video in sorted(FRAMES):
        tracks = {name: read_track(folder / f"{video}.npz", fps=30) for name, folder in folders.items()}
        for piece in predict_track(model, tracks, **fields):
            for row, frame in enumerate(piece.frames.tolist()):
                expected = {"video": video, "frame": frame}
                for name, output in model.traced.outputs.items():
                    for column, target in enumerate(output.targets):
                        expected[f"{name}.{target}"] = float(piece.scores[name][row, column])
                assert rows[at] == expected
                at += 1
    assert at == 7
    sample = tmp_path / "s.txt"
    pictures = [f"{video}/{frame:05d}.jpg,\n" for video, frames in FRAMES.items() for frame in frames]
    sample.write_text("image,valence,arousal,expression,aus\n" + "".join(pictures))
    assert write_answer("abaw7-mtl", out, sample, tmp_path / "a.txt") == Answer(7, 2, 0)
    assert check_answer("abaw7-mtl", tmp_path / "a.txt", sample) == Answer(7, 2, 0)


def test_what_is_refused(tmp_path: Path) -> None:
    model = make_model(face=6, fau=4)
    folders = {"face": write_tracks(tmp_path / "face", 6), "fau": write_tracks(tmp_path / "fau", 4)}
    out = tmp_path / "p.parquet"

    def message(model: Model, folders: dict[str, Path], out: Path = out) -> str:
        with pytest.raises(InputError) as caught:
            predict_table(model, folders, out, fps=30)
        return str(caught.value)

    assert message(model, {"face": folders["face"]}) == (
        "folders: of inputs 'face', the model takes 'face', 'fau'; give one each"
    )
    csv = tmp_path / "p.csv"
    assert message(model, folders, csv) == f"{csv}: ending '.csv'; write a table of frames as .parquet"
    branches = {"face": Branch(features=ConvStemConfig(dim=4))}
    stream = FrameStream(height=16, width=16)
    frames = PipelineConfig(input=stream, branches=branches, heads={"va": ValenceArousalConfig()}).build()
    assert message(frames, folders) == ("model: inputs 'clip' are no stored features; give a model that takes features")
    (folders["fau"] / "01.npz").unlink()
    assert message(model, folders) == (f"{folders['fau']}: no features of '01', which others have; compute them")
    np.savez(folders["fau"] / "01.npz", values=np.zeros((2, 4)), frames=(1, 2))
    assert message(model, folders) == (
        f"01: 'face' has 3 frames and 'fau' 2 ('{folders['face'] / '01.npz'}', '{folders['fau'] / '01.npz'}'), "
        "frame 3 is in one alone; bring them to the same frames, as align_tracks of affectkit.tracks.aligning does"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face", "fau"]
    out.touch()
    assert message(model, folders) == (
        f"{out}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    save(make_model(face=6), one)
    save(make_model(face=6, fau=4), two)
    face, fau = write_tracks(tmp_path / "face", 6), write_tracks(tmp_path / "fau", 4)
    out = tmp_path / "p.parquet"
    words = ("--fps", "30", "--out", out)
    assert run(capsys, "predict", one, face, *words) == (0, f"{out}: 7 frames of 2 videos\n", "")
    assert run_json(capsys, "predict", one, f"face={face}", *words, "--overwrite") == {
        "table": str(out), "videos": 2, "frames": 7,
    }  # fmt: skip
    code, text, err = run(capsys, "predict", two, f"face={face}", f"fau={fau}", *words, "--overwrite")
    assert (code, text, err) == (0, f"{out}: 7 frames of 2 videos\n", "")
    assert run(capsys, "predict", two, face, *words) == (
        1, "", f"error: TRACKS: {str(face)!r} is no folder of an input; write one such as face=FOLDER for each input\n",
    )  # fmt: skip
    assert run(capsys, "predict", two, f"face={face}", f"face={fau}", *words) == (
        1, "", "error: TRACKS: input 'face' is given twice; write one such as face=FOLDER for each input\n",
    )  # fmt: skip
