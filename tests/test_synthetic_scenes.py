"""Synthetic scenes: everyone is where the truth says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.data.synthetic import SCENARIOS, Scenario, Step, SyntheticScene, Walk, make_walks, render_scene
from affectkit.data.synthetic.identity import FaceIdentity
from affectkit.errors import InputError
from affectkit.video.reader import read_frames

SIZE = (180, 320)


@pytest.fixture(scope="module")
def crossing() -> SyntheticScene:
    walks, seconds = make_walks("crossing", 7, size=SIZE)
    small = [replace(walk, iod=walk.iod / 2) for walk in walks]
    return render_scene(7, small, seconds=seconds, size=SIZE, fps=15.0)


def test_boxes_and_shares_of_a_crossing(crossing: SyntheticScene) -> None:
    assert crossing.boxes.shape == (60, 2, 4)
    assert crossing.landmarks.shape == (60, 2, 5, 2)
    left = crossing.boxes[:, :, 0]
    # They change sides, evenly.
    assert left[0, 0] < left[0, 1]
    assert left[-1, 0] > left[-1, 1]
    np.testing.assert_allclose(np.diff(left[:, 0]), np.diff(left[:, 0])[0])
    # The nearer one hides the other for a while, and is never hidden.
    assert crossing.shown[0].tolist() == [1.0, 1.0]
    assert crossing.shown[:, 0].min() < 0.35
    assert crossing.shown[:, 1].min() == 1.0


def test_faces_are_where_the_boxes_are(crossing: SyntheticScene) -> None:
    first, second = crossing.frame(0).astype(int), crossing.frame(10).astype(int)
    moved = np.abs(first - second).mean(axis=-1)
    for left, top, width, height in crossing.boxes[0]:
        inside = moved[int(top) : int(top + height), int(left) : int(left + width)]
        assert inside.mean() > 15
    # Between the people and over them is wall, which stays: only noise.
    assert moved[:15].mean() < 4


def test_detectors_find_both(crossing: SyntheticScene, shared: Path) -> None:
    weights = shared / "weights" / "face_detection_yunet_2023mar.onnx"
    detector = cv2.FaceDetectorYN.create(str(weights), "", (SIZE[1], SIZE[0]), 0.6)

    def middles(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
        _, faces = detector.detect(np.ascontiguousarray(frame[..., ::-1]))
        found = faces[np.argsort(faces[:, 0])]
        return np.asarray(found[:, :2] + found[:, 2:4] / 2, np.float64)

    for index in (0, 59):
        boxes = crossing.boxes[index]
        truth = boxes[np.argsort(boxes[:, 0])]
        np.testing.assert_allclose(middles(crossing.frame(index)), truth[:, :2] + truth[:, 2:] / 2, atol=6.0)


def test_a_scene_is_the_same_for_the_same_arguments(crossing: SyntheticScene, tmp_path: Path) -> None:
    walks, _ = make_walks("crossing", 7, size=SIZE)
    assert [walk.person for walk in walks] == [FaceIdentity.from_seed(7), FaceIdentity.from_seed(8)]
    path = crossing.write(tmp_path / "scene.mp4")
    frames = list(read_frames(path))
    assert [frame.pts for frame in frames] == pytest.approx(crossing.times.tolist(), abs=1e-5)
    assert len(frames) == len(crossing) == 60
    np.testing.assert_array_equal(crossing.frame(3), next(f for i, f in enumerate(crossing.frames()) if i == 3))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenarios(scenario: Scenario) -> None:
    (first, second), seconds = make_walks(scenario, 4999)
    # The next seed of the last one of a split is the split's first.
    assert (first.person.seed, second.person.seed) == (4999, 0)
    assert seconds == 4.0
    times = np.arange(0.0, seconds, 0.01)
    places = [second.place(float(time)) for time in times]
    gone = np.array([place is None or place[0] > 640 for place in places])
    away = gone.sum() * 0.01
    if scenario == "crossing":
        assert away == 0.0
    elif scenario == "leaving":
        assert gone[-1]
    else:
        assert 0.5 < away < 1.0
        assert not gone[0]
        assert not gone[-1]


def test_nobody_is_where_nobody_is() -> None:
    walk = Walk(person=FaceIdentity.from_seed(2), steps=(Step(0.0, 60.0, 50.0),), iod=12.0, hidden=((0.0, 0.2),))
    scene = render_scene(2, [walk], seconds=0.4, size=(120, 120), fps=10.0, noise=0.0)
    assert np.isnan(scene.boxes[:2]).all()
    assert not np.isnan(scene.boxes[2:]).any()
    assert scene.shown[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert np.abs(scene.frame(0).astype(int) - scene.frame(2)).max() > 30
    np.testing.assert_array_equal(scene.frame(2), scene.frame(3))


def test_a_figure_outside_the_picture_is_not_drawn() -> None:
    person = FaceIdentity.from_seed(2)
    steps = (Step(0.0, 60.0, 50.0), Step(0.1, 400.0, 50.0))
    scene = render_scene(2, [Walk(person=person, steps=steps, iod=12.0)], seconds=0.2, size=(120, 120), fps=10.0)
    assert scene.shown[:, 0].tolist() == [1.0, 0.0]
    empty = render_scene(2, [], seconds=0.2, size=(120, 120), fps=10.0)
    np.testing.assert_array_equal(scene.frame(1), empty.frame(1))


def test_walks_that_can_not_be() -> None:
    with pytest.raises(InputError) as caught:
        render_scene(2, [Walk(person=FaceIdentity.from_seed(2), steps=())], seconds=1.0)
    assert str(caught.value) == "walks[0]: no steps; give at least one"
    with pytest.raises(InputError) as caught:
        make_walks("dancing", 2)  # type: ignore[arg-type]
    assert str(caught.value) == "scenario: no 'dancing'; there are crossing, leaving, coming_back, hidden"
