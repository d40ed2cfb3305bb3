"""Tables are written so that nothing is lost, wherever the process or the disk gives out."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectkit.errors import InputError
from affectkit.results.places import check_out, is_unfinished, parts_of
from affectkit.results.progress import part_path
from affectkit.results.reading import read_results
from affectkit.results.rows import BASE_COLUMNS, EventRow, Row
from affectkit.results.tables import format_of
from affectkit.results.writer import ResultWriter, join_parts
from tests.tables import COLUMNS, EVENT_WITH_COLUMNS, EVENTS, INFO, ROWS, names, start, write

FORMATS = ("csv", "parquet")
FULL = "No space left on device"


@pytest.fixture(params=FORMATS)
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"rows.{request.param}"


def resume(out: Path) -> tuple[ResultWriter, dict[str, Any]]:
    return ResultWriter.resume(out, COLUMNS, INFO, event_columns=EVENT_WITH_COLUMNS)


def message(run: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        run()
    return str(caught.value)


def test_tables_read_back_as_they_were(out: Path) -> None:
    results = write(out)
    for found in (results, read_results(out)):
        assert list(found) == ROWS
        assert found.events == tuple(EVENTS)
        assert found.info == INFO
        assert (found.columns, found.event_columns, found.path) == (COLUMNS, EVENT_WITH_COLUMNS, out)
    beside = ["rows.csv.info.json"] if out.suffix == ".csv" else []
    assert names(out.parent) == sorted([out.name, f"rows.events{out.suffix}", *beside])


def test_notes_are_added_at_the_end(out: Path) -> None:
    info = start(out).finish("frame 3 was cut off").info
    assert info is not None
    assert info.notes == ("the first note", "frame 3 was cut off")


def test_a_run_without_events_has_no_table_of_them(out: Path) -> None:
    assert ResultWriter(out, COLUMNS, INFO).finish().events == ()
    assert not out.with_name(f"rows.events{out.suffix}").exists()


def test_a_run_that_looked_for_events_has_one_though_empty(out: Path) -> None:
    assert start(out).finish().events == ()
    assert out.with_name(f"rows.events{out.suffix}").exists()


def test_an_event_that_nobody_announced_is_written(out: Path) -> None:
    writer = ResultWriter(out, COLUMNS, INFO)
    writer.write_event(EVENTS[1])
    assert writer.finish().events == (EVENTS[1],)


def test_parts_are_written_as_they_fill(out: Path) -> None:
    writer = start(out)
    for count, row in enumerate(ROWS, start=1):
        writer.write(row)
        assert list(read_results(out)) == ROWS[: count // 4 * 4]
    assert names(writer.parts) == ["progress.json", f"rows-00000{out.suffix}", f"rows-00001{out.suffix}"]
    assert (writer.rows, writer.events) == (11, 0)


def test_a_part_is_a_table_by_itself(out: Path) -> None:
    writer = start(out)
    for row in ROWS[:5]:
        writer.write(row)
    assert list(read_results(writer.parts / f"rows-00000{out.suffix}")) == ROWS[:4]


def test_checkpoints_bring_everything_to_the_disk_in_few_parts(out: Path) -> None:
    writer = start(out)
    for count, row in enumerate(ROWS, start=1):
        writer.write(row)
        writer.checkpoint({"next": count})
        found = read_results(out)
        assert list(found) == ROWS[:count]
        assert found.info == dataclasses.replace(INFO, complete=False)
        assert found.path == writer.parts
    assert len(list(writer.parts.glob("rows-*"))) == 3


def test_resume_goes_on_from_the_last_checkpoint(out: Path) -> None:
    for at in range(len(ROWS)):
        with start(out) as writer:
            for row in ROWS[:at]:
                writer.write(row)
            writer.write_event(EVENTS[0])
            writer.checkpoint({"next": at, "nested": {"times": [0.1, float("inf")]}})
            # what comes after it is read, but not gone on with
            for row in ROWS[at:]:
                writer.write(row)
            writer.write_event(EVENTS[1])
        assert list(read_results(out)) == ROWS
        writer, state = resume(out)
        assert state == {"next": at, "nested": {"times": [0.1, float("inf")]}}
        assert (writer.rows, writer.events) == (at, 1)
        assert list(read_results(out)) == ROWS[:at]
        for row in ROWS[at:]:
            writer.write(row)
        writer.write_event(EVENTS[1])
        results = writer.finish()
        assert list(results) == ROWS
        assert results.events == tuple(EVENTS)
        assert results.info == INFO
        for path in out.parent.iterdir():
            path.unlink()


def test_without_a_checkpoint_there_is_no_state(out: Path) -> None:
    with start(out) as writer:
        writer.write(ROWS[0])
    assert len(read_results(out)) == 1
    writer, state = resume(out)
    assert (state, writer.rows) == ({}, 0)


def test_join_parts_makes_a_table_of_what_there_is(out: Path) -> None:
    with start(out) as writer:
        for row in ROWS[:6]:
            writer.write(row)
        writer.write_event(EVENTS[0])
    results = join_parts(out)
    assert list(results) == ROWS[:6]
    assert results.events == tuple(EVENTS[:1])
    assert results.info == dataclasses.replace(INFO, complete=False)
    assert not parts_of(out).exists()
    text = message(lambda: join_parts(out))
    assert text == f"{parts_of(out)}/progress.json: no such file; the folder holds no unfinished table"


def test_joining_does_not_replace_a_table(out: Path) -> None:
    write(out)
    start(out, overwrite=True).close()
    assert message(lambda: join_parts(out)) == (
        f"{out}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
    assert len(read_results(out)) == 11
    assert len(join_parts(out, overwrite=True)) == 0


def test_discard_leaves_nothing(out: Path) -> None:
    writer = start(out)
    writer.write(ROWS[0])
    writer.checkpoint({})
    writer.discard()
    assert names(out.parent) == []


def test_a_finished_table_stays_until_the_new_one_is(out: Path) -> None:
    write(out)
    writer = start(out, overwrite=True)
    writer.write(ROWS[0])
    writer.checkpoint({})
    assert list(read_results(out)) == ROWS
    assert list(writer.finish()) == ROWS[:1]


def test_events_of_an_old_table_go_with_it(out: Path) -> None:
    write(out)
    assert ResultWriter(out, COLUMNS, INFO, overwrite=True).finish().events == ()


class Crash(BaseException):
    """The process is gone."""


class Death:
    """Lets so many of the calls that change the disk pass, and none from then on: before the call, or just after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**6
        self.is_after = False
        for place, name in ((os, "replace"), (os, "fsync"), (os, "rmdir"), (os, "mkdir"), (Path, "unlink")):
            monkeypatch.setattr(place, name, self.wrapped(getattr(place, name)))

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self.left == 0:
                raise Crash
            self.left -= 1
            result = function(*args, **options)
            if self.left == 0 and self.is_after:
                raise Crash
            return result

        return call


SHORT = ROWS[:7]


def run_on(writer: ResultWriter, state: dict[str, Any], done: list[int]) -> None:
    first = int(state.get("next", 0))
    for number, row in enumerate(SHORT[first:], start=first):
        writer.write(row)
        if number in (2, 5):
            writer.write_event(EVENTS[number == 5])
        if number in (2, 5):
            writer.checkpoint({"next": number + 1})
            done.append(number + 1)
    writer.finish()


@pytest.mark.parametrize(
    ("ending", "has_old", "is_after"),
    [("csv", False, False), ("csv", True, True), ("parquet", True, False), ("parquet", False, True)],
)
def test_a_crash_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, has_old: bool, is_after: bool
) -> None:
    """Every call that changes the disk is once the last one. What counted before can be read, and gone on with."""
    death = Death(monkeypatch)
    moment = 0
    while True:
        out = tmp_path / f"{moment}" / f"rows.{ending}"
        out.parent.mkdir()
        if has_old:
            ResultWriter(out, COLUMNS, INFO).finish()
        done = [0]
        death.left, death.is_after = moment + is_after, is_after
        try:
            run_on(start(out, overwrite=True), {}, done)
        except Crash:
            pass
        else:
            break
        finally:
            death.left, death.is_after = 10**6, False
        moment += 1
        check_after_crash(out, done[-1])
        if is_unfinished(out):
            run_on(*resume(out), done)
        else:
            run_on(start(out, overwrite=True), {}, done)
        results = read_results(out)
        assert list(results) == SHORT
        assert results.events == tuple(EVENTS)
        assert not parts_of(out).exists()
    assert moment > 30


def check_after_crash(out: Path, done: int) -> None:
    """What a checkpoint marked is there; what is there is a beginning, or the old table, or the whole new one."""
    if not out.exists() and not is_unfinished(out):
        assert done == 0
        return
    found = read_results(out)
    rows = list(found)
    if out.exists() and not rows:
        return  # the old table, which is empty
    assert rows == SHORT[: len(rows)]
    assert len(rows) >= done
    assert list(found.events) == EVENTS[: len(found.events)]
    assert len(found.events) >= done // 3
    if out.exists():
        assert (rows, found.events) == (SHORT, tuple(EVENTS))


_SCRIPT = """
import sys
from pathlib import Path
from tests.tables import ROWS, start
writer = start(Path(sys.argv[1]))
for row in ROWS[:7]:
    writer.write(row)
writer.checkpoint({"next": 7})
for row in ROWS[7:9]:
    writer.write(row)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("ending", FORMATS)
def test_a_killed_process(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"rows.{ending}"
    command = [sys.executable, "-c", _SCRIPT, str(out)]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    # the eighth row filled a part; the ninth was in memory only
    assert list(read_results(out)) == ROWS[:8]
    writer, state = resume(out)
    assert (writer.rows, state) == (7, {"next": 7})


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_while_writing(out: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    writer = start(out)
    for row in ROWS[:5]:
        writer.write(row)
    writer.checkpoint({"next": 5})
    for row in ROWS[5:7]:
        writer.write(row)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        text = message(lambda: writer.write(ROWS[7]))
        assert text == (
            f"{writer.parts}: can't be written ({FULL}); make room, then go on with --resume "
            "(in Python resume=True): 5 rows are kept"
        )
        # nothing more is tried, so the error is not hidden by another one
        writer.close()
    assert message(lambda: writer.write(ROWS[0])) == (f"{out}: the writer is closed; go on with ResultWriter.resume")
    assert list(read_results(out)) == ROWS[:5]
    assert not [name for name in names(writer.parts) if name.endswith(".tmp")]
    again, state = resume(out)
    assert state == {"next": 5}
    again.close()


def full(*args: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, FULL)


def test_a_full_disk_while_joining(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = start(out)
    for row in ROWS:
        writer.write(row)
    writer.checkpoint({"next": 11})
    monkeypatch.setattr("affectkit.results.writer.join_into", full)
    assert message(writer.finish) == (
        f"{writer.parts}: can't be written ({FULL}); make room, then go on with --resume "
        "(in Python resume=True): 11 rows are kept"
    )
    assert list(read_results(out)) == ROWS
    assert message(lambda: join_parts(out)) == f"{out}: can't be written ({FULL}); make room: the parts are kept"
    monkeypatch.undo()
    results = join_parts(out)
    # everything had been written: only joining was left
    assert results.info == INFO
    assert list(results) == ROWS


def test_an_error_of_the_caller_is_the_one_that_is_raised(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        with start(out) as writer:
            writer.write(ROWS[0])
            monkeypatch.setattr(os, "fsync", full)
            raise RuntimeError("the model failed")

    with pytest.raises(RuntimeError, match="the model failed") as caught:
        fail()
    assert caught.value.__notes__ == [
        f"{parts_of(out)}: can't be written ({FULL}); make room, then go on with --resume "
        "(in Python resume=True): 0 rows are kept"
    ]


def test_a_writer_that_only_fails_to_close(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        with start(out) as writer:
            writer.write(ROWS[0])
            monkeypatch.setattr(os, "fsync", full)

    assert message(fail) == (
        f"{parts_of(out)}: can't be written ({FULL}); make room, then go on with --resume "
        "(in Python resume=True): 0 rows are kept"
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"pipeline_hash": "cd" * 32}, "pipeline_hash"),
        ({"source_size": 5}, "source_size"),
        ({"options": {"fps": 5.0}}, "options"),
        ({"seed": 4, "weights": ()}, "seed, weights"),
        ({"affectkit": "99.0"}, "affectkit"),
    ],
)
def test_resume_of_another_run(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    out = tmp_path / "rows.csv"
    start(out).close()
    other = dataclasses.replace(INFO, **changes)
    text = message(lambda: ResultWriter.resume(out, COLUMNS, other, event_columns=EVENT_WITH_COLUMNS))
    assert text == (
        f"{out}.parts: was begun by another run (other {what}); run it as before, or replace it with --overwrite "
        "(in Python overwrite=True)"
    )


def test_resume_with_other_columns(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    start(out).close()
    assert message(lambda: ResultWriter.resume(out, BASE_COLUMNS, INFO)) == (
        f"{out}.parts: was begun by another run (other columns, event_columns); run it as before, or replace it with "
        "--overwrite (in Python overwrite=True)"
    )


def test_other_notes_are_the_same_run(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    start(out).close()
    info = dataclasses.replace(INFO, notes=("the first note", "resumed"))
    writer, _ = ResultWriter.resume(out, COLUMNS, info, event_columns=EVENT_WITH_COLUMNS)
    found = writer.finish().info
    assert found is not None
    assert found.notes == ("the first note", "resumed")


def test_resume_of_nothing(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    assert message(lambda: resume(out)) == f"{out}: no unfinished table in '{out}.parts'; leave --resume out"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "can't be read (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[]", None),
        ('{"info": INFO}', "has no 'columns'"),
    ],
)
def test_a_damaged_progress_file(tmp_path: Path, text: str, says: str | None) -> None:
    out = tmp_path / "rows.csv"
    start(out).close()
    path = parts_of(out) / "progress.json"
    path.write_text(text.replace("INFO", json.dumps(INFO.to_data())))
    end = "remove the folder and analyze again"
    expected = f"{path}: {says}; {end}" if says else f"{path}: what it says about its run can't be read; {ANEW}"
    assert message(lambda: read_results(out)) == expected


ANEW = "analyze the video again"


def test_a_prediction_without_a_column(out: Path) -> None:
    writer = start(out)
    row = Row(frame=0, pts=0.0, track=0, status="ok", predictions={"va.dominance": 0.5})
    assert message(lambda: writer.write(row)) == (
        "rows: 'va.dominance' is no column of the table; name it when the writer is made"
    )
    event = EventRow(kind="blink", onset=0.0, offset=0.1, predictions={"va.valence": 0.5})
    assert message(lambda: writer.write_event(event)) == (
        "events: 'va.valence' is no column of the table; name it when the writer is made"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"part_rows": 0}, "part_rows: 0 is not accepted; write 1 or more"),
        (
            {"columns": ("frame", "va.valence")},
            "columns: do not begin with frame, pts, track, status, left, top, width, height, confidence; "
            "put the predictions after them",
        ),
        (
            {"columns": (*COLUMNS, "va.valence")},
            "columns: 'va.valence' twice; give every output and target a name of its own",
        ),
        (
            {"event_columns": COLUMNS},
            "columns: do not begin with track, kind, label, onset, apex, offset, onset_frame, apex_frame, "
            "offset_frame, confidence, apex_source, status, reason; put the predictions after them",
        ),
    ],
)
def test_what_a_writer_is_made_of(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    given: dict[str, Any] = {"columns": COLUMNS, "info": INFO} | options
    assert message(lambda: ResultWriter(tmp_path / "rows.csv", **given)) == text
    assert names(tmp_path) == []


TAKEN = "{path}: already there; add --overwrite (in Python overwrite=True), or name another file"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.xlsx", "{path}: ending '.xlsx'; write a .parquet or .csv file"),
        ("rows", "{path}: ending ''; write a .parquet or .csv file"),
        ("folder.csv", "{path}: is a folder; name a file in it"),
        ("none/rows.csv", "{path}: no folder '{folder}/none'; create it"),
        ("taken.csv", TAKEN),
        ("taken.parquet", TAKEN),
        (
            "begun.csv",
            "{path}: an unfinished table is in '{path}.parts'; add --resume to go on with it, or --overwrite to begin "
            "anew (in Python resume=True, overwrite=True)",
        ),
    ],
)
def test_where_tables_can_not_go(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "taken.csv").touch()
    (tmp_path / "taken.parquet").touch()
    start(tmp_path / "begun.csv").close()
    path = tmp_path / name
    assert message(lambda: check_out(path)) == text.format(path=path, folder=tmp_path)
    assert message(lambda: ResultWriter(path, COLUMNS, INFO)) == text.format(path=path, folder=tmp_path)


@pytest.mark.parametrize("name", ["rows.events.csv", "rows.csv.info.json"])
def test_a_file_beside_the_table_is_in_the_way(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert message(lambda: check_out(tmp_path / "rows.csv")) == TAKEN.format(path=tmp_path / name)


def test_what_is_there_is_accepted_if_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    start(out).close()
    assert check_out(out, resume=True) == out
    assert check_out(out, overwrite=True) == out
    join_parts(out)
    assert check_out(out, resume=True) == out
    assert check_out(out, overwrite=True) == out


def test_a_folder_that_can_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    path = tmp_path / "rows.csv"
    assert message(lambda: check_out(path)) == f"{path}: can't be written (Permission denied); choose another folder"


@pytest.mark.filterwarnings("error")
def test_a_file_of_someone_else_is_left_alone(out: Path) -> None:
    for overwrite in (False, True):
        writer = start(out, overwrite=overwrite)
        (writer.parts / ".DS_Store").touch()
        writer.write(ROWS[0])
        assert list(writer.finish()) == ROWS[:1]
        assert names(writer.parts) == [".DS_Store"]
    start(out, overwrite=True).discard()
    with start(out, overwrite=True) as writer:
        writer.write(ROWS[1])
    assert list(join_parts(out, overwrite=True)) == ROWS[1:2]
    assert names(parts_of(out)) == [".DS_Store"]


@pytest.mark.parametrize(("number", "left"), [(0, 3), (1, 2)])
def test_a_part_that_has_lost_lines(out: Path, number: int, left: int) -> None:
    with start(out) as writer:
        for row in ROWS[:7]:
            writer.write(row)
        writer.checkpoint({"next": 7})
    path = part_path(writer.parts, "rows", number, out.suffix)
    lines = [row.as_dict() for row in ROWS[number * 4 :][:left]]
    path.write_bytes(format_of(path).encode(COLUMNS, lines, INFO))
    text = f"{path}: has {left} of {(4, 3)[number]} lines; analyze the video again"
    assert message(lambda: list(read_results(out))) == text
    assert message(lambda: join_parts(out)) == text
    assert message(lambda: resume(out)) == text


def test_what_is_counted_is_there_after_ctrl_c(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when a row was taken and before the part that it fills is on the disk."""

    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    writer = start(out)
    for row in ROWS[:3]:
        writer.write(row)
    with monkeypatch.context() as patch:
        patch.setattr(ResultWriter, "_save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            writer.write(ROWS[3])
    assert writer.rows == 4
    writer.checkpoint({"next": 4})
    for row in ROWS[4:]:
        writer.write(row)
    assert list(writer.finish()) == ROWS
