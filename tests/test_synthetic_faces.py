"""Synthetic people: every seed is another one, detectors take them for faces, and every action unit moves them."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.data.labels import COMPOUND_11, COMPOUND_BASICS
from affectkit.data.synthetic import (
    AUS,
    BASIC_UNITS,
    COMPOUND_UNITS,
    FULL,
    SPLITS,
    FaceIdentity,
    Pose,
    place_of,
    render_face,
    split_of,
    units_of,
)
from affectkit.data.synthetic.face import Face
from affectkit.data.synthetic.openings import eye, mouth
from affectkit.data.synthetic.poses import AT_REST, Sway, inverse, matrix, move
from affectkit.data.synthetic.units import bumps, edges, field
from affectkit.errors import InputError

SIZE, IOD = (130, 130), 26.0
SEEDS = tuple(range(12))
Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def stills() -> dict[int, NDArray[np.uint8]]:
    return {seed: render_face(FaceIdentity.from_seed(seed), size=SIZE, iod=IOD, noise=2.0) for seed in SEEDS}


@pytest.fixture(scope="module")
def face() -> Face:
    return Face(FaceIdentity.from_seed(5), SIZE, IOD)


def box_of(seed: int) -> Box:
    person = FaceIdentity.from_seed(seed)
    middle = (SIZE[1] - 1) / 2.0, 0.43 * SIZE[0]
    left, right = (middle[0] + side * person.half_width * IOD for side in (-1, 1))
    top, bottom = middle[1] + person.hairline * IOD, middle[1] + person.chin * IOD
    return left, top, right - left, bottom - top


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def test_haar_finds_the_faces(stills: dict[int, NDArray[np.uint8]]) -> None:
    folder = Path(cv2.__file__).parent / "data"
    cascade = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_default.xml"))
    found = 0
    for seed, still in stills.items():
        boxes = cascade.detectMultiScale(cv2.cvtColor(still, cv2.COLOR_RGB2GRAY), 1.1, 4)
        found += any(overlap(tuple(box), box_of(seed)) > 0.5 for box in boxes)
    assert found >= len(SEEDS) - 1


def test_yunet_finds_the_faces(stills: dict[int, NDArray[np.uint8]], shared: Path) -> None:
    weights = shared / "weights" / "face_detection_yunet_2023mar.onnx"
    detector = cv2.FaceDetectorYN.create(str(weights), "", (SIZE[1], SIZE[0]), 0.7)
    found = 0
    for seed, still in stills.items():
        _, faces = detector.detect(np.ascontiguousarray(still[..., ::-1]))
        found += faces is not None and len(faces) == 1 and overlap(tuple(faces[0, :4]), box_of(seed)) > 0.6
    assert found >= len(SEEDS) - 1


def test_a_person_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    people = [FaceIdentity.from_seed(seed) for seed in range(200)]
    assert people[7] == FaceIdentity.from_seed(7)
    assert len({(person.half_width, person.chin, person.skin) for person in people}) == 200
    assert {person.hair_style for person in people} == {"short", "parted", "long", "bun", "bald"}


def test_a_still_is_the_same_for_the_same_arguments(stills: dict[int, NDArray[np.uint8]]) -> None:
    again = render_face(FaceIdentity.from_seed(3), size=SIZE, iod=IOD, noise=2.0)
    assert (again.shape, again.dtype.name) == ((*SIZE, 3), "uint8")
    np.testing.assert_array_equal(again, stills[3])
    assert np.abs(again.astype(int) - stills[4].astype(int)).mean() > 10


def test_splits_share_no_seed() -> None:
    assert [split_of(seed) for seed in (0, 4999, 5000, 9999, 10000)] == [
        "train",
        "train",
        "choice",
        "choice",
        "report",
    ]
    assert all(a.stop == b.start for a, b in pairwise(SPLITS.values()))


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_outside(seed: int) -> None:
    with pytest.raises(InputError) as caught:
        FaceIdentity.from_seed(seed)
    assert str(caught.value) == f"seed: {seed} is not accepted; give a whole number from 0 to 2147483647"


@pytest.mark.parametrize(
    ("au", "fact"),
    [
        ({"AU3": 1.0}, f"au: no unit 'AU3'; there are {', '.join(AUS)}"),
        ({"AU12": 5.5}, "au: intensity 5.5 of 'AU12' is not accepted; give a number from 0 to 5"),
        ({"AU12": float("nan")}, "au: intensity nan of 'AU12' is not accepted; give a number from 0 to 5"),
    ],
)
def test_stills_that_can_not_be(au: dict[str, float], fact: str) -> None:
    with pytest.raises(InputError) as caught:
        render_face(FaceIdentity.from_seed(0), au)
    assert str(caught.value) == fact


@pytest.mark.parametrize("au", AUS)
def test_every_unit_moves_skin_by_its_peak(face: Face, au: str) -> None:
    rest, moved = face.draw({}), face.draw({au: 2.0})
    assert np.abs(moved.color - rest.color).max() > 0.02
    x, y = np.meshgrid(np.arange(SIZE[1], dtype=np.float64), np.arange(SIZE[0], dtype=np.float64))
    points = np.stack([x, y], axis=-1)
    length = np.hypot(*(face.destination(points, {au: 2.0}, AT_REST) - points).transpose(2, 0, 1))
    assert 1.2 < length.max() < 3.5
    # Units are local: the corners of the picture stay.
    assert length[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.02


def test_fields_have_length_one_and_two_sides() -> None:
    person = FaceIdentity.from_seed(5)
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 151, dtype=np.float32), np.linspace(-1.5, 2.0, 176, dtype=np.float32))
    for au in AUS:
        length = np.sqrt((field(au, person, x, y) ** 2).sum(axis=-1))
        assert length.max() == pytest.approx(1.0 if bumps(au, person) else 0.0, abs=0.01)
        left, right = length[:, :70].max(), length[:, 81:].max()
        assert left == pytest.approx(right, rel=0.3)
        # Every unit has something to move.
        assert bumps(au, person) or any(edges({au: 1.0}))
    assert edges({"AU12": 3.0}) == (0.0, 0.0, 0.0, 0.0)


def test_a_smile_raises_the_corners_of_the_mouth(face: Face) -> None:
    rest, smile = face.landmarks({}, AT_REST), face.landmarks({"AU12": 2.0}, AT_REST)
    left, right = smile[3] - rest[3], smile[4] - rest[4]
    assert left[0] < -0.8 < 0.8 < right[0]
    assert left[1] < -0.8
    assert right[1] < -0.8
    np.testing.assert_array_equal(smile[:2], rest[:2])
    # The left one in the image comes first.
    assert rest[0, 0] < rest[1, 0]
    np.testing.assert_allclose(rest[1] - rest[0], [IOD, 0.0])


def test_closed_eyes_and_parted_lips(face: Face) -> None:
    full = {au: FULL[au] * IOD / 50.0 for au in ("AU5", "AU25", "AU43")}
    rest = (face.draw({}).skin < 0.5).sum()
    assert (face.draw({"AU43": full["AU43"]}).skin < 0.5).sum() == 0
    assert (face.draw({"AU5": full["AU5"]}).skin < 0.5).sum() > 1.1 * rest
    assert (face.draw({"AU25": full["AU25"]}).skin < 0.5).sum() > rest + 20


def test_skin_beside_an_opening_follows_its_edge() -> None:
    person = FaceIdentity.from_seed(5)
    for opening in (eye(person, -1.0), eye(person, 1.0), mouth(person)):
        x = np.full(3, opening.x, np.float32)
        top, bottom, _ = opening.curves(x)
        y = np.array([top[0] - 1e-4, bottom[0] + 1e-4, bottom[0] + 2.0], np.float32)
        moved = opening.target(x, y, -0.03, 0.05)
        np.testing.assert_allclose(moved - y, [-0.03, 0.05, 0.0], atol=1e-3)
        np.testing.assert_allclose(opening.source(x, moved, -0.03, 0.05), y, atol=1e-5)


def test_edges_touch_and_do_not_pass() -> None:
    opening = eye(FaceIdentity.from_seed(5), 1.0)
    x = np.linspace(0.0, 1.0, 50, dtype=np.float32)
    closed = opening.curves(x, upper=1.0)
    np.testing.assert_array_equal(closed.upper, closed.lower)


def test_poses() -> None:
    # A quarter turn clockwise takes what is right of the pivot below it.
    forward = matrix(Pose(x=1.0, y=2.0, angle=90.0, scale=2.0), (10.0, 20.0))
    np.testing.assert_allclose(move(forward, np.array([13.0, 20.0])), [11.0, 28.0], atol=1e-12)
    np.testing.assert_allclose(move(inverse(forward), np.array([11.0, 28.0])), [13.0, 20.0], atol=1e-12)


def test_a_head_sways_as_fast_as_it_may() -> None:
    sway = Sway(np.random.default_rng(3), 10.0, 5.0, 3.0)
    assert sway.pose(0.0) == Pose()
    poses = np.array([sway.pose(time) for time in np.arange(0.0, 10.0, 0.01)])
    change = np.diff(poses, axis=0) / 0.01
    assert np.hypot(change[:, 0], change[:, 1]).max() == pytest.approx(5.0, rel=0.01)
    assert np.abs(change[:, 2]).max() == pytest.approx(3.0, rel=0.01)
    assert Sway(np.random.default_rng(3), 10.0, 0.0, 0.0).pose(4.0) == Pose()


def test_expressions() -> None:
    assert set(COMPOUND_UNITS) == set(COMPOUND_11) < set(COMPOUND_BASICS)
    assert units_of("happiness") == ("AU6", "AU12")
    assert units_of("neutral") == ()
    assert all(set(units) <= set(AUS) for units in (*BASIC_UNITS.values(), *COMPOUND_UNITS.values()))
    assert place_of("happiness") == (0.8, 0.5)
    assert place_of("happily_surprised") == pytest.approx((0.45, 0.65))


def test_importing_needs_neither_torch_nor_opencv() -> None:
    code = "import affectkit.data.synthetic, sys; print({'torch', 'cv2', 'av'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
