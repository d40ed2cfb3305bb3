"""The engine: an interrupted run goes on as if nothing had been, and remembers no more than that takes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from affectkit.configs import Events, Frames, Sampling, Tracking, Windows
from affectkit.interfaces import FaceDetector
from affectkit.pipeline import PipelineConfig
from affectkit.records import EventKind
from affectkit.results.rows import EventRow, Row
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.detection import AnyFrame
from affectkit.video.engine import Engine
from affectkit.video.event_scoring import EventScoring, build_spotter
from affectkit.video.reader import SkippedFrame, VideoFrame
from affectkit.video.scoring import Scorer, Scoring, WindowScoring
from tests.brightness import BrightFaces, BrightFacesConfig, LengthConfig, pipeline
from tests.spotting import BrightEventsConfig, registry, spot_bright

NAMES = registry()
Item = Row | EventRow


def make_frames(levels: list[int], times: list[float] | None = None) -> list[AnyFrame]:
    """Flat frames, at 25 per second unless times are given; below 0 is a frame that could not be decoded."""
    given = times if times is not None else [i / 25 for i in range(len(levels))]
    return [
        SkippedFrame(index=i, pts=pts, reason="damaged")
        if level < 0
        else VideoFrame(index=i, pts=pts, image=np.full((32, 48, 3), level, np.uint8))
        for i, (level, pts) in enumerate(zip(levels, given, strict=True))
    ]


class Maker:
    """Makes engines for one pipeline."""

    def __init__(self, config: PipelineConfig, faces: FaceDetector[Any], *, batch_size: int = 1) -> None:
        self.model = config.build(registry=NAMES)
        self.config, self.faces, self.batch_size = config, faces, batch_size

    def scoring(self) -> Scoring:
        sampling: Sampling = self.config.sampling or Windows()
        streams = video_streams(self.config.input_streams(), events=isinstance(sampling, Events))
        scorer = Scorer(self.model, streams, "cpu", "float32")
        if isinstance(sampling, Events):
            spotter = build_spotter(sampling, streams["clip"], NAMES)
            return EventScoring(spotter, sampling, "clip", scorer if scorer.columns else None, 25.0)
        return WindowScoring(scorer, sampling, self.batch_size)

    def engine(self, state: Any = None) -> Engine:
        streams = video_streams(self.config.input_streams(), events=isinstance(self.config.sampling, Events))
        return Engine(self.faces, Tracking(), Cutter(streams), self.scoring(), state=state)

    def run(self, frames: list[AnyFrame], state: Any = None) -> list[Item]:
        given = [frame for frame in frames if state is None or frame.pts >= state["resume_at"]]
        return list(self.engine(state).run(given))

    def stopped(self, frames: list[AnyFrame], state: Any, after: int) -> tuple[list[Item], Any]:
        """What is given until `after` items, and the position then, through JSON as on the disk."""
        engine = self.engine(state)
        given = [frame for frame in frames if state is None or frame.pts >= state["resume_at"]]
        items = list(itertools.islice(engine.run(given), after))
        return items, json.loads(json.dumps(engine.position()))


def in_parts(maker: Maker, frames: list[AnyFrame], *stops: int) -> list[Item]:
    """A run that is interrupted after so many items each time."""
    items: list[Item] = []
    state = None
    for after in stops:
        more, state = maker.stopped(frames, state, after)
        items += more
    return items + maker.run(frames, state)


def split(items: list[Item]) -> tuple[list[Row], list[EventRow]]:
    rows = [item for item in items if isinstance(item, Row)]
    return rows, [item for item in items if isinstance(item, EventRow)]


def check_parts(maker: Maker, frames: list[AnyFrame], step: int) -> None:
    """Rows are the same in the same order, and events the same, wherever the run was interrupted."""
    rows, events = split(maker.run(frames))
    assert len({row.frame for row in rows}) == len(frames)
    for stop in range(1, len(rows) + len(events), step):
        # every other time it is interrupted once more
        stops = (stop, stop % 3) if stop // step % 2 else (stop,)
        got_rows, got_events = split(in_parts(maker, frames, *stops))
        assert got_rows == rows, stops
        assert sorted(got_events, key=_moment) == sorted(events, key=_moment), stops


def _moment(event: EventRow) -> tuple[float, int | None]:
    return event.onset, event.track


def busy_levels(count: int, seed: int) -> list[int]:
    """Nobody, one face, or two, in stretches of random length; now and then a frame that could not be decoded."""
    random = np.random.default_rng(seed)
    levels: list[int] = []
    while len(levels) < count:
        levels += [int(random.choice([20, 150, 160, 220, 230]))] * int(random.integers(1, 14))
    return [-1 if random.random() < 0.03 else level for level in levels[:count]]


FACES = BrightFaces(BrightFacesConfig(two=200))


@pytest.mark.parametrize(
    "sampling", [Frames(), Windows(seconds=0.5, hop_seconds=0.3), Windows(seconds=1, hop_seconds=1)]
)
def test_a_run_in_parts_gives_what_one_run_gives(sampling: Frames | Windows) -> None:
    random = np.random.default_rng(100)
    times = np.cumsum(random.choice([0.02, 0.04, 0.1, 0.4], 100, p=[0.3, 0.6, 0.07, 0.03])).tolist()
    maker = Maker(pipeline(sampling, temporal=LengthConfig()), FACES)
    check_parts(maker, make_frames(busy_levels(100, 1), times), step=19)


def test_windows_lie_where_they_lay_though_nobody_is_seen_where_the_run_goes_on() -> None:
    times = [i * 0.04 for i in range(40)]
    levels = [20 if 13 <= i < 18 else 150 for i in range(40)]
    maker = Maker(pipeline(Windows(seconds=0.5, hop_seconds=0.3), temporal=LengthConfig()), FACES)
    frames = make_frames(levels, times)
    items, state = maker.stopped(frames, None, 30)
    # the frame with which the gap begins: what waits then keeps the windows in place
    assert state["resume_at"] == times[13]
    assert items + maker.run(frames, state) == maker.run(frames)


@pytest.mark.parametrize("fps", [25.0, 6.0])
@pytest.mark.parametrize("heads", [False, True])
def test_events_of_a_run_in_parts_are_those_of_one_run(fps: float, heads: bool) -> None:
    levels = []
    for i in range(150):
        # the second face comes and goes; both are bright for two to five frames now and then
        is_bright = i % 23 in range(4, 6 + i // 23 % 4)
        levels.append(250 if is_bright else 110 if i // 40 % 2 else 210)
    config = spot_bright(heads=heads, spotter=BrightEventsConfig(threshold=0.9, memory=1.5))
    maker = Maker(config, BrightFaces(BrightFacesConfig(two=200)))
    frames = make_frames(levels, [3 + i / fps for i in range(150)])
    _, events = split(maker.run(frames))
    assert len(events) >= 10
    assert {event.track for event in events} >= {0, 1}
    check_parts(maker, frames, step=37)


def test_nothing_was_given_so_there_is_no_position() -> None:
    maker = Maker(pipeline(Windows(seconds=1.0, hop_seconds=1.0)), FACES)
    engine = maker.engine()
    assert engine.position() is None
    positions: list[Any] = []
    items = engine.run(make_frames([150] * 20), lambda count: positions.append(engine.position()))
    first = next(items)
    # 20 frames are shorter than a window, so that all rows came after the last of them
    assert positions == [None] * 20
    assert isinstance(first, Row)
    position = engine.position()
    assert position is not None
    assert (position["frame"], position["rows"], position["pts"], position["resume_at"]) == (0, 1, 0.0, 0.0)


def test_a_run_that_is_interrupted_again_before_its_first_frame() -> None:
    maker = Maker(pipeline(Windows(seconds=0.5, hop_seconds=0.3), temporal=LengthConfig()), FACES)
    frames = make_frames(busy_levels(80, 3))
    items, state = maker.stopped(frames, None, 50)
    assert maker.engine(state).position() == state
    assert maker.stopped(frames, state, 0) == ([], state)
    assert items + maker.run(frames, state) == maker.run(frames)


def test_rows_of_one_frame_may_be_divided() -> None:
    maker = Maker(pipeline(Frames()), FACES)
    frames = make_frames([250] * 10)
    items, state = maker.stopped(frames, None, 7)
    assert (state["frame"], state["rows"]) == (3, 1)
    assert (items + maker.run(frames, state))[7] == maker.run(frames)[7]
    assert items + maker.run(frames, state) == maker.run(frames)


def test_an_event_that_ends_later_in_the_second_run_is_still_the_one_that_was_given() -> None:
    config = spot_bright(spotter=BrightEventsConfig(threshold=0.9, memory=1.0))
    maker = Maker(config, BrightFaces(BrightFacesConfig()))
    frames = make_frames([250 if 5 <= i < 9 else 110 for i in range(60)])
    items, state = maker.stopped(frames, None, 25)
    (event,) = split(items)[1]
    state["events"] = [{**event.as_dict(), "offset": event.offset - 0.04}]
    assert split(maker.run(frames, state))[1] == []
    state["events"] = [{**event.as_dict(), "track": 1}]
    assert split(maker.run(frames, state))[1] == [event]


def test_events_that_touch_are_not_one() -> None:
    """A resumed run has given the first two; of what comes again, it gives only what is another one."""

    def event(onset: float, offset: float, kind: EventKind = "micro-expression") -> EventRow:
        return EventRow(track=0, kind=kind, onset=onset, offset=offset)

    known = [event(1.0, 1.5), event(3.0, 3.49), event(5.0, 5.2, "blink"), event(6.0, 6.0, "other")]
    maker = Maker(spot_bright(), FACES)
    _, state = maker.stopped(make_frames([150] * 10), None, 5)
    engine = maker.engine({**state, "events": [one.as_dict() for one in known]})
    other = [event(1.35, 1.85), event(5.0, 5.2), event(6.04, 6.04, "other")]
    again = [event(1.3, 1.54), event(3.0, 3.51, "macro-expression"), *known[2:]]
    assert list(engine._new(iter([*again, *other]))) == other
    assert engine.given == 3


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        (pipeline(Frames()), 2),
        (pipeline(Windows(seconds=2.0, hop_seconds=1.0)), 9),
        (spot_bright(spotter=BrightEventsConfig(threshold=0.9, memory=2.0)), 8),
    ],
)
def test_what_is_remembered_is_bounded(config: PipelineConfig, longest: int) -> None:
    maker = Maker(config, FACES)
    engine = maker.engine()
    sizes = []

    def frames() -> Iterator[AnyFrame]:
        yield from make_frames([250 if i % 20 < 3 else 110 for i in range(600)])

    for _ in engine.run(frames()):
        sizes.append((len(engine._snapshots), len(engine._events), len(json.dumps(engine.position()))))
    half = len(sizes) // 2
    assert max(count for count, _, _ in sizes) <= longest
    assert max(count for _, count, _ in sizes) <= 8
    assert max(size for _, _, size in sizes[half:]) < 1.1 * max(size for _, _, size in sizes[:half])


def test_progress_is_told_after_every_frame() -> None:
    maker = Maker(pipeline(Frames()), FACES)
    counts: list[int] = []
    rows = list(maker.engine().run(make_frames([150, -1, 20, 150]), counts.append))
    assert counts == [1, 2, 3, 4]
    assert [row.status for row in rows if isinstance(row, Row)] == ["ok", "skipped", "no_face", "ok"]
    assert [row.track for row in rows] == [0, None, None, 0]
