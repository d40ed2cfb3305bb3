"""Events from shots: when a spotter begins anew, which frames its moments are, and what the heads make of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import pytest

from affectkit.configs import Events
from affectkit.errors import MissingDependencyError, SpecError
from affectkit.results.rows import EventRow, Row
from affectkit.sequences import Sequence
from affectkit.specs import Requirement, SpotterSpec
from affectkit.streams import FrameStream
from affectkit.video.cutter import Cut
from affectkit.video.event_scoring import EventScoring, build_spotter
from affectkit.video.reader import SkippedFrame
from affectkit.video.scoring import Scorer
from affectkit.video.shots import Shot
from tests.brightness import AsIsConfig, pipeline
from tests.spotting import BrightEvents, BrightEventsConfig, flat, registry, spot_bright

NAMES = registry()
STREAM = FrameStream(height=8, width=8)
DARK, BRIGHT = 0.1, 0.9
# What a shot shows: level of the face; with the segment of its cut; or None where there is none.
Shown = float | tuple[float, int] | None


class Harness:
    """A scoring that is fed by levels, and what came of it."""

    def __init__(self, config: BrightEventsConfig | None = None, *, heads: bool = False, **changes: Any) -> None:
        given = spot_bright(heads=heads, spotter=config, **changes)
        assert isinstance(given.sampling, Events)
        self.spotter = BrightEvents(given.sampling.spotter, STREAM)  # type: ignore[arg-type]
        model = given.build(registry=NAMES)
        scorer = Scorer(model, {"clip": STREAM}, "cpu", "float32") if heads else None
        self.scoring = EventScoring(self.spotter, given.sampling, "clip", scorer, 25.0)
        self.rows: list[Row] = []
        self.events: list[EventRow] = []
        self.count = 0

    def show(self, pts: float, *tracks: Shown, number: int | None = None) -> None:
        """The next frame, with what each track shows in it."""
        frame = self.count if number is None else number
        self.count = frame + 1
        shots = []
        for track, shown in enumerate(tracks):
            if shown is not None:
                level, segment = shown if isinstance(shown, tuple) else (shown, 0)
                row = Row(frame=frame, pts=pts, track=track, status="ok")
                shots.append(Shot(row, Cut(inputs={"clip": flat(level)}, segment=segment)))
        if not shots:
            shots = [Shot(Row(frame=frame, pts=pts, track=None, status="no_face"), is_final=True)]
        self.take(self.scoring.push(SkippedFrame(index=frame, pts=pts, reason=""), tuple(shots)))

    def take(self, items: Iterable[Row | EventRow]) -> None:
        for item in items:
            if isinstance(item, Row):
                self.rows.append(item)
            else:
                self.events.append(item)

    def finish(self) -> list[EventRow]:
        self.take(self.scoring.finish())
        return self.events


def spans(events: Iterable[EventRow]) -> list[tuple[Any, ...]]:
    return [(event.track, event.onset_frame, event.apex_frame, event.offset_frame) for event in events]


def test_rows_are_given_at_once_and_events_when_they_are_final() -> None:
    harness = Harness()
    for i in range(40):
        harness.show(i / 25, BRIGHT if 4 <= i < 8 else DARK)
        assert len(harness.rows) == i + 1
        # 16 frames are handed over together
        assert len(harness.events) == (1 if i >= 15 else 0)
    assert harness.spotter.pieces == [16, 16]
    (event,) = harness.finish()
    assert harness.spotter.pieces == [16, 16, 8]
    assert harness.spotter.started == [25.0]
    assert event == EventRow(
        track=0,
        kind="other",
        onset=4 / 25,
        apex=4 / 25,
        offset=7 / 25,
        onset_frame=4,
        apex_frame=4,
        offset_frame=7,
        confidence=0.5,
        apex_source="estimated",
    )


def test_what_is_going_on_at_the_end_is_an_event() -> None:
    harness = Harness()
    for i in range(10):
        harness.show(i / 25, BRIGHT if i >= 6 else DARK)
    assert spans(harness.finish()) == [(0, 6, 6, 9)]


def test_frames_are_found_by_their_times() -> None:
    harness = Harness(BrightEventsConfig(early=0.015))
    # frames 3 and 4 were not processed; time varies
    for number, pts, level in [(0, 0.0, DARK), (1, 0.04, DARK), (2, 0.05, 0.6), (5, 0.2, 0.8), (6, 0.21, DARK)]:
        harness.show(pts, level, number=number)
    (event,) = harness.finish()
    # 0.035 s is nearer to frame 1
    assert event.onset == pytest.approx(0.035)
    assert (event.apex, event.offset) == (0.2, 0.2)
    assert spans([event]) == [(0, 1, 5, 5)]


def test_an_onset_before_the_first_frame_is_the_first_frame() -> None:
    harness = Harness(BrightEventsConfig(early=0.5))
    harness.show(1.0, BRIGHT, number=30)
    assert spans(harness.finish()) == [(0, 30, 30, 30)]


@pytest.mark.parametrize(("gap", "starts"), [(0.25, 1), (0.26, 2)])
def test_a_spotter_is_started_anew_after_a_gap(gap: float, starts: int) -> None:
    harness = Harness()
    for i in range(5):
        harness.show(i / 20, BRIGHT)
    for i in range(5):
        harness.show(0.2 + gap + i / 20, BRIGHT)
    expected = [(0, 0, 0, 9)] if starts == 1 else [(0, 0, 0, 4), (0, 5, 5, 9)]
    assert spans(harness.finish()) == expected
    assert len(harness.spotter.started) == starts


@pytest.mark.parametrize("fps", [3.0, 0.5])
def test_frames_that_are_far_apart_are_no_gaps(fps: float) -> None:
    harness = Harness(BrightEventsConfig(memory=60.0))
    # one frame without the face is none either; two are
    shown = [DARK, BRIGHT, BRIGHT, None, BRIGHT, DARK, DARK, BRIGHT, None, None, BRIGHT]
    for i, level in enumerate(shown):
        harness.show(i / fps, level)
    assert spans(harness.finish()) == [(0, 1, 1, 4), (0, 7, 7, 7), (0, 10, 10, 10)]
    assert len(harness.spotter.started) == 2


def test_a_gap_is_one_after_going_on_too() -> None:
    harness, again = Harness(), Harness()
    for i in range(20):
        harness.show(i / 3, DARK)
    again.scoring.restore(json.loads(json.dumps(harness.scoring.snapshot())))
    for pts in (20 / 3, 21 / 3, 21 / 3 + 1):
        again.show(pts, BRIGHT)
    assert len(again.spotter.started) == 2


def test_a_track_that_is_gone_is_finished_while_others_go_on() -> None:
    harness = Harness()
    for i in range(5):
        harness.show(i / 25, BRIGHT, DARK)
    for i in range(5, 13):
        harness.show(i / 25, None, DARK)
        assert len(harness.events) == (1 if (i - 4) / 25 > 0.25 else 0)
    assert spans(harness.finish()) == [(0, 0, 0, 4)]


def test_a_track_that_is_gone_is_finished_where_nobody_is_seen() -> None:
    harness = Harness()
    harness.show(0.0, BRIGHT)
    harness.show(0.1)
    harness.show(0.2)
    assert harness.events == []
    harness.show(0.3)
    assert spans(harness.events) == [(0, 0, 0, 0)]
    assert [row.status for row in harness.rows] == ["ok", "no_face", "no_face", "no_face"]


def test_a_spotter_is_started_anew_where_the_cut_was_made_anew() -> None:
    harness = Harness()
    for i in range(12):
        harness.show(i / 25, (BRIGHT, 0 if i < 5 else 1))
    assert spans(harness.finish()) == [(0, 0, 0, 4), (0, 5, 5, 11)]
    assert harness.spotter.pieces == [5, 7]


def test_several_tracks_do_not_mix() -> None:
    harness = Harness()
    for i in range(50):
        first = BRIGHT if 5 <= i < 10 else DARK
        second = BRIGHT if 7 <= i < 20 else DARK
        harness.show(i / 25, first, second if i >= 3 else None, BRIGHT if i > 48 else None)
    # the third is there for one frame
    assert sorted(spans(harness.finish())) == [(0, 5, 5, 9), (1, 7, 7, 19), (2, 49, 49, 49)]


@pytest.mark.parametrize("fps", [200.0, 25.0, 5.0])
def test_frame_numbers_of_a_long_video(fps: float) -> None:
    """Frames that wait for the spotter are not forgotten, though at 5 per second 16 of them are 3 seconds."""
    harness = Harness(BrightEventsConfig(memory=1.0))
    expected = []
    for i in range(990):
        is_bright = i % 47 in (11, 12, 13)
        harness.show(100 + i / fps, BRIGHT if is_bright else DARK)
        if i % 47 == 11:
            expected.append((0, i, i, i + 2))
        (following,) = harness.scoring._tracks.values()
        assert len(following.times) == len(following.numbers) <= fps * 1.0 + 17
        assert not following.shots
    assert spans(harness.finish()) == expected


def test_an_event_that_is_longer_than_the_memory() -> None:
    config = BrightEventsConfig(memory=1.0)
    harness, scored = Harness(config), Harness(config, heads=True)
    for i in range(200):
        for one in (harness, scored):
            one.show(i / 25, BRIGHT if 20 <= i < 150 else DARK)
    (event,), (rejected,) = harness.finish(), scored.finish()
    assert (event.onset, event.onset_frame, event.apex_frame, event.offset_frame) == (0.8, None, None, 149)
    assert event.status == "ok"
    assert (rejected.status, rejected.reason) == ("rejected", "it is longer than the spotter's memory_seconds")
    assert (rejected.onset, rejected.label, rejected.predictions) == (0.8, None, {})


# With heads.

LEVELS = [0.1, 0.1, 0.6, 1.0, 0.8, 0.7, 0.1]


def scored(levels: list[float], *, config: BrightEventsConfig | None = None, **changes: Any) -> EventRow:
    harness = Harness(config, heads=True, **changes)
    for i, level in enumerate(levels):
        harness.show(i / 25, level)
    (event,) = harness.finish()
    return event


@pytest.mark.parametrize(
    ("keyframes", "bright"),
    [
        (("onset", "apex", "offset"), (0.6 + 1.0 + 0.7) / 3),
        (("apex",), 1.0),
        (("onset",), 0.6),
        ((), (0.6 + 1.0 + 0.8 + 0.7) / 4),
    ],
)
def test_the_keyframes_are_scored(keyframes: tuple[str, ...], bright: float) -> None:
    event = scored(LEVELS, keyframes=keyframes)
    assert event.predictions == pytest.approx({"day.bright": bright, "day.dark": 1 - bright}, abs=1e-6)
    assert (event.label, event.status, event.reason) == ("bright", "ok", None)
    assert spans([event]) == [(0, 2, 3, 5)]


def test_the_spotters_own_label_stays() -> None:
    assert scored(LEVELS, config=BrightEventsConfig(label="AU12")).label == "AU12"


def test_the_most_probable_class_is_the_label() -> None:
    event = scored([0.05, 0.2, 0.3, 0.05], config=BrightEventsConfig(threshold=0.15))
    assert event.label == "dark"


def test_no_classes_no_label() -> None:
    harness = Harness()
    sampling = Events(spotter=BrightEventsConfig())
    model = pipeline(sampling, heads={"face": AsIsConfig()}).build(registry=NAMES)
    scorer = Scorer(model, {"clip": STREAM}, "cpu", "float32")
    harness.scoring = EventScoring(harness.spotter, sampling, "clip", scorer, None)
    for i, level in enumerate(LEVELS):
        harness.show(i / 25, level)
    (event,) = harness.finish()
    assert event.label is None
    assert event.predictions["face.brightness"] == pytest.approx((0.6 + 1.0 + 0.7) / 3, abs=1e-6)
    assert harness.spotter.started == [None]


NO_APEX = BrightEventsConfig(finds_apex=False)


def test_an_apex_that_is_missing_is_the_middle() -> None:
    event = scored([0.1, 0.1, 0.6, 0.8, 1.0, 0.1], config=NO_APEX, apex="middle")
    assert event.apex == pytest.approx(0.12)
    assert (event.apex_source, event.status) == ("middle", "ok")
    assert spans([event]) == [(0, 2, 3, 4)]
    assert event.predictions["day.bright"] == pytest.approx((0.6 + 0.8 + 1.0) / 3, abs=1e-6)


def test_an_event_without_an_apex_is_rejected() -> None:
    event = scored(LEVELS, config=NO_APEX, apex="reject")
    assert (event.status, event.reason) == ("rejected", "no apex was found")
    assert (event.apex, event.apex_frame, event.apex_source, event.label) == (None, None, "missing", None)
    assert spans([event]) == [(0, 2, None, 5)]
    assert event.predictions == {}


def test_an_apex_that_nobody_asks_for_is_not_missed() -> None:
    event = scored(LEVELS, config=NO_APEX, apex="reject", keyframes=("onset", "offset"))
    assert (event.status, event.apex) == ("ok", None)
    assert event.predictions["day.bright"] == pytest.approx(0.65, abs=1e-6)


def test_only_the_kinds_that_are_asked_for_are_scored() -> None:
    assert scored(LEVELS, kinds=("other", "blink")).label == "bright"
    event = scored(LEVELS, kinds=("micro-expression",))
    assert (event.kind, event.status, event.reason, event.label, event.predictions) == ("other", "ok", None, None, {})
    assert spans([event]) == [(0, 2, 3, 5)]


def test_who_watches_sees_what_was_scored() -> None:
    harness = Harness(heads=True)
    seen: list[tuple[EventRow, Sequence]] = []
    harness.scoring._watch = lambda row, batch: seen.append((row, batch["clip"]))
    for i, level in enumerate(LEVELS):
        harness.show(i / 25, level)
    (event,) = harness.finish()
    ((row, clip),) = seen
    assert row == event
    assert clip.values[0].mean(dim=(1, 2, 3)).tolist() == pytest.approx([0.6, 1.0, 0.7])
    assert clip.times[0].tolist() == pytest.approx([2 / 25, 3 / 25, 5 / 25])


def test_faces_for_the_heads_are_kept_no_longer_than_needed() -> None:
    harness = Harness(heads=True)
    for i in range(300):
        harness.show(i / 25, BRIGHT if i % 40 == 9 else DARK)
        (following,) = harness.scoring._tracks.values()
        assert len(following.shots) == len(following.times) <= 25 + 17
    assert [event.onset_frame for event in harness.finish()] == list(range(9, 300, 40))
    assert all(math.isclose(event.predictions["day.bright"], BRIGHT, abs_tol=1e-6) for event in harness.events)


# How spotters are made.


def test_a_spotter_sees_the_whole_clip() -> None:
    config = BrightEventsConfig()
    stream = FrameStream(height=8, width=8, steps=("onset", "apex", "offset"))
    made: list[Any] = []

    def factory(given: BrightEventsConfig, clip: FrameStream) -> BrightEvents:
        made.append(clip)
        return BrightEvents(given, clip)

    names = NAMES.with_components(
        SpotterSpec(name="bright-events", config=BrightEventsConfig, factory=factory, summary="Bright.")
    )
    assert isinstance(build_spotter(Events(spotter=config), stream, names), BrightEvents)
    assert made == [STREAM]


def test_a_spotter_that_is_none() -> None:
    names = NAMES.with_components(
        SpotterSpec(
            name="bright-events",
            config=BrightEventsConfig,
            factory=lambda config, stream: 3,  # type: ignore[arg-type,return-value]
            summary="Wrong.",
        )
    )
    with pytest.raises(SpecError) as caught:
        build_spotter(Events(spotter=BrightEventsConfig()), STREAM, names)
    assert str(caught.value) == (
        "sampling.spotter: local/bright-events made int, which is no Spotter; derive the class from that"
    )


def test_a_spotter_whose_package_is_missing() -> None:
    names = NAMES.with_components(
        SpotterSpec(
            name="bright-events",
            config=BrightEventsConfig,
            factory=BrightEvents,
            summary="Bright.",
            requires=(Requirement(module="no_such_module", install="pip install no-such"),),
        )
    )
    with pytest.raises(MissingDependencyError) as caught:
        build_spotter(Events(spotter=BrightEventsConfig()), STREAM, names)
    assert str(caught.value) == (
        "local/bright-events: needs 'no_such_module', which is not installed; run pip install no-such"
    )
