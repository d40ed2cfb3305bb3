"""Synthetic clips: the truth says what the frames show, in pixels, seconds and gray levels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affectkit.data.synthetic import (
    AUS,
    BENCH_V1,
    FaceIdentity,
    Movement,
    Split,
    SyntheticClip,
    SyntheticSettings,
    render_clip,
    without_camera,
)
from affectkit.data.synthetic.schedule import REST, make_schedule
from affectkit.errors import ConfigError, InputError
from affectkit.ops.lucas_kanade import lucas_kanade
from affectkit.video.reader import VideoFrame, read_frames

SMALL = replace(BENCH_V1, size=(140, 140), iod=28.0, seconds=1.2, without_event=0.0, blink_every=None)
SMILE = Movement(
    kind="micro-expression",
    label="happiness",
    onset=0.3,
    apex=0.46,
    offset=0.66,
    pixels={"AU6": 1.0, "AU12": 2.0},
)


def gray(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)


def grid(clip: SyntheticClip) -> NDArray[np.float32]:
    height, width = clip.settings.size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y])


@pytest.fixture(scope="module")
def clear() -> SyntheticClip:
    """Without noise, seen whole."""
    return render_clip(12, without_camera(SMALL), fps=100.0, movements=(SMILE,))


@pytest.fixture(scope="module")
def filmed() -> SyntheticClip:
    settings = replace(SMALL, seconds=0.9, occluded_clips=1.0)
    return render_clip(12, settings, fps=100.0, movements=(SMILE,))


def test_frames_moved_back_by_the_flow_are_the_first_frame(clear: SyntheticClip) -> None:
    for index in (46, 110):
        flow, seen = clear.flow(index), clear.visible(index)
        assert seen.mean() > 0.25
        x, y = grid(clear) + flow
        back = cv2.remap(gray(clear.frame(index)), x, y, cv2.INTER_CUBIC)
        error = np.abs(back - gray(clear.frame(0)))[seen].mean()
        still = np.abs(gray(clear.frame(index)) - gray(clear.frame(0)))[seen].mean()
        # What is left is rounding to whole gray levels and interpolation.
        assert error < 1.0
        assert error < 0.25 * still


def test_flows_compose(clear: SyntheticClip) -> None:
    first, second = clear.flow(40), clear.flow(55, start=40)
    x, y = grid(clear) + first
    composed = first + np.stack([cv2.remap(part, x, y, cv2.INTER_LINEAR) for part in second])
    error = np.abs(composed - clear.flow(55))[:, clear.visible(40) & clear.visible(55)]
    assert error.max() < 0.02
    assert np.abs(clear.flow(0)).max() < 1e-4
    # The picture's upper corners show the wall.
    assert not clear.flow(46)[:, :5, :5].any()


def test_lucas_kanade_finds_the_peaks() -> None:
    settings = replace(without_camera(SMALL), size=(200, 200), iod=50.0, head_speed=0.5, head_turn=0.2)
    clip = render_clip(13, settings, fps=50.0, movements=(SMILE,))
    first, apex = (torch.from_numpy(gray(clip.frame(index)) / 255)[None] for index in (15, 23))
    # Without noise it needs neither a wide window nor a pull to zero.
    found = lucas_kanade(first, apex, window=2.0, warps=8, tikhonov=1e-6)[0].numpy()
    truth = clip.flow(23, start=15)
    length = np.hypot(*truth)
    moving = clip.visible(23, start=15) & (length > 0.6 * length.max())
    # u to the right, v down: along the truth it is nearly whole, and its direction is right.
    along = (found * truth).sum(axis=0)[moving].sum() / (length[moving] ** 2).sum()
    assert along == pytest.approx(1.0, abs=0.1)
    assert np.hypot(*(found - truth))[moving].mean() < 0.15 * length[moving].mean()


def test_truth_of_a_smile(clear: SyntheticClip) -> None:
    truth = clear.truth
    assert truth.au.shape == (120, len(truth.aus))
    smile, cheek = (truth.au[:, truth.aus.index(au)] for au in ("AU12", "AU6"))
    # Intensity 5 of AU12 is 7 pixels at 50 pixels between the pupils.
    assert smile.max() == smile[46] == pytest.approx(5 * 2.0 / (7.0 * 28 / 50))
    assert cheek[46] == pytest.approx(5 * 1.0 / (4.0 * 28 / 50))
    assert not smile[:31].any()
    assert not smile[66:].any()
    assert smile[38] == pytest.approx(smile[46] / 2)
    assert np.delete(truth.au, [truth.aus.index("AU12"), truth.aus.index("AU6")], axis=1).max() == 0
    assert [truth.expression[index] for index in (0, 46, 100)] == ["neutral", "happiness", "neutral"]
    assert set(truth.compound) == {""}
    share = (smile[46] + cheek[46]) / 10
    assert (truth.valence[46], truth.arousal[46]) == pytest.approx((0.8 * share, 0.5 * share))
    assert truth.valence[0] == 0.0
    (event,) = truth.events
    assert (event.kind, event.label, event.apex_source) == ("micro-expression", "happiness", "annotated")
    assert (event.onset, event.apex, event.offset) == (0.3, 0.46, 0.66)
    assert (event.onset_frame, event.apex_frame, event.offset_frame) == (30, 46, 66)
    # Landmarks are points of the skin: the flow takes them along.
    moved = truth.landmarks[46, 4] - truth.landmarks[0, 4]
    x, y = np.round(truth.landmarks[0, 4]).astype(int)
    np.testing.assert_allclose(moved, clear.flow(46)[:, y, x], atol=0.1)
    assert truth.boxes.shape == (120, 4)


def test_compounds_are_other_than_the_basics() -> None:
    surprise = replace(SMILE, label="happily_surprised", pixels={"AU1": 1.0, "AU2": 1.0, "AU12": 1.0, "AU25": 1.0})
    clip = render_clip(12, without_camera(SMALL), fps=30.0, movements=(surprise,))
    assert (clip.truth.expression[14], clip.truth.compound[14]) == ("other", "happily_surprised")
    assert clip.truth.valence[14] > 0.05


def test_the_same_seed_gives_the_same_frames(filmed: SyntheticClip, tmp_path: Path) -> None:
    again = render_clip(12, filmed.settings, fps=100.0, movements=(SMILE,))
    np.testing.assert_array_equal(again.frame(40), filmed.frame(40))
    files = [clip.write(tmp_path / f"{index}.mp4") for index, clip in enumerate((filmed, again))]
    assert files[0].read_bytes() == files[1].read_bytes()
    read = list(read_frames(files[0]))
    assert [frame.pts for frame in read] == filmed.times.tolist()
    picture = next(frame.image for frame in read if isinstance(frame, VideoFrame) and frame.index == 40)
    assert np.abs(picture.astype(int) - filmed.frame(40)).mean() < 6


def test_what_happens_does_not_depend_on_the_rate() -> None:
    fast, slow = (render_clip(21, SMALL, fps=fps) for fps in (120.0, 30.0))
    assert fast.truth.movements == slow.truth.movements
    np.testing.assert_array_equal(fast.truth.au[::4], slow.truth.au)
    assert fast.truth.poses[::4] == slow.truth.poses
    assert fast.occluded == slow.occluded
    assert len(fast) == 4 * len(slow) == 144


def test_noise_and_occluder(filmed: SyntheticClip, clear: SyntheticClip) -> None:
    # The wall in the upper corners: still, so that what differs is noise.
    walls = np.stack([filmed.frame(index)[:12] for index in range(40)]).astype(float)
    assert walls.std(axis=0).mean() == pytest.approx(2.0, rel=0.05)
    assert filmed.occluded
    assert not clear.occluded
    hidden = clear.visible(0).sum() - filmed.visible(0).sum()
    _, _, width, height = filmed.truth.boxes[0]
    assert hidden == pytest.approx(0.1 * np.pi / 4 * width * height, rel=0.25)


def test_schedules_of_the_benchmark() -> None:
    schedules = [make_schedule(np.random.default_rng([seed, 1]), BENCH_V1) for seed in range(400)]
    events = [[m for m in schedule if m.kind != "blink"] for schedule in schedules]
    assert np.mean([not found for found in events]) == pytest.approx(0.2, abs=0.06)
    assert all(sum(m.kind == "blink" for m in schedule) == 1 for schedule in schedules)
    peaks = [pixels for found in events for m in found for pixels in m.pixels.values()]
    assert min(peaks) == pytest.approx(0.3, abs=0.02)
    assert max(peaks) == pytest.approx(2.0, abs=0.05)
    micro = [m for found in events for m in found if m.kind == "micro-expression"]
    macro = [m for found in events for m in found if m.kind == "macro-expression"]
    assert 0.34 <= min(m.offset - m.onset for m in micro) < max(m.offset - m.onset for m in micro) <= 0.385 + 1e-9
    assert np.mean([m.apex - m.onset for m in micro]) == pytest.approx(0.16, abs=0.002)
    assert 0.5 <= min(m.offset - m.onset for m in macro) < max(m.offset - m.onset for m in macro) <= 1.6 + 1e-9
    assert len(micro) == pytest.approx(len(macro), rel=0.25)
    for schedule in schedules:
        moments = [0.0, *(time for m in schedule for time in (m.onset, m.offset)), BENCH_V1.seconds]
        assert min(np.diff(moments)[::2]) >= REST - 1e-9


def test_what_does_not_fit_is_left_out_from_the_last_event_on() -> None:
    crowded = replace(
        BENCH_V1, seconds=1.5, events=(5, 5), without_event=0.0, micro=0.0, macro_seconds=(0.5, 0.6), blink_every=None
    )
    schedule = make_schedule(np.random.default_rng(3), crowded)
    assert len(schedule) == 1
    nothing = make_schedule(np.random.default_rng(3), replace(crowded, seconds=0.2, blink_every=0.1))
    assert nothing == ()


def test_levels() -> None:
    assert [SMILE.level(time) for time in (0.0, 0.3, 0.46, 0.66, 1.0)] == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert SMILE.level(0.38) == pytest.approx(0.5)
    assert SMILE.level(0.56) == pytest.approx(0.5)


def test_the_benchmark_is_frozen() -> None:
    # If this fails, published numbers no longer hold: make BENCH_V2 instead.
    assert SyntheticSettings() == BENCH_V1
    (blink, smile) = make_schedule(np.random.default_rng([1, 1]), BENCH_V1)
    told = (blink.kind, round(blink.apex, 6), smile.kind, smile.label, round(smile.apex, 6))
    assert told == FROZEN_SCHEDULE
    person = FaceIdentity.from_seed(1)
    assert (round(person.half_width, 6), round(person.chin, 6), person.hair_style) == FROZEN_PERSON
    np.testing.assert_allclose([*smile.pixels.values()], FROZEN_PEAKS, atol=1e-6)
    clip = render_clip(1, BENCH_V1, fps=0.5)
    assert clip.truth.poses[1] == pytest.approx(FROZEN_POSE, abs=1e-6)
    # Rough, since encoders and interpolation may differ in a gray level from version to version.
    picture = cv2.resize(clip.frame(0), (4, 4), interpolation=cv2.INTER_AREA)[..., 1]
    np.testing.assert_allclose(picture, FROZEN_PICTURE, atol=1.0)


FROZEN_SCHEDULE = ("blink", 2.487654, "micro-expression", "happiness", 3.494248)
FROZEN_PERSON = (1.001523, 1.736806, "parted")
FROZEN_PEAKS = (0.537992, 0.426948)
FROZEN_POSE = (-4.314015, 0.844674, -0.49807, 1.0)
FROZEN_PICTURE = ((142, 92, 87, 136), (141, 109, 99, 128), (144, 107, 102, 113), (122, 98, 95, 107))


@pytest.mark.parametrize(
    ("seed", "split", "fact"),
    [
        (4, "report", "seed: 4 is of split 'train', not 'report'; people are not shared between splits"),
        (5000, "train", "seed: 5000 is of split 'choice', not 'train'; people are not shared between splits"),
        (-3, None, "seed: -3 is not accepted; give a whole number from 0 to 2147483647"),
    ],
)
def test_seeds_of_another_split(seed: int, split: Split | None, fact: str) -> None:
    with pytest.raises(InputError) as caught:
        render_clip(seed, split=split)
    assert str(caught.value) == fact


@pytest.mark.parametrize(
    ("movements", "fact"),
    [
        ((SMILE, SMILE), "movements[1]: begins before the one before it ends; leave time between them"),
        ((replace(SMILE, pixels={"AU3": 1.0}),), f"movements[0]: no unit 'AU3'; there are {', '.join(AUS)}"),
        (
            (replace(SMILE, pixels={"AU12": 4.0}),),
            "movements[0]: 4.0 pixels of 'AU12' are not accepted; give 0 to 3.92",
        ),
    ],
)
def test_movements_that_can_not_be(movements: tuple[Movement, ...], fact: str) -> None:
    with pytest.raises(InputError) as caught:
        render_clip(0, SMALL, movements=movements)
    assert str(caught.value) == fact


def test_times_that_do_not_ascend() -> None:
    with pytest.raises(InputError) as caught:
        replace(SMILE, apex=0.2)
    told = "movement: onset, apex and offset (0.3, 0.2, 0.66) do not ascend; give seconds from 0 on"
    assert str(caught.value) == told


def test_rates_that_are_none() -> None:
    with pytest.raises(InputError) as caught:
        render_clip(0, fps=0.0)
    assert str(caught.value) == "fps: 0.0 is not accepted; give a number above 0"


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"without_event": 1.5}, "without_event: 1.5 is not accepted; give a share from 0 to 1"),
        ({"iod": 0.0}, "iod: 0.0 is not accepted; give a number above 0"),
        ({"noise": -1.0}, "noise: -1.0 is not accepted; give 0 or more"),
        ({"peak": (2.0, 1.0)}, "peak: (2.0, 1.0) is not accepted; give (least, most), both above 0"),
        ({"events": (0, 1)}, "events: (0, 1) is not accepted; give (least, most), both 1 or more"),
        ({"micro_rise": (0.1, 0.5)}, "micro_rise: (0.1, 0.5) is not accepted; the apex has to come before the offset"),
        ({"blink_every": 0.0}, "blink_every: 0.0 is not accepted; give seconds above 0, or None"),
        ({"crf": 52}, "crf: 52 is not accepted; give a whole number from 0 to 51"),
        (
            {"size": (141, 140)},
            "size: (141, 140) is not accepted; give (height, width), both even: the codec takes no other",
        ),
    ],
)
def test_settings_that_can_not_be(change: dict[str, object], fact: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(BENCH_V1, **change)  # type: ignore[arg-type]
    assert str(caught.value) == fact


def test_no_encoder(monkeypatch: pytest.MonkeyPatch, filmed: SyntheticClip, tmp_path: Path) -> None:
    import av

    from affectkit.errors import MissingDependencyError

    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(MissingDependencyError) as caught:
        filmed.write(tmp_path / "clip.mp4")
    assert str(caught.value) == "av: no libx264 in it; install PyAV from its wheels, which have it"
    assert not (tmp_path / "clip.mp4").exists()
