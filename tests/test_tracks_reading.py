"""Feature files: every format comes back as it was, and what is no track is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from affectkit.errors import InputError
from affectkit.tracks.reading import read_track, read_tracks
from affectkit.tracks.track import FeatureTrack
from affectkit.tracks.writing import write_track

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)
FRAMES = np.array([1, 8, 17], np.int64)
TIMES = np.array([0.0, 0.28, 0.64])


def track() -> FeatureTrack:
    return FeatureTrack(video="12_left", frames=FRAMES, times=TIMES, values=VALUES)


def table(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".safetensors"])
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"12_left{ending}"
    write_track(track(), path)
    write_track(track(), path)
    found = read_track(path)
    assert (found.video, found.path) == ("12_left", path)
    assert np.array_equal(found.frames, FRAMES)
    assert np.array_equal(found.times, TIMES)
    assert np.array_equal(found.values, VALUES)
    assert [str(one.dtype) for one in (found.frames, found.times, found.values)] == ["int64", "float64", "float32"]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_bare_arrays_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "7.npy"
    np.save(path, VALUES.astype(np.float16))
    found = read_track(path, fps=25.0)
    assert (found.video, found.frames.tolist()) == ("7", [1, 2, 3])
    np.testing.assert_allclose(found.times, [0.0, 0.04, 0.08])
    named = read_track(path, video="other", fps=25.0, frames=FRAMES)
    assert (named.video, named.frames.tolist()) == ("other", [1, 8, 17])
    np.testing.assert_allclose(named.times, TIMES)


def test_numbers_follow_from_times_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "7.npz"
    np.savez(path, values=VALUES, times=TIMES + 0.001)
    found = read_track(path, fps=25.0)
    assert found.frames.tolist() == [1, 8, 17]
    assert np.array_equal(found.times, TIMES + 0.001)
    np.savez(path, values=VALUES, frames=FRAMES.astype(float))
    np.testing.assert_allclose(read_track(path, fps=25.0).times, TIMES)


def test_half_precision_of_tensors(tmp_path: Path) -> None:
    path = tmp_path / "7.safetensors"
    save_file({"values": torch.ones(3, 4, dtype=torch.bfloat16), "frames": torch.tensor([1, 8, 17])}, path)
    assert np.array_equal(read_track(path, fps=30.0).values, np.ones((3, 4), np.float32))


@pytest.mark.parametrize("clock", ["pts", "time"])
def test_columns_of_a_table(tmp_path: Path, clock: str) -> None:
    columns = {"b": VALUES[:, 0], "frame": FRAMES, clock: TIMES, "a": VALUES[:, 1].astype(np.float64)}
    found = read_track(table(tmp_path / "7.parquet", **columns))
    assert np.array_equal(found.values, VALUES[:, :2])
    assert (found.frames.tolist(), found.times.tolist()) == (FRAMES.tolist(), TIMES.tolist())
    found = read_track(table(tmp_path / "8.parquet", frame=FRAMES, embedding=VALUES.tolist()), fps=25.0)
    assert np.array_equal(found.values, VALUES)
    np.testing.assert_allclose(found.times, TIMES)


def test_row_labels_of_pandas_are_no_features(tmp_path: Path) -> None:
    path = tmp_path / "12.parquet"
    columns = pa.table({"frame": FRAMES, "a": TIMES, "__index_level_0__": FRAMES})
    described = json.dumps({"index_columns": ["__index_level_0__"], "columns": []})
    pq.write_table(columns.replace_schema_metadata({"pandas": described}), path)
    found = read_track(path, fps=25.0)
    assert found.values[:, 0].tolist() == pytest.approx(TIMES.tolist())
    assert found.values.shape == (3, 1)


def test_a_folder_has_a_track_per_video(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in ("12.safetensors", "12_left.safetensors", "train/a.b.npz"):
        write_track(track(), tmp_path / name)
    (tmp_path / "notes.txt").write_text("left alone")
    (tmp_path / ".12.npz").write_text("left alone")
    found = read_tracks(tmp_path)
    assert list(found) == ["12", "12_left", "train/a.b"]
    assert [one.video for one in found.values()] == list(found)
    assert all(np.array_equal(one.values, VALUES) for one in found.values())


def wide(path: Path) -> None:
    write_track(track(), path / "12.npz")
    np.savez(path / "13.npz", values=VALUES[:, :2], frames=FRAMES, times=TIMES)


def twice(path: Path) -> None:
    write_track(track(), path / "12.npz")
    write_track(track(), path / "12.parquet")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (wide, "{0}/13.npz: 2 features a frame, '{0}/12.npz' has 4; keep tracks of one extractor in a folder"),
        (twice, "{0}/12.parquet: video '12' is in '{0}/12.npz' too; keep one of them"),
        (lambda path: None, "{0}: holds no features; endings are .npy, .npz, .parquet, .safetensors"),
        (lambda path: path.rmdir(), "{0}: no such folder; check the path"),
    ],
)
def test_folders_that_are_refused(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    make(folder)
    with pytest.raises(InputError) as caught:
        read_tracks(folder)
    assert str(caught.value) == message.format(folder)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"values": VALUES}, "has no times; give frames per second, such as fps=30"),
        (
            {"values": VALUES, "times": TIMES},
            "has times and no numbers of frames; give frames per second, such as fps=30",
        ),
        ({"frames": FRAMES}, "no array 'values'; it has 'frames'"),
        ({"values": VALUES, "frame": FRAMES}, "arrays 'frame' are not known; give 'values', 'frames', 'times'"),
        ({"values": VALUES[0]}, "values are float32 (4,); give numbers (T, D), a row per frame"),
        ({"values": VALUES > 1}, "values are bool (3, 4); give numbers (T, D), a row per frame"),
        (
            {"values": VALUES, "frames": FRAMES[:2], "times": TIMES},
            "frames (2,), times (3,), values (3, 4); give (T,), (T,) and (T, D)",
        ),
        (
            {"values": VALUES, "frames": FRAMES + 0.5, "times": TIMES},
            "frame 1.5 is no whole number; give numbers of frames",
        ),
        ({"values": VALUES, "frames": FRAMES[None], "times": TIMES}, "frames are int64 (1, 3); give numbers (T,)"),
        (
            {"values": VALUES, "frames": FRAMES, "times": TIMES * np.nan},
            "a time is NaN or infinite; give seconds for every frame",
        ),
        (
            {"values": VALUES * [1, 1, 1, np.nan], "frames": FRAMES, "times": TIMES},
            "frame 1 has features that are NaN or infinite; leave such frames out",
        ),
        (
            {"values": VALUES * np.float64(1e38), "frames": FRAMES, "times": TIMES},
            "frame 8 has features that are NaN or infinite; leave such frames out",
        ),
        (
            {"values": VALUES, "frames": np.array([1.0, 8.0, np.inf]), "times": TIMES},
            "frame inf is no whole number; give numbers of frames",
        ),
        (
            {"values": VALUES, "frames": FRAMES[::-1], "times": TIMES},
            "frame 8 follows 17; give each frame once, in ascending order",
        ),
    ],
)
def test_arrays_that_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = tmp_path / "12.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError) as caught:
        read_track(path, video="another")
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"frame": FRAMES, "pts": TIMES, "time": TIMES, "a": TIMES},
            "columns 'frame', 'pts', 'time' say the time twice; keep one of them",
        ),
        ({"frame": FRAMES, "time": TIMES}, "no columns of features; give one per dimension, or one of lists"),
        (
            {"frame": FRAMES, "time": TIMES, "a": VALUES.tolist(), "b": TIMES},
            "columns 'a', 'b'; give one per dimension, or one of lists",
        ),
        (
            {"frame": FRAMES, "timestamp": TIMES, "a": TIMES},
            "column 'timestamp' is no feature; call it time if it is in seconds, or leave it out",
        ),
        (
            {"frame_id": FRAMES, "time": TIMES, "a": TIMES},
            "column 'frame_id' is no feature; call it frame if 1 is the first, or leave it out",
        ),
        (
            {"frame": FRAMES, "time": TIMES, " Confidence": TIMES, "a": TIMES},
            "column ' Confidence' is no feature; leave it out",
        ),
        ({"frame": FRAMES, "face_id": FRAMES, "a": TIMES}, "column 'face_id' is no feature; leave it out"),
        (
            {"frame": FRAMES, "a": TIMES, "__index_level_0__": FRAMES},
            "column '__index_level_0__' is no feature; leave it out",
        ),
        (
            {"frame": FRAMES, "time": TIMES, "name": ["x", "y", "z"]},
            "column 'name' is string; give numbers, or leave it out",
        ),
        (
            {"frame": FRAMES, "time": TIMES, "a": [[1.0, 2.0], [3.0], [4.0, 5.0]]},
            "row 1 has 1 features, row 0 has 2; give as many in every row",
        ),
        (
            {"frame": FRAMES, "time": TIMES, "a": [[[1.0]], [[3.0]], [[4.0]]]},
            "column 'a' is list<element: list<element: double>>; give lists of numbers",
        ),
        (
            {"frame": FRAMES, "time": TIMES, "a": [1.0, None, 2.0]},
            "frame 8 has features that are NaN or infinite; leave such frames out",
        ),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    path = table(tmp_path / "12.parquet", **columns)
    with pytest.raises(InputError) as caught:
        read_track(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("ending", "writer"),
    [(".npy", "numpy.save"), (".npz", "numpy.savez"), (".parquet", "write_track"), (".safetensors", "write_track")],
)
def test_damaged_files_are_refused(tmp_path: Path, ending: str, writer: str) -> None:
    path = tmp_path / f"12{ending}"
    if ending == ".npy":
        np.save(path, VALUES)
    else:
        write_track(track(), path)
    for content in (path.read_bytes()[:-20], b"", b"no such thing"):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_track(path)
        assert str(caught.value) == f"{path}: is no whole {ending} file of numbers; write it anew with {writer}"


def test_arrays_under_each_other_s_ending_are_refused(tmp_path: Path) -> None:
    one, several = tmp_path / "12.npy", tmp_path / "13.npz"
    with one.open("wb") as file:
        np.savez(file, values=VALUES)
    with several.open("wb") as file:
        np.save(file, VALUES)
    for path, writer in ((one, "numpy.save"), (several, "numpy.savez")):
        with pytest.raises(InputError) as caught:
            read_track(path)
        assert str(caught.value) == f"{path}: is no whole {path.suffix} file of numbers; write it anew with {writer}"


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "12.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError) as caught:
        read_track(path)
    assert str(caught.value) == f"{path}: is no whole .npy file of numbers; write it anew with numpy.save"


def test_arguments_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "12.npz"
    with pytest.raises(InputError) as caught:
        read_track(path)
    assert str(caught.value) == f"{path}: no such file; check the path"
    write_track(track(), path)
    with pytest.raises(InputError) as caught:
        read_track(path, frames=[1, 2, 3])
    assert str(caught.value) == f"{path}: has numbers of frames of its own; leave frames out"
    with pytest.raises(InputError) as caught:
        read_track(path, fps=0)
    assert str(caught.value) == "fps: 0 is not a frame rate; give frames per second, or leave it out"
    with pytest.raises(InputError) as caught:
        read_track(tmp_path / "12.csv")
    assert str(caught.value) == (
        f"{tmp_path}/12.csv: ending '.csv'; features are in files of '.npy', '.npz', '.parquet', '.safetensors'"
    )


def test_places_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        write_track(track(), tmp_path / "12.npy")
    assert str(caught.value) == f"{tmp_path}/12.npy: ending '.npy'; write a .npz, .parquet or .safetensors file"
    with pytest.raises(InputError) as caught:
        write_track(track(), tmp_path / "12.npz", metadata={"a": "b"})
    assert str(caught.value) == f"{tmp_path}/12.npz: has no place for metadata; write a .safetensors file"
    with pytest.raises(InputError) as caught:
        write_track(track(), tmp_path / "none" / "12.npz")
    assert str(caught.value) == (
        f"{tmp_path}/none/12.npz: can't be written (No such file or directory); choose another folder"
    )
