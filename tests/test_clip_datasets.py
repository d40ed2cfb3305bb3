"""Readers of CASME, MMEW, 4DME and DFME: what each has of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.action_units import parse_aus
from affectkit.errors import InputError
from affectkit.records import FramesSource
from tests.datasets import as_read, issue_lines, scan, valid_labels


def tree(tmp_path: Path, name: str) -> Path:
    return make_tree(name, tmp_path / name, pictures=False).root


def test_casme(tmp_path: Path) -> None:
    root = tree(tmp_path, "casme")
    index = scan("casme", root)
    assert issue_lines(index) == []
    # two people have a clip of one name, and each clip two apexes
    assert [(one.key, one.subject) for one in index] == [
        ("01/EP01_12", "casme/01"), ("01/EP03_2", "casme/01"), ("07/EP01_12", "casme/07"),
    ]  # fmt: skip
    assert (index.samples[1].events[0].apex_frame, index.samples[1].raw["ApexF2"]) == (36, "40")
    assert valid_labels(index) == {"01/EP01_12": 0, "01/EP03_2": 1, "07/EP01_12": 2}
    cropped = scan("casme", root, frames="cropped")
    assert [as_read(one) for one in cropped] == [as_read(one) for one in index]
    source = cropped.samples[0].source
    assert isinstance(source, FramesSource)
    assert (source.frames[0][1].name, source.fps) == ("reg_EP01_12-3.jpg", 60.0)


def test_mmew(tmp_path: Path) -> None:
    root = tree(tmp_path, "mmew")
    index = scan("mmew", root)
    assert issue_lines(index) == [
        "info: MMEW_Micro_Exp.xlsx row 3: files are numbered from 1, not from onset 101; "
        "the annotation was shifted by -100",
        "info: MMEW_Micro_Exp.xlsx: 1 clip in no class of negative, positive, surprise (repression 1): "
        "samples without a valid label",
    ]
    assert index.subjects == ("mmew/03", "mmew/11")
    assert as_read(index.samples[1]).events == ((1, 9, 18, "anger"),)
    assert valid_labels(scan("mmew", root, classes="annotated")) == {"S03-01-002": 0, "S03-07-001": 2, "S11-02-001": 6}


def test_4dme(tmp_path: Path) -> None:
    root = tree(tmp_path, "4dme")
    index = scan("4dme", root)
    assert issue_lines(index) == [
        "info: 4DME_Labelling_Micro_release v1.xlsx: 1 clip in no class of positive, negative, surprise, repression, "
        "others (surprise+positive 1): samples without a valid label"
    ]
    assert valid_labels(index) == {"Sub1/clip_b": 1, "Sub2/clip_a": 4}
    assert index.samples[0].events[0].label == "Surprise+Positive"
    assert [one.uncertain for one in parse_aus(index.samples[0].raw["AUs"])] == [False, True]
    assert [as_read(one) for one in scan("4dme", root, frames="cropped")] == [as_read(one) for one in index]


def test_an_unknown_part_of_a_combined_emotion(tmp_path: Path) -> None:
    root = tree(tmp_path, "4dme")
    table = "sub_ID,fold_name,Emotion,Onset,Apex,Offset\nSub1,clip_a,Surprise+Joy,5,9,20\n"
    (root / "codes.csv").write_text(table)
    lines = issue_lines(scan("4dme", root, table="codes.csv"))
    assert lines[1] == (
        "warning: codes.csv row 2: label 'Surprise+Joy' is unknown, so it is not valid; "
        "known: positive, negative, surprise, repression, others"
    )


def test_dfme(tmp_path: Path) -> None:
    root = tree(tmp_path, "dfme")
    index = scan("dfme", root)
    assert issue_lines(index) == [
        "info: training_full_with_AU.xlsx: 2 folders of clips in no row: sub0201_01, sub0301_03; "
        "add rows, or remove them"
    ]
    rates = {one.key: one.source.fps for one in index if isinstance(one.source, FramesSource)}
    assert rates == {"sub0003_01": 200.0, "sub0003_02": 300.0, "sub0120_01": 500.0}
    assert index.samples[2].events[0].offset == 45 / 500
    assert valid_labels(index) == {"sub0003_01": 1, "sub0003_02": 0, "sub0120_01": 2}
    (clip,) = scan("dfme", root, split="testA", classes="annotated")
    assert (clip.key, clip.subject) == ("sub0201_01", "dfme/0201")
    with pytest.raises(InputError) as caught:
        scan("dfme", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no table 'training_full_with_AU.xlsx' or 'training_full_with_AU.csv'; put it there, or say table="
    )


@pytest.mark.parametrize("fps", ["", "0", "-1", "fast", "nan", "inf"])
def test_a_rate_that_is_none(tmp_path: Path, fps: str) -> None:
    root = tree(tmp_path, "dfme")
    header = "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Emotion,Fps\n"
    (root / "t.csv").write_text(f"{header}sub0003,sub0003_01,34,40,60,fear,{fps}\nsub0004,sub0003_02,1,2,3,fear,200\n")
    assert issue_lines(scan("dfme", root, table="t.csv"))[:2] == [
        f"error: t.csv row 2: fps is {fps!r}; write frames per second, above 0",
        "error: t.csv row 3: 'sub0004', 'sub0003_02' names no clip of dfme; mend the row",
    ]
