"""Faces that keep their numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.configs import Tracking
from affectkit.data.synthetic import make_walks, render_scene
from affectkit.errors import InputError
from affectkit.faces.yunet import YuNetConfig
from affectkit.records import Face
from affectkit.registry import default_registry
from affectkit.video.appearance import appearance, difference, is_covered
from affectkit.video.detection import build_detector
from affectkit.video.quality import face_status
from affectkit.video.reader import VideoFrame, read_frames
from affectkit.video.tracking import TrackedFace, Tracker
from affectkit.video.trajectory import Trajectory
from tests.scenes import Path as Way, Person, Seen, follow, line, scene, sprite, switches, times


@pytest.fixture
def detector(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    return build_detector(YuNetConfig(), default_registry())


def frame(index: int, pts: float) -> VideoFrame:
    return VideoFrame(index=index, pts=pts, image=np.zeros((90, 160, 3), np.uint8))


def at(x: float, y: float = 40.0, side: float = 20.0, score: float = 0.9, track: int | None = None) -> Face:
    return Face(box=(x - side / 2, y - side / 2, side, side), score=score, track=track)


def numbers(found: list[tuple[TrackedFace, ...]]) -> list[list[int]]:
    return [[face.track for face in faces] for faces in found]


def run(rows: list[tuple[float, list[Face]]], config: Tracking | None = None) -> list[list[int]]:
    tracker = Tracker(config or Tracking())
    return numbers([tracker.update(frame(k, pts), faces) for k, (pts, faces) in enumerate(rows)])


def crossing(seed: int, seconds: float = 3.0) -> list[Person]:
    return [
        Person(2 * seed + 1, line((60, 180), (580, 190), seconds, 80)),
        Person(2 * seed + 2, line((580, 175), (60, 185), seconds, 75)),
    ]


def turning_back(x: float, away: float) -> Way:
    """To the middle, where the two meet, and back."""
    return lambda t: (x + away * min(t, 3 - t), 180.0, 80.0)


def leaving(gap: float, *, other_side: bool) -> Way:
    """Out of the picture on the right, and in again, on that side or on the other."""

    def way(t: float) -> tuple[float, float, float] | None:
        if t < 1.4:
            return 500 + 100 * t, 180, 80
        if t < 1.4 + gap:
            return None
        back = 150 * (t - 1.4 - gap)
        return (-5 + back if other_side else 645 - back), 190, 82

    return way


@pytest.mark.parametrize(
    ("fps", "jitter", "noise", "missed"),
    [(30, 0.0, 0.02, 0.0), (30, 0.9, 0.03, 0.2), (10, 0.5, 0.02, 0.1), (5, 0.0, 0.02, 0.0), (60, 0.5, 0.04, 0.3)],
)
def test_two_people_cross(fps: float, jitter: float, noise: float, missed: float) -> None:
    for seed in range(2):
        moments = times(3, fps, jitter=jitter, seed=seed)
        seen = list(scene(crossing(seed), moments, noise=noise, missed=missed, seed=seed))
        assert switches(seen, follow(seen)) == []


def test_the_baseline_switches_where_two_people_cross() -> None:
    # The nearest face of the frame before: the scenes are no walkover.
    seen = list(scene(crossing(0), times(3, 30), seed=0))
    last: dict[int, tuple[float, float]] = {}
    found = []
    for item in seen:
        free, given = dict(last), []
        places: dict[int, tuple[float, float]] = {}
        for face in item.faces:
            x, y = face.box[0], face.box[1]
            track = min(free, key=lambda n: math.dist(free[n], (x, y)), default=len(last) + len(places))
            free.pop(track, None)
            places[track] = (x, y)
            given.append(TrackedFace(track=track, face=face))
        last |= places
        found.append(tuple(given))
    assert switches(seen, found)


def test_two_people_cross_in_pictures_that_show_nothing() -> None:
    for seed in range(5):
        seen = list(scene(crossing(seed), times(3, 30), seed=seed, textured=False))
        assert switches(seen, follow(seen)) == []


@pytest.mark.parametrize("seed", [274, 340, 358])
def test_two_rendered_people_cross(seed: int, detector: Any) -> None:
    # Of the one behind, hair and half a face come out first: a box and a look that are not those of before.
    walks, _ = make_walks("crossing", seed)
    passing = [replace(walk, steps=tuple(step._replace(time=step.time - 1.6) for step in walk.steps)) for walk in walks]
    rendered, tracker = render_scene(seed, passing, seconds=0.8), Tracker(Tracking())
    found = []
    for index, image in enumerate(rendered.frames()):
        item = VideoFrame(index=index, pts=float(rendered.times[index]), image=image)
        found.append(tracker.update(item, detector.detect(image)))
    assert any(len(faces) == 1 for faces in found)
    assert {face.track for faces in found for face in faces} == {0, 1}
    first, last = (sorted(faces, key=lambda face: face.face.box[0]) for faces in (found[0], found[-1]))
    assert [face.track for face in last] == [face.track for face in reversed(first)]


@pytest.mark.parametrize("fps", [12, 15, 25])
def test_the_box_of_a_face_that_is_half_hidden_is_that_of_its_other_half(fps: int) -> None:
    # It stays behind the face that disappears, and runs ahead of the one that comes out.
    rows: list[tuple[float, list[Face]]] = []
    for index in range(fps):
        near, far = 50 + 60 * index / fps, 110 - 60 * index / fps
        left, right = (max(far - 10, near + 10), far + 10) if far > near else (far - 10, min(far + 10, near - 10))
        shows = [Face(box=(left, 30, right - left, 20), score=0.8)] if right - left > 8 else []
        rows.append((index / fps, [at(near), *shows]))
    found = run(rows)
    assert [0] in found
    assert sorted(found[-1]) == [0, 1]
    assert {number for row in found for number in row} == {0, 1}


@pytest.mark.parametrize("seeds", [(4, 11), (10, 2), (3, 0)])
def test_somebody_else_at_the_edge_is_not_the_one_who_left(seeds: tuple[int, int]) -> None:
    def leaving(t: float) -> tuple[float, float, float]:
        return 560 + 250 * t, 180, 80

    def coming(t: float) -> tuple[float, float, float]:
        return 560 + 250 * (1.2 - t), 180, 80

    seen = list(scene([Person(seeds[0], leaving), Person(seeds[1], coming)], times(1.2, 30)))
    assert any(not item.faces for item in seen)
    assert switches(seen, follow(seen)) == []


def test_a_face_that_turns_round_at_once_keeps_its_number() -> None:
    # Five of its sizes per second to the right, and then as fast to the left: no path leads there.
    person = Person(3, lambda t: (120 + 400 * min(t, 1.4 - t), 180.0, 80.0))
    seen = list(scene([person], times(1.4, 25), seed=1))
    assert {face.track for faces in follow(seen) for face in faces} == {0}


def test_two_people_meet_and_turn_back() -> None:
    for seed in range(2):
        people = [Person(2 * seed + 1, turning_back(200, 75)), Person(2 * seed + 2, turning_back(440, -75))]
        seen = list(scene(people, times(3, 30), seed=seed))
        assert any(len(item.faces) == 1 for item in seen)  # one was hidden
        assert switches(seen, follow(seen)) == []


@pytest.mark.parametrize("other_side", [False, True])
@pytest.mark.parametrize("gap", [0.2, 0.6])
def test_a_person_leaves_and_comes_back_within_a_second(gap: float, other_side: bool) -> None:
    for seed in range(2):
        stays = Person(2 * seed + 2, lambda t: (200 + 40 * math.sin(t), 200, 90))
        people = [Person(2 * seed + 1, leaving(gap, other_side=other_side)), stays]
        seen = list(scene(people, times(3, 25, jitter=0.5, seed=seed), seed=seed))
        assert switches(seen, follow(seen)) == []


def test_five_people() -> None:
    def way(k: int) -> Way:
        return lambda t: (
            70 + 125 * k + 55 * math.sin(2 * t + k),
            120 + 90 * (k % 2) + 15 * math.cos(3 * t),
            60 + 5 * k,
        )

    people = [Person(20 + k, way(k)) for k in range(5)]
    seen = list(scene(people, times(3, 25, jitter=0.8), missed=0.1, noise=0.03))
    found = follow(seen)
    assert switches(seen, found) == []
    assert {face.track for faces in found for face in faces} == {0, 1, 2, 3, 4}


def test_faces_come_largest_first_with_numbers_from_0() -> None:
    tracker = Tracker(Tracking())
    (large, small) = tracker.update(frame(0, 0.0), [at(30, side=10), at(100, side=30)])
    assert (large.face.box[2], large.track) == (30, 0)
    assert (small.face.box[2], small.track) == (10, 1)


def test_a_gap_up_to_the_limit_keeps_the_track() -> None:
    assert run([(0.0, [at(50)]), (1.0, [at(50)])]) == [[0], [0]]
    assert run([(0.0, [at(50)]), (0.5, []), (1.01, [at(50)])]) == [[0], [], [1]]
    assert run([(0.0, [at(50)]), (3.0, [at(50)])], Tracking(max_gap_seconds=3.0)) == [[0], [0]]


def test_seconds_count_and_not_frames() -> None:
    assert run([(0.0, [at(50)]), *((0.001 * k, []) for k in range(1, 500)), (0.5, [at(50)])])[-1] == [0]


def test_several_boxes_of_one_face_are_one_track() -> None:
    double = replace(at(52, side=22), score=0.7)
    inside = replace(at(50, side=14), score=0.65)
    rows = [(k / 30, [at(50 + k), double, inside] if k < 3 else [double, at(50 + k)]) for k in range(6)]
    assert run(rows) == [[0]] * 6


def test_a_second_box_of_a_face_is_not_the_one_that_was_hidden() -> None:
    rows = [(k / 30, [at(40 + 2 * k), at(80 - 2 * k, y=42)]) for k in range(8)]
    rows += [((8 + k) / 30, [at(56 + 2 * k), replace(at(57 + 2 * k, side=15), score=0.75)]) for k in range(4)]
    assert run(rows)[-1] == [0]


def test_a_face_of_low_score_keeps_its_track_and_may_begin_one() -> None:
    assert run([(0.0, [at(50)]), (0.04, [at(50, score=0.3)]), (0.08, [at(50)])]) == [[0], [0], [0]]
    assert run([(0.0, [at(50, score=0.3)])]) == [[0]]


def test_the_surer_face_is_assigned_first() -> None:
    # Both fit; the surer one does, though the other is nearer.
    rows = [(0.0, [at(50)]), (0.04, [at(50.5, score=0.5, side=20), at(57, score=0.9)])]
    tracker = Tracker(Tracking())
    tracker.update(frame(0, *rows[0][:1]), rows[0][1])
    found = {face.face.score: face.track for face in tracker.update(frame(1, 0.04), rows[1][1])}
    assert found[0.9] == 0


def test_max_faces_keeps_the_largest() -> None:
    rows = [(k / 30, [at(30, side=14), at(80, side=30), at(130, side=20)]) for k in range(3)]
    assert run(rows, Tracking(max_faces=1)) == [[0]] * 3
    assert run(rows, Tracking(max_faces=2)) == [[0, 1]] * 3


def test_max_faces_does_not_flap() -> None:
    rows = [(k / 30, [at(30, side=20 + k % 2), at(100, side=20.5)]) for k in range(10)]
    found = run(rows, Tracking(max_faces=1))
    assert found == [[0]] * 10
    # Nor does another face fill the place for the frames in which the face is missed.
    rows = [(k / 30, [at(30, side=14)] if k % 3 else [at(30, side=14), at(100, side=30)]) for k in range(10)]
    assert run(rows, Tracking(max_faces=1)) == [[] if k % 3 else [0] for k in range(10)]


def test_max_faces_gives_way_to_a_face_that_is_clearly_larger() -> None:
    rows = [(k / 30, [at(30, side=12)]) for k in range(3)] + [
        (0.1 + k / 30, [at(30, side=12), at(100, side=30)]) for k in range(3)
    ]
    assert run(rows, Tracking(max_faces=1)) == [[0]] * 3 + [[1]] * 3


def test_numbers_that_the_detector_gives_win() -> None:
    rows = [(0.0, [at(30, track=7), at(100, side=30, track=3)]), (0.04, [at(100, side=30, track=7), at(30, track=3)])]
    assert run(rows) == [[3, 7], [7, 3]]
    # Also after any gap, and other faces get numbers of their own.
    rows = [(0.0, [at(30, track=2)]), (9.0, [at(30, track=2), at(100, side=30)])]
    assert run(rows) == [[2], [3, 2]]
    rows = [(0.0, [at(30)]), (0.1, [at(30), at(100, track=0)])]
    assert sorted(run(rows)[1]) == [0, 1]


def test_a_number_given_twice() -> None:
    with pytest.raises(InputError) as error:
        run([(0.0, []), (0.1, [at(30, track=2), at(100, track=2)])])
    assert str(error.value) == ("frame 1: two faces have the track 2; give each face of a frame a number of its own")


def test_a_box_that_is_not_finite() -> None:
    with pytest.raises(InputError) as error:
        run([(0.0, [Face(box=(1.0, math.nan, 5.0, 5.0))])])
    assert str(error.value) == ("frame 0: the face's box (1.0, nan, 5.0, 5.0) is not finite; mend the face detector")


def test_equal_times_and_boxes_without_area_are_no_error() -> None:
    assert run([(0.0, [at(50)]), (0.0, [at(50)]), (0.0, [Face(box=(1.0, 1.0, 0.0, 0.0))])]) == [[0], [0], [1]]


@pytest.mark.parametrize("stop", [10, 37, 60])
def test_a_tracker_goes_on_from_a_snapshot(stop: int) -> None:
    seen = list(scene(crossing(4), times(3, 30, jitter=0.5), missed=0.2, seed=4))
    config = Tracking(max_faces=2)
    whole = follow(seen, config)
    first, second = Tracker(config), Tracker(config)
    found = [first.update(item.frame, list(item.faces)) for item in seen[:stop]]
    state = json.loads(json.dumps(first.snapshot(), allow_nan=False))
    second.restore(state)
    found += [second.update(item.frame, list(item.faces)) for item in seen[stop:]]
    assert found == whole
    assert json.loads(json.dumps(second.snapshot())) != state


def test_numpy_numbers_go_into_a_snapshot() -> None:
    tracker = Tracker(Tracking())
    box: Any = tuple(np.array([10, 10, 20, 20], np.float32))
    tracker.update(frame(0, 0.0), [Face(box=box)])
    json.dumps(tracker.snapshot())


def test_memory_is_bounded() -> None:
    tracker = Tracker(Tracking(max_gap_seconds=1e9))
    for k in range(150):
        tracker.update(frame(k, k / 30), [at(20 + 40 * (k % 3) + 7 * n, 30 * (n + 1), 5.0 + k % 7) for n in range(3)])
    assert len(tracker.snapshot()["tracks"]) <= 256
    tracker = Tracker(Tracking())
    for k in range(60):
        tracker.update(frame(k, 2.0 * k), [at(50)])
    assert len(tracker.snapshot()["tracks"]) == 1


def test_the_order_of_the_faces_does_not_matter() -> None:
    seen = list(scene(crossing(1), times(2, 20), seed=1))
    turned = [Seen(item.frame, item.faces[::-1], item.people[::-1]) for item in seen]
    assert numbers(follow(seen)) == numbers(follow(turned))


def test_appearance_tells_people_apart_and_not_boxes() -> None:
    one, other = (np.pad(sprite(seed), ((30, 30), (30, 30), (0, 0))) for seed in (1, 2))
    box, beside = (30.0, 30.0, 90.0, 120.0), (32.0, 27.0, 91.0, 124.0)
    near = difference(appearance(one, box), appearance(one, beside))
    far = difference(appearance(one, box), appearance(other, box))
    assert near is not None
    assert far is not None
    assert near < 0.06 < 0.12 < far


def test_a_face_is_covered_where_another_one_touches_it() -> None:
    box = (30.0, 30.0, 20.0, 20.0)
    assert is_covered(box, [(90.0, 30.0, 20.0, 20.0), (53.0, 30.0, 20.0, 20.0)])  # hair reaches farther than the box
    assert not is_covered(box, [(55.0, 30.0, 20.0, 20.0), (30.0, 55.0, 20.0, 20.0)])
    assert not is_covered(box, [])


@pytest.mark.parametrize("seconds", [0.0, 1.0, 1e4, 3e4, 1e9])
def test_a_face_that_was_away_for_long_may_be_anywhere(seconds: float) -> None:
    expected = Trajectory.start(0.0, 0.0, 100.0).after(seconds, 100.0)
    squared, total = expected.surprise(3.0, 4.0, 100.0, is_covered=False)
    assert 0 < squared < 1
    assert squared < total <= squared + 14


def test_appearance_leaves_out_what_is_hidden_or_outside() -> None:
    picture = np.pad(sprite(1), ((30, 30), (30, 30), (0, 0)))
    box = (30.0, 30.0, 90.0, 120.0)
    whole = appearance(picture, box)
    assert (whole.shape, bool(np.isnan(whole).any())) == ((36, 3), False)
    hidden = appearance(picture, box, [(90.0, 0.0, 60.0, 200.0)]).reshape(6, 6, 3)
    assert np.isnan(hidden[:, 4:]).all()
    assert not np.isnan(hidden[:, :3]).any()
    cut = np.ascontiguousarray(picture[:, 75:])
    outside = appearance(cut, (-45.0, 30.0, 90.0, 120.0)).reshape(6, 6, 3)
    assert np.isnan(outside[:, :3]).all()
    assert not np.isnan(outside[:, 4:]).any()
    np.testing.assert_allclose(outside[:, 4:], whole.reshape(6, 6, 3)[:, 4:], atol=0.05)
    assert difference(hidden.reshape(-1, 3), outside.reshape(-1, 3)) is None
    red = np.full((99, 99, 3), (200, 60, 30), np.uint8)
    for nothing in (appearance(picture, (900.0, 900.0, 20.0, 20.0)), appearance(red, box)):
        assert np.isnan(nothing).all()


def test_faces_that_are_unsure_or_small_have_low_confidence() -> None:
    config = Tracking()
    assert face_status(at(50, side=20, score=0.7), config) == "ok"
    assert face_status(at(50, side=20, score=0.69), config) == "low_confidence"
    assert face_status(Face(box=(0.0, 0.0, 19.9, 40.0)), config) == "low_confidence"
    assert face_status(at(50, side=5, score=0.1), Tracking(min_confidence=0.0, min_size=5.0)) == "ok"


@pytest.mark.parametrize(
    ("name", "frames", "faces", "tracks"),
    [("noface_face.mov", 169, 72, 1), ("multi_face.jpg", 1, 5, 5)],
)
def test_real_clips(shared: Path, detector: Any, name: str, frames: int, faces: int, tracks: int) -> None:
    tracker = Tracker(Tracking())
    found = [
        tracker.update(item, detector.detect(item.image))
        for item in read_frames(shared / "media" / name)
        if isinstance(item, VideoFrame)
    ]
    assert len(found) == frames
    assert sum(map(len, found)) == faces
    assert {face.track for tracked in found for face in tracked} == set(range(tracks))
