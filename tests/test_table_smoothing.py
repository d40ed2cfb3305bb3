"""`smooth_table` and `affectkit smooth`: a finished table gets what the map `smooth` gives within one window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from affectkit import (
    ActionUnitsConfig,
    Branch,
    ConvStemConfig,
    ExpressionConfig,
    FeatureStream,
    FrameStream,
    InputError,
    PipelineConfig,
    SmoothConfig,
    ValenceArousalConfig,
    WholeFrameConfig,
    Windows,
    analyze,
)
from affectkit.data.patterns import Pattern, render, write_clip
from affectkit.ops.smoothing import smooth_steps_ref
from affectkit.protocols.frame_predictions import (
    FrameOutput,
    FramePredictions,
    read_frame_predictions,
    write_frame_predictions,
)
from affectkit.results.reading import read_results
from affectkit.results.rows import PICTURE_COLUMNS
from affectkit.tracks.smoothing import SmoothedTable, smooth_table
from affectkit.tracks.tables import predict_table
from tests.cli_runs import run, run_json

HEADS = {"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()}
MAPS = {f"{name}_smooth": SmoothConfig(source=name, sigma=30.0, delta=3) for name in HEADS}


def build(**fields: Any) -> Any:
    torch.manual_seed(0)
    return PipelineConfig(heads=HEADS, maps=MAPS, **fields).build().eval()


def same_as_the_maps(before: Path, after: Path) -> None:
    """Each head of the new table is what its map says in the old one, and all else is as it was."""
    old, new = pq.read_table(before), pq.read_table(after)
    assert new.schema.equals(old.schema)
    changed = 0
    for name in old.column_names:
        head, _, target = name.partition(".")
        if head not in HEADS:
            assert new[name].equals(old[name])
            continue
        wanted = old[f"{head}_smooth.{target}"].to_numpy()
        np.testing.assert_allclose(new[name].to_numpy(), wanted, rtol=0, atol=1e-6)
        changed += not np.allclose(old[name].to_numpy(), wanted, rtol=0, atol=1e-5)
    assert changed > len(HEADS)


def test_of_one_window_it_gives_what_the_map_gives(tmp_path: Path) -> None:
    model = build(inputs={"face": FeatureStream(dim=4)}, branches={"face": Branch(source="face")})
    (tmp_path / "face").mkdir()
    for video, frames in {"a": (1, 8, 17, 21, 22, 23, 31, 40), "b": (2, 4, 5)}.items():
        values = 3 * np.random.default_rng(len(frames)).normal(size=(len(frames), 4))
        np.savez(tmp_path / "face" / f"{video}.npz", values=values, frames=frames)
    # at 25 frames per second a frame is the map's unit of time
    predict_table(model, {"face": tmp_path / "face"}, tmp_path / "frames.parquet", fps=25, segment=20, overlap=0)
    chosen = [SmoothConfig(source=name, sigma=30.0, delta=3) for name in HEADS]
    found = smooth_table(tmp_path / "frames.parquet", tmp_path / "smoothed.parquet", chosen)
    assert found == SmoothedTable(videos=2, frames=11)
    same_as_the_maps(tmp_path / "frames.parquet", tmp_path / "smoothed.parquet")


def test_a_table_of_a_video_goes_by_its_times(tmp_path: Path) -> None:
    model = build(
        input=FrameStream(height=32, width=32),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        faces=WholeFrameConfig(),
        sampling=Windows(seconds=10.0, hop_seconds=10.0),
    )
    pictures = render(Pattern(motion="rotate", texture=1, size=64), np.linspace(0, 1, 20))
    # of a variable rate
    write_clip(tmp_path / "clip.mp4", pictures, times=[(at + at // 4 * 3) / 25 for at in range(20)])
    analyze(tmp_path / "clip.mp4", model, out=tmp_path / "rows.parquet")
    chosen = [SmoothConfig(source=name, sigma=30.0, delta=3) for name in HEADS]
    found = smooth_table(tmp_path / "rows.parquet", tmp_path / "smoothed.parquet", chosen)
    assert found == SmoothedTable(videos=1, frames=20)
    same_as_the_maps(tmp_path / "rows.parquet", tmp_path / "smoothed.parquet")
    results = read_results(tmp_path / "smoothed.parquet")
    assert results.info is not None
    assert results.info.notes[-3:] == (
        "va: smoothed over whole tracks, sigma 30, delta 3",
        "expr: smoothed over whole tracks, sigma 30, delta 3",
        "au: smoothed over whole tracks, sigma 30, delta 3",
    )


def write_evaluation(path: Path) -> FramePredictions:
    """Two videos of one name, whose frames are in no order, with truth that is partly known."""
    make = np.random.default_rng(0)
    order = make.permutation(12)
    frame = np.tile([1, 3, 4, 9, 20, 21], 2)[order]
    subject = np.repeat(["ann", "bob"], 6)[order]
    scores = make.uniform(-1, 1, (12, 2))
    predictions = FramePredictions(
        dataset=np.full(12, "wild"),
        subject=subject,
        video=np.full(12, "v"),
        frame=frame,
        outputs={
            "va": FrameOutput(
                kind="values",
                targets=("valence", "arousal"),
                scores=scores,
                truth=make.uniform(-1, 1, (12, 2)),
                valid=make.random((12, 2)) < 0.7,
            )
        },
        fold=np.array([f"part {name}" for name in subject]),
    )
    write_frame_predictions(predictions, path)
    return predictions


def test_each_video_of_an_evaluation_is_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = write_evaluation(tmp_path / "frames.parquet")
    found = run_json(
        capsys, "smooth", tmp_path / "frames.parquet", "--output", "va=40,2", "--out", tmp_path / "new.parquet"
    )
    assert found == {
        "table": str(tmp_path / "new.parquet"),
        "videos": 2,
        "frames": 12,
        "outputs": {"va": {"sigma": 40.0, "delta": 2}},
    }
    again = read_frame_predictions(tmp_path / "new.parquet")
    for subject in ("ann", "bob"):
        rows = np.flatnonzero(given.subject == subject)
        rows = rows[np.argsort(given.frame[rows])]
        values, places = (torch.from_numpy(one)[None] for one in (given.outputs["va"].scores[rows], given.frame[rows]))
        wanted = smooth_steps_ref(values, places.double(), torch.ones(1, 6, dtype=torch.bool), sigma=40.0, delta=2)
        np.testing.assert_allclose(again.outputs["va"].scores[rows], wanted[0].numpy(), rtol=0, atol=1e-12)
    for name in ("frame", "subject", "fold"):
        assert getattr(again, name).tolist() == getattr(given, name).tolist()
    assert np.array_equal(again.outputs["va"].valid, given.outputs["va"].valid)
    assert run(capsys, "score", tmp_path / "new.parquet", "--protocol", "mtl")[0] == 0
    # over itself, and with what it is where nothing is said
    code, text, _ = run(
        capsys, "smooth", tmp_path / "new.parquet", "--output", "va", "--out", tmp_path / "new.parquet", "--overwrite"
    )
    assert (code, text) == (0, f"{tmp_path / 'new.parquet'}: 12 frames, smoothed over 2 videos: va\n")


def test_rows_without_a_value_are_nobodys_neighbors(tmp_path: Path) -> None:
    names = ["01/00001.jpg", "02/00001.jpg", "01/00002.jpg", "01/00004.jpg", "01/00003.jpg"]
    base = {
        "file": names, "frame": list(range(5)), "pts": [0.0] * 5, "track": pa.array([0, 0, None, 0, 0], pa.int32()),
        "status": ["ok", "ok", "no_face", "ok", "ok"],
    }  # fmt: skip
    base |= {name: pa.nulls(5, pa.float64()) for name in ("left", "top", "width", "height", "confidence")}
    values = pa.array([0.0, 5.0, None, 1.0, 0.5], pa.float32())
    pq.write_table(pa.table(base | {"reason": pa.nulls(5, pa.string()), "va.v": values}), tmp_path / "rows.parquet")
    chosen = [SmoothConfig(source="va", sigma=1e9, delta=1)]
    found = smooth_table(tmp_path / "rows.parquet", tmp_path / "new.parquet", chosen)
    assert found == SmoothedTable(videos=2, frames=5)
    again = pq.read_table(tmp_path / "new.parquet")["va.v"]
    assert again.type == pa.float32()
    assert again.to_pylist() == pytest.approx([0.25, 5.0, None, 0.75, 0.5])


def write(path: Path, **columns: Any) -> Path:
    given = {"video": ["a", "a"], "frame": [1, 2], "va.valence": [0.0, 1.0], "truth.va.valence": [0.0, 0.5]} | columns
    pq.write_table(pa.table({name: one for name, one in given.items() if one is not None}), path)
    return path


def test_what_is_refused(tmp_path: Path) -> None:
    path, out = write(tmp_path / "frames.parquet"), tmp_path / "new.parquet"

    def refused(*outputs: str, table: Path = path, to: Path = out) -> str:
        with pytest.raises(InputError) as caught:
            smooth_table(table, to, [SmoothConfig(source=name) for name in outputs])
        assert not out.exists()
        return str(caught.value)

    assert refused("vaa") == f"{path}: no output 'vaa'; did you mean 'va'? outputs: 'va'"
    assert refused("va", "va") == "outputs: 'va' is named twice; say once how it is smoothed"
    assert refused("va", to=path) == (
        f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
    csv = tmp_path / "frames.csv"
    assert refused("va", table=csv) == f"{csv}: ending '.csv'; give a table of frames as .parquet"
    gone = tmp_path / "gone.parquet"
    assert refused("va", table=gone) == f"{gone}: no such file; check the path"
    gone.write_bytes(b"PAR1")
    assert refused("va", table=gone) == f"{gone}: is no whole Parquet file; give a table of frames, undamaged"
    twice = write(tmp_path / "twice.parquet", frame=[2, 2])
    assert refused("va", table=twice) == f"{twice}: a, frame 2 is there twice; keep one row"
    bare = write(tmp_path / "bare.parquet", video=None)
    assert refused("va", table=bare) == f"{bare}: no column 'video'; give a row per frame, with its video and number"
    base = {name: [0.0, 0.0] for name in ("pts", "left", "top", "width", "height", "confidence")}
    words = {"status": ["ok", "ok"], "reason": ["", ""]}
    flat = tmp_path / "flat.parquet"
    columns = {"file": ["1/1.jpg", "x.jpg"], "frame": [0, 1], "track": [0, 0]} | base | words | {"va.v": [0.0, 0.0]}
    order = (*PICTURE_COLUMNS, "va.v")
    pq.write_table(pa.table({name: columns[name] for name in order}), flat)
    assert refused("va", table=flat) == (
        f"{flat}: 'x.jpg' is no picture VIDEO/NUMBER.jpg; "
        "analyze a folder that holds a folder of numbered pictures for each video"
    )


@pytest.mark.parametrize("word", ["va=", "va=10", "va=10,", "=10,2", "va=ten,2", "va=10,2.5"])
def test_words_that_are_wrong(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "smooth", "frames.parquet", "--output", word, "--out", "new.parquet")
    assert (code, err) == (1, f"error: --output: {word!r} is no NAME=SIGMA,DELTA; write one such as va=100000,10\n")


def test_settings_that_are_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("smooth", "frames.parquet", "--out", "new.parquet", "--output")
    assert run(capsys, *words, "va=0,1") == (
        1,
        "",
        "error: sigma: 0.0 is no spread; write more than 0 squared frames\n",
    )
    assert run(capsys, *words, "va=1,-1") == (1, "", "error: delta: -1 neighbors; write 0 or more\n")
    assert run(capsys, *words, "va", "--time-unit", "0") == (
        1, "", "error: time_unit: 0.0 is no duration; write more than 0 seconds\n"
    )  # fmt: skip


def test_decisions_become_shares(tmp_path: Path) -> None:
    columns = {"dataset": ["d"] * 3, "subject": ["s"] * 3, "video": ["v"] * 3, "frame": [1, 2, 3]}
    pq.write_table(pa.table({**columns, "au.AU1": [0, None, 1]}), tmp_path / "frames.parquet")
    smooth_table(tmp_path / "frames.parquet", tmp_path / "out.parquet", [SmoothConfig(source="au")])
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema.field("au.AU1").type == pa.float64()
    first, nothing, last = found["au.AU1"].to_pylist()
    assert (nothing, first + last) == (None, pytest.approx(1.0))
    assert 0.49 < first < 0.5 < last < 0.51
