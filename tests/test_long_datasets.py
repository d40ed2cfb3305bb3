"""Readers of long videos: CAS(ME)^2, SAMM Long Videos, and what they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.notes import Notes
from affectkit.datasets.trees.cas_me_2_tree import TABLE
from affectkit.datasets.trees.samm_lv_tree import TABLE as LONG_TABLE
from affectkit.datasets.video_rows import EventRow, Video, index_videos
from affectkit.errors import InputError
from tests.datasets import issue_lines, scan


def test_cas_me_2(tmp_path: Path) -> None:
    root = make_tree("cas-me-2", tmp_path / "x", pictures=False).root
    index = scan("cas-me-2", root)
    assert [(one.key, one.subject) for one in index] == [
        ("s15/0101", "cas-me-2/15"), ("s15/0401", "cas-me-2/15"), ("s15/0502", "cas-me-2/15"),
        ("s16/0101", "cas-me-2/16"),
    ]  # fmt: skip
    assert issue_lines(index) == [
        f"warning: {TABLE} row 2: offset is '0'; the apex, 31, stands in for it",
        f"info: {TABLE} row 3: apex is 0, which stands for none; it counts as missing",
        f"info: {TABLE}: 1 video without an event: s15/0502",
    ]
    first = index.samples[0].events[0]
    assert (first.kind, first.onset, first.apex, first.offset) == ("micro-expression", 4 / 30, 8 / 30, 13 / 30)
    raw = index.samples[0].raw
    assert list(raw) == [
        "subject", "video", "onset", "apex", "offset", "action units", "emotion", "type", "self report",
    ]  # fmt: skip
    # a line per event, in the order of the table
    assert (raw["offset"], raw["action units"]) == ("14\n0", "4+7\n4")
    assert [one.events for one in scan("cas-me-2", root, frames="cropped")] == [one.events for one in index]


def test_rows_of_cas_me_2_that_the_rules_do_not_know(tmp_path: Path) -> None:
    import openpyxl

    root = make_tree("cas-me-2", tmp_path / "x", pictures=False).root
    book = openpyxl.load_workbook(root / TABLE)
    sheet = book["CASFEcode_final"]
    for row in ((9, "happy1_1", 1, 2, 3, 4, "positive", "micro-expression"),
                (1, "joy_1", 1, 2, 3, 4, "positive", "micro-expression"),
                (1, "happy1_1", 1, 2, 3, 4, "positive", "blink"),
                (2, "happy1_1", 1, 2, 3, 4, "positive", "micro-expression")):  # fmt: skip
        sheet.append(row)
    book.save(root / TABLE)
    assert [line for line in issue_lines(scan("cas-me-2", root)) if line.startswith("error")] == [
        f"error: {TABLE} row 5: subject '9': the naming rules know it not; mend the row",
        f"error: {TABLE} row 6: video 'joy_1': the naming rules know it not; mend the row",
        f"error: {TABLE} row 7: type 'blink': it is no macro- or micro-expression; mend the row",
        f"error: {TABLE} row 8: no folder of video s16/0502, with 1 event; unpack it, or remove the rows",
    ]
    del book["naming rule2"]
    book.save(root / TABLE)
    with pytest.raises(InputError) as caught:
        scan("cas-me-2", root)
    assert str(caught.value) == (
        f"{root / TABLE}: 2 sheets; give the official table, with events and two naming rules in three"
    )


def test_samm_long_videos(tmp_path: Path) -> None:
    root = make_tree("samm-lv", tmp_path / "x", pictures=False).root
    index = scan("samm-lv", root)
    # the people of SAMM, by its keys
    assert index.subjects == ("samm/006", "samm/011")
    assert issue_lines(index) == [
        f"info: {LONG_TABLE} row 12: apex is -1, which stands for none; it counts as missing",
        f"info: {LONG_TABLE} row 13: onset is 0: it began before the video, so it is left out",
    ]
    assert [(one.kind, one.label) for one in index.samples[0].events] == [
        ("micro-expression", "Anger"), ("macro-expression", None),
    ]  # fmt: skip
    assert index.samples[0].events[0].offset == 19 / 200
    (root / "SAMM_Micro_FACS_Codes_v2.xlsx").unlink()
    index = scan("samm-lv", root)
    assert issue_lines(index)[0] == (
        f"info: {LONG_TABLE}: 0 tables of SAMM beside it: events have no labels; put one there"
    )
    assert index.samples[0].events[0].label is None
    (root / "t.csv").write_text("Filename,Onset,Apex,Offset,Type\n006_1_2,5,12,20,Blink\n006,5,12,20,Macro\n")
    assert issue_lines(scan("samm-lv", root, table="t.csv"))[1:3] == [
        "error: t.csv row 2: '006_1_2' of type 'Blink' is no event; write 006_1_2, and Macro or Micro",
        "error: t.csv row 3: '006' of type 'Macro' is no event; write 006_1_2, and Macro or Micro",
    ]


def test_folders_that_are_odd(tmp_path: Path) -> None:
    root = make_tree("cas-me-2", tmp_path / "x", pictures=False).root
    for folder in ("s15/15_0101z", "people/15_0101x"):
        (root / "rawpic" / folder).mkdir(parents=True)
    assert issue_lines(scan("cas-me-2", root))[:2] == [
        "warning: people/15_0101x: its path names no subject or clip; rename it, or take it away",
        "warning: s15/15_0101z: is a second folder of s15/0101; s15/15_0101disgustingteeth counts",
    ]
    root = make_tree("samm-lv", tmp_path / "y", pictures=False).root
    (root / "copy/006_1").mkdir(parents=True)
    assert issue_lines(scan("samm-lv", root))[0] == (
        "warning: copy/006_1: is a second folder of 006_1; SAMM_longvideos/006_1 counts"
    )


def lines_of(folder: Path, onset: str, apex: str, offset: str) -> list[str]:
    """What is said of one event in a video of frames 1 to 20."""
    notes = Notes()
    video = Video(key="v", subject="x/1", folder=str(folder), fps=30.0)
    row = EventRow(where="t.csv row 2", video="v", kind="micro-expression", onset=onset, apex=apex, offset=offset)
    index = index_videos("x", [video], [row], apex="annotated", table="t.csv", notes=notes)
    return [line for line in issue_lines(index) if "without an event" not in line]


@pytest.mark.parametrize(
    ("times", "lines"),
    [
        (("5", "7", "9"), []),
        (("x", "7", "9"), ["error: t.csv row 2: onset is 'x'; write a frame number"]),
        (("5", "7", ""), ["warning: t.csv row 2: offset is ''; the apex, 7, stands in for it"]),
        (("5", "", ""), ["error: t.csv row 2: offset is ''; write a frame number"]),
        (("5", "7", "4"), ["error: t.csv row 2: offset 4 is before onset 5; mend the row"]),
        (("5", "10", "9"), ["warning: t.csv row 2: apex 10 is outside 5 to 9; it counts as missing"]),
        (("15", "17", "21"),
         ["warning: t.csv row 2: 15 to 21 is not within the frames 1 to 20 on disk; check the row"]),
    ],
)  # fmt: skip
def test_an_event_that_is_odd(tmp_path: Path, times: tuple[str, str, str], lines: list[str]) -> None:
    for number in range(1, 21):
        (tmp_path / f"{number}.jpg").touch()
    assert lines_of(tmp_path, *times) == lines


def test_a_video_that_is_odd(tmp_path: Path) -> None:
    assert lines_of(tmp_path, "5", "7", "9") == ["error: v: no picture in the folder of this video; unpack it again"]
    for name in ("1.jpg", "001.jpg", "20.jpg", "x.jpg"):
        (tmp_path / name).touch()
    assert lines_of(tmp_path, "5", "7", "9") == [
        "warning: v: 18 of 20 frames not on disk; take the nearest, or unpack again",
        "warning: v: 1 picture with a number that another has; the first by name counts: 1.jpg",
        "warning: v: 1 picture without a number in its name; left out: x.jpg",
    ]
