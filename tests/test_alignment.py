"""Templates, similarities and the warp."""

from __future__ import annotations

import cmath
import math
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.records import Face
from affectkit.video.alignment import TEMPLATES, Similarity, fit, has_landmarks, template_points, warp

POINTS = tuple(
    zip((30.2946, 65.5318, 48.0252, 33.5493, 62.7299), (51.6963, 51.5014, 71.7366, 92.3655, 92.2041), strict=True)
)


def moved(points: tuple[complex, ...], similarity: Similarity) -> Face:
    landmarks = tuple((z.real, z.imag) for z in map(similarity, points))
    return Face(box=(0.0, 0.0, 10.0, 10.0), landmarks=landmarks)


def turn(scale: float, degrees: float, offset: complex) -> Similarity:
    return Similarity(cmath.rect(scale, math.radians(degrees)), offset)


def bilinear_ref(image: NDArray[np.float64], similarity: Similarity, height: int, width: int) -> NDArray[np.float64]:
    """Pixel by pixel; beyond the border its edge."""
    crop = np.zeros((height, width, 3))
    for v in range(height):
        for u in range(width):
            z = (complex(u, v) - similarity.b) / similarity.a
            x, y = math.floor(z.real), math.floor(z.imag)
            for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
                weight = (1 - abs(z.real - x - dx)) * (1 - abs(z.imag - y - dy))
                row = min(max(y + dy, 0), image.shape[0] - 1)
                crop[v, u] += weight * image[row, min(max(x + dx, 0), image.shape[1] - 1)]
    return crop


def smooth_picture(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + k) * np.cos(y / (11 + k)) for k in range(3)]
    return np.round(127 + 110 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_a_face_on_the_template_comes_to_the_template(name: str) -> None:
    template = TEMPLATES[name]
    there = turn(140, 25, 200 + 80j)
    similarity = template.similarity(moved(template.points, there))
    for z in (0j, 1 + 0j, 0.3 + 0.8j):
        assert similarity(there(z)) == pytest.approx(z, abs=1e-9)


def test_arcface_has_the_published_points() -> None:
    for found, (x, y) in zip(TEMPLATES["arcface"].points, POINTS, strict=True):
        assert found * 112 == pytest.approx(complex(x + 8, y))


def test_dlib_is_centered_and_scaled_as_described() -> None:
    # Of any face, also one that fits no template: a wide one, with the nose and the mouth askew.
    face = Face(box=(0, 0, 9, 9), landmarks=((100, 100), (180, 120), (150, 160), (95, 190), (160, 215)))
    similarity = TEMPLATES["dlib"].similarity(face)
    left, right, _, low_left, low_right = (similarity(complex(*point)) for point in face.landmarks)
    mouth = (low_left + low_right) / 2
    assert (left + right + mouth) / 3 == pytest.approx(0.5 + 0.43j, abs=1e-5)
    assert (abs(left - mouth) + abs(right - mouth)) / 2 == pytest.approx(0.45, abs=1e-5)
    assert (right - left + low_right - low_left).imag == pytest.approx(0, abs=1e-12)
    assert TEMPLATES["dlib"].similarity(moved(TEMPLATES["dlib"].points, turn(1, 0, 0j))).scale == pytest.approx(
        1, abs=0.01
    )


def test_steady_leaves_room() -> None:
    template = TEMPLATES["steady"]
    assert template.iod == pytest.approx(0.3)
    assert [point.imag for point in template.points[:2]] == [0.4, 0.4]


def test_fit_has_the_least_squares() -> None:
    draw = random.Random(0)
    for _ in range(20):
        points = [complex(draw.gauss(0, 30), draw.gauss(0, 30)) for _ in range(5)]
        onto = [complex(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(5)]
        best = fit(points, onto)
        assert best is not None

        def error(similarity: Similarity, points: list[complex] = points, onto: list[complex] = onto) -> float:
            return sum(abs(similarity(p) - q) ** 2 for p, q in zip(points, onto, strict=True))

        # The four real unknowns by linear least squares.
        rows = [[p.real, -p.imag, 1, 0] for p in points] + [[p.imag, p.real, 0, 1] for p in points]
        wanted = [q.real for q in onto] + [q.imag for q in onto]
        a0, a1, b0, b1 = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
        assert best.a == pytest.approx(complex(a0, a1))
        assert best.b == pytest.approx(complex(b0, b1))
        assert error(best) <= error(Similarity(best.a * 1.001, best.b))
        assert error(best) <= error(Similarity(best.a, best.b + 0.001j))


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    points = TEMPLATES["arcface"].points
    mirrored = [complex(-p.real, p.imag) for p in points]
    similarity = fit(mirrored, points)
    assert similarity is not None
    # A similarity keeps the sense of rotation; the left eye stays on the wrong side.
    assert similarity(mirrored[0]).real > similarity(mirrored[1]).real


def test_points_that_are_one_have_no_similarity() -> None:
    assert fit([3 + 4j] * 5, TEMPLATES["arcface"].points) is None


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_landmarks_in_one_place_or_of_another_number_leave_the_box(name: str) -> None:
    template = TEMPLATES[name]
    box = (40.0, 30.0, 60.0, 75.0)
    wanted = template.by_box(Face(box=box))
    assert template.similarity(Face(box=box, landmarks=((5.0, 5.0),) * 5)) == wanted
    assert template.similarity(Face(box=box, landmarks=((5.0, 5.0), (9.0, 9.0)))) == wanted
    assert not has_landmarks(Face(box=box, landmarks=((5.0, 5.0), (9.0, 9.0))))


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_five_points_beside_other_landmarks_are_what_counts(name: str) -> None:
    box, five = (40.0, 30.0, 60.0, 75.0), ((50.0, 55.0), (90.0, 57.0), (71.0, 72.0), (55.0, 90.0), (84.0, 91.0))
    mesh = tuple((float(i % 60), float(i % 90)) for i in range(478))
    face = Face(box=box, landmarks=mesh, five_points=five)
    assert template_points(face) == [complex(x, y) for x, y in five]
    assert TEMPLATES[name].similarity(face) == TEMPLATES[name].similarity(Face(box=box, landmarks=five))
    assert has_landmarks(face)
    assert not has_landmarks(Face(box=box, landmarks=mesh))


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_the_box_of_a_face_stands_in_for_its_landmarks(name: str) -> None:
    # As YuNet sees the face of shared/media/single_face.mp4 in its first frame.
    landmarks = ((259.6, 167.6), (326.5, 165.7), (294.1, 212.9), (270.2, 248.6), (324.1, 245.8))
    face = Face(box=(223.1, 84.8, 144.6, 212.9), landmarks=landmarks)
    by_points, by_box = TEMPLATES[name].similarity(face), TEMPLATES[name].by_box(face)
    assert by_box.scale == pytest.approx(by_points.scale, rel=0.1)
    assert by_box.a.imag == 0
    for point in landmarks:
        assert abs(by_box(complex(*point)) - by_points(complex(*point))) < 0.06


def test_a_box_without_area_is_no_error() -> None:
    assert math.isfinite(TEMPLATES["arcface"].by_box(Face(box=(1.0, 1.0, 0.0, 5.0))).scale)


@pytest.mark.parametrize("similarity", [turn(1, 0, -20 - 10j), turn(1.7, 30, 5 - 40j), turn(1, -90, -3 + 60j)])
def test_the_warp_is_bilinear_where_nothing_shrinks(similarity: Similarity) -> None:
    image = smooth_picture(60, 80)
    found = warp(image, similarity, 24, 32)
    wanted = bilinear_ref(image / 255.0, similarity, 24, 32)
    assert (found.shape, found.dtype.name) == ((24, 32, 3), "float32")
    # OpenCV may place samples on a grid of 1/32 pixel.
    np.testing.assert_allclose(found, wanted, atol=1.5 / 32 * 110 / 9 / 255 * 2)


@pytest.mark.parametrize("shrink", [1.3, 1.6, 2.0, 2.4, 3.7, 5.0])
def test_what_shrinks_does_not_alias(shrink: float) -> None:
    y, x = np.mgrid[0:240, 0:240]
    stripes = np.repeat((255 * ((x + y) % 2)).astype(np.uint8)[..., None], 3, axis=2)
    crop = warp(stripes, turn(1 / shrink, 7, 3 + 2j), 30, 30)
    # All that is left of the finest checkerboard, whose contrast is 1, is its mean.
    assert float(np.abs(crop[2:-2, 2:-2] - 0.5).max()) < (0.36 if shrink < 1.5 else 0.06)


@pytest.mark.parametrize("shrink", [1.0, 1.5, 2.0, 3.0, 4.6])
def test_shrinking_keeps_places(shrink: float) -> None:
    y, x = np.mgrid[0:200, 0:200]
    ramp = np.stack([x, y, np.full_like(x, 100)], axis=-1).astype(np.uint8)
    similarity = turn(1 / shrink, 20, 4 - 6j)
    crop = warp(ramp, similarity, 20, 20) * 255
    for u, v in ((5, 10), (12, 12), (15, 18)):
        z = (complex(u, v) - similarity.b) / similarity.a
        assert crop[v, u].tolist() == pytest.approx([z.real, z.imag, 100], abs=shrink / 32)


@pytest.mark.parametrize("similarity", [turn(0.8, 5, 3.3), turn(0.43, -12, 9.1 + 4j), turn(1.4, 3, -30 - 7j)])
def test_crops_that_are_whole_pixels_apart_show_the_same(similarity: Similarity) -> None:
    image = np.random.default_rng(0).integers(0, 256, (160, 200, 3)).astype(np.uint8)
    first = warp(image, similarity, 40, 48)
    second = warp(image, similarity.then(1, -5 - 3j), 40, 48)
    differences = np.abs(second[2:-6, 2:-8] - first[5:-3, 7:-3])
    # Places are rounded to 1/32 pixel, so that in pure noise a few values differ, by that much.
    assert float(differences.max()) < 1.5 / 32
    assert float((differences > 1e-4).mean()) < 0.05


def test_beyond_the_border_its_edge_is_repeated() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, -1], image[:, 0] = 255, 51
    assert warp(image, turn(1, 0, -100 + 0j), 4, 4).tolist() == np.ones((4, 4, 3)).tolist()
    np.testing.assert_allclose(warp(image, turn(1, 0, 100 + 50j), 4, 4), 0.2, atol=1e-6)
    assert np.isfinite(warp(image, turn(0.01, 40, 5 + 5j), 4, 4)).all()


def test_nothing_is_rounded_to_gray_levels() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 1
    levels = warp(image, turn(3, 0, -40 - 40j), 30, 60)[15, :, 0] * 255
    between = levels[(levels > 0.01) & (levels < 0.99)]
    assert between.size >= 2
    shrunk = warp(image, turn(1 / 3, 0, 0j), 12, 12)[6, :, 0] * 255
    assert any(0.2 < level < 0.8 for level in shrunk)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_gray_is_the_mix_of_the_colors(scale: float) -> None:
    image = smooth_picture(90, 90)
    similarity = turn(scale, 10, 2j)
    colors = warp(image, similarity, 20, 24)
    gray = warp(image, similarity, 20, 24, gray=True)
    assert gray.shape == (20, 24)
    np.testing.assert_allclose(gray, colors @ np.array([0.299, 0.587, 0.114]), atol=1e-4)


def test_values_stay_in_range_and_the_picture_as_it_is() -> None:
    image = np.full((30, 30, 3), 255, np.uint8)
    before = image.copy()
    crop = warp(image, turn(0.37, 11, 1 + 1j), 8, 8)
    assert float(crop.min()) == pytest.approx(1.0, abs=1e-6)
    assert float(crop.max()) == 1.0
    np.testing.assert_array_equal(image, before)
