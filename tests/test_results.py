"""Rows, events, what is said about their run, and how tables look."""

from __future__ import annotations

import builtins
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectkit.errors import InputError, MissingDependencyError
from affectkit.records import Event
from affectkit.results.info import RANDOM_WEIGHTS, SCHEMA, RunInfo, WeightsUse, pipeline_hash
from affectkit.results.reading import Results
from affectkit.results.rows import BASE_COLUMNS, EVENT_COLUMNS, EventRow, Row
from affectkit.specs import Weights
from tests.tables import COLUMNS, EVENT_WITH_COLUMNS, EVENTS, INFO, ROWS, write

MEMORY = Results(COLUMNS, ROWS, events=EVENTS, event_columns=EVENT_WITH_COLUMNS, info=INFO)
FILES = ("rows.csv", "rows.parquet")


@pytest.fixture(params=["memory", "rows.csv", "rows.parquet"])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Results:
    return MEMORY if request.param == "memory" else write(tmp_path / request.param)


def test_as_dict() -> None:
    assert ROWS[1].as_dict() == {
        "frame": 1, "pts": 1 / 3, "track": 0, "status": "ok", "left": 1.5, "top": -2.0, "width": 30.0,
        "height": 1 / 3, "confidence": 0.875, "va.valence": 0.1, "va.arousal": -1e-20,
    }  # fmt: skip
    assert EVENTS[1].as_dict() == {
        "track": None, "kind": "blink", "label": None, "onset": 2.0, "apex": None, "offset": 2.0, "onset_frame": None,
        "apex_frame": None, "offset_frame": None, "confidence": None, "apex_source": "missing", "status": "rejected",
        "reason": "no apex was found",
    }  # fmt: skip
    assert tuple(ROWS[3].as_dict()) == BASE_COLUMNS
    assert tuple(EVENTS[1].as_dict()) == EVENT_COLUMNS


def test_rows_of_cells() -> None:
    assert [Row.of(row.as_dict()) for row in ROWS] == ROWS
    assert [EventRow.of(event.as_dict()) for event in EVENTS] == EVENTS


def test_an_event_of_a_spotter() -> None:
    event = Event(kind="blink", onset=1.0, apex=1.1, offset=1.2, onset_frame=30, confidence=0.5, track=2)
    row = EventRow.of_event(event, predictions={"a.b": 1.0})
    assert (row.onset, row.apex, row.offset, row.onset_frame, row.track) == (1.0, 1.1, 1.2, 30, 2)
    assert (row.confidence, row.status, row.predictions) == (0.5, "ok", {"a.b": 1.0})
    assert row.with_predictions({"a.b": 2.0}).label is None
    assert row.with_predictions({"a.b": 2.0}, "wink") == dataclasses.replace(
        row, predictions={"a.b": 2.0}, label="wink"
    )


def test_a_sequence(results: Results) -> None:
    assert len(results) == 11
    assert (results[0], results[-1], results[7]) == (ROWS[0], ROWS[-1], ROWS[7])
    for part in (slice(2, 9), slice(None, None, -2), slice(-3, None), slice(9, 1, -3), slice(1, 9, 4), slice(5, 5)):
        assert results[part] == tuple(ROWS[part])
    assert ROWS[3] in results
    assert results.events == tuple(EVENTS)
    assert results.targets == ("va.valence", "va.arousal")
    assert results.detector == "affectkit/yunet"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("index", [11, -12])
def test_a_row_that_is_not_there(tmp_path: Path, name: str, index: int) -> None:
    with pytest.raises(IndexError) as caught:
        write(tmp_path / name)[index]
    assert str(caught.value) == f"row {index} of 11"


@pytest.mark.parametrize("name", FILES)
def test_numbers_that_are_none(tmp_path: Path, name: str) -> None:
    from affectkit.results.writer import ResultWriter

    writer = ResultWriter(tmp_path / name, COLUMNS, INFO)
    predictions = {"va.valence": math.nan, "va.arousal": math.inf}
    writer.write(Row(frame=0, pts=0.0, track=0, status="ok", predictions=predictions))
    (row,) = writer.finish()
    assert math.isnan(row.predictions["va.valence"])
    assert row.predictions["va.arousal"] == math.inf


def test_without_info() -> None:
    results = Results(BASE_COLUMNS)
    assert (results.detector, results.info, results.events, len(results)) == ("", None, (), 0)
    assert repr(results) == "0 rows, 9 columns"


def test_repr_is_short(tmp_path: Path) -> None:
    text = repr(write(tmp_path / "rows.csv"))
    lines = text.splitlines()
    assert lines[0] == f"11 rows, 11 columns, 2 events in {tmp_path / 'rows.csv'}"
    assert lines[1:3] == ["untrained: scores come from random weights", "the first note"]
    assert lines[3].startswith("frame=0, pts=0.0, track=0, status=ok, left=1.5, top=-2, width=30, height=0.3333")
    assert lines[6] == "frame=3, pts=1.0, track=, status=no_face, left=, top=, width=, height=, confidence=, " + (
        "va.valence=, va.arousal="
    )
    assert lines[-1] == "..."
    assert len(lines) == 9


def test_an_unfinished_table_says_so() -> None:
    info = RunInfo(complete=False)
    assert repr(Results(COLUMNS, ROWS[:1], info=info)).splitlines()[1] == (
        "not complete: the run was interrupted, or goes on"
    )


def test_html_is_escaped() -> None:
    columns = (*BASE_COLUMNS, "<b>", *(f"au.AU{i}" for i in range(9)))
    text = Results(columns, ROWS)._repr_html_()
    assert "11 rows, 19 columns<br>and 5 columns more</caption>" in text
    assert ">&lt;b&gt;</th>" in text
    assert ">ok</td>" in text
    assert text.count("<tr>") == 1 + 5 + 1
    assert "<b>" not in text


def test_data_frames(results: Results) -> None:
    pandas = pytest.importorskip("pandas")
    frame = results.to_pandas()
    assert tuple(frame.columns) == COLUMNS
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "float64", "Int64", "category"] + ["float64"] * 7
    assert frame["pts"].tolist() == [row.pts for row in ROWS]
    assert frame["status"].value_counts().to_dict() == {"ok": 9, "no_face": 1, "skipped": 1}
    assert frame["track"].isna().tolist() == [row.track is None for row in ROWS]
    assert frame["va.valence"].isna().sum() == 2
    events = results.events_to_pandas()
    assert tuple(events.columns) == EVENT_WITH_COLUMNS
    assert events["onset"].tolist() == [0.1, 2.0]
    assert events["label"].tolist()[0] == EVENTS[0].label
    assert pandas.isna(events["apex"][1])


def test_data_frames_need_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ImportError("no pandas")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    for run in (MEMORY.to_pandas, MEMORY.events_to_pandas):
        check: Callable[[], Any] = run
        with pytest.raises(MissingDependencyError) as caught:
            check()
        assert str(caught.value) == "to_pandas: needs pandas; pip install affectkit[pandas]"


def test_info_survives_json() -> None:
    assert RunInfo.from_data(INFO.to_data(), "here") == INFO
    assert INFO.schema == SCHEMA == 1
    assert INFO.affectkit


def test_info_of_a_newer_affectkit() -> None:
    with pytest.raises(InputError) as caught:
        RunInfo.from_data(INFO.to_data() | {"schema": 2, "more": 1}, "rows.csv")
    assert str(caught.value) == "rows.csv: has schema 2, and this affectkit reads up to 1; update affectkit"


@pytest.mark.parametrize("data", [None, 3, [], {}, {"schema": 1}, INFO.to_data() | {"weights": [{"size": 1}]}])
def test_info_that_is_none(data: object) -> None:
    with pytest.raises(InputError) as caught:
        RunInfo.from_data(data, "rows.csv")
    assert str(caught.value) == "rows.csv: what it says about its run can't be read; analyze the video again"


def test_caution() -> None:
    synthetic = WeightsUse(name="face", training_data_terms="synthetic")
    assert RunInfo().caution == ""
    assert RunInfo(weights=(WeightsUse(name="face"),)).caution == ""
    assert RunInfo(weights=(WeightsUse(name="face"), synthetic)).caution == "weights trained on synthetic faces only"
    assert RunInfo(weights=(synthetic, RANDOM_WEIGHTS)).caution == "untrained: scores come from random weights"


def test_weights_of_a_spec() -> None:
    published = Weights(
        name="face", url="https://example.org/face", sha256="0" * 64, size=3, license="MIT", training_data_terms="web"
    )
    use = WeightsUse.of(published)
    assert use == WeightsUse(name="face", sha256="0" * 64, license="MIT", training_data_terms="web")
    assert not use.is_synthetic
    assert not use.is_random


def test_the_hash_of_a_pipeline() -> None:
    one = pipeline_hash({"a": 1, "b": {"c": [1.5, None], "d": "é"}})
    assert one == pipeline_hash({"b": {"d": "é", "c": [1.5, None]}, "a": 1})
    assert one != pipeline_hash({"a": 2, "b": {"c": [1.5, None], "d": "é"}})
    assert pipeline_hash({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
