"""Reader of CASME II: what it says of every bad input, whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import openpyxl
import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.casme2 import Casme2Config
from affectkit.errors import ConfigError, InputError
from affectkit.records import FramesSource
from tests.datasets import as_read, issue_lines, scan, valid_labels

TABLE = "CASME2-coding-20140508.xlsx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("casme2", tmp_path / "CASME2", pictures=False).root


def add_row(root: Path, subject: object, clip: str, *cells: object) -> None:
    """One more row: onset, apex, offset, action units, emotion."""
    onset, apex, offset, aus, emotion = cells
    change_table(root, lambda sheet: sheet.append((subject, clip, None, onset, apex, offset, None, aus, emotion)))


def change_table(root: Path, change: object) -> None:
    book = openpyxl.load_workbook(root / TABLE)
    assert callable(change)
    change(book["Sheet1"])
    book.save(root / TABLE)


def new_lines(root: Path, **fields: str) -> list[str]:
    """What is said beside what the tree's own oddities give."""
    usual = {
        f"warning: {TABLE} row 2: 1 of 41 frames not on disk: 60; take the nearest, or unpack again",
        f"info: {TABLE} row 4: apex is '/', no frame number; it counts as missing",
        f"info: {TABLE} row 6: apex 100 is the onset: no motion lies between them",
        f"info: {TABLE}: 3 clips in no class of negative, positive, surprise (fear 1, others 1, sadness 1): "
        "samples without a valid label",
    }
    lines = issue_lines(scan("casme2", root, **fields))
    assert usual <= set(lines)
    return [line for line in lines if line not in usual]


def test_the_oddities_of_the_tree(root: Path) -> None:
    assert new_lines(root) == []
    index = scan("casme2", root)
    first, missing = index.samples[0], index.samples[2]
    assert (first.key, first.subject, first.dataset) == ("01/EP02_01f", "casme2/01", "casme2")
    assert isinstance(first.source, FramesSource)
    assert 60 not in {number for number, _ in first.source.frames}
    assert first.raw["Action Units"] == "12"
    assert first.events[0].apex == (59 - 46) / 200
    assert [str(issue) for issue in first.issues] == [
        f"{TABLE} row 2: 1 of 41 frames not on disk: 60; take the nearest, or unpack again"
    ]
    assert (missing.key, missing.events[0].apex, missing.events[0].apex_source) == ("04/EP12_01f", None, "missing")
    # the same name under two subjects
    assert {"01/EP02_01f", "05/EP02_01f"} <= {sample.key for sample in index}


@pytest.mark.parametrize("frames", ["raw", "cropped", "cropped-updated"])
def test_every_tree_has_the_same_clips(root: Path, frames: str) -> None:
    index, usual = scan("casme2", root, frames=frames), scan("casme2", root)
    assert [sample.events for sample in index] == [sample.events for sample in usual]
    if frames != "raw":
        assert [as_read(sample) for sample in index] == [as_read(sample) for sample in usual]


def test_raw_frames_are_cut_to_the_event(root: Path) -> None:
    clip = scan("casme2", root, frames="raw").samples[1]
    assert isinstance(clip.source, FramesSource)
    assert [number for number, _ in clip.source.frames] == list(range(30, 53))
    assert clip.source.frames[0][1].name == "img030.jpg"


def test_classes(root: Path) -> None:
    assert Casme2Config().class_names == ("negative", "positive", "surprise")
    assert valid_labels(scan("casme2", root)) == {
        "01/EP02_01f": 1, "05/EP09_05f": 0, "17/EP01_13": 0, "17/EP05_03f": 2,
    }  # fmt: skip
    five = valid_labels(scan("casme2", root, classes="five", target="micro"), "micro")
    assert five["01/EP02_01f"] == 0
    assert len(five) == 5
    assert len(valid_labels(scan("casme2", root, classes="annotated"))) == 7


def test_clips_of_no_class_can_be_left_out(root: Path) -> None:
    index = scan("casme2", root, dropped="omit")
    assert len(index) == 4
    assert issue_lines(index)[-1] == (
        f"info: {TABLE}: 3 clips in no class of negative, positive, surprise (fear 1, others 1, sadness 1): left out"
    )


def test_a_target_has_a_name() -> None:
    with pytest.raises(ConfigError) as caught:
        Casme2Config(target="")
    assert str(caught.value) == "target: '' names no head; write one, such as 'emotion'"


def test_a_clip_that_is_not_on_disk(root: Path) -> None:
    add_row(root, 3, "EP07_02", 120, 133, 160, "4+R10", "disgust")
    assert new_lines(root) == [
        f"error: {TABLE} row 9: no folder of clip 03/EP07_02 below CASME2_RAW_selected; unpack it, or remove the row"
    ]
    (root / "CASME2_RAW_selected/sub03/EP07_02").mkdir(parents=True)
    assert new_lines(root) == [
        f"error: {TABLE} row 9: no picture of clip 03/EP07_02 below CASME2_RAW_selected; unpack it again"
    ]


def test_a_clip_in_no_row(root: Path) -> None:
    (root / "CASME2_RAW_selected/sub03/EP07_02").mkdir(parents=True)
    assert new_lines(root) == [f"info: {TABLE}: 1 folder of clips in no row: 03/EP07_02; add rows, or remove them"]


def test_a_clip_twice(root: Path) -> None:
    add_row(root, "sub17", "EP01_13", 61, 70, 95, 4, "disgust")
    assert new_lines(root) == [f"error: {TABLE} row 9: clip 17/EP01_13 is in {TABLE} row 7 already; keep one of them"]
    shutil.copytree(root / "CASME2_RAW_selected/sub17", root / "CASME2_RAW_selected/17")
    assert "warning: sub17/EP01_13: is a second folder of 17/EP01_13; 17/EP01_13 counts" in new_lines(root)


def add_clip(root: Path, names: list[str], *cells: object) -> str:
    """Row 9 with a folder of these frames; what is said of it."""
    folder = root / "CASME2_RAW_selected/sub03/EP07_02"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    add_row(root, "03", "EP07_02", *cells)
    (line,) = new_lines(root)
    return line.replace(f"{TABLE} row 9", "ROW")


def numbered(first: int, last: int) -> list[str]:
    return [f"img{number}.jpg" for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("names", "cells", "line"),
    [
        (numbered(20, 30), (20, 31, 30, 4, "disgust"),
         "warning: ROW: apex 31 is outside 20 to 30; it counts as missing"),
        (numbered(20, 30), (20, 25, 30, 4, "joy"),
         "warning: ROW: label 'joy' is unknown, so it is not valid; known: disgust, repression, "
         "happiness, surprise, others, fear, sadness"),
        (numbered(20, 30), (20, 25, 30, "4+brow", "disgust"),
         "warning: ROW: action units '4+brow': 'brow' can't be read; check the cell"),
        (numbered(20, 30), ("x", 25, 30, 4, "disgust"), "error: ROW: onset is 'x'; write a frame number"),
        (numbered(20, 30), (20, 25, None, 4, "disgust"), "error: ROW: offset is ''; write a frame number"),
        (numbered(20, 30), (30, 25, 20, 4, "disgust"), "error: ROW: offset 20 is before onset 30; mend the row"),
        (numbered(20, 30), (20, 30, 0, 4, "disgust"),
         "warning: ROW: offset is 0; the apex, 30, stands in for it"),
        (numbered(20, 20), (20, 20, 20, 4, "disgust"),
         "warning: ROW: one frame, in which nothing can move; leave it out"),
        (numbered(1, 11), (20, 25, 30, 4, "disgust"),
         "info: ROW: files are numbered from 1, not from onset 20; the annotation was shifted by -19"),
        (numbered(1, 10), (20, 25, 30, 4, "disgust"),
         "error: ROW: no frame of 20 to 30 in its folder, which has frames 1 to 10; check the row"),
        ([*numbered(20, 30), "img020.jpg"], (20, 25, 30, 4, "disgust"),
         "warning: ROW: 1 picture with a number that another has; the first by name counts: img20.jpg"),
        ([*numbered(20, 30), "cover.jpg"], (20, 25, 30, 4, "disgust"),
         "warning: ROW: 1 picture without a number in its name; left out: cover.jpg"),
        ([name for name in numbered(20, 30) if name not in numbered(22, 28)], (20, 21, 30, 4, "disgust"),
         "warning: ROW: 7 of 11 frames not on disk: 22, 23, 24, 25, 26 and 2 more; take the nearest, or unpack again"),
    ],
)  # fmt: skip
def test_a_row_that_is_odd(root: Path, names: list[str], cells: tuple[object, ...], line: str) -> None:
    assert add_clip(root, names, *cells) == line
    assert ("03/EP07_02" in {sample.key for sample in scan("casme2", root)}) == line.startswith(("warning", "info"))


def test_a_row_that_names_nothing(root: Path) -> None:
    add_row(root, "Ann", "EP07_02", 1, 2, 3, 4, "disgust")
    assert new_lines(root) == [f"error: {TABLE} row 9: 'Ann', 'EP07_02' names no clip of casme2; mend the row"]


def test_shifted_annotation(root: Path) -> None:
    add_clip(root, numbered(1, 11), 20, 25, 30, 4, "disgust")
    (clip,) = [sample for sample in scan("casme2", root) if sample.key == "03/EP07_02"]
    assert as_read(clip).events == ((1, 6, 11, "disgust"),)
    assert clip.raw["OnsetFrame"] == "20"


def test_a_folder_of_nobody(root: Path) -> None:
    (root / "CASME2_RAW_selected/people/EP01_01").mkdir(parents=True)
    assert new_lines(root) == ["warning: people/EP01_01: its path names no subject or clip; rename it, or take it away"]


def test_nothing_to_read(root: Path) -> None:
    shutil.rmtree(root / "CASME2_RAW_selected")
    with pytest.raises(InputError) as caught:
        scan("casme2", root)
    assert str(caught.value) == (f"{root}: no folder 'CASME2_RAW_selected'; unpack it there, or say other frames=")
    change_table(root, lambda sheet: sheet.delete_cols(5))
    with pytest.raises(InputError) as caught:
        scan("casme2", root)
    assert str(caught.value) == (f"{root / TABLE} row 1: no column 'ApexFrame'; rename it, or give another table")
    (root / TABLE).unlink()
    with pytest.raises(InputError) as caught:
        scan("casme2", root)
    assert str(caught.value) == (
        f"{root}: no table 'CASME2-coding-*.xlsx' or 'CASME2_label_*.xls' or 'CASME2-coding-*.csv'; "
        "put it there, or say table="
    )
