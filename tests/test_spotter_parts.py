"""The parts of `motion-events`: what they measure where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from affectkit.sequences import Sequence
from affectkit.spotters.blinks import bridge_blinks, find_blinks
from affectkit.spotters.cell_motion import CellMotion, Motion, Reference
from affectkit.spotters.evidence import CellEvidence, Evidence, gather, weigh
from affectkit.spotters.face_patterns import PATTERNS, Array, Doubles, FaceGrid, face_grid
from affectkit.spotters.foreign_cells import doubt_cells
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit.spotters.motion_events_spotter import MotionEvents
from affectkit.spotters.pulse_filters import STEP, Pulse, resample, respond
from affectkit.spotters.pulse_shapes import fit_pulse, pulse_course
from affectkit.spotters.pulses import explain, find_pulses
from affectkit.streams import FrameStream

SIDE, EYES = 160, (56 + 64j, 104 + 64j)


@pytest.fixture(scope="module")
def face() -> FaceGrid:
    return face_grid(SIDE, SIDE, *EYES)


@pytest.fixture(scope="module")
def texture() -> Array:
    """A picture with details everywhere, gray levels of 255."""
    return moved(np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE)))


def moved(u: Doubles, v: Doubles) -> Array:
    """The same picture after each of its points went by (u, v), for small and smooth fields: waves of 6 to 20 px."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    picture = np.full((SIDE, SIDE), 128.0)
    for _ in range(60):
        length, angle, phase = rng.uniform(6, 20), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * (x - u) + np.sin(angle) * (y - v)
        picture += 6 * np.sin(2 * np.pi * along / length + phase)
    return picture.astype(np.float32)


def by_pattern(face: FaceGrid, name: str) -> tuple[Doubles, Doubles]:
    """The pattern's field in every pixel."""
    bump = PATTERNS[name]
    y, x = np.mgrid[:SIDE, :SIDE]
    x, y = (x - face.middle[0]) / face.iod, (y - face.middle[1]) / face.iod
    left, right = (
        np.exp(-0.5 * (((x - side * bump.x) / bump.wide) ** 2 + ((y - bump.y) / bump.high) ** 2)) for side in (-1, 1)
    )
    return bump.u * (right - left), bump.v * (right + left)


def spatial(face: FaceGrid, motion: Motion, normal: Doubles) -> Doubles:
    """Displacement of each cell, `(N, 2)`, where it has texture in both directions."""
    return -np.linalg.solve(normal + 0.1 * np.eye(2), motion.cells.astype(float)[..., None])[..., 0]


def taken(measure: CellMotion, reference: Reference, image: Array, time: float) -> Motion:
    motion = measure.measure(reference, image, time)
    assert motion is not None
    return motion


def test_the_head_is_followed_and_taken_out(face: FaceGrid, texture: Array) -> None:
    measure = CellMotion(face)
    reference = measure.begin(texture, 0.0)
    matrix = cv2.getRotationMatrix2D(face.middle, 1.0, 1.0)
    matrix[:, 2] += (1.6, -0.7)
    turned = cv2.warpAffine(texture, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    taken(measure, reference, texture, 0.0)
    motion = taken(measure, reference, turned, 0.1)
    assert motion.head[:2] == pytest.approx((1.6, -0.7), abs=0.03)
    # clockwise on the screen is negative in OpenCV; at one eye distance
    assert motion.head[3] == pytest.approx(-np.deg2rad(1.0) * face.iod, abs=0.03)
    assert np.abs(np.median(spatial(face, motion, reference.key.normal), axis=0)).max() < 0.02


@pytest.mark.parametrize("pixels", [0.2, 0.5])
def test_skin_that_moves_by_less_than_a_pixel(face: FaceGrid, texture: Array, pixels: float) -> None:
    measure = CellMotion(face)
    reference = measure.begin(texture, 0.0)
    taken(measure, reference, texture, 0.0)
    u, v = by_pattern(face, "mouth corner up and out")
    motion = taken(measure, reference, moved(pixels * u, pixels * v), 0.1)
    pattern = face.patterns[list(PATTERNS).index("mouth corner up and out")]
    normal = reference.key.normal
    size = np.einsum("ni,nij,nj->", pattern, normal, pattern)
    assert -(pattern * motion.cells).sum() / size == pytest.approx(pixels, rel=0.2)


def test_pixels_that_are_repeated_are_not_fresh(face: FaceGrid, texture: Array) -> None:
    measure = CellMotion(face)
    reference = measure.begin(texture, 0.0)
    assert taken(measure, reference, texture, 0.0).fresh.min() == 1.0
    assert taken(measure, reference, texture, 0.1).fresh.max() == 0.0
    half = texture.copy()
    half[:, SIDE // 2 :] += 1.0
    fresh = taken(measure, reference, half, 0.2).fresh
    is_right = face.places[:, 0] > 0.2
    assert fresh[is_right].min() > 0.9
    assert fresh[face.places[:, 0] < -0.2].max() < 0.1


def test_a_new_keyframe_goes_on_where_the_last_one_was(face: FaceGrid, texture: Array) -> None:
    measure = CellMotion(face)
    u, v = by_pattern(face, "inner brow up")
    smiling = moved(0.25 * u, 0.25 * v)
    reference = measure.begin(texture, 3.0)
    before = taken(measure, reference, smiling, 3.0)
    number = reference.key.number
    for step in range(1, 50):
        after = taken(measure, reference, smiling, 3.0 + step * 0.04)
    assert reference.key.number > number
    assert reference.before is None
    assert np.abs(after.cells - before.cells).max() < 0.05 * np.abs(before.cells).max()


def test_a_dark_picture_becomes_no_keyframe(face: FaceGrid, texture: Array) -> None:
    measure = CellMotion(face)
    reference = measure.begin(texture, 0.0)
    for time in (5.9, 6.1, 6.3):
        assert measure.measure(reference, np.zeros_like(texture), time) is None
    assert reference.key.time == 0.0
    taken(measure, reference, texture, 6.5)
    assert reference.key.time == 6.5


def swaying(face: FaceGrid, texture: Array, patch: Array | None) -> tuple[Doubles, list[Motion], Doubles]:
    """Four seconds of a head that goes to the side and back, with a patch at the right cheek that does not."""
    measure, times, motions = CellMotion(face), np.arange(0.0, 4.0, 0.04), []
    noise = np.random.default_rng(2)
    for index, time in enumerate(times):
        away = 2.0 * pulse_course(np.array([time]), 1.5, 1.9, 2.3)[0]
        matrix = np.array([[1.0, 0.0, away], [0.0, 1.0, 0.0]])
        picture = cv2.warpAffine(texture, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if patch is not None:
            picture[85:115, 95:125] = patch[85:115, 95:125]
        picture = picture + noise.normal(scale=1.0, size=picture.shape).astype(np.float32)
        if not index:
            reference = measure.begin(picture, 0.0)
        motions.append(taken(measure, reference, picture, float(time)))
    return times, motions, reference.key.normal


def test_a_patch_that_stays_while_the_head_moves_is_no_expression(face: FaceGrid, texture: Array) -> None:
    rng = np.random.default_rng(3)
    patch = cv2.GaussianBlur(rng.normal(128, 300, (SIDE, SIDE)).astype(np.float32), (0, 0), 4)
    cells = gather(*swaying(face, texture, patch), face)
    x, y = (face.places * face.iod + face.middle).T
    inside = (x > 92) & (x < 128) & (y > 82) & (y < 118)
    assert np.median(cells.doubt[inside]) > 20
    far = (x < 80) | (y < 70) | (y > 130)
    assert np.median(cells.doubt[far]) < 1.5
    # doubt is what it takes: with every cell believed, the sway is a movement of the face
    assert twice(cells) == []
    assert len(twice(replace(cells, doubt=np.ones_like(cells.doubt)))) == 1


def twice(cells: CellEvidence) -> list[Pulse]:
    """Pulses as the spotter finds them: what may be a movement is no noise."""
    pulses: list[Pulse] = []
    for threshold in (4.7, 7.0):
        pulses = find_pulses(weigh(cells, pulses), threshold=threshold, shortest=0.15, longest=4.0)
    return pulses


def test_a_bare_face_is_believed(face: FaceGrid, texture: Array) -> None:
    cells = gather(*swaying(face, texture, None), face)
    assert np.median(cells.doubt) < 1.1
    assert np.mean(cells.doubt > 10) < 0.05


def test_cells_beside_a_strange_one_are_doubted_too() -> None:
    strange = np.ones((5, 4))
    strange[:, 0] = 10.0
    next_to = np.abs(np.arange(4)[:, None] - np.arange(4)) <= 1
    still = np.zeros((6, 4, 2))
    assert doubt_cells(strange, still, still, next_to) == pytest.approx([17, 17, 1 + 0.2**4, 1 + 0.2**4])
    # one moment is no sign
    strange[1:, 0] = 1.0
    assert doubt_cells(strange, still, still, next_to) == pytest.approx([1 + 0.2**4] * 4)
    # a picture without any noise
    assert doubt_cells(np.zeros((5, 4)), still, still, next_to) == pytest.approx([1.0] * 4)


@pytest.mark.parametrize("what", ["noise", "black", "negative"])
def test_a_picture_of_something_else_changes_nothing(face: FaceGrid, texture: Array, what: str) -> None:
    measure = CellMotion(face)
    reference = measure.begin(texture, 0.0)
    before = taken(measure, reference, texture, 0.0)
    noise = np.random.default_rng(4).normal(128, 40, texture.shape).astype(np.float32)
    other = {"noise": noise, "black": np.zeros_like(texture), "negative": 255 - texture}[what]
    assert measure.measure(reference, other, 0.1) is None
    after = taken(measure, reference, texture, 0.2)
    assert np.abs(after.cells - before.cells).max() < 1e-4
    assert after.head == pytest.approx(before.head, abs=1e-6)


def test_repeated_pixels_do_not_make_a_movement_late(face: FaceGrid, texture: Array) -> None:
    measure = CellMotion(face)
    times = np.arange(0.0, 2.0, 0.01)
    u, v = by_pattern(face, "inner brow up")
    reference, motions = measure.begin(texture, 0.0), []
    noise = np.random.default_rng(1)
    for index, time in enumerate(times):
        if index % 10 == 0:
            # what a codec keeps for ten frames
            level = 1.5 * pulse_course(np.array([time]), 0.8, 0.97, 1.15)[0]
            picture = moved(level * u, level * v)
            picture = picture + noise.normal(scale=1.0, size=picture.shape).astype(np.float32)
        motions.append(taken(measure, reference, picture, float(time)))
    evidence = weigh(gather(times, motions, reference.key.normal, face))
    (found,) = find_pulses(evidence, threshold=8.0, shortest=0.15, longest=4.0)
    assert found.apex == pytest.approx(0.97, abs=0.025)
    as_seen = replace(evidence, timed=evidence.seen)
    (late,) = find_pulses(as_seen, threshold=8.0, shortest=0.15, longest=4.0)
    assert late.apex > found.apex + 0.02


def test_a_filter_reads_the_height_of_its_pulse_and_no_offset() -> None:
    grid = np.arange(0, 4, STEP)
    pulse = 2.0 * np.sin(np.pi * np.clip((grid - 1.5) / 0.8, 0, 1)) ** 2
    signals = np.stack([pulse + 5.0, np.full_like(grid, 7.0)], axis=1)
    heights = respond(signals, 0.8)
    assert heights[:, 0].max() == pytest.approx(2.0, rel=0.05)
    assert grid[np.argmax(heights[:, 0])] == pytest.approx(1.9, abs=2 * STEP)
    assert np.abs(heights[:, 1]).max() < 1e-9


@pytest.mark.parametrize("fps", [24.0, 30.0, 200.0])
def test_resampling_keeps_the_clock(fps: float) -> None:
    times = 10.0 + np.arange(round(3 * fps)) / fps
    grid, values = resample(times, np.stack([times, np.sin(times)], axis=1))
    assert np.allclose(np.diff(grid), STEP)
    inner = slice(3, -3)
    assert np.allclose(values[inner, 0], grid[inner], atol=1e-9)
    assert np.allclose(values[inner, 1], np.sin(grid[inner]), atol=2e-3)


def test_what_explains_best_has_no_negative_part() -> None:
    gram = np.array([[1.0, 0.5], [0.5, 1.0]])
    responses = np.array([[3.0, -1.0], [2.0, 2.0], [-1.0, -2.0]])
    moves, energies = explain(responses, gram)
    assert moves == pytest.approx(np.array([[3.0, 0.0], [4 / 3, 4 / 3], [0.0, 0.0]]), abs=1e-6)
    # the best of all, tried one by one
    share = np.linspace(0, 4, 401)
    a, b = np.meshgrid(share, share)
    for response, energy in zip(responses, energies, strict=True):
        every = 2 * (a * response[0] + b * response[1]) - (a * a + a * b + b * b)
        assert energy == pytest.approx(every.max(), abs=1e-3)


@pytest.mark.parametrize("times", [(1.0, 1.16, 1.36), (0.7, 1.3, 1.9), (0.9, 1.3, 2.1)])
def test_onset_apex_and_offset_of_a_pulse(times: tuple[float, float, float]) -> None:
    grid = np.arange(0, 4, STEP)
    rng = np.random.default_rng(2)
    signal = pulse_course(grid, *times) + 0.3 * grid + rng.normal(scale=0.03, size=len(grid))
    center, length = (times[0] + times[2]) / 2, times[2] - times[0]
    found = fit_pulse(grid, signal, center + 0.1 * length, 1.2 * length)
    assert found == pytest.approx(times, abs=0.05)


def spread(signals: Doubles) -> Evidence:
    grid: Doubles = np.arange(len(signals), dtype=np.float64) * STEP
    return Evidence(grid, signals, signals, signals, np.eye(signals.shape[1]))


def test_two_pulses_one_faint_one_strong_and_none_in_noise() -> None:
    grid = np.arange(0, 8, STEP)
    signals = np.random.default_rng(3).normal(size=(len(grid), 16))
    calm = find_pulses(spread(signals), threshold=5.7, shortest=0.15, longest=4.0)
    assert calm == []
    signals[:, 3] += 40 * pulse_course(grid, 2.0, 2.16, 2.36)
    signals[:, 7] += 6 * pulse_course(grid, 4.0, 4.5, 5.0)
    found = find_pulses(spread(signals), threshold=5.7, shortest=0.15, longest=4.0)
    assert [round(pulse.apex, 1) for pulse in found] == [2.2, 4.5]
    assert found[0].strength > found[1].strength > 5.7


def test_what_begins_before_the_first_frame_is_no_pulse() -> None:
    grid = np.arange(0, 6, STEP)
    signals = np.random.default_rng(4).normal(size=(len(grid), 16))
    signals[:, 3] += 40 * pulse_course(grid, -0.6, 0.1, 0.8)
    assert find_pulses(spread(signals), threshold=5.7, shortest=0.15, longest=4.0) == []


def test_blinks_of_both_eyes_or_of_the_one_that_is_seen() -> None:
    grid = np.arange(0, 6, STEP)
    shut = np.sin(np.pi * np.clip((grid - 1.0) / 0.3, 0, 1)) ** 2
    later = np.sin(np.pi * np.clip((grid - 3.0) / 0.3, 0, 1)) ** 2
    tight = np.sin(np.pi * np.clip((grid - 4.5) / 0.3, 0, 1)) ** 2
    eyes = np.stack([0.6 * shut + 0.5 * later + 0.1 * tight, 0.6 * shut + 0.02 + 0.15 * tight], axis=1)
    found = find_blinks(grid, eyes)
    assert [blink.apex for blink in found] == pytest.approx([1.15, 3.15], abs=STEP)
    assert all(0.2 < blink.offset - blink.onset < 0.4 for blink in found)


def test_signals_are_bridged_during_a_blink() -> None:
    grid = np.arange(0, 2, STEP)
    signals = np.stack([grid + 5.0 * ((grid > 0.9) & (grid < 1.1)), grid], axis=1)
    bridge_blinks(grid, signals, [Pulse(0.9, 1.0, 1.1, 2.0)])
    assert np.allclose(signals, grid[:, None])


def brows(face: FaceGrid, times: Doubles) -> Sequence:
    """Brows that go up and down around 1 s."""
    rng = np.random.default_rng(5)
    u, v = by_pattern(face, "inner brow up")
    levels = 1.5 * pulse_course(times, 0.8, 1.0, 1.2)
    pictures = np.stack([moved(level * u, level * v) + rng.normal(scale=1.0, size=(SIDE, SIDE)) for level in levels])
    return Sequence(
        torch.from_numpy(pictures.astype(np.float32) / 255)[None, :, None],
        torch.ones(1, len(times), dtype=torch.bool),
        torch.from_numpy(times)[None],
    )


def spotter_of(shortest: float = 0.15, longest: float = 4.0) -> MotionEvents:
    stream = FrameStream(height=SIDE, width=SIDE, channels=("gray",), alignment="steady")
    return MotionEvents(MotionEventsConfig(min_seconds=shortest, max_seconds=longest), stream)


def test_a_repeated_time_does_not_end_a_movement(face: FaceGrid) -> None:
    spotter = spotter_of()
    state = spotter.start(30.0)
    # the moment of the apex twice
    frames = brows(face, np.sort(np.append(np.arange(60) / 30, 1.0)))
    (event,) = [*spotter.push(state, frames), *spotter.finish(state)]
    assert event.kind == "micro-expression"
    assert event.apex == pytest.approx(1.0, abs=0.03)


def test_what_lasts_longer_than_the_longest_event_is_none(face: FaceGrid) -> None:
    spotter = spotter_of(longest=0.2)
    state = spotter.start(30.0)
    assert [*spotter.push(state, brows(face, np.arange(60) / 30)), *spotter.finish(state)] == []


def test_time_that_begins_again_is_another_clip(face: FaceGrid) -> None:
    spotter = spotter_of()
    state, frames = spotter.start(30.0), brows(face, np.arange(60) / 30)
    found = [*spotter.push(state, frames), *spotter.push(state, frames), *spotter.finish(state)]
    assert [event.apex for event in found] == pytest.approx([1.0, 1.0], abs=0.03)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (45, 51), (50, 53)])
def test_other_pictures_in_between_are_no_events(face: FaceGrid, start: int, stop: int) -> None:
    spotter = spotter_of()
    state, frames = spotter.start(30.0), brows(face, np.arange(90) / 30)
    for index in range(start, stop):
        other = np.random.default_rng(index).uniform(size=(SIDE, SIDE)) if start else np.zeros((SIDE, SIDE))
        frames.values[0, index, 0] = torch.from_numpy(other)
    (event,) = [*spotter.push(state, frames), *spotter.finish(state)]
    assert event.apex == pytest.approx(1.0, abs=0.03)
