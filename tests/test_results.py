"""Tables of rows: written as they come, read back lazily and exactly."""

from __future__ import annotations

import errno
import io
import itertools
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest

from affectkit.errors import InputError
from affectkit.results.rows import BASE_COLUMNS, Results, Row, RowWriter, check_out, read_results

COLUMNS = (*BASE_COLUMNS, "va.valence", "va.arousal")
ROWS = [
    Row(
        frame=frame,
        pts=frame / 3,
        track=0,
        status="ok",
        left=1.5,
        top=-2.0,
        width=30.0,
        height=1 / 3,
        confidence=0.875,
        predictions={"va.valence": 0.1 * frame, "va.arousal": -1e-20},
    )
    for frame in range(7)
]
ROWS[3] = Row(frame=3, pts=1.0, track=None, status="no_face")


def write(path: Path) -> Results:
    writer = RowWriter(path, COLUMNS)
    for row in ROWS:
        writer.write(row)
    return writer.finish()


def test_rows_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    results = write(path)
    assert list(results) == ROWS
    assert list(read_results(path)) == ROWS
    assert (results.path, results.columns, len(results)) == (path, COLUMNS, 7)
    assert len(read_results(path)) == 7
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rows.csv"]


def test_the_file(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0] == "frame,pts,track,status,left,top,width,height,confidence,va.valence,va.arousal"
    assert lines[1] == "0,0.0,0,ok,1.5,-2.0,30.0,0.3333333333333333,0.875,0.0,-1e-20"
    assert lines[4] == "3,1.0,,no_face,,,,,,,"


def test_numbers_that_are_none(tmp_path: Path) -> None:
    writer = RowWriter(tmp_path / "rows.csv", COLUMNS)
    predictions = {"va.valence": math.nan, "va.arousal": math.inf}
    writer.write(Row(frame=0, pts=0.0, track=0, status="ok", predictions=predictions))
    (row,) = writer.finish()
    assert math.isnan(row.predictions["va.valence"])
    assert row.predictions["va.arousal"] == math.inf


def test_every_row_is_in_the_file_when_it_was_written(tmp_path: Path) -> None:
    writer = RowWriter(tmp_path / "rows.csv", COLUMNS)
    for count, row in enumerate(ROWS, start=1):
        writer.write(row)
        assert list(read_results(tmp_path / "rows.csv.part")) == ROWS[:count]
    assert not (tmp_path / "rows.csv").exists()
    writer.close()


def test_a_sequence(tmp_path: Path) -> None:
    for results in (write(tmp_path / "rows.csv"), Results(COLUMNS, rows=ROWS)):
        assert results[0] == ROWS[0]
        assert results[-1] == ROWS[-1]
        assert results[2:5] == tuple(ROWS[2:5])
        assert results[::-2] == tuple(ROWS[::-2])
        assert results[-3:] == tuple(ROWS[-3:])
        assert ROWS[3] in results
        for index in (7, -8):
            with pytest.raises(IndexError) as caught:
                results[index]
            assert str(caught.value) == f"row {index} of 7"


def test_rows_of_a_file_are_read_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    results = write(path)
    with path.open("a") as file:
        file.write("this is no row\n")
    assert list(itertools.islice(results, 7)) == ROWS
    with pytest.raises(InputError) as caught:
        list(results)
    assert str(caught.value) == f"{path}: line 9 is no row (1 cells for 11 columns); write the table anew"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0,0.0,0,lost,,,,,,,", "status 'lost'"),
        ("x,0.0,0,ok,,,,,,,", "invalid literal for int() with base 10: 'x'"),
        ("0,0.0,0,ok,,,,,,high,", "could not convert string to float: 'high'"),
    ],
)
def test_a_damaged_row(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(",".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(InputError) as caught:
        list(read_results(path))
    assert str(caught.value) == f"{path}: line 2 is no row ({reason}); write the table anew"


def test_as_dict() -> None:
    assert ROWS[1].as_dict() == {
        "frame": 1, "pts": 1 / 3, "track": 0, "status": "ok", "left": 1.5, "top": -2.0, "width": 30.0,
        "height": 1 / 3, "confidence": 0.875, "va.valence": 0.1, "va.arousal": -1e-20,
    }  # fmt: skip


def test_repr_is_short(tmp_path: Path) -> None:
    text = repr(write(tmp_path / "rows.csv"))
    lines = text.splitlines()
    assert lines[0] == f"7 rows, 11 columns in {tmp_path / 'rows.csv'}"
    assert lines[1].startswith("frame=0, pts=0.0, track=0, status=ok, left=1.5, top=-2, width=30, height=0.3333")
    assert lines[4] == "frame=3, pts=1.0, track=, status=no_face, left=, top=, width=, height=, confidence=, " + (
        "va.valence=, va.arousal="
    )
    assert lines[-1] == "..."
    assert len(lines) == 7
    assert repr(Results(COLUMNS, rows=ROWS[:1])).startswith("1 rows, 11 columns\nframe=0")


def test_html_is_escaped() -> None:
    text = Results((*BASE_COLUMNS, "<b>"), rows=ROWS[:1])._repr_html_()
    assert text.startswith("<table><caption>1 rows, 10 columns</caption><tr><th>frame</th>")
    assert "<th>&lt;b&gt;</th>" in text
    assert "<td>ok</td>" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.xlsx", "{path}: ending '.xlsx'; write rows to a .csv file"),
        ("rows", "{path}: ending ''; write rows to a .csv file"),
        ("folder.csv", "{path}: is a folder; name a file in it"),
        ("none/rows.csv", "{path}: no folder '{folder}/none'; create it"),
        ("taken.csv", "{path}: already there; add --overwrite (in Python overwrite=True), or name another file"),
    ],
)
def test_where_rows_can_not_go(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "taken.csv").touch()
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        check_out(path)
    assert str(caught.value) == text.format(path=path, folder=tmp_path)


def test_what_is_there_is_replaced_if_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.touch()
    assert check_out(path, overwrite=True) == path
    writer = RowWriter(path, COLUMNS, overwrite=True)
    writer.write(ROWS[0])
    assert path.read_text() == ""
    assert list(writer.finish()) == ROWS[:1]


def test_a_table_can_be_discarded(tmp_path: Path) -> None:
    writer = RowWriter(tmp_path / "rows.csv", COLUMNS)
    writer.write(ROWS[0])
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    path = tmp_path / "rows.csv"
    with pytest.raises(InputError) as caught:
        check_out(path)
    assert str(caught.value) == f"{path}: can't be written (Permission denied); choose another folder"


class FullDisk(io.FileIO):
    """A file on a disk that has room for `room` bytes more, and takes what fits of the last write."""

    room = 0

    def write(self, data: Any) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = super().write(data[: self.room])
        self.room -= taken
        return taken


def test_a_full_disk_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    writer = RowWriter(path, COLUMNS)
    writer.write(ROWS[0])
    writer.close()
    writer._file = disk = FullDisk(writer.part, "ab")
    disk.room = 5
    with pytest.raises(InputError) as caught:
        writer.write(ROWS[1])
    writer.close()
    assert str(caught.value) == f"{path}.part: can't be written (No space left on device); choose another folder"
    assert list(read_results(writer.part)) == ROWS[:1]


def test_a_table_whose_place_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    (tmp_path / "rows.csv.part").mkdir()
    with pytest.raises(InputError) as caught:
        RowWriter(path, COLUMNS)
    assert str(caught.value) == f"{path}.part: can't be written (Is a directory); choose another folder"
    (tmp_path / "rows.csv.part").rmdir()
    writer = RowWriter(path, COLUMNS)
    path.mkdir()
    with pytest.raises(InputError) as caught:
        writer.finish()
    assert str(caught.value) == f"{path}: can't be written (Is a directory); choose another folder"


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with pytest.raises(InputError) as caught:
        read_results(path)
    assert str(caught.value) == f"{path}: no such file; check the path"


def test_reading_another_table(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError) as caught:
        read_results(path)
    assert str(caught.value) == (
        f"{path}: has not the columns frame, pts, track, status, left, top, width, height, confidence; "
        "give a table that analyze wrote"
    )


def test_reading_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        read_results(path)
    assert str(caught.value) == (
        f"{path}: can't be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "give a table that analyze wrote"
    )
