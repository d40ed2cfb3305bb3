"""Faces cut out for a pipeline's inputs: boxes, templates, steady crops."""

from __future__ import annotations

import cmath
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.records import Face
from affectkit.streams import FrameStream
from affectkit.video.alignment import TEMPLATES
from affectkit.video.clips import cut_face, video_streams
from affectkit.video.cutter import Cut, Cutter
from affectkit.video.reader import VideoFrame
from affectkit.video.tracking import TrackedFace

STEADY = FrameStream(height=112, width=112, alignment="steady")
IOD = 60.0


def picture() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(size=(360, 640, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    image: NDArray[np.uint8] = np.clip(127 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return image


IMAGE = picture()


def face(x: float = 300.0, y: float = 150.0, *, iod: float = IOD, degrees: float = 0.0, points: bool = True) -> Face:
    """A face whose eyes have their middle at (x, y)."""
    template = TEMPLATES["steady"].points
    turn = cmath.rect(iod / 0.3, math.radians(degrees))
    placed = [complex(x, y) + turn * (point - 0.5 - 0.4j) for point in template]
    landmarks = tuple((point.real, point.imag) for point in placed)
    box = (x - iod, y - 0.9 * iod, 2 * iod, 2.6 * iod)
    return Face(box=box, landmarks=landmarks if points else ())


def frame(index: int = 0, fps: float = 25.0, image: NDArray[np.uint8] = IMAGE) -> VideoFrame:
    return VideoFrame(index=index, pts=index / fps, image=image)


def tracked(item: Face, track: int = 0) -> TrackedFace:
    return TrackedFace(track=track, face=item)


def cuts(faces: list[Face], cutter: Cutter | None = None) -> Iterator[Cut]:
    cutter = cutter or Cutter({"clip": STEADY})
    for index, item in enumerate(faces):
        yield cutter.cut(frame(index), tracked(item))


def test_inputs_are_cut_each_in_its_way() -> None:
    streams = {
        "box": FrameStream(height=20, width=30),
        "arcface": FrameStream(height=112, width=112, alignment="arcface"),
        "gray": FrameStream(channels=("gray",), height=48, width=64, alignment="dlib"),
        "steady": STEADY,
    }
    assert video_streams(streams) == streams
    cut = Cutter(streams).cut(frame(), tracked(face()))
    assert {name: values.shape for name, values in cut.inputs.items()} == {
        "box": (3, 20, 30),
        "arcface": (3, 112, 112),
        "gray": (1, 48, 64),
        "steady": (3, 112, 112),
    }
    for values in cut.inputs.values():
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        assert 0 <= values.min() <= values.max() <= 1
    np.testing.assert_array_equal(cut.inputs["box"], cut_face(frame(), face(), streams["box"]))
    assert (cut.segment, cut.shift, cut.is_approximate) == (0, (0, 0), False)


@pytest.mark.parametrize("name", ["arcface", "dlib", "steady"])
@pytest.mark.parametrize(("height", "width"), [(112, 112), (60, 100), (90, 50)])
def test_landmarks_come_to_the_template_in_the_middle_of_the_crop(name: str, height: int, width: int) -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    item = face(310, 140, degrees=14)
    eye = item.landmarks[0]
    cv2.circle(image, (round(eye[0]), round(eye[1])), 9, (255, 255, 255), -1)
    stream = FrameStream(channels=("gray",), height=height, width=width, alignment=name)
    values = Cutter({"a": stream}).cut(frame(image=image), tracked(item)).inputs["a"][0]
    y, x = np.mgrid[0:height, 0:width]
    side = min(height, width)
    corner = complex(width - side, height - side) / 2
    # where the eye of this face, which is steady's, comes to in the template
    wanted = TEMPLATES[name].similarity(item)(complex(*eye)) * side + corner
    assert complex((values * x).sum(), (values * y).sum()) / values.sum() == pytest.approx(wanted, abs=0.6)


def test_five_points_beside_a_mesh_cut_as_five_landmarks_do() -> None:
    streams = {"each": replace(STEADY, alignment="arcface"), "once": STEADY}
    item = face(310, 140, degrees=14)
    meshed = replace(item, landmarks=item.landmarks * 3, five_points=item.landmarks)
    wanted, cut = (Cutter(streams).cut(frame(), tracked(one)) for one in (item, meshed))
    for name in streams:
        np.testing.assert_array_equal(cut.inputs[name], wanted.inputs[name])
    assert (cut.iod, cut.is_approximate) == (wanted.iod, False)


def test_templates_follow_every_frame_and_steady_crops_do_not() -> None:
    streams = {"each": replace(STEADY, alignment="arcface"), "once": STEADY}
    cutter = Cutter(streams)
    first = cutter.cut(frame(0), tracked(face()))
    # The picture stands still, the landmarks tremble.
    second = cutter.cut(frame(1), tracked(face(300.8, 149.3, iod=61, degrees=1)))
    np.testing.assert_array_equal(first.inputs["once"], second.inputs["once"])
    assert float(np.abs(first.inputs["each"] - second.inputs["each"]).max()) > 0.01
    assert (second.segment, second.shift) == (0, (0, 0))


def test_what_moves_in_the_picture_moves_in_the_steady_crop() -> None:
    moved = cv2.warpAffine(IMAGE, np.array([[1, 0, 2.0], [0, 1, 0]]), (640, 360))
    cutter = Cutter({"clip": STEADY})
    first = cutter.cut(frame(0), tracked(face())).inputs["clip"]
    # The landmarks move along, and the crop does not follow them.
    second = cutter.cut(frame(1, image=moved), tracked(face(302))).inputs["clip"]
    assert float(np.abs(first - second).max()) > 0.1
    beside = Cutter({"clip": STEADY}).cut(frame(), tracked(face(298))).inputs["clip"]
    np.testing.assert_allclose(second, beside, atol=0.005)


def test_a_head_that_drifts_is_followed_in_whole_pixels() -> None:
    # 60 px to the right in 4 s; with 33.6 px from eye to eye, a quarter of that may be left.
    found = list(cuts([face(300 + 0.6 * k) for k in range(100)]))
    assert {cut.segment for cut in found} == {0}
    shifts = [cut.shift[0] for cut in found]
    assert shifts == sorted(shifts)
    assert max(b - a for a, b in pairwise(shifts)) == 1
    scale = 112 * 0.3 / IOD
    assert scale * 59.4 - 0.25 * 33.6 - 3 < shifts[-1] < scale * 59.4 - 0.25 * 33.6 + 1
    assert {cut.shift[1] for cut in found} == {0}
    # The crop shows the same values where it has moved: the picture stands still.
    first, last = found[0].inputs["clip"], found[-1].inputs["clip"]
    np.testing.assert_allclose(last[:, 3:-3, 3 : -3 - shifts[-1]], first[:, 3:-3, 3 + shifts[-1] : -3], atol=0.01)


def test_landmarks_that_tremble_do_not_move_a_steady_crop() -> None:
    draw = np.random.default_rng(1)
    faces = [
        face(300 + draw.normal(0, 3), 150 + draw.normal(0, 3), iod=60 + draw.normal(0, 3), degrees=draw.normal(0, 4))
        for _ in range(200)
    ]
    found = list(cuts([face(), *faces]))
    assert {(cut.segment, cut.shift) for cut in found} == {(0, (0, 0))}


@pytest.mark.parametrize(
    "last",
    [face(degrees=20), face(degrees=-20), face(iod=75), face(iod=48), face(points=False)],
)
def test_a_head_that_turns_or_comes_nearer_begins_a_segment(last: Face) -> None:
    found = list(cuts([face()] * 3 + [last] * 40))
    segments = [cut.segment for cut in found]
    assert segments[:3] == [0] * 3
    assert segments[-1] == 1
    assert segments == sorted(segments)
    fresh = Cutter({"clip": STEADY}).cut(frame(), tracked(last))
    np.testing.assert_array_equal(found[-1].inputs["clip"], fresh.inputs["clip"])


@pytest.mark.parametrize("last", [face(degrees=12), face(iod=70), face(iod=52)])
def test_a_head_that_turns_a_little_does_not(last: Face) -> None:
    assert {cut.segment for cut in cuts([face()] * 3 + [last] * 60)} == {0}


def test_tracks_have_anchors_of_their_own() -> None:
    cutter = Cutter({"clip": STEADY})
    one = cutter.cut(frame(0), tracked(face(200), 0)).inputs["clip"]
    other = cutter.cut(frame(0), tracked(face(400), 1)).inputs["clip"]
    assert float(np.abs(one - other).max()) > 0.1
    np.testing.assert_array_equal(cutter.cut(frame(1), tracked(face(201), 0)).inputs["clip"], one)
    cutter.forget(0)
    assert float(np.abs(cutter.cut(frame(2), tracked(face(201), 0)).inputs["clip"] - one).max()) > 0.001
    cutter.forget(17)


def test_tracks_that_are_not_seen_for_a_minute_are_forgotten() -> None:
    cutter = Cutter({"clip": STEADY})
    for index in range(100):
        cutter.cut(frame(index, fps=1.0), tracked(face(), index))
    assert len(cutter.snapshot()) == 61


def test_iod_and_approximate_crops() -> None:
    arcface = FrameStream(height=112, width=112, alignment="arcface")
    box = FrameStream(height=20, width=30)
    cut = Cutter({"box": box, "a": arcface}).cut(frame(), tracked(face()))
    assert cut.iod == pytest.approx(TEMPLATES["arcface"].similarity(face()).scale * 112 * IOD)
    assert Cutter({"s": STEADY}).cut(frame(), tracked(face())).iod == pytest.approx(33.6)
    cut = Cutter({"a": arcface}).cut(frame(), tracked(face(points=False)))
    assert (cut.iod, cut.is_approximate) == (None, True)
    cut = Cutter({"box": box}).cut(frame(), tracked(face(points=False)))
    assert (cut.iod, cut.is_approximate) == (None, False)


def test_steady_inputs_of_several_sizes_follow_alike() -> None:
    cutter = Cutter({"large": STEADY, "small": replace(STEADY, height=56, width=56)})
    found = list(cuts([face(300 + 0.6 * k) for k in range(100)], cutter))
    shift = found[-1].shift[0]
    assert shift > 20
    first, last = found[0].inputs["small"], found[-1].inputs["small"]
    half = round(shift / 2)
    np.testing.assert_allclose(last[:, 3:-3, 3 : -3 - half], first[:, 3:-3, 3 + half : -3], atol=0.01)


@pytest.mark.parametrize("stop", [1, 40, 79])
def test_a_cutter_goes_on_from_a_snapshot(stop: int) -> None:
    faces = [face(300 + 0.8 * k, degrees=0.3 * k) for k in range(80)]
    whole = list(cuts(faces))
    first, second = Cutter({"clip": STEADY}), Cutter({"clip": STEADY})
    for index in range(stop):
        first.cut(frame(index), tracked(faces[index]))
    second.restore(json.loads(json.dumps(first.snapshot(), allow_nan=False)))
    for index in range(stop, 80):
        cut = second.cut(frame(index), tracked(faces[index]))
        assert (cut.segment, cut.shift) == (whole[index].segment, whole[index].shift)
        np.testing.assert_array_equal(cut.inputs["clip"], whole[index].inputs["clip"])


def test_without_steady_inputs_nothing_is_remembered() -> None:
    cutter = Cutter({"a": FrameStream(height=20, width=20)})
    cutter.cut(frame(), tracked(face()))
    assert cutter.snapshot() == {}
    cutter.restore({})
    cutter.forget(0)


def test_faces_at_the_border() -> None:
    streams = {name: FrameStream(height=40, width=40, alignment=name) for name in TEMPLATES}
    for x, y in ((-30, 20), (660, 300), (5, 380)):
        cut = Cutter(streams).cut(frame(), tracked(face(x, y)))
        assert all(np.isfinite(values).all() for values in cut.inputs.values())


def test_a_box_outside_the_picture() -> None:
    with pytest.raises(InputError) as error:
        Cutter({"a": FrameStream(height=8, width=8)}).cut(frame(3), tracked(Face(box=(700.0, 5.0, 20.0, 20.0))))
    assert str(error.value) == (
        "frame 3: the face's box (700.0, 5.0, 20.0, 20.0) has no pixel of the 640x360 picture; mend the face detector"
    )


@pytest.mark.parametrize("name", ["none", *TEMPLATES])
def test_a_cut_is_quick(name: str) -> None:
    cutter = Cutter({"a": FrameStream(height=112, width=112, alignment=name)})
    spent = []
    for index in range(40):
        start = time.perf_counter()
        cutter.cut(frame(index), tracked(face()))
        spent.append(time.perf_counter() - start)
    # 0.5 ms on a quiet machine; the bound is for a busy one.
    assert min(spent) < 0.002
