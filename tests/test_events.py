"""Tables of events: what is read, what analyze and the challenges write, and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affectkit.errors import InputError
from affectkit.protocols.event_tables import read_events, write_events, write_submission
from affectkit.protocols.events import Events
from affectkit.results.info import RunInfo
from affectkit.results.rows import BASE_COLUMNS, EVENT_COLUMNS, EventRow
from affectkit.results.writer import ResultWriter

HEADER = "video,subject,onset,apex,offset,kind,label,seed"
LINES = "a,1,10,12,20,micro-expression,positive,0\nb,2,,,,,,0\na,1,30,,90,macro-expression,,0\n"


def message(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    return str(caught.value)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def analyzed(path: Path, *events: EventRow, source: str = "clip.mp4") -> Path:
    """What `analyze` leaves; returns the table of events."""
    path.parent.mkdir(exist_ok=True)
    writer = ResultWriter(path, BASE_COLUMNS, RunInfo(source=source), event_columns=EVENT_COLUMNS)
    for event in events:
        writer.write_event(event)
    writer.finish()
    return path.with_name(f"{path.stem}.events{path.suffix}")


SMILE = EventRow(kind="macro-expression", label="happiness", onset=0.5, offset=1.5, onset_frame=15, offset_frame=45)
BLINK = EventRow(kind="blink", onset=2.0, apex=2.1, offset=2.2, onset_frame=60, apex_frame=63, offset_frame=66)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    events = read_events(written(tmp_path / "in.csv", f"{HEADER}\n{LINES}"))
    assert events.intervals == ((10, 20), None, (30, 90))
    assert events.apexes == (12, None, None)
    assert (events.videos, events.subjects) == (("a", "b", "a"), ("1", "2", "1"))
    assert events.kinds == ("micro-expression", "", "macro-expression")
    assert (events.labels, events.seeds) == (("positive", "", ""), ("0", "0", "0"))
    path = tmp_path / f"out.{ending}"
    write_events(events, path)
    again = read_events(path)
    assert (again.columns, again.source) == (events.columns, str(path))
    assert message(lambda: write_events(events, path)).startswith(f"{path}: already there; ")
    write_events(events, path, overwrite=True)
    assert message(lambda: write_events(events, tmp_path / "a.txt")) == (
        f"{tmp_path / 'a.txt'}: ending '.txt'; write a table (.parquet, .csv)"
    )


def test_what_is_not_said_is_empty(tmp_path: Path) -> None:
    events = read_events(written(tmp_path / "a.csv", "video,onset,offset\r\nx,1,1\r\n"))
    assert (events.kinds, events.labels, events.seeds, events.apexes) == (("",), ("",), ("",), (None,))
    assert len(Events({"video": (), "onset": (), "offset": ()})) == 0


def test_a_subject_is_one_of_its_dataset(tmp_path: Path) -> None:
    text = "dataset,subject,video,onset,offset\nsamm,01,a,1,2\ncasme2,01,b,1,2\n"
    events = read_events(written(tmp_path / "a.csv", text))
    assert events.by_video("subject") == {"a": "samm/01", "b": "casme2/01"}
    assert events.by_video("dataset") == {"a": "samm", "b": "casme2"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_tables_of_analyze_are_read(tmp_path: Path, ending: str) -> None:
    path = analyzed(tmp_path / f"rows.{ending}", SMILE, BLINK)
    frames, seconds = read_events(path), read_events(path, unit="seconds")
    assert frames.videos == seconds.videos == ("clip", "clip")
    assert frames.intervals == ((15, 45), (60, 66))
    assert seconds.intervals == ((0.5, 1.5), (2.0, 2.2))
    assert (frames.apexes, seconds.apexes) == ((None, 63), (None, 2.1))
    assert frames.kinds == ("macro-expression", "blink")
    assert frames.labels == ("happiness", "")
    assert "onset_frame" not in frames.columns


def test_a_table_without_its_run_is_called_as_the_file(tmp_path: Path) -> None:
    path = analyzed(tmp_path / "006_1.csv", SMILE)
    (tmp_path / "006_1.csv.info.json").unlink()
    assert read_events(path).videos == ("006_1",)


def test_a_folder_of_tables_is_read(tmp_path: Path) -> None:
    analyzed(tmp_path / "s15" / "0101.mp4.csv", SMILE, source="0101.mp4")
    analyzed(tmp_path / "s16" / "0101.mp4.csv", BLINK, SMILE, source="0101.mp4")
    analyzed(tmp_path / "top.csv", source="top.avi")
    events = read_events(tmp_path)
    assert events.videos == ("s15/0101", "s16/0101", "s16/0101")
    assert events.source == str(tmp_path)
    analyzed(tmp_path / "s15" / "again.csv", SMILE, source="0101.avi")
    assert message(lambda: read_events(tmp_path)) == (
        f"{tmp_path / 's15' / 'again.events.csv'}: video 's15/0101' is in {tmp_path / 's15' / '0101.mp4.events.csv'} "
        "too; keep one of them"
    )


def test_folders_that_are_refused(tmp_path: Path) -> None:
    assert message(lambda: read_events(tmp_path)) == (
        f"{tmp_path}: no tables *.events.csv or *.events.parquet in it; give a folder that analyze wrote"
    )
    one = analyzed(tmp_path / "a.csv", SMILE)
    other = written(tmp_path / "b.events.csv", "video,onset,offset\nb,1,2\n")
    assert message(lambda: read_events(tmp_path)) == (f"{other}: other columns than {one}; give tables of one pipeline")


def test_frames_that_analyze_does_not_know_are_not_taken_for_none(tmp_path: Path) -> None:
    path = analyzed(tmp_path / "rows.csv", EventRow(kind="blink", onset=1.0, offset=1.2))
    assert message(lambda: read_events(path)) == (
        f"{path}: an event without onset_frame; give --unit seconds (in Python unit='seconds')"
    )
    assert read_events(path, unit="seconds").intervals == ((1.0, 1.2),)


def test_submissions_are_those_of_the_challenge(tmp_path: Path) -> None:
    events = read_events(written(tmp_path / "in.csv", f"{HEADER}\n{LINES}"))
    path = tmp_path / "pred.csv"
    write_submission(events, path)
    assert path.read_bytes() == b"vid,onset,offset,type\na,10,20,me\na,30,90,mae\n"
    again = read_events(path)
    assert again.intervals == ((10, 20), (30, 90))
    assert again.kinds == ("micro-expression", "macro-expression")
    assert message(lambda: write_submission(events, path)).startswith(f"{path}: already there; ")
    assert message(lambda: write_submission(events, tmp_path / "a.parquet")) == (
        f"{tmp_path / 'a.parquet'}: ending '.parquet'; write a .csv file"
    )


def test_what_a_submission_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pred.csv"
    columns = {"video": ("a", "a"), "onset": ("1", "1"), "offset": ("2", "2"), "kind": ("blink",) * 2}
    assert message(lambda: write_submission(Events(columns, "e", "seconds"), path)) == (
        "e: onsets in seconds, but the challenge counts frames; read it with those"
    )
    assert message(lambda: write_submission(Events(columns | {"seed": ("0", "1")}), path)) == (
        "events: 2 seeds; a submission holds one"
    )
    assert message(lambda: write_submission(Events(columns), path)) == (
        "events: kind 'blink'; a submission holds micro-expression and macro-expression, leave others out"
    )
    assert not path.exists()


KINDS = "kinds: 'micro-expression', 'macro-expression', 'expression', 'blink', 'other'"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "", "{path}: ending '.txt'; give a table (.parquet, .csv), or a folder that analyze wrote"),
        ("a.csv", None, "{path}: no such file; check the path"),
        ("a.parquet", None, "{path}: no such file; check the path"),
        ("a.csv", "", "{path}: no column 'video'; there are no columns"),
        ("a.csv", "video,onset,ofset\n",
         "{path}: no column 'offset'; did you mean 'ofset'? columns: 'video', 'onset', 'ofset'"),
        ("a.csv", "video,onset,offset\na,1\n", "{path}, line 2: 2 cells for 3 columns; mend the line"),
        ("a.csv", "video,onset,offset\n,1,2\n", "{path}: an empty cell of 'video'; fill it, or leave the event out"),
        ("a.csv", "video,onset,offset\na,1,\n",
         "{path}: no offset of an event in 'a'; fill it, or leave both empty if the video has no event"),
        ("a.csv", "video,onset,offset\na,,1\n",
         "{path}: no onset of an event in 'a'; fill it, or leave both empty if the video has no event"),
        ("a.csv", "video,onset,offset\na,5,2\n",
         "{path}: offset 2 is before onset 5 in 'a'; swap them, or leave it out"),
        ("a.csv", "video,onset,offset\na,1,2.5\n",
         "{path}: offset '2.5' of an event in 'a' is no frame number; give whole numbers from 0 on, or --unit seconds "
         "(in Python unit='seconds')"),
        ("a.csv", "video,onset,offset,apex\na,1,2,-1\n",
         "{path}: apex '-1' of an event in 'a' is no frame number; give whole numbers from 0 on, or --unit seconds "
         "(in Python unit='seconds')"),
        ("a.csv", "vidoe,onset,offset\na,1,2\n",
         "{path}: no column 'video'; did you mean 'vidoe'? columns: 'vidoe', 'onset', 'offset'"),
        ("a.csv", "video,subject,onset,offset\na,,1,2\n",
         "{path}: an empty cell of 'subject'; fill it, or leave the event out"),
        ("a.csv", "video,onset,offset\na,nan,2\n", "{path}: onset 'nan' of an event in 'a' is no number; mend it"),
        ("a.csv", "video,onset,offset,apex\na,1,2,x\n", "{path}: apex 'x' of an event in 'a' is no number; mend it"),
        ("a.csv", "video,onset,offset,kind\na,1,2,micro\n", "{path}: kind 'micro' of an event in 'a'; " + KINDS),
        ("a.csv", "video,onset,offset,kind\na,1,2,\n", "{path}: kind '' of an event in 'a'; " + KINDS),
        ("a.csv", "video,subject,onset,offset\na,1,1,2\na,2,5,6\n",
         "{path}: subject of video 'a' is '1' and '2'; write one, or name two videos"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused(tmp_path: Path, name: str, text: str | None, expected: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert message(lambda: read_events(path)) == expected.format(path=path)


def test_columns_of_other_lengths_are_refused() -> None:
    assert message(lambda: Events({"video": ("a",), "onset": ("1",), "offset": ()}, "e")) == (
        "e: 0 cells of 'offset' for 1 events; give one each"
    )
    events = Events({"video": ("a",), "onset": ("1",), "offset": ("2",)}, "e")
    assert message(lambda: events.by_video("datset")) == "e: no column 'datset'; columns: 'video', 'onset', 'offset'"
