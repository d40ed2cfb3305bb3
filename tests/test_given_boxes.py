"""Face detector `given-boxes`: one box, or a table of them, and every way in which a table can be wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.errors import ConfigError, InputError
from affectkit.faces.given_boxes import SPEC, GivenBoxesConfig
from affectkit.records import Face
from tests.faces import check_refusals

IMAGE = np.zeros((48, 64, 3), dtype=np.uint8)
HEADER = "frame,left,top,width,height"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "boxes.csv"


def build(**fields: Any) -> Any:
    return SPEC.factory(GivenBoxesConfig(**fields))


def refusal(table: Path, text: str) -> str:
    """What is said of a table with this text, after its name."""
    table.write_text(text)
    with pytest.raises(InputError) as caught:
        build(path=str(table))
    message = str(caught.value)
    assert message.startswith(f"{table}: ")
    return message.removeprefix(f"{table}: ")


def test_one_box_for_every_frame() -> None:
    detector = build(box=(4, 3, 20, 30))
    face = Face(box=(4.0, 3.0, 20.0, 30.0))
    assert detector.detect(IMAGE) == [face]
    assert detector.detect_at(IMAGE, 7, 0.28) == [face]
    assert detector.is_thread_safe


def test_boxes_by_frame(table: Path) -> None:
    table.write_text(f"{HEADER}\n0,1,2,10,10\n2,-5.5,0,20,12\n0,30,2,20,20\n")
    detector = build(path=str(table))
    assert [face.box for face in detector.detect_at(IMAGE, 0, 0.0)] == [(30.0, 2.0, 20.0, 20.0), (1.0, 2.0, 10.0, 10.0)]
    assert detector.detect_at(IMAGE, 1, 0.04) == []
    assert detector.detect_at(IMAGE, 2, 0.08) == [Face(box=(-5.5, 0.0, 20.0, 12.0))]
    assert detector.detect_at(IMAGE, 3, 0.12) == []


def test_tracks_and_scores(table: Path) -> None:
    table.write_text(f"track,score,note,{HEADER}\n3,0.5,x,0,0,0,9,9\n,,,0,20,0,8,8\n3,1,,1,0,0,9,9\n")
    detector = build(path=str(table))
    assert detector.detect_at(IMAGE, 0, 0.0) == [
        Face(box=(0.0, 0.0, 9.0, 9.0), score=0.5, track=3),
        Face(box=(20.0, 0.0, 8.0, 8.0)),
    ]
    assert detector.detect_at(IMAGE, 1, 0.0) == [Face(box=(0.0, 0.0, 9.0, 9.0), track=3)]


def test_a_table_of_affectkit(table: Path) -> None:
    table.write_bytes(
        b"\xef\xbb\xbfframe,pts,track,status,left,top,width,height,confidence\r\n"
        b"0,0.0,0,ok,1.0,2.0,10.0,10.0,0.75\r\n1,0.04,,no_face,,,,,\r\n\r\n"
    )
    detector = build(path=str(table))
    assert detector.detect_at(IMAGE, 0, 0.0) == [Face(box=(1.0, 2.0, 10.0, 10.0), score=0.75, track=0)]
    assert detector.detect_at(IMAGE, 1, 0.04) == []


def test_a_table_has_to_know_the_frame(table: Path) -> None:
    table.write_text(f"{HEADER}\n0,1,2,10,10\n")
    with pytest.raises(InputError) as caught:
        build(path=str(table)).detect(IMAGE)
    assert str(caught.value) == f"{table}: has boxes by frame number; call detect_at(image, frame, pts)"


def test_a_box_beside_the_picture() -> None:
    with pytest.raises(InputError) as caught:
        build(box=(64, 0, 10, 10)).detect_at(IMAGE, 5, 0.2)
    assert str(caught.value) == (
        "frame 5: the given box (64.0, 0.0, 10.0, 10.0) has no pixel of the 64x48 picture; "
        "give left, top, width and height in pixels"
    )


def test_a_box_in_shares_of_the_picture() -> None:
    with pytest.raises(InputError) as caught:
        build(box=(0.1, 0.1, 0.3, 0.3)).detect(IMAGE)
    assert str(caught.value) == (
        "frame 0: the given box (0.1, 0.1, 0.3, 0.3) has no pixel of the 64x48 picture; "
        "give left, top, width and height in pixels"
    )


def test_what_is_no_picture_is_refused() -> None:
    check_refusals(build(box=(0, 0, 8, 8)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "neither of box and path; give one of them"),
        ({"box": (0, 0, 8, 8), "path": "boxes.csv"}, "both of box and path; give one of them"),
        (
            {"box": (0, 0, 8, 0)},
            "box: (0.0, 0.0, 8.0, 0.0) has no area; write (left, top, width, height), width and height more than 0",
        ),
        (
            {"box": (0, float("inf"), 8, 8)},
            "box[1]: inf is not finite; write a finite number (GivenBoxesConfig)",
        ),
    ],
)
def test_refused_configs(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GivenBoxesConfig(**fields)
    assert str(caught.value) == message


NAMES = "name frame, left, top, width, height in the first line, separated by commas"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"has no first line; {NAMES}"),
        ("frame,left,top,width\n0,1,2,3\n", f"no column 'height' among 'frame', 'left', 'top', 'width'; {NAMES}"),
        ("frame;left\n0;1\n", f"no column 'frame' among 'frame;left'; {NAMES}"),
        (f"{HEADER},top\n", "two columns 'top'; remove one"),
        (f"{HEADER}\n0,1,2,9\n", "line 2: 4 cells, and the first line has 5; mend the line"),
        (f"{HEADER}\n0,1,2,9,9\n0.5,1,2,9,9\n", "line 3: frame is '0.5'; write a whole number from 0"),
        (f"{HEADER}\n-1,1,2,9,9\n", "line 2: frame is '-1'; write a whole number from 0"),
        (f"{HEADER}\n0,a,2,9,9\n", "line 2: left is 'a'; write a number"),
        (f"{HEADER}\n0,1,,9,9\n", "line 2: top is ''; write a number"),
        (f"{HEADER}\n0,1,2,nan,9\n", "line 2: width is 'nan'; write a number"),
        (f"{HEADER}\n0,1,2,0,9\n", "line 2: width is '0'; write more than 0 pixels"),
        (f"{HEADER}\n0,1,2,9,-9\n", "line 2: height is '-9'; write more than 0 pixels"),
        (f"{HEADER},track\n0,1,2,9,9,x\n", "line 2: track is 'x'; write a whole number from 0"),
        (f"{HEADER},score\n0,1,2,9,9,97\n", "line 2: score is '97'; write 0 to 1"),
        (f"{HEADER},confidence\n0,1,2,9,9,97\n", "line 2: confidence is '97'; write 0 to 1"),
        (
            f"{HEADER},track\n4,1,2,9,9,0\n4,9,2,9,9,1\n4,1,2,9,9,0\n",
            "line 4: track 0 is in frame 4 already, in line 2; a track has one box per frame",
        ),
        (
            f"{HEADER}\n0,{'9' * 140000},2,9,9\n",
            "is no CSV file (field larger than field limit (131072)); save it as CSV in UTF-8",
        ),
    ],
)
def test_refused_tables(table: Path, text: str, message: str) -> None:
    assert refusal(table, text) == message


def test_missing_file(table: Path) -> None:
    with pytest.raises(InputError) as caught:
        build(path=str(table))
    assert str(caught.value) == f"{table}: no such file; check the path"


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        build(path=str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: is a folder; give a CSV file"


def test_no_text(table: Path) -> None:
    table.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError) as caught:
        build(path=str(table))
    assert str(caught.value) == (
        f"{table}: is no CSV file ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "save it as CSV in UTF-8"
    )


def test_a_file_that_may_not_be_read(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        build(path=str(table))
    assert str(caught.value) == f"{table}: can't be read (Permission denied); check its permissions"
