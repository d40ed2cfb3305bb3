"""What dataset readers share: folders of frames, tables, action units, subjects, label maps, apexes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openpyxl
import pytest
from numpy.typing import NDArray

from affectkit.datasets.action_units import AUToken, parse_aus, unread_text
from affectkit.datasets.apexes import estimate_apex, estimate_apex_ref, middle_frame, resolve_apex
from affectkit.datasets.frame_folders import FrameList, find_folders, frame_number, list_frames
from affectkit.datasets.label_maps import find_map
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.tables import cell_text, find_table, parse_frame, read_book, read_table
from affectkit.errors import InputError, MissingDependencyError

COLUMNS = {"subject": ("Subject",), "clip": ("Filename",), "onset": ("OnsetFrame", "Onset")}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("img46.jpg", 46), ("img001.jpg", 1), ("reg_img46.jpg", 46), ("006_05562.jpg", 5562), ("006_1_0001.jpg", 1),
        ("image001234.bmp", 1234), ("image 12.jpg", 12), ("EP01_12-34.jpg", 34), ("175.jpg", 175), ("00034.png", 34),
        ("cover.jpg", None), ("7", None),
    ],
)  # fmt: skip
def test_the_number_of_a_frame(name: str, number: int | None) -> None:
    assert frame_number(name) == number


def test_a_folder_is_listed_by_number(tmp_path: Path) -> None:
    for name in ("img10.jpg", "img9.jpg", "img009.jpg", "cover.jpg", "Thumbs.db", ".img3.jpg", "img11.PNG"):
        (tmp_path / name).touch()
    folder = list_frames(tmp_path)
    assert folder.names == {9: "img009.jpg", 10: "img10.jpg", 11: "img11.PNG"}
    assert (folder.doubles, folder.unnumbered) == (("img9.jpg",), ("cover.jpg",))
    frames = folder.frames(10, 99)
    assert frames == ((10, tmp_path / "img10.jpg"), (11, tmp_path / "img11.PNG"))
    assert list(frames) == [frames[0], frames[-1]]
    assert frames[:1] == folder.frames(0, 10)[1:]
    assert hash(frames) == hash(tuple(frames))
    assert frames != folder.frames(9, 99)
    assert repr(frames) == f"FrameList({str(tmp_path)!r}, 2 frames: 10 to 11)"
    assert repr(FrameList("x", (), ())) == "FrameList('x', 0 frames: none)"


def test_folders_are_found_where_they_are(tmp_path: Path) -> None:
    import re

    for name in ("b/c/EP02", "a/EP01", "a/EP01/EP09", "out/EP03", ".hidden/EP04", "a/EPx"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    found = find_folders(tmp_path, re.compile(r"EP\d+"), skip=re.compile("out"))
    assert found == [str(tmp_path / "a/EP01"), str(tmp_path / "b/c/EP02")]


def write_book(path: Path, *rows: tuple[object, ...], sheet: str = "Sheet1") -> Path:
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.create_sheet("empty")
    book.save(path)
    return path


def test_a_header_below_a_preamble(tmp_path: Path) -> None:
    path = write_book(
        tmp_path / "t.xlsx", ("Title",), (None, None, "Subject"), (),
        ("subject ", "Filename", None, "Onset_Frame", "AU"),
        ("01", "a", None, 4, 7), (), (2, "b", None, 12.0, "4+7"),
    )  # fmt: skip
    rows = read_table(path, COLUMNS, optional={"aus": ("AU",), "apex": ("Apex",)})
    assert [row.where for row in rows] == ["t.xlsx row 5", "t.xlsx row 7"]
    assert rows[0].cells == {"subject": "01", "clip": "a", "onset": "4", "aus": "7"}
    assert rows[1].raw == {"subject": "2", "Filename": "b", "Onset_Frame": "12", "AU": "4+7"}


def test_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\ufeffSubject,Filename,Onset\r\n01, a ,5\r\n,,\r\n02,b\r\n".encode())
    rows = read_table(path, COLUMNS)
    assert [tuple(row.cells.values()) for row in rows] == [("01", "a", "5"), ("02", "b", "")]


def refusal(path: Path, sheet: str = "") -> str:
    with pytest.raises(InputError) as caught:
        read_table(path, COLUMNS, sheet=sheet)
    return str(caught.value).removeprefix(str(path))


def test_tables_that_are_none(tmp_path: Path) -> None:
    path = write_book(tmp_path / "t.xlsx", ("Subject", "Filename", "Frame"), ("01", "a", 3))
    assert refusal(path) == " row 1: no column 'OnsetFrame'; rename it, or give another table"
    assert refusal(path, "HS") == ": no sheet 'HS' among 'Sheet1', 'empty'; give another table"
    path = write_book(tmp_path / "u.xlsx", ("a", "b"), *[("x", "y")] * 40)
    assert refusal(path) == (
        ": no header with 'Subject', 'Filename', 'OnsetFrame' in the first 30 rows; give another table"
    )
    broken = tmp_path / "v.xlsx"
    broken.write_text("no zip")
    assert refusal(broken) == ": can't be read (BadZipFile); save it as .xlsx or .csv"
    other = tmp_path / "v.ods"
    other.touch()
    assert refusal(other) == ": '.ods' is no table; save it as .xlsx or .csv"


def test_where_the_table_is(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_table(tmp_path, ("A-*.xlsx", "B.csv"))
    assert str(caught.value) == f"{tmp_path}: no table 'A-*.xlsx' or 'B.csv'; put it there, or say table="
    for name in ("a-1.XLSX", "~$a-1.xlsx", "c.csv"):
        (tmp_path / name).touch()
    assert find_table(tmp_path, ("A-*.xlsx",)) == tmp_path / "a-1.XLSX"
    assert find_table(tmp_path, ("A-*.xlsx",), "c.csv") == tmp_path / "c.csv"
    (tmp_path / "A-2.xlsx").touch()
    with pytest.raises(InputError) as caught:
        find_table(tmp_path, ("A-*.xlsx",), field="joint")
    assert str(caught.value) == f"{tmp_path}: tables 'A-2.xlsx', 'a-1.XLSX'; say which with joint="
    with pytest.raises(InputError) as caught:
        find_table(tmp_path, (), "d.csv")
    assert str(caught.value) == f"{tmp_path / 'd.csv'}: no such file; give table as seen from {tmp_path}"
    with pytest.raises(InputError) as caught:
        find_table(tmp_path / "x", ())
    assert str(caught.value) == f"{tmp_path / 'x'}: no such folder; give the folder that holds the dataset"


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        ("openpyxl", "t.xlsx", "run pip install 'affectkit[data]', or save it as .csv"),
        ("xlrd", "t.xls", "run pip install xlrd, or save it as .xlsx"),
    ],
)
def test_what_reads_a_format_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, advice: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError) as caught:
        read_book(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: needs {module!r}, which is not installed; {advice}"


def test_an_old_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # as xlrd gives it: every number is a float
    sheet = SimpleNamespace(name="label", nrows=2, row_values=lambda at: [["Subject", "Onset"], [3.0, "/"]][at])
    fake = SimpleNamespace(open_workbook=lambda name: SimpleNamespace(sheets=lambda: [sheet]))
    monkeypatch.setitem(sys.modules, "xlrd", fake)
    assert read_book(tmp_path / "t.xls") == {"label": [["Subject", "Onset"], ["3", "/"]]}


def test_cells() -> None:
    assert [cell_text(cell) for cell in (None, 4, 4.0, 4.5, " 4+7 ", True)] == ["", "4", "4", "4.5", "4+7", "True"]
    assert [parse_frame(text) for text in ("46", "46.0", "46.5", "/", "", "-1", "nan", "inf")] == [
        46, 46, None, None, None, -1, None, None,
    ]  # fmt: skip


def spelled(cell: str) -> list[str]:
    return [
        f"{one.kind}{one.number}{one.side and ' ' + one.side}{one.intensity and ' ' + one.intensity}"
        + "?" * one.uncertain
        for one in parse_aus(cell)
    ]


@pytest.mark.parametrize(
    ("cell", "tokens"),
    [
        ("4", ["AU4"]), ("4+7", ["AU4", "AU7"]), ("12 + 14", ["AU12", "AU14"]), ("L12", ["AU12 L"]),
        ("4+R10", ["AU4", "AU10 R"]), ("7B", ["AU7 B"]), ("4D+9B", ["AU4 D", "AU9 B"]), ("10A/B", ["AU10 A/B"]),
        ("4(B/C)+7B", ["AU4 B/C", "AU7 B"]), ("L14C", ["AU14 L C"]), ("R2A", ["AU2 R A"]), ("A12", ["AU12 A"]),
        ("B18", ["AU18 B"]), ("T18", ["AU18 T"]), ("ref(7B)+43", ["AU7 B?", "AU43"]),
        ("(R6 or R12)+R15", ["AU6 R?", "AU12 R?", "AU15 R"]), ("6 or 12", ["AU6?", "AU12?"]), ("4/7", ["AU4?", "AU7?"]),
        ("A/L12", ["AU12 A/L"]), ("AD38", ["AD38"]), ("AU12", ["AU12"]), ("L1,L24", ["AU1 L", "AU24 L"]),
        ("R4，5", ["AU4 R", "AU5"]), ("1+2(k)", ["AU1", "AU2?"]), ("?", []), ("null", []), ("", []), (" / ", []),
    ],
)  # fmt: skip
def test_action_units(cell: str, tokens: list[str]) -> None:
    assert spelled(cell) == tokens
    assert unread_text(cell) == ""


def test_what_is_no_action_unit_is_said() -> None:
    assert parse_aus("4+smile, 7B") == (AUToken(number=4), AUToken(number=7, intensity="B"))
    assert unread_text("4+smile, 7B") == "smile"
    assert (spelled("123"), unread_text("123")) == ([], "123")


def test_no_cell_raises() -> None:
    rng = np.random.default_rng(0)
    letters = list("LRATBCDE0123456789+/,()?k orefAUD")
    for _ in range(500):
        cell = "".join(rng.choice(letters, rng.integers(0, 12)))
        assert all(isinstance(one, AUToken) for one in parse_aus(cell))
        assert isinstance(unread_text(cell), str)


@pytest.mark.parametrize(
    ("dataset", "names", "key"),
    [
        ("casme2", ("1", "01", "sub01", " Sub1 "), "casme2/01"),
        ("samm", ("6", "006"), "samm/006"),
        ("smic", ("s01", "s1", "1"), "smic/01"),
        ("mmew", ("S03", "3"), "mmew/03"),
        ("cas-me-3", ("spNO.1", "spno.01"), "cas-me-3/001"),
        ("dfme", ("sub0003",), "dfme/0003"),
        ("clips", ("Ann",), "clips/Ann"),
        ("casme2", ("EP02", "", "1a"), None),
        ("clips", ("",), None),
    ],
)
def test_subjects(dataset: str, names: tuple[str, ...], key: str | None) -> None:
    assert {canonical_subject(dataset, name) for name in names} == {key}


def test_label_maps() -> None:
    three = find_map("casme2", "three")
    words = ("Disgust", "repression ", "happiness", "surprise", "others", "fear", "sadness")
    assert [three.index(word) for word in words] == [0, 0, 1, 2, None, None, None]
    assert find_map("casme2", "five").classes == ("happiness", "disgust", "repression", "surprise", "others")
    assert find_map("samm", "five").index("Other") == 3
    assert find_map("smic", "three").index("sur") == 2
    seven = find_map("cas-me-3", "seven")
    # the order of the published code
    assert seven.classes == ("disgust", "surprise", "others", "fear", "anger", "sadness", "happiness")
    assert seven.index("Others") == 2
    assert [find_map("cas-me-3", "four").index(word) for word in ("sad", "happy", "others")] == [0, 1, 3]
    with pytest.raises(KeyError):
        three.index("joy")


def test_every_class_of_a_map_is_reached() -> None:
    from affectkit.datasets.label_maps import _MAPS

    for maps in _MAPS.values():
        for one in maps.values():
            assert set(one.classes) == set(one.words.values()) - {None}


def test_apexes_that_are_missing() -> None:
    assert resolve_apex(10, 12, 20, "annotated") == (12, "annotated")
    assert resolve_apex(10, 21, 20, "annotated") == (None, "missing")
    assert resolve_apex(10, None, 21, "middle") == (middle_frame(10, 21), "middle") == (15, "middle")


def moving(apex: int, count: int = 21) -> NDArray[np.float64]:
    """A soft spot that goes to the right until the apex, and back."""
    t = np.arange(count)
    phase = np.where(t <= apex, t / apex, (count - 1 - t) / (count - 1 - apex))
    left = 16 + 2 * (1 - np.cos(np.pi * phase))
    y, x = np.mgrid[:24, :40]
    spots: NDArray[np.float64] = np.exp(-((x - left[:, None, None]) ** 2 + (y - 12) ** 2) / 50)
    return 100 + 100 * spots


@pytest.mark.parametrize("apex", [5, 10, 15])
def test_an_estimated_apex(apex: int) -> None:
    assert abs(estimate_apex(moving(apex)) - apex) <= 1


def test_the_estimate_is_that_of_the_slow_twin() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 7):
        frames = rng.integers(0, 256, (count, 5, 4)).astype(np.uint8)
        assert estimate_apex(frames) == estimate_apex_ref(frames)
    still = np.full((8, 3, 3), 7.0)
    assert estimate_apex(still) == estimate_apex_ref(still) == 3
    with pytest.raises(InputError) as caught:
        estimate_apex(np.zeros((3, 4)))
    assert str(caught.value) == "frames: shape (3, 4); give gray pictures (T, H, W)"


def test_listing_follows_no_order_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 13):
        (tmp_path / f"img{number}.jpg").touch()
    usual = list_frames(tmp_path)
    names = os.listdir(tmp_path)
    monkeypatch.setattr(os, "listdir", lambda path: names[::-1])
    assert list_frames(tmp_path) == usual
