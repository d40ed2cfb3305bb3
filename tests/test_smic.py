"""Reader of SMIC: labels in names, no apex, and the long version with several events in a video."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.errors import InputError
from affectkit.records import FramesSource
from tests.datasets import as_read, issue_lines, scan, valid_labels

TABLE = "SMIC-HS-E_annotation.xlsx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("smic", tmp_path / "SMIC", pictures=False).root


def test_the_oddities_of_the_tree(root: Path) -> None:
    index = scan("smic", root)
    assert [sample.key for sample in index] == ["s01_ne_01", "s01_sur_02", "s03_ne_02", "s03_po_11"]
    assert index.subjects == ("smic/01", "smic/03")
    assert valid_labels(index) == {"s01_ne_01": 0, "s01_sur_02": 2, "s03_ne_02": 0, "s03_po_11": 1}
    assert issue_lines(index) == [
        "warning: s03/micro/negative/s3_ne_02: 1 of 21 frames not on disk: 559751; take the nearest, or unpack again"
    ]
    assert {sample.events[0].apex_source for sample in index} == {"missing"}
    original = scan("smic", root, frames="original")
    assert [as_read(sample) for sample in original] == [as_read(sample) for sample in index]


def test_the_normal_camera(root: Path) -> None:
    (clip,) = scan("smic", root, part="VIS")
    assert isinstance(clip.source, FramesSource)
    assert (clip.key, clip.source.fps, clip.events[0].offset) == ("s03_po_01", 25.0, 10 / 25)
    (video,) = scan("smic", root, part="VIS", frames="long")
    assert isinstance(video.source, FramesSource)
    assert video.source.frames[39][1].name == "image 40.jpg"
    assert (video.events[0].onset_frame, video.events[0].onset) == (5, 4 / 25)


def test_the_long_version(root: Path) -> None:
    index = scan("smic", root, frames="long")
    assert issue_lines(index) == [
        f"info: {TABLE}: 2 rows without the name of a clip: {TABLE} row 6, {TABLE} row 7; left out"
    ]
    video = index.samples[2]
    assert isinstance(video.source, FramesSource)
    assert (video.key, len(video.source.frames)) == ("s03_ne_02", 41)
    assert [(one.onset_frame, one.offset_frame, one.onset) for one in video.events] == [
        (559740, 559760, 0.1), (559762, 559766, 0.32),
    ]  # fmt: skip
    assert {one.label for one in video.events} == {"negative"}
    assert valid_labels(index) == valid_labels(scan("smic", root))
    assert (video.raw["Filename"], video.raw["Onset2F"]) == ("s3_ne_02\ns3_ne_02", "559762\n559762")
    middle = scan("smic", root, frames="long", apex="middle").samples[2].events[0]
    assert (middle.apex_frame, middle.apex_source) == (559750, "middle")


def test_folders_that_contradict_themselves(root: Path) -> None:
    above = root / "SMIC_all_cropped/HS/s01/micro"
    shutil.copytree(above / "negative/s01_ne_01", above / "positive/s1_ne_07")
    shutil.copytree(above / "negative/s01_ne_01", above / "negative/s1_ne_01")
    lines = issue_lines(scan("smic", root))
    assert lines[0] == (
        "warning: s01/micro/negative/s1_ne_01: is a second folder of s01_ne_01; s01/micro/negative/s01_ne_01 counts"
    )
    assert (
        lines[1]
        == "warning: s01/micro/positive/s1_ne_07: lies in 'positive', though its name says negative; the name counts"
    )


def test_nothing_to_read(root: Path, tmp_path: Path) -> None:
    def refusal(folder: Path, **fields: str) -> str:
        with pytest.raises(InputError) as caught:
            scan("smic", folder, **fields)
        return str(caught.value)

    assert refusal(root, part="NIR") == (
        f"{root}: no folder 'SMIC_all_cropped/NIR'; unpack it there, or say other part= or frames="
    )
    assert refusal(tmp_path / "x") == f"{tmp_path / 'x'}: no such folder; give the folder that holds the dataset"
    (tmp_path / "y/HS").mkdir(parents=True)
    assert (
        refusal(tmp_path / "y") == f"{tmp_path / 'y/HS'}: no folder of a clip, such as 's01_ne_01'; unpack them there"
    )
    (root / TABLE).unlink()
    assert refusal(root, frames="long") == (
        f"{root}: no table 'SMIC*annotation*.xlsx' or 'SMIC*annotation*.csv'; put it there, or say table="
    )
