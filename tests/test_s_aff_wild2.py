"""Reader of s-Aff-Wild2: a header of 5 names over 16 fields, and frames with gaps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.checking import check_index
from affectkit.datasets.s_aff_wild2 import SAffWild2Config
from affectkit.datasets.trees.s_aff_wild2_tree import FOLDER, HEADER, SMILE, TRAIN, VALIDATION
from affectkit.errors import ConfigError, InputError
from affectkit.records import FramesSource
from tests.datasets import issue_lines, scan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("s-aff-wild2", tmp_path / "x", pictures=False).root


def test_labels_of_listed_frames(root: Path) -> None:
    index = scan("s-aff-wild2", root)
    assert issue_lines(index) == ["info: video9: 1 of 3 frames without a picture: 10; the nearest stands in"]
    left, right, other = index
    assert left.subject == right.subject == "aff-wild2/demo-30-640x360"
    assert not left.subject_is_known
    assert isinstance(left.source, FramesSource)
    assert [(number, path.name) for number, path in left.source.frames] == [
        (1, "00001.jpg"), (8, "00008.jpg"), (17, "00017.jpg"), (21, "00021.jpg"),
    ]  # fmt: skip
    # real gaps
    assert left.times is not None
    assert left.times.tolist() == [0, 7 / 30, 16 / 30, 20 / 30]
    assert {head: one.valid.reshape(4, -1).any(axis=1).tolist() for head, one in left.targets.items()} == {
        "va": [True, True, False, False],
        "expr": [True, False, True, False],
        "au": [True, False, False, True],
    }
    np.testing.assert_allclose(left.targets["va"].values[0], [0.25, -0.5])
    assert left.targets["expr"].values[[0, 2]].tolist() == [0, 3]
    assert left.targets["au"].values[0].tolist() == [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0]
    # two pictures of one are as near as two of the other: the earlier stands in
    assert isinstance(other.source, FramesSource)
    assert [path.name for _, path in other.source.frames] == ["00003.jpg", "00009.jpg", "00014.jpg"]


def test_other_splits(root: Path) -> None:
    (checked,) = scan("s-aff-wild2", root, split="validation")
    (copy,) = scan("s-aff-wild2", root, split="validation", table="dataload/val.csv")
    assert checked.source == copy.source
    assert checked.times is not None
    assert checked.times.tolist() == [0, 5 / 25]
    for head, labels in checked.targets.items():
        np.testing.assert_array_equal(labels.values, copy.targets[head].values)
        np.testing.assert_array_equal(labels.valid, copy.targets[head].valid)
    asked = scan("s-aff-wild2", root, split="test")
    assert [(one.key, dict(one.targets)) for one in asked] == [("8-24-640x480", {}), ("video12", {})]
    assert issue_lines(asked) == []


def test_both_halves_at_once(root: Path) -> None:
    index = scan("s-aff-wild2", root, split="all")
    halves = {half: scan("s-aff-wild2", root, split=half) for half in ("train", "validation")}
    assert [(one.key, one.raw["split"]) for one in index] == [
        ("7-25-320x240", "validation"), ("demo-30-640x360_left", "train"), ("demo-30-640x360_right", "train"),
        ("video9", "train"),
    ]  # fmt: skip
    for sample in index:
        (same,) = [one for one in halves[sample.raw["split"]] if one.key == sample.key]
        assert sample.source == same.source
        for head, labels in sample.targets.items():
            np.testing.assert_array_equal(labels.values, same.targets[head].values)
            np.testing.assert_array_equal(labels.valid, same.targets[head].valid)
    assert issue_lines(index) == issue_lines(halves["train"])
    assert dict(SAffWild2Config(split="all").published.frames) == {"va": 130_793, "expr": 106_085, "au": 130_192}
    # where there are several, the folder of both lists is named
    shutil.copytree(root / FOLDER, root / "3rd ABAW Annotations/MTL_Challenge")
    assert len(scan("s-aff-wild2", root, split="all", table=FOLDER)) == 4


@pytest.mark.parametrize(
    ("shared", "keys", "remedy"),
    [
        ("keep", ["demo-30-640x360_left"], "write shared='drop' to leave them out of train"),
        ("drop", [], "left out"),
    ],
)
def test_what_both_halves_have(root: Path, shared: str, keys: list[str], remedy: str) -> None:
    folder = root / FOLDER
    lines = (folder / TRAIN).read_text().splitlines(keepends=True)
    (folder / TRAIN).write_text("".join(line for line in lines if "_right" not in line))
    with open(folder / VALIDATION, "a") as file:
        file.writelines(line for line in lines if "_right" in line)
        file.write(f"video9/00014.jpg,0.5,0.5,0{SMILE}\n")
    index = scan("s-aff-wild2", root, split="all", shared=shared)
    assert [one.key for one in index if one.raw["split"] == "train"] == keys
    checked = {one.key: one for one in index if one.raw["split"] == "validation"}
    assert sorted(checked) == ["7-25-320x240", "demo-30-640x360_right", "video9"]
    # of its three labeled frames in train, none comes along
    assert checked["video9"].source.frames.numbers == (14,)  # type: ignore[union-attr]
    assert issue_lines(index) == [
        f"warning: {TRAIN}, {VALIDATION}: 1 video in both halves: video9; of train their labels are left out",
        f"warning: {TRAIN}, {VALIDATION}: 1 video of train from movies of validation: demo-30-640x360_left; {remedy}",
    ]


def test_one_half_shares_nothing() -> None:
    with pytest.raises(ConfigError) as caught:
        SAffWild2Config(shared="drop")
    assert str(caught.value) == (
        "shared: 'drop', and split is 'train', of which nothing is shared; write split='all', or leave it out"
    )


def test_frames_without_a_picture_may_be_dropped(root: Path) -> None:
    index = scan("s-aff-wild2", root, missing="drop", classes=("neutral", "fear"))
    assert issue_lines(index) == [
        f"info: {TRAIN}: 3 frames in no class of neutral, fear (anger 1, disgust 1, other 1): not valid",
        "info: video9: 1 of 3 frames without a picture: 10; left out",
    ]
    video = index.samples[2]
    assert [number for number, _ in video.source.frames] == [3, 14]  # type: ignore[union-attr]
    assert len(video.targets["au"].values) == 2
    assert video.targets["au"].valid.any(axis=1).tolist() == [False, True]


def test_counts_beside_the_published_ones(root: Path) -> None:
    rows = {
        row.what: (row.found, row.published) for row in check_index(scan("s-aff-wild2", root), SAffWild2Config()).rows
    }
    assert rows["frames with va"] == (5, 103_917)
    assert rows["frames with expr"] == (5, 90_645)
    assert rows["frames with au"] == (5, 103_316)
    assert rows["frames of class other"] == (1, 24_852)
    for split, frames in (("train", 90_645), ("validation", 15_440)):
        published = SAffWild2Config(split=split).published  # type: ignore[arg-type]
        assert sum(published.classes.values()) == published.frames["expr"] == frames
    assert dict(SAffWild2Config(split="test").published.frames) == {}


def test_rows_that_are_odd(root: Path) -> None:
    rows = (
        HEADER,
        f"video9/00014.jpg,0.5,0.5,0{SMILE}",
        f"video9/00003.jpg,0.5,0.5,0{SMILE}",
        f"video9/00014.jpg,0.1,0.1,1{SMILE}",
        "video9/00001.jpg,0.5,0.5,0,1,1",
        f"video9/x.jpg,0.5,0.5,0{SMILE}",
        f"00001.jpg,0.5,0.5,0{SMILE}",
        f"video9/00004.jpg,2,0.5,8{SMILE[:-1]}5",
        f"video9/00005.jpg,happy,0.5,0{SMILE}",
        f"gone/00005.jpg,0.5,0.5,0{SMILE}",
    )
    # blank lines at the end are none
    (root / FOLDER / TRAIN).write_text("\n".join(rows) + "\n\n\n")
    index = scan("s-aff-wild2", root)
    assert issue_lines(index) == [
        f"error: {TRAIN}: 2 lines without a picture VIDEO/NUMBER.jpg: 6, 7; left out",
        f"warning: {TRAIN}: 2 lines without 16 fields, of which 15 numbers: 5, 9; not valid",
        f"warning: {TRAIN}: 1 line with valence or arousal outside [-1, 1], and not -5: 8; not valid",
        f"warning: {TRAIN}: 1 line with an expression that is none of 0 to 7, and not -1: 8; not valid",
        f"warning: {TRAIN}: 1 line with a unit that is neither 0 nor 1, and not -1: 8; not valid",
        f"error: {TRAIN} line 10: no folder of pictures 'gone'; unpack it, or remove its labels",
        f"warning: {TRAIN}: 1 line of frames that another has: 4; the first counts",
    ]
    (video,) = index
    # rows in any order, frames in ascending
    assert [number for number, _ in video.source.frames] == [1, 3, 4, 5, 14]  # type: ignore[union-attr]
    assert video.targets["expr"].valid.tolist() == [False, True, False, False, True]
    assert video.targets["expr"].values[[1, 4]].tolist() == [0, 0]
    for head in ("va", "au"):
        assert video.targets[head].valid.all(axis=1).tolist() == [False, True, False, False, True]


def test_a_folder_without_pictures(root: Path) -> None:
    shutil.rmtree(root / "cropped_aligned/video9")
    (root / "cropped_aligned/video9").mkdir()
    lines = issue_lines(scan("s-aff-wild2", root))
    assert lines == ["error: video9: no picture in the folder of this video; unpack it again"]


def test_lists_that_are_refused(root: Path, tmp_path: Path) -> None:
    def refusal(folder: Path = root, **fields: str) -> str:
        with pytest.raises(InputError) as caught:
            scan("s-aff-wild2", folder, **fields)
        return str(caught.value)

    names = "'training_set_annotations.txt' or 'train_set.txt'"
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty") == (f"{tmp_path / 'empty'}: no table {names}; put it there, or say table=")
    assert refusal(tmp_path / "y") == f"{tmp_path / 'y'}: no such folder; give the folder that holds the dataset"
    assert refusal(table=f"{FOLDER}/MTL.txt") == (
        "MTL.txt: a list without labels; give another table, or say split='test'"
    )
    # as the third challenge has it
    shutil.copytree(root / FOLDER, root / "3rd ABAW Annotations/MTL_Challenge")
    assert refusal() == (
        f"{root}: lists '{FOLDER}/{TRAIN}', '3rd ABAW Annotations/{FOLDER}/{TRAIN}'; say which with table="
    )
    shutil.rmtree(root / FOLDER)
    assert len(scan("s-aff-wild2", root)) == 3
    for text, fact in (
        ("image,valence\n", "line 1: 'image,valence' is no header of a list; expected "
         "'image,valence,arousal,expression,aus'"),
        (HEADER, "no rows; unpack it again"),
        ("", "no rows; unpack it again"),
    ):  # fmt: skip
        (root / "own.txt").write_text(text)
        assert refusal(table="own.txt") in (f"{root / 'own.txt'}, {fact}", f"{root / 'own.txt'}: {fact}")
