"""A small table of rows and events, for the tests of what writes, reads and draws tables."""

from __future__ import annotations

from pathlib import Path

from affectkit.results.info import RANDOM_WEIGHTS, RunInfo, WeightsUse
from affectkit.results.reading import Results
from affectkit.results.rows import BASE_COLUMNS, EVENT_COLUMNS, EventRow, Row
from affectkit.results.writer import ResultWriter

COLUMNS = (*BASE_COLUMNS, "va.valence", "va.arousal")
EVENT_WITH_COLUMNS = (*EVENT_COLUMNS, "micro.positive")
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
    for frame in range(11)
]
ROWS[3] = Row(frame=3, pts=1.0, track=None, status="no_face")
ROWS[4] = Row(frame=4, pts=4 / 3, track=None, status="skipped")
EVENTS = [
    EventRow(
        track=0,
        kind="micro-expression",
        label='a "label", with\nall that CSV has to quote',
        onset=0.1,
        apex=0.2,
        offset=1 / 3,
        onset_frame=0,
        apex_frame=1,
        offset_frame=1,
        confidence=0.7,
        apex_source="estimated",
        predictions={"micro.positive": 1 / 7},
    ),
    EventRow(kind="blink", onset=2.0, offset=2.0, status="rejected", reason="no apex was found"),
]
INFO = RunInfo(
    source="clip.mp4",
    source_size=1234,
    pipeline="affectkit/starter",
    pipeline_hash="ab" * 32,
    detector="affectkit/yunet",
    seed=3,
    weights=(RANDOM_WEIGHTS, WeightsUse(name="face", sha256="0" * 64, license="MIT", training_data_terms="synthetic")),
    options={"fps": 10.0, "device": "cpu", "start": None, "augment": True},
    notes=("the first note",),
)


def start(out: Path, *, part_rows: int = 4, overwrite: bool = False) -> ResultWriter:
    """A writer of small parts."""
    return ResultWriter(out, COLUMNS, INFO, event_columns=EVENT_WITH_COLUMNS, part_rows=part_rows, overwrite=overwrite)


def write(out: Path, *, part_rows: int = 4) -> Results:
    """The whole table, finished."""
    writer = start(out, part_rows=part_rows)
    for row in ROWS:
        writer.write(row)
    for event in EVENTS:
        writer.write_event(event)
    return writer.finish()


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())
