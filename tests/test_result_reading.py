"""Tables are read when asked for, in constant memory, and what is no table is refused."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from affectkit.errors import InputError
from affectkit.results.reading import read_results
from affectkit.results.rows import BASE_COLUMNS, Row
from affectkit.results.writer import ResultWriter
from tests.tables import COLUMNS, EVENTS, INFO, ROWS, start, write


def message(run: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        run()
    return str(caught.value)


def test_the_csv_file(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0] == "frame,pts,track,status,left,top,width,height,confidence,va.valence,va.arousal"
    assert lines[1] == "0,0.0,0,ok,1.5,-2.0,30.0,0.3333333333333333,0.875,0.0,-1e-20"
    assert lines[4] == "3,1.0,,no_face,,,,,,,"
    assert len(lines) == 12


def test_the_parquet_file(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write(tmp_path / "rows.parquet")
    with pq.ParquetFile(tmp_path / "rows.parquet") as file:
        types = {field.name: str(field.type) for field in file.schema_arrow}
        assert types == dict.fromkeys(COLUMNS, "double") | {
            "frame": "int64",
            "track": "int32",
            "status": "string",
        }
        assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 4, 3]
        assert json.loads(file.schema_arrow.metadata[b"affectkit"]) == json.loads(json.dumps(INFO.to_data()))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_pandas_reads_it_too(tmp_path: Path, ending: str) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / f"rows.{ending}"
    write(path)
    frame = pandas.read_csv(path) if ending == "csv" else pandas.read_parquet(path)
    assert frame["pts"].tolist() == [row.pts for row in ROWS]


def test_a_parquet_file_that_pandas_wrote_anew(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "rows.parquet"
    write(path)
    # `track` has become a float, since some rows have none
    pandas.read_parquet(path).to_parquet(path)
    results = read_results(path)
    assert list(results) == ROWS
    assert isinstance(results[0].track, int)
    assert results.info is None


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_parts_in_place_of_the_table(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"rows.{ending}"
    with start(out) as writer:
        for row in ROWS:
            writer.write(row)
        writer.write_event(EVENTS[0])
    for path in (out, out.with_name(out.name + ".parts")):
        found = read_results(path)
        assert list(found) == ROWS
        assert (found[9], found[-11], found[3:9:2]) == (ROWS[9], ROWS[0], tuple(ROWS[3:9:2]))
        assert found.events == (EVENTS[0],)
        assert found.info is not None
        assert not found.info.complete


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_memory_does_not_grow_with_the_table(tmp_path: Path, ending: str) -> None:
    peaks = []
    # once unmeasured, for what pyarrow imports
    for count in (1500, 1500, 6000):
        out = tmp_path / f"{count}.{ending}"
        tracemalloc.start()
        writer = ResultWriter(out, COLUMNS, INFO, overwrite=True, part_rows=100)
        for frame in range(count):
            writer.write(Row(frame=frame, pts=frame / 30, track=0, status="ok", predictions={"va.valence": 0.5}))
        results = writer.finish()
        assert sum(row.frame for row in results) == count * (count - 1) // 2
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 4500 rows in memory would take 4 MB
    assert peaks[2] < peaks[1] + 500_000


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_reading_what_is_not_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert message(lambda: read_results(path)) == f"{path}: no such file; check the path"
    parts = f"{path}.parts"
    assert message(lambda: read_results(parts)) == f"{parts}: holds no unfinished table; check the path"


def test_reading_another_ending(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    text = f"{path}: ending '.xlsx'; give a .parquet or .csv file that analyze wrote"
    assert message(lambda: read_results(path)) == text


def test_reading_another_table(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    for path in (tmp_path / "other.csv", tmp_path / "other.parquet"):
        assert message(partial(read_results, path)) == (
            f"{path}: has not the columns {', '.join(BASE_COLUMNS)}; give a table that analyze wrote"
        )


def test_reading_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xff\xfe\x00")
    assert message(lambda: read_results(path)) == (
        f"{path}: can't be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "give a table that analyze wrote"
    )


def test_reading_what_is_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("frame,pts\n")
    text = f"{path}: is no whole Parquet file; give one that analyze wrote, undamaged"
    assert message(lambda: read_results(path)) == text


def test_a_parquet_file_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(path)
    path.write_bytes(path.read_bytes()[:-20])
    text = f"{path}: is no whole Parquet file; give one that analyze wrote, undamaged"
    assert message(lambda: read_results(path)) == text


def test_a_parquet_file_with_damaged_data(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(path)
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(data)
    results = read_results(path)
    text = f"{path}: is no whole Parquet file; give one that analyze wrote, undamaged"
    assert message(lambda: list(results)) == text


def test_rows_before_the_damage_are_given(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    results = write(path)
    with path.open("a") as file:
        file.write("this is no row\n")
    rows = []

    def read() -> None:
        for row in results:
            rows.append(row)

    assert message(read) == f"{path}: line 13 is no row (1 cells for 11 columns); analyze the video again"
    assert rows == ROWS


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0,0.0,0,lost,,,,,,,\n", "status 'lost'"),
        ("0,,0,ok,,,,,,,\n", "no pts"),
        ("x,0.0,0,ok,,,,,,,\n", "invalid literal for int() with base 10: 'x'"),
        ("0,0.0,0,ok,,,,,,high,\n", "could not convert string to float: 'high'"),
        ("0,0.0,0,ok,1,2,3,4,0.5,0.25,0.1", "it ends within"),
    ],
)
def test_a_damaged_line(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(",".join(COLUMNS) + "\n" + line)
    text = f"{path}: line 2 is no row ({reason}); analyze the video again"
    assert message(lambda: list(read_results(path))) == text


def test_a_damaged_event(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write(path)
    events = tmp_path / "rows.events.csv"
    events.write_text(events.read_text().replace("blink", "sneeze"))
    results = read_results(path)
    text = f"{events}: line 4 is no row (kind 'sneeze'); analyze the video again"
    assert message(lambda: results.events) == text


def test_a_table_of_a_newer_affectkit(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    newer = json.dumps(INFO.to_data() | {"schema": 2})
    path = tmp_path / "rows.csv"
    write(path)
    beside = tmp_path / "rows.csv.info.json"
    beside.write_text(newer)
    text = "has schema 2, and this affectkit reads up to 1; update affectkit"
    assert message(lambda: read_results(path)) == f"{beside}: {text}"
    other = tmp_path / "other.parquet"
    write(other)
    pq.write_table(pq.read_table(other).replace_schema_metadata({"affectkit": newer}), other)
    assert message(lambda: read_results(other)) == f"{other}: {text}"


def test_info_that_is_damaged_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write(path)
    beside = tmp_path / "rows.csv.info.json"
    beside.write_text("{")
    assert message(lambda: read_results(path)) == (
        f"{beside}: can't be read (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); "
        "remove it, or analyze the video again"
    )
    beside.unlink()
    assert read_results(path).info is None
