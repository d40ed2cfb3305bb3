"""Readers of compound expressions and of RAF's action units: what each has of its own, and every wrong line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.data.labels import COMPOUND_7, COMPOUND_11, COMPOUND_14
from affectkit.datasets import make_tree
from affectkit.datasets.c_expr_db import CExprDbConfig
from affectkit.datasets.checking import check_index
from affectkit.datasets.raf_au import UNITS, RafAuConfig
from affectkit.datasets.raf_ce import RafCeConfig
from affectkit.datasets.raf_db_compound import RafDbCompoundConfig
from affectkit.datasets.trees.c_expr_db_tree import HEADER, LIST
from affectkit.errors import ConfigError, InputError
from affectkit.records import FramesSource, ImageSource, Index
from tests.datasets import issue_lines, scan, valid_labels

ADVICE = "take the list as it was released"


def tree(tmp_path: Path, name: str) -> Path:
    return make_tree(name, tmp_path / name, pictures=False).root


def refusal(name: str, root: Path, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        scan(name, root, **fields)
    return str(caught.value)


def published(config: Any) -> dict[str, int | None]:
    return {row.what: row.published for row in check_index(Index(samples=()), config).rows}


def words(index: Index, classes: tuple[str, ...]) -> dict[str, str]:
    return {key: classes[label] for key, label in valid_labels(index, "compound").items()}


# RAF-DB


def test_the_compound_part_of_raf_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-db-compound")
    index = scan("raf-db-compound", root)
    assert issue_lines(index) == []
    assert words(index, COMPOUND_11) == {
        "train_00001": "happily_surprised", "train_00002": "sadly_surprised", "train_00010": "disgustedly_surprised",
        "train_00003": "fearfully_surprised", "train_00004": "happily_disgusted", "test_0001": "sadly_angry",
        "test_0002": "angrily_disgusted",
    }  # fmt: skip
    assert index.samples[0].dataset == "raf-db-compound"
    # the folder itself, as well as the one above it
    assert [one.source for one in scan("raf-db-compound", root / "compound")] == [one.source for one in index]
    test = scan("raf-db-compound", root, split="test", pictures="original")
    assert test.samples[0].source == ImageSource(path=root / "compound/Image/original/test_0001.jpg")
    counts = [published(RafDbCompoundConfig(split=split))["samples"] for split in ("all", "train", "test")]
    assert counts == [3954, 3162, 792]


def test_both_parts_of_raf_db_can_be_trained_on_at_once(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-db-compound")
    make_tree("raf-db", tmp_path / "other", pictures=False)
    (tmp_path / "other/basic").rename(root / "basic")
    basic, compound = scan("raf-db", root), scan("raf-db-compound", root)
    assert {one.key for one in basic} & {one.key for one in compound}
    assert not set(basic.subjects) & set(compound.subjects)


@pytest.mark.parametrize(("name", "other"), [("raf-db", "compound"), ("raf-db-compound", "basic")])
def test_the_other_part_is_refused_since_its_numbers_are_other_classes(tmp_path: Path, name: str, other: str) -> None:
    root = tree(tmp_path, "raf-db-compound" if other == "compound" else "raf-db") / other
    known = "raf-db-compound" if other == "compound" else "raf-db"
    assert refusal(name, root) == f"{root}: is the {other} part; read it as {known}, or give the folder above it"


def test_lines_of_the_compound_part(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-db-compound")
    name = "list_patition_label.txt"
    (root / "compound/Image/x_aligned.jpg").touch()
    (root / "compound/Image/aligned/test_").mkdir()
    lines = ("train_00001.jpg 1", "train_00002.jpg 12", "train_00010.jpg 0", "train_00001.jpg 4", "test_0009.jpg 1",
             "test_/../../x.jpg 1", "test_0001.jpg")  # fmt: skip
    # a byte order mark, Windows line ends, and none behind the last line
    (root / "compound/EmoLabel" / name).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    index = scan("raf-db-compound", root)
    known = ", ".join(COMPOUND_11)
    assert words(index, COMPOUND_11) == {"train_00001": "happily_surprised"}
    assert issue_lines(index) == [
        f"warning: {name} line 2: label '12' is unknown, so it is not valid; known: {known}",
        f"warning: {name} line 3: label '0' is unknown, so it is not valid; known: {known}",
        f"error: {name} line 4: picture train_00001 is in {name} line 1 already; keep one of them",
        f"error: {name} line 5: no picture test_0009_aligned.jpg; unpack it, or remove the line",
        # it is there, but outside the folder of the pictures
        f"error: {name} line 6: no picture test_/../../x_aligned.jpg; unpack it, or remove the line",
        f"error: {name} line 7: 'test_0001.jpg' is no name and label; {ADVICE}",
    ]


# RAF-CE


def test_raf_ce(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-ce")
    index = scan("raf-ce", root)
    assert issue_lines(index) == ["info: RAFCE_AUlabel.txt: 1 picture in no line of RAFCE_emolabel.txt: 0011; left out"]
    assert words(index, COMPOUND_14)["0004"] == "happily_sad"
    assert {one.key: one.raw["split"] for one in index} == {
        "0001": "train", "0002": "train", "0004": "test", "0005": "test", "0009": "validation", "0010": "validation",
    }  # fmt: skip
    test = scan("raf-ce", root, split="test", pictures="original", units=("AU12", "L12", "R12", "AU10", "R10"))
    assert [one.key for one in test] == ["0004", "0005"]
    assert test.samples[0].source == ImageSource(path=root / "original/0004.jpg")
    assert [one.targets["au"].values.tolist() for one in test] == [[1, 1, 0, 0, 0], [0, 0, 0, 1, 1]]
    assert [one.subject for one in test] == ["raf-ml/0004", "raf-ml/0005"]
    assert published(RafCeConfig())["samples"] == 4549
    assert published(RafCeConfig(split="test"))["samples"] is None
    assert RafCeConfig().label_names == {"compound": COMPOUND_14, "au": UNITS}


def test_raf_ce_without_its_list_of_units(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-ce")
    (root / "RAFCE_AUlabel.txt").unlink()
    index = scan("raf-ce", root)
    assert issue_lines(index) == ["info: RAFCE_AUlabel.txt: is not there, so there are no labels of action units"]
    assert {name for one in index for name in one.targets} == {"compound"}


def test_lines_of_raf_ce(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-ce")
    (root / "RAFCE_emolabel.txt").write_bytes(
        b"\xef\xbb\xbf0001.jpg 14\r\n0002.jpg 7\r\n0004.jpg 1\r\n0005.jpg 2\r\n0010.jpg -1\r\n0077.jpg 3\r\n2.jpg 7"
    )
    (root / "RAFCE_partition.txt").write_text("0001.jpg 0\n0002.jpg 1\n0002.jpg 0\n0004.jpg 3\n0010.jpg 2\n0077.jpg 0")
    (root / "RAFCE_AUlabel.txt").write_text("0001.jpg 1+x\n0002.jpg 4+6/12\n0010.jpg ?\n")
    index = scan("raf-ce", root)
    known = ", ".join(COMPOUND_14)
    unread = "can't be read; write such as '1+L12', or 'null' where there is none; not valid"
    assert issue_lines(index) == [
        "error: RAFCE_partition.txt line 3: picture 0002 is in RAFCE_partition.txt line 2 already; keep one of them",
        f"warning: RAFCE_AUlabel.txt line 1: action units '1+x' {unread}",
        f"warning: RAFCE_emolabel.txt line 1: label '14' is unknown, so it is not valid; known: {known}",
        "error: RAFCE_partition.txt line 4: part '3' of 0004 in RAFCE_partition.txt; expected one of 0, 1, 2",
        "error: RAFCE_emolabel.txt line 4: no line of 0005 in RAFCE_partition.txt; expected one of 0, 1, 2",
        f"warning: RAFCE_AUlabel.txt line 3: action units '?' {unread}",
        f"warning: RAFCE_emolabel.txt line 5: label '-1' is unknown, so it is not valid; known: {known}",
        "warning: RAFCE_emolabel.txt line 6: no line of 0077 in RAFCE_AUlabel.txt; its units are not labeled",
        "error: RAFCE_emolabel.txt line 6: no picture 0077_aligned.jpg; unpack it, or remove the line",
        "error: RAFCE_emolabel.txt line 7: picture 0002 is in RAFCE_emolabel.txt line 2 already; keep one of them",
    ]
    labels = {one.key: one.targets["au"] for one in index}
    assert not labels["0001"].valid.any()
    assert not labels["0010"].valid.any()
    # either 6 or 12, and the coder did not know which
    doubted = [UNITS[at] for at in np.flatnonzero(~labels["0002"].valid)]
    assert doubted == ["AU6", "AU12"]
    assert labels["0002"].values[UNITS.index("AU4")] == 1


def test_no_raf_ce(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-ce")
    (root / "RAFCE_partition.txt").unlink()
    assert refusal("raf-ce", root) == f"{root / 'RAFCE_partition.txt'}: no such file; unpack it there"
    (root / "aligned").rename(root / "others")
    assert refusal("raf-ce", root) == (
        f"{root / 'aligned'}: no such folder; unpack the pictures there, or say other pictures="
    )
    (root / "RAFCE_emolabel.txt").unlink()
    assert refusal("raf-ce", root) == f"{root}: no table 'RAFCE_emolabel.txt'; put it there, or say table="


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"au": "compound"}, "au: 'compound' is no head of its own; write another name, such as 'au'"),
        ({"units": ()}, "units: () is empty, or has a unit twice; write each once"),
        ({"units": ("AU1", "12")}, "units: '12' is no action unit; write one such as 'AU12' or 'L12'"),
    ],
)
def test_configs_of_raf_ce_that_can_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RafCeConfig(**fields)
    assert str(caught.value) == message


# RAF-AU


def test_raf_au(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-au")
    units = ("AU12", "L12", "R12", "AU10", "L10", "AU28")
    index = scan("raf-au", root, units=units, pictures="original")
    assert issue_lines(index) == []
    assert {one.key: one.targets["au"].values.tolist() for one in index} == {
        "0001": [0, 0, 0, 0, 0, 0], "0002": [0, 0, 0, 0, 0, 0], "0007": [1, 1, 0, 0, 0, 0],
        "0012": [0, 0, 0, 1, 1, 0], "0013": [0, 0, 0, 0, 0, 1],
    }  # fmt: skip
    assert all(one.targets["au"].valid.all() for one in index)
    # the number without its zeros
    assert index.samples[3].source == ImageSource(path=root / "original/0012.jpg")
    assert index.samples[3].raw == {"name": "12.jpg", "units": "R10+L10+17"}
    assert published(RafAuConfig())["samples"] == 4601
    with pytest.raises(ConfigError) as caught:
        RafAuConfig(units=("AU12", "T12"))
    assert str(caught.value) == "units: 'T12' is no action unit; write one such as 'AU12' or 'L12'"


def test_a_picture_in_both_lists_is_one_subject(tmp_path: Path) -> None:
    units, compound = scan("raf-au", tree(tmp_path, "raf-au")), scan("raf-ce", tree(tmp_path, "raf-ce"))
    shared = {one.key for one in units} & {one.key for one in compound}
    assert shared == {"0001", "0002"}
    assert {f"raf-ml/{key}" for key in shared} == set(units.subjects) & set(compound.subjects)


def test_lines_of_raf_au(tmp_path: Path) -> None:
    root = tree(tmp_path, "raf-au")
    (root / "RAFAU_label.txt").write_bytes(
        b"\xef\xbb\xbf1.jpg 4\r\n0001.jpg 1\r\n0002.jpg\r\n0003.jpg 1\r\n"
        b"2 4\r\n7 4\r\n0012.jpg 1 + 2\r\n../aligned/0013.jpg 1\r\n0007.jpg 9z"
    )
    no_picture = "is no picture such as '0001.jpg'; take the list as it was released"
    assert issue_lines(scan("raf-au", root)) == [
        "error: RAFAU_label.txt line 2: picture 0001 is in RAFAU_label.txt line 1 already; keep one of them",
        f"error: RAFAU_label.txt line 3: '0002.jpg' is no name and label; {ADVICE}",
        "error: RAFAU_label.txt line 4: no picture 0003_aligned.jpg; unpack it, or remove the line",
        f"error: RAFAU_label.txt line 5: '2' {no_picture}",
        f"error: RAFAU_label.txt line 6: '7' {no_picture}",
        f"error: RAFAU_label.txt line 7: '0012.jpg 1 +' {no_picture}",
        f"error: RAFAU_label.txt line 8: '../aligned/0013.jpg' {no_picture}",
        "warning: RAFAU_label.txt line 9: action units '9z' can't be read; write such as '1+L12', or 'null' where "
        "there is none; not valid",
    ]


# C-EXPR-DB


def test_c_expr_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "c-expr-db")
    index = scan("c-expr-db", root)
    assert issue_lines(index) == [
        f"info: 02: 1 picture in no line of {LIST}: 4; left out",
        "info: 10: 1 of 5 frames without a picture: 3; the nearest stands in",
    ]
    assert [(one.key, one.subject, one.subject_is_known, one.targets, one.times) for one in index] == [
        (video, f"c-expr-db/{video}", False, {}, None) for video in ("01", "02", "10")
    ]
    dropped = scan("c-expr-db", root, missing="drop", fps=25.0).samples[2]
    assert isinstance(dropped.source, FramesSource)
    assert [number for number, _ in dropped.source.frames] == [1, 2, 4, 5]
    assert dropped.times is not None
    assert dropped.times.tolist() == pytest.approx([0, 0.04, 0.12, 0.16])
    # the same pictures beside the list
    for folder in sorted((root / "cropped_aligned").iterdir()):
        folder.rename(root / folder.name)
    (root / "cropped_aligned").rmdir()
    assert [one.key for one in scan("c-expr-db", root)] == ["01", "02", "10"]
    assert published(CExprDbConfig())["samples"] == 56
    assert CExprDbConfig().label_names == {}


def test_an_answer_is_read_as_labels(tmp_path: Path) -> None:
    root = tree(tmp_path, "c-expr-db")
    # columns in another order: a number is a class of this header
    names = HEADER.split(",")
    header = ",".join([names[0], *names[:0:-1]])
    (root / "answer.txt").write_text(f"{header}\n01/00001.jpg,0\n01/00002.jpg,6\n01/00003.jpg,-1\n01/00004.jpg,\n")
    config: dict[str, Any] = {"table": "answer.txt", "has_labels": True, "target": "expr"}
    (sample,) = scan("c-expr-db", root, **config)
    labels = sample.targets["expr"]
    assert [COMPOUND_7[label] for label in labels.values[:2]] == ["sadly_angry", "fearfully_surprised"]
    assert labels.valid.tolist() == [True, True, False, False]
    assert CExprDbConfig(has_labels=True).label_names == {"compound": COMPOUND_7}
    assert published(CExprDbConfig(has_labels=True)) == {"samples": 56, "subjects": None}


def test_lines_of_c_expr_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "c-expr-db")
    lines = (
        HEADER, "01/00002.jpg,7", "01/00001.jpg,Sadly_Angry", "01/00002.jpg,1", "../00001.jpg,0", "a/../01/1.jpg,0",
        "02/x.jpg,1", "03/00001.jpg,2", "01/00003.jpg,2",
    )  # fmt: skip
    (root / LIST).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    index = scan("c-expr-db", root, has_labels=True)
    assert issue_lines(index) == [
        f"error: {LIST}: 3 lines without a picture VIDEO/NUMBER.jpg: 5, 6, 7; left out",
        f"warning: {LIST}: 1 line of frames that another has: 4; the first counts",
        f"info: 01: 1 picture in no line of {LIST}: 4; left out",
        f"warning: {LIST}: 2 lines with a class that is none of 0 to 6: 3, 2; not valid",
        f"error: {LIST} line 8: no folder with pictures of video '03'; unpack it, or remove its lines",
    ]
    (sample,) = index
    assert sample.targets["compound"].valid.tolist() == [False, False, True]


def test_no_c_expr_db(tmp_path: Path) -> None:
    root = tree(tmp_path, "c-expr-db")
    table = root / LIST
    table.write_text("image_location,Anger\n01/00001.jpg,0")
    assert refusal("c-expr-db", root) == (
        f"{table}, line 1: 'image_location,Anger' is no header of abaw6-ce; expected {HEADER!r}, names in any order"
    )
    table.write_text(f"{HEADER}\n00001.jpg,0\n")
    assert refusal("c-expr-db", root) == f"{table}: no line with a picture VIDEO/NUMBER.jpg; give the owners' file"
    table.write_text(f"{HEADER}\n77/00001.jpg,0\n")
    assert refusal("c-expr-db", root) == (
        f"{root / 'cropped_aligned'}: no folder of pictures '77'; unpack them there, or say frames="
    )
    table.write_text(f"{HEADER}\n01/00009.jpg,0\n")
    assert issue_lines(scan("c-expr-db", root, missing="drop"))[-1] == (
        "error: 01: no picture of a listed frame; unpack it again"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": ""}, "target: '' names no head; write one, such as 'compound'"),
        ({"fps": 0.0}, "fps: 0.0 is no rate; write more than 0"),
    ],
)
def test_configs_of_c_expr_db_that_can_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CExprDbConfig(**fields)
    assert str(caught.value) == message
