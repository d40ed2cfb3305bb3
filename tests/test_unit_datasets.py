"""Readers of datasets with action units: what each has of its own, and every way in which a file can be wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.bp4d import Bp4dConfig
from affectkit.datasets.checking import check_index
from affectkit.datasets.disfa import FREQUENT, UNITS, DisfaConfig
from affectkit.datasets.disfa_plus import DisfaPlusConfig
from affectkit.datasets.emotionet import EmotioNetConfig
from affectkit.errors import ConfigError, InputError
from affectkit.protocols.splits import leave_one_out
from affectkit.records import FramesSource, ImageSource, Index, VideoSource
from tests.datasets import issue_lines, scan


def tree(tmp_path: Path, name: str) -> Path:
    return make_tree(name, tmp_path / name, pictures=False).root


def refusal(name: str, root: Path, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        scan(name, root, **fields)
    return str(caught.value)


def published(config: Any) -> dict[str, int | None]:
    return {row.what: row.published for row in check_index(Index(samples=()), config).rows}


def codes(root: Path, person: str, unit: str) -> list[int]:
    """As the file of one unit says them."""
    text = (root / f"ActionUnit_Labels/{person}/{person}_au{unit[2:]}.txt").read_text()
    return [int(line.split(",")[1]) for line in text.splitlines()]


def test_disfa(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa")
    index = scan("disfa", root, units=UNITS, intensity=True, camera="right")
    assert issue_lines(index) == []
    assert [(one.key, one.subject, one.subject_is_known, one.raw["part"]) for one in index] == [
        ("SN001", "disfa/001", True, "1"), ("SN003", "disfa/003", True, "3"), ("SN013", "disfa/013", True, "2"),
    ]  # fmt: skip
    sample = index.samples[2]
    assert sample.source == VideoSource(path=root / "Video_RightCamera/RightVideoSN013_comp.avi")
    labels = sample.targets["au"]
    assert labels.values.shape == labels.valid.shape == (20, 12)
    # by name, though `au10` would sort before `au2`
    for column, unit in enumerate(UNITS):
        assert labels.values[:, column].tolist() == codes(root, "SN013", unit)
    one = scan("disfa", root, units=("AU26", "AU2"), threshold=1, target="units").samples[0].targets["units"]
    assert one.values[:, 1].tolist() == [float(code >= 1) for code in codes(root, "SN001", "AU2")]


def test_pictures_of_disfa_count_from_zero(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa")
    (root / "pictures/SN001/0.png").unlink()
    (root / "pictures/SN001/20.png").touch()
    (root / "pictures/SN001/7.png").rename(root / "pictures/SN001/0007.png")
    index = scan("disfa", root, frames="pictures", units=("AU4",), intensity=True, fps=20.0)
    sample = index.samples[0]
    assert isinstance(sample.source, FramesSource)
    assert [number for number, _ in sample.source.frames] == list(range(1, 20))
    assert (sample.source.frames[6][1].name, sample.source.fps) == ("0007.png", 20.0)
    assert sample.times is not None
    assert sample.times.tolist() == [at / 20 for at in range(19)]
    # the picture 1 is the frame of line 2
    assert sample.targets["au"].values[:, 0].tolist() == codes(root, "SN001", "AU4")[1:]
    assert issue_lines(index) == [
        "warning: ActionUnit_Labels/SN001: 1 of 20 labeled frames without a picture: 0; left out",
        "info: ActionUnit_Labels/SN001: 1 picture without a label: 20; left out",
    ]
    (root / "more/SN003").mkdir(parents=True)
    again = scan("disfa", root, frames="pictures", split="test")
    assert issue_lines(again) == ["warning: pictures/SN003: is a second folder of SN003; more/SN003 counts",
                                  "warning: ActionUnit_Labels/SN003: 20 of 20 labeled frames without a picture: "
                                  "0, 1, 2, 3, 4 and 15 more; left out",
                                  "error: ActionUnit_Labels/SN003: no pictures of SN003, or no labels; unpack them, or "
                                  "remove the folder"]  # fmt: skip


def test_folds_of_disfa(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa")
    found = {
        (fold, split): [one.key for one in scan("disfa", root, fold=fold, split=split)]
        for fold in (1, 2, 3)
        for split in ("train", "test")
    }
    assert found == {
        (1, "train"): ["SN001", "SN013"], (1, "test"): ["SN003"], (2, "train"): ["SN001", "SN003"],
        (2, "test"): ["SN013"], (3, "train"): ["SN003", "SN013"], (3, "test"): ["SN001"],
    }  # fmt: skip
    folds = leave_one_out([one.raw["part"] for one in scan("disfa", root)])
    assert [(fold.name, fold.test) for fold in folds] == [("1", (0,)), ("2", (2,)), ("3", (1,))]
    people = [person for part in DisfaConfig.parts for person in part]
    assert len(people) == len(set(people)) == 27
    assert published(DisfaConfig())["frames with au"] == 130_815
    assert published(DisfaConfig(split="test"))["subjects"] == 9


def test_files_of_disfa(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa")
    folder = root / "ActionUnit_Labels/SN001"
    (folder / "SN001_au2.txt").unlink()
    text = (folder / "SN001_au4.txt").read_text().splitlines()
    text[3:7] = ["4,6", "five,1", "6", "3,1"]
    (folder / "SN001_au4.txt").write_text("\n".join(text[:-1]))
    shown = (folder / "SN001_au1.txt").read_bytes()
    (folder / "SN001_au1.txt").write_bytes(b"\xef\xbb\xbf" + shown.replace(b"\n", b"\r\n"))
    index = scan("disfa", root, units=("AU1", "AU2", "AU4"))
    assert issue_lines(index) == [
        "warning: SN001_au4.txt: 4 lines without a frame of its own and an intensity from 0 to 5: 4, 5, 6, 7; "
        "not valid",
        "warning: ActionUnit_Labels/SN001: of 20 frames not all are in each file: AU4 15; the others not valid",
        "warning: ActionUnit_Labels/SN001: no codes of AU2; not valid",
    ]
    valid = index.samples[0].targets["au"].valid
    assert valid.sum(axis=0).tolist() == [20, 0, 15]
    assert valid[:, 2].tolist() == [True] * 3 + [False] * 4 + [True] * 12 + [False]
    rows = {row.what: row.found for row in check_index(index, DisfaConfig(units=("AU1", "AU2", "AU4"))).rows}
    expected = sum(code >= 2 for person in ("SN001", "SN003", "SN013") for code in codes(root, person, "AU1"))
    assert (rows["frames with au"], rows["frames with active AU1"]) == (60, expected)
    assert "samples of unknown subjects" not in rows


def test_a_damaged_file_of_disfa(tmp_path: Path) -> None:
    """It halts no other file, and no other person."""
    root = tree(tmp_path, "disfa")
    before = scan("disfa", root)
    (root / "ActionUnit_Labels/SN001/SN001_au12.txt").write_bytes(b"1,0\n2,\xff\n")
    after = scan("disfa", root)
    assert [one.key for one in after] == [one.key for one in before]
    assert [line for line in issue_lines(after) if line not in issue_lines(before)] == [
        "error: SN001_au12.txt: no UTF-8 text from byte 6 on; unpack it again",
        "warning: ActionUnit_Labels/SN001: no codes of AU12; not valid",
    ]


def test_no_disfa(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa")
    assert refusal("disfa", root / "pictures") == (
        f"{root / 'pictures/ActionUnit_Labels'}: no folder of a person, such as 'SN001'; unpack them there"
    )
    (root / "Video_LeftCamera/LeftVideoSN001_comp.avi").unlink()
    assert issue_lines(scan("disfa", root)) == [
        "error: ActionUnit_Labels/SN001: no video of SN001, or no labels; unpack them, or remove the folder"
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": ""}, "target: '' names no head; write one, such as 'au'"),
        ({"units": ()}, "units: () is empty, or has a unit twice; write each once"),
        ({"units": ("AU1", "AU1")}, "units: ('AU1', 'AU1') is empty, or has a unit twice; write each once"),
        ({"units": ("AU1", "AU7")},
         "units: 'AU7' not coded; units: 'AU1', 'AU2', 'AU4', 'AU5', 'AU6', 'AU9', 'AU12', 'AU15', 'AU17', 'AU20', "
         "'AU25', 'AU26'"),
        ({"threshold": 0}, "threshold: 0 is no intensity; write 1 to 5"),
        ({"fps": -1.0}, "fps: -1.0 is no rate; write more than 0"),
    ],
)  # fmt: skip
def test_configs_of_disfa_that_can_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DisfaConfig(**fields)
    assert str(caught.value) == message
    assert DisfaConfig().units == FREQUENT


def test_bp4d(tmp_path: Path) -> None:
    root = tree(tmp_path, "bp4d")
    index = scan("bp4d", root)
    assert issue_lines(index) == [
        "info: F001_T1.csv: 6 pictures without a label: 2437, 2438, 2439, 2453, 2454 and 1 more; left out",
        "info: F001_T2.csv: 6 pictures without a label: 2, 3, 4, 15, 16 and 1 more; left out",
        "info: M011_T1.csv: 6 pictures without a label: 95, 96, 97, 105, 106 and 1 more; left out",
        "info: M015_T8.csv: 6 pictures without a label: 28, 29, 30, 41, 42 and 1 more; left out",
    ]
    sample = index.samples[1]
    assert isinstance(sample.source, FramesSource)
    # a row says 5, the picture is 0005.jpg
    assert (sample.source.frames[0][0], sample.source.frames[0][1].name) == (5, "0005.jpg")
    assert (sample.subject, sample.raw) == ("bp4d/F001", {"table": "F001_T2.csv", "part": "1"})
    assert (sample.times, sample.source.fps) == (None, None)
    header, *rows = [line.split(",") for line in (root / "AUCoding/AU_OCC/F001_T2.csv").read_text().splitlines()]
    labels = sample.targets["au"]
    for column, unit in enumerate(Bp4dConfig().units):
        cells = [row[header.index(unit[2:])] for row in rows]
        assert labels.valid[:, column].tolist() == [cell != "9" for cell in cells]
        assert labels.values[:, column].tolist() == [float(cell == "1") for cell in cells]
    assert [one.key for one in scan("bp4d", root, split="test", fold=1)] == ["M015_T8"]
    assert [one.key for one in scan("bp4d", root, split="train", fold=2, fps=25.0)] == ["F001_T1", "F001_T2", "M015_T8"]
    assert [len(part) for part in Bp4dConfig.parts] == [14, 14, 13]
    people = [person for part in Bp4dConfig.parts for person in part]
    assert (len(set(people)), sum(person.startswith("F") for person in people)) == (41, 23)
    assert published(Bp4dConfig())["samples"] == 328


def test_tables_of_bp4d(tmp_path: Path) -> None:
    root = tree(tmp_path, "bp4d")
    coding = root / "AUCoding/AU_OCC"
    (coding / "F001_T1.csv").write_text("0,1,2\n2440,1,9\n2440,0,0\nx,0,0\n2441,3,0\n\n2442,1\n2460,1,1\n")
    index = scan("bp4d", root, units=("AU1", "AU2", "AU12"))
    assert issue_lines(index)[:4] == [
        "warning: F001_T1.csv: 4 rows without a frame of its own, or with a code that is none of 0, 1 and 9: "
        "3, 4, 5, 7; not valid",
        "warning: F001_T1.csv: no codes of AU12; not valid",
        "warning: F001_T1.csv: 1 of 3 labeled frames without a picture: 2460; left out",
        "info: F001_T1.csv: 17 pictures without a label: 2437, 2438, 2439, 2442, 2443 and 12 more; left out",
    ]
    assert index.samples[0].targets["au"].valid.tolist() == [[True, False, False], [False, True, False]]
    (root / "Sequences/M015/T8").rename(root / "Sequences/M015/T7")
    (root / "more/M011").mkdir(parents=True)
    lines = issue_lines(scan("bp4d", root, split="test"))
    assert lines == [
        "warning: more/M011: is a second folder of M011; Sequences/M011 counts",
        "error: M015_T8.csv: no picture of M015/T8 for 10 coded frames; unpack them",
    ]
    # one table that is none halts no others
    (coding / "F001_T1.csv").write_text("frame,1,2\n")
    (coding / "F001_T2.csv").write_bytes(b"0,1,2\n\xff\n")
    (coding / "M011_T1.csv").write_bytes(b"")
    (root / "Sequences/M015/T7").rename(root / "Sequences/M015/T8")
    index = scan("bp4d", root)
    assert [line for line in issue_lines(index) if line.startswith("error")] == [
        "error: F001_T1.csv row 1: no column '0', which is the frame; take the table as it was released",
        "error: F001_T2.csv: is no text in UTF-8 (invalid start byte); unpack it again",
        "error: M011_T1.csv: is empty; unpack it again",
    ]
    assert [one.key for one in index] == ["M015_T8"]
    assert refusal("bp4d", root / "Sequences") == (
        f"{root / 'Sequences/AUCoding/AU_OCC'}: no table such as 'F001_T1.csv'; unpack them there"
    )


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (Bp4dConfig, {"units": ("AU1", "smile")}, "units: 'smile' is no action unit; write one such as 'AU12'"),
        (Bp4dConfig, {"fps": 0.0}, "fps: 0.0 is no rate; write more than 0"),
        (EmotioNetConfig, {"units": ("AU1", "smile")}, "units: 'smile' is no action unit; write one such as 'AU12'"),
        (DisfaPlusConfig, {"fps": 0.0}, "fps: 0.0 is no rate; write more than 0"),
    ],
)
def test_configs_that_can_not_be(config: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**fields)
    assert str(caught.value) == message


def test_disfa_plus(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa-plus")
    index = scan("disfa-plus", root, intensity=True, fps=20.0)
    assert issue_lines(index) == [
        "info: disfa-plus: shows 2 subjects whom DISFA shows too; keys are alike, so split both as one"
    ]
    assert [one.key for one in index] == [
        "SN001/A1_AU1_TrailNo_1", "SN001/Y_FearDSC_TrailNo_2", "SN013/A1_AU1_TrailNo_1",
    ]  # fmt: skip
    text = (root / "Labels/SN001/Y_FearDSC_TrailNo_2/AU20.txt").read_text().splitlines()[2:]
    column = UNITS.index("AU20")
    assert index.samples[1].targets["au"].values[:, column].tolist() == [int(line.split()[1]) for line in text]
    # whoever is split by subject over both sets, is in one half
    both = [*scan("disfa", tree(tmp_path, "disfa")), *index]
    for fold in leave_one_out([one.subject for one in both]):
        assert len({both[at].subject for at in fold.test}) == 1
    assert {one.dataset for one in both if one.subject == "disfa/013"} == {"disfa", "disfa-plus"}
    assert published(DisfaPlusConfig())["subjects"] == 9


def test_files_of_disfa_plus(tmp_path: Path) -> None:
    root = tree(tmp_path, "disfa-plus")
    (root / "Labels/SN001/A1_AU1_TrailNo_1/AU9.txt").unlink()
    (root / "Images/SN001/A1_AU1_TrailNo_1/003.jpg").unlink()
    shutil.rmtree(root / "Images/SN001/Y_FearDSC_TrailNo_2")
    (root / "Labels/SN013/A1_AU1_TrailNo_1/AU1.txt").write_text("000.jpg 2\n001.jpg\n002.jpg x\n.jpg 1\n")
    index = scan("disfa-plus", root)
    assert issue_lines(index) == [
        "warning: Labels/SN001/A1_AU1_TrailNo_1: no codes of AU9; not valid",
        "warning: Labels/SN001/A1_AU1_TrailNo_1: 1 of 6 labeled frames without a picture: 3; left out",
        "error: Labels/SN001/Y_FearDSC_TrailNo_2: no picture in Images/SN001/Y_FearDSC_TrailNo_2 for 6 labeled frames; "
        "unpack them",
        "warning: AU1.txt: 3 lines without a frame of its own and an intensity from 0 to 5: 2, 3, 4; not valid",
        "warning: Labels/SN013/A1_AU1_TrailNo_1: of 6 frames not all are in each file: AU1 1; the others not valid",
        "info: disfa-plus: shows 2 subjects whom DISFA shows too; keys are alike, so split both as one",
    ]
    assert index.samples[1].targets["au"].valid.sum(axis=0).tolist() == [1] + [6] * 11
    assert refusal("disfa-plus", root / "Images") == (
        f"{root / 'Images/Labels'}: no folder of a person, such as 'SN001'; unpack them there"
    )


def test_emotionet(tmp_path: Path) -> None:
    root = tree(tmp_path, "emotionet")
    index = scan("emotionet", root)
    table = "EmotioNet_FACS_aws_2020_24600.csv"
    assert issue_lines(index) == [
        f"warning: {table}: 1 of 4 pictures not on disk: N_0000000009_00001.jpg; fetch them, or go on"
    ]
    sample = index.samples[1]
    assert sample.source == ImageSource(path=root / "imgs/N_0000000001_00034.jpg")
    assert (sample.subject_is_known, sample.raw["URL"][-22:]) == (False, "N_0000000001_00034.jpg")
    cells = (root / table).read_text().splitlines()[2].split(",")[2:]
    labels = sample.targets["au"]
    assert labels.values.shape == labels.valid.shape == (17,)
    # the last column is of a unit that is not asked for
    assert labels.valid.tolist() == [cell != "999" for cell in cells[:-1]]
    assert labels.values.tolist() == [float(cell == "1") for cell in cells[:-1]]
    # the list has the same codes
    listed = scan("emotionet", root, table="lists/dataFile_0001.txt", pictures="imgs")
    assert [one.targets["au"].values.tolist() for one in listed] == [one.targets["au"].values.tolist() for one in index]
    assert [one.targets["au"].valid.tolist() for one in listed] == [one.targets["au"].valid.tolist() for one in index]
    rows = {row.what: row.found for row in check_index(index, EmotioNetConfig()).rows}
    assert (rows["frames with au"], rows["samples"]) == (3, 3)
    assert rows["frames with active AU1"] == sum(one.targets["au"].values[0] for one in index)
    (root / table).unlink()
    lines = [[f"'{name}'" for name in ("URL", "AU 1", "AU 2")], [sample.raw["URL"], 1, 999]]
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    book.save(root / "EmotioNet.xlsx")
    (only,) = scan("emotionet", root, units=("AU2", "AU1"))
    assert (only.targets["au"].values.tolist(), only.targets["au"].valid.tolist()) == ([0, 1], [False, True])


def test_rows_of_emotionet(tmp_path: Path) -> None:
    root = tree(tmp_path, "emotionet")
    table = root / "EmotioNet_FACS_aws_2020_24600.csv"
    name = "N_0000000001_00001.jpg"
    table.write_text(f"URL,AU 1,AU 2\nx/{name},1,2\nz/other.jpg,1\n'',1,1\n\n")
    index = scan("emotionet", root, units=("AU1", "AU2"))
    assert issue_lines(index) == [
        f"warning: {table.name}: 2 rows without an address and all columns: 3, 4; left out",
        f"warning: {table.name} row 2: codes that are none of 0, 1 and 999: AU2 2; not valid",
    ]
    assert index.samples[0].targets["au"].valid.tolist() == [True, False]
    # the file is of one address, and nobody knows of which; of files that are not there nothing has to be known
    table.write_text(f"URL,AU 1,AU 2\nx/{name},1,2\ny/{name},0,0\nx/gone.jpg,1,1\ny/gone.jpg,0,0\nz/gone.jpg,0,0\n")
    index = scan("emotionet", root, units=("AU1", "AU2"))
    assert len(index) == 0
    assert issue_lines(index) == [
        f"error: {table.name}: 1 picture with a name that several rows have: {name}; left out",
        f"warning: {table.name}: 1 of 2 pictures not on disk: gone.jpg; fetch them, or go on",
    ]
    assert refusal("emotionet", root) == (
        f"{table} row 1: no column 'AU 4', 'AU 5', 'AU 6', 'AU 9', 'AU 10', 'AU 12', 'AU 15', 'AU 17', 'AU 18', "
        "'AU 20' and 5 more; leave them out of units=, or give another table"
    )
    assert refusal("emotionet", root, pictures="img") == (
        f"{root / 'img'}: no such folder; put the pictures there, or say pictures="
    )
    listed = root / "lists/dataFile_0001.txt"
    listed.write_text(f"{listed.read_text()}x\ty\t1\n")
    fields = {"table": "lists/dataFile_0001.txt"}
    assert issue_lines(scan("emotionet", root, **fields))[0] == (
        "warning: dataFile_0001.txt: 1 row without an address and all columns: 5; left out"
    )
    assert refusal("emotionet", root, units=("AU1", "AU61"), **fields) == (
        f"{listed}: no column of 'AU61'; leave them out of units="
    )
