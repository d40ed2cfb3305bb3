"""Generated patterns: their truth is exact, their seeds are kept, their clips keep their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from affectkit.data.patterns import MOTIONS, Motion, Pattern, displacement, progress, render, speed, write_clip
from affectkit.errors import InputError
from affectkit.ops.lucas_kanade import lucas_kanade
from affectkit.video.reader import read_frames
from tests.clips import gray_frames


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_flow_of_a_clip_is_its_displacement(motion: Motion) -> None:
    pattern = Pattern(motion=motion, texture=3, amount=0.02, size=48)
    first, last = torch.from_numpy(render(pattern, np.array([0.0, 1.0]))).double().mean(dim=-1) / 255
    truth = displacement(pattern, 1.0)
    flow = lucas_kanade(first[None], last[None], window=3.0)[0].numpy()
    inside = (slice(None), slice(6, -6), slice(6, -6))
    size = np.abs(truth[inside]).mean()
    assert size > 0.1
    assert np.abs(flow - truth)[inside].mean() < 0.25 * size


def test_displacement_by_hand() -> None:
    # Pixel centres lie half a pixel from the centre of an even picture.
    expand = displacement(Pattern(motion="expand", texture=0, amount=0.5, size=2), 1.0)
    assert expand[0].tolist() == [[-0.25, 0.25], [-0.25, 0.25]]
    assert expand[1].tolist() == [[-0.25, -0.25], [0.25, 0.25]]
    contract = displacement(Pattern(motion="contract", texture=0, amount=0.5, size=2), 1.0)
    np.testing.assert_allclose(contract, -expand)
    # A quarter turn takes what is at the right, x = 1/2, down: y grows downwards.
    turned = displacement(Pattern(motion="rotate", texture=0, amount=np.pi / 2, size=3), 1.0)
    np.testing.assert_allclose(turned[:, 1, 2], [-1.0, 1.0], atol=1e-12)
    assert not displacement(Pattern(motion="rotate", texture=0), 0.0).any()


def test_progress_and_speed() -> None:
    times = np.array([-1.0, 0.0, 0.5, 1.0, 3.0])
    np.testing.assert_allclose(progress(times, 1.0), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(speed(times, 1.0), [0, 0, 1, 0, 0], atol=1e-12)


def test_seeds() -> None:
    s = np.linspace(0.0, 1.0, 3)
    pattern = Pattern(motion="expand", texture=7, noise=0.02)
    frames = render(pattern, s)
    assert (frames.shape, frames.dtype.name) == ((3, 40, 40, 3), "uint8")
    np.testing.assert_array_equal(frames, render(pattern, s))
    assert (frames != render(Pattern(motion="expand", texture=8, noise=0.02), s)).mean() > 0.9
    # The texture of an unmoved picture does not tell the motion.
    still = [render(Pattern(motion=motion, texture=7), np.zeros(1)) for motion in MOTIONS]
    np.testing.assert_array_equal(still[0], still[1])
    np.testing.assert_array_equal(still[0], still[2])


def test_train_and_test_textures_are_disjoint() -> None:
    from affectkit.cli import demo_task

    assert not set(demo_task.TRAIN_TEXTURES) & set(demo_task.TEST_TEXTURES)


def test_a_clip_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.001, 0.5, 0.7, 10.25]
    path = write_clip(tmp_path / "clip.mp4", gray_frames([10, 60, 110, 160, 210]), times)
    frames = list(read_frames(path))
    assert [frame.pts for frame in frames] == times
    assert [round(frame.image.mean()) for frame in frames] == pytest.approx([10, 60, 110, 160, 210], abs=3)


@pytest.mark.parametrize(
    ("size", "times", "fact"),
    [
        ((4, 4), [0.0], "1 times for 2 frames; give one per frame"),
        ((4, 4), [0.1, 0.1], "the times do not ascend; give seconds, from 0 or later, each above the one before"),
        ((4, 4), [-0.1, 0.1], "the times do not ascend; give seconds, from 0 or later, each above the one before"),
        ((4, 5), [0.0, 0.1], "frames of 5x4; the codec takes even sides only"),
    ],
)
def test_what_can_not_be_written(tmp_path: Path, size: tuple[int, int], times: list[float], fact: str) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(InputError) as caught:
        write_clip(path, gray_frames([10, 20], size), times)
    assert str(caught.value) == f"{path}: {fact}"
    assert not path.exists()
