"""Many pictures: one table with their names, what can't be read in it too, and runs that go on."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import affectkit
from affectkit.configs import Frames
from affectkit.errors import InputError
from affectkit.many_pictures import analyze_pictures
from affectkit.model import Model
from affectkit.presets import spot_motion
from affectkit.results.contact_sheet import sheet_paths, write_contact_sheet
from affectkit.results.reading import Results, read_results
from affectkit.results.rows import BASE_COLUMNS, PICTURE_COLUMNS, Row
from tests.brightness import pipeline, registry

NAMES = ["1.png", "b ünï 照片.png", "broken.jpg", "deeper/2.png", "phone.heic"]


@pytest.fixture
def model() -> Model:
    return pipeline(Frames()).build(registry=registry())


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three gray pictures, of 40, 80 and 120, and two that can't be read."""
    folder = tmp_path / "album"
    (folder / "deeper").mkdir(parents=True)
    for level, name in ((40, NAMES[0]), (80, NAMES[1]), (120, NAMES[3])):
        _, data = cv2.imencode(".png", np.full((48, 64, 3), level, np.uint8))
        (folder / name).write_bytes(data.tobytes())
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_one_table_of_all(album: Path, tmp_path: Path, model: Model, ending: str) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))

    results = analyze_pictures(album, model, out=tmp_path / f"t.{ending}", progress=progress)
    rows = list(read_results(tmp_path / f"t.{ending}"))
    assert rows == list(results)
    assert results.columns[: len(PICTURE_COLUMNS)] == PICTURE_COLUMNS
    assert [(row.frame, row.file, row.status) for row in rows] == [
        (0, NAMES[0], "ok"), (1, NAMES[1], "ok"), (2, NAMES[2], "skipped"), (3, NAMES[3], "ok"),
        (4, NAMES[4], "skipped"),
    ]  # fmt: skip
    # each picture has its own scores, and faces are numbered anew in each
    name = results.targets[0]
    assert [row.predictions[name] for row in (rows[0], rows[1], rows[3])] == pytest.approx(
        [40 / 255, 80 / 255, 120 / 255], abs=0.01
    )
    assert [row.track for row in rows] == [0, 0, None, 0, None]
    assert rows[4].reason == "is a HEIC or HEIF picture, which can't be read here; convert it to .jpg or .png"
    assert rows[2].reason is not None
    assert seen == [(i, 5) for i in range(1, 6)]
    assert results.info is not None
    assert results.info.source == "5 pictures"


def test_an_interrupted_run_goes_on(album: Path, tmp_path: Path, model: Model) -> None:
    out = tmp_path / "t.csv"
    whole = list(analyze_pictures(album, model, out=tmp_path / "whole.csv"))

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        analyze_pictures(album, model, out=out, progress=stop)
    assert caught.value.__notes__ == [
        f"2 of 5 pictures were done; their rows are in {out}.parts, and the same command with --resume (in Python "
        "resume=True) goes on there"
    ]
    seen: list[int] = []
    results = analyze_pictures(album, model, out=out, resume=True, progress=lambda done, total: seen.append(done))
    assert list(results) == whole
    assert seen == [3, 4, 5]
    # a finished one is read
    assert list(analyze_pictures(album, model, out=out, resume=True)) == whole
    (album / "broken.jpg").unlink()
    with pytest.raises(InputError) as refused:
        analyze_pictures(album, model, out=out, resume=True)
    assert str(refused.value) == (
        f"{out}: is a finished table of another run (other source, source_size, options); name another file, or "
        "replace it with --overwrite (in Python overwrite=True)"
    )


def test_pictures_of_a_list(album: Path, tmp_path: Path, model: Model) -> None:
    paths = [album / "deeper" / "2.png", album / "gone.png"]
    rows = analyze_pictures(paths, model, out=tmp_path / "t.csv")
    assert [(row.file, row.status, row.reason) for row in rows] == [
        ("deeper/2.png", "ok", None), ("gone.png", "skipped", "no such file; check the path"),
    ]  # fmt: skip
    rows = analyze_pictures(paths[:1], model, out=tmp_path / "u.csv", root=tmp_path)
    assert rows[0].file == "album/deeper/2.png"


@pytest.mark.parametrize(
    ("pictures", "options", "text"),
    [
        (["notes.txt"], {}, "{album}/notes.txt: is no picture; give videos to affectkit.analyze_many"),
        ("deeper/none", {}, "{album}/deeper/none: no such folder; give a folder, or a list of paths"),
        (["1.png"], {"root": "deeper"},
         "{album}/1.png: is not below the folder 'deeper'; leave root out, or name a folder above"),
        (["1.png"], {"out": "t.xlsx"}, "t.xlsx: ending '.xlsx'; write a .parquet or .csv file"),
    ],
)  # fmt: skip
def test_what_is_refused(album: Path, model: Model, pictures: Any, options: dict[str, Any], text: str) -> None:
    given = album / pictures if isinstance(pictures, str) else [album / name for name in pictures]
    with pytest.raises(InputError) as caught:
        analyze_pictures(given, model, **{"out": album / "t.csv", **options})
    assert str(caught.value) == text.format(album=album)


def test_a_folder_of_videos_alone(tmp_path: Path, model: Model) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError) as caught:
        analyze_pictures(tmp_path, model, out=tmp_path / "t.csv")
    assert str(caught.value) == (
        f"{tmp_path}: holds no picture; endings are .bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp"
    )


def test_motion_is_refused(album: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("is a still picture, and PipelineConfig looks for events")):
        analyze_pictures(album, spot_motion(), faces="whole-frame", out=tmp_path / "t.csv")
    assert not (tmp_path / "t.csv.parts").exists()


def test_a_contact_sheet(album: Path, tmp_path: Path, model: Model) -> None:
    results = analyze_pictures(album, model, out=tmp_path / "t.csv")
    (path,) = write_contact_sheet(results, tmp_path / "sheet.png", folder=album)
    sheet = cv2.imread(str(path))
    assert sheet is not None
    # the middle of the first tile is the first picture, and that of the third says why there is none
    assert sheet[150, 160].tolist() == [40, 40, 40]
    tile = sheet[44:269, 18 + 2 * 318 : 318 + 2 * 318]
    assert (tile[0, 0] == 236).all()
    assert tile.min() < 60
    with pytest.raises(InputError) as caught:
        write_contact_sheet(results, path, folder=album)
    assert str(caught.value) == (
        f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )


def test_a_sheet_replaces_no_picture_of_its_own(album: Path, tmp_path: Path, model: Model) -> None:
    results = analyze_pictures(album, model, out=tmp_path / "t.csv")
    with pytest.raises(InputError) as caught:
        write_contact_sheet(results, album / NAMES[0], folder=album, overwrite=True)
    assert str(caught.value) == (
        f"{album / NAMES[0]}: is itself among what is analyzed, and would be lost; name another file"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
def test_a_name_that_is_no_text_is_drawn_too(album: Path, tmp_path: Path, model: Model) -> None:
    (album / NAMES[0]).rename(album / os.fsdecode(b"1\xff.png"))
    results = analyze_pictures(album, model, out=tmp_path / "t.csv")
    assert results[0].file == "1\\udcff.png"
    (path,) = write_contact_sheet(results, tmp_path / "sheet.png", folder=album)
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet[150, 160].tolist() == [40, 40, 40]


def test_a_link_to_nothing_is_a_row(album: Path, tmp_path: Path, model: Model) -> None:
    (album / "0.jpg").symlink_to(tmp_path / "no disk" / "0.jpg")
    first = analyze_pictures(album, model, out=tmp_path / "t.csv")[0]
    assert (first.file, first.status, first.reason) == ("0.jpg", "skipped", "no such file; check the path")


def test_pages_of_a_sheet(tmp_path: Path) -> None:
    assert [path.name for path in sheet_paths("a/sheet.png", 20)] == ["sheet.png"]
    assert [path.name for path in sheet_paths("a/sheet.png", 41)] == ["sheet-1.png", "sheet-2.png", "sheet-3.png"]
    rows = [Row(frame=i, pts=0.0, track=None, status="skipped", file=f"{i}.png", reason="gone") for i in range(21)]
    paths = write_contact_sheet(Results(PICTURE_COLUMNS, rows), tmp_path / "s.jpg", folder=tmp_path)
    assert [path.name for path in paths] == ["s-1.jpg", "s-2.jpg"]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_what_has_no_sheet(tmp_path: Path) -> None:
    def message(results: Results, name: str = "s.png") -> str:
        with pytest.raises(InputError) as caught:
            write_contact_sheet(results, tmp_path / name, folder=tmp_path)
        return str(caught.value)

    rows = [Row(frame=0, pts=0.0, track=None, status="no_face", file="1.png")]
    assert message(Results(BASE_COLUMNS)) == (
        "results: is no table of pictures; give one that analyze_pictures wrote, or draw a video's timeline"
    )
    assert message(Results(PICTURE_COLUMNS)) == "results: hold no rows; there is nothing to draw"
    assert message(Results(PICTURE_COLUMNS, rows), "s.gif") == (
        f"{tmp_path / 's.gif'}: ending '.gif'; write a .png or .jpg file"
    )


def test_the_public_name() -> None:
    assert affectkit.analyze_pictures is analyze_pictures
