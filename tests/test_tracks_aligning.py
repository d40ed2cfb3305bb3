"""Tracks on one clock: by number, by time, with gaps filled and counted; and what is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.tracks.aligning import align_tracks, nearest_rows, nearest_rows_ref
from affectkit.tracks.track import FeatureTrack


def make(frames: list[int], *, fps: float = 25.0, video: str = "12", dim: int = 1, **more: Any) -> FeatureTrack:
    """A track whose features are the numbers of its frames."""
    numbers = np.array(frames, np.int64)
    values = np.repeat(numbers[:, None], dim, axis=1).astype(np.float32)
    return FeatureTrack(video=video, frames=numbers, times=(numbers - 1) / fps, values=values, **more)


@pytest.mark.parametrize("seed", range(5))
def test_nearest_rows_equal_their_slow_twin(seed: int) -> None:
    draw = np.random.default_rng(seed)
    # equal times, and times halfway between two
    given = np.sort(draw.integers(0, 40, 20) / 2)
    wanted = np.sort(draw.integers(-8, 100, 60) / 4)
    assert np.array_equal(nearest_rows(given, wanted), nearest_rows_ref(given, wanted))
    assert nearest_rows(np.array([3.0]), np.array([1.0, 9.0])).tolist() == [0, 0]


def test_equal_frames_need_no_clock() -> None:
    tracks = {"fau": make([1, 8, 17], dim=3), "va": make([1, 8, 17], dim=2)}
    found = align_tracks(tracks)
    assert found.filled == {"fau": 0, "va": 0}
    assert {name: one.values.shape for name, one in found.tracks.items()} == {"fau": (3, 3), "va": (3, 2)}
    assert np.array_equal(found.tracks["fau"].times, tracks["fau"].times)


def test_by_number_the_frames_that_are_wanted_come_out_of_each() -> None:
    tracks = {"fau": make([1, 2, 3, 8, 17, 21]), "va": make([2, 3, 8, 17])}
    found = align_tracks(tracks, frames=[2, 8, 17])
    for one in found.tracks.values():
        assert one.frames.tolist() == [2, 8, 17] == one.values[:, 0].tolist()
        np.testing.assert_allclose(one.times, [0.04, 0.28, 0.64])
    assert found.filled == {"fau": 0, "va": 0}


def test_what_is_missing_is_filled_with_the_nearest_and_counted() -> None:
    tracks = {"fau": make([1, 2, 8, 17]), "va": make([2, 17])}
    found = align_tracks(tracks, frames=[1, 4, 8, 17, 30], missing="nearest")
    assert found.tracks["fau"].values[:, 0].tolist() == [1, 2, 8, 17, 17]
    # frame 8 is nearer to 2 than to 17
    assert found.tracks["va"].values[:, 0].tolist() == [2, 2, 2, 17, 17]
    assert found.filled == {"fau": 2, "va": 4}
    for one in found.tracks.values():
        assert one.frames.tolist() == [1, 4, 8, 17, 30]
        # also those that no track has
        np.testing.assert_allclose(one.times, [0.0, 0.12, 0.28, 0.64, 1.16])


def test_by_time_the_rates_may_differ() -> None:
    tracks = {"slow": make(list(range(1, 11)), fps=10.0), "fast": make(list(range(1, 31)), fps=30.0)}
    found = align_tracks(tracks, times=[0.0, 0.1, 0.4])
    assert found.tracks["slow"].values[:, 0].tolist() == [1, 2, 5]
    assert found.tracks["fast"].values[:, 0].tolist() == [1, 4, 13]
    assert found.tracks["fast"].frames.tolist() == [1, 2, 5]
    named = align_tracks(tracks, times=[0.0, 0.05, 0.1], frames=[4, 5, 6], missing="nearest")
    assert named.tracks["slow"].values[:, 0].tolist() == [1, 1, 2]
    assert named.tracks["slow"].frames.tolist() == [4, 5, 6]
    assert named.filled == {"slow": 1, "fast": 0}


ONE, OTHER = make([1, 8, 17]), make([1, 8, 21], path=Path("features/va/12.npz"))


@pytest.mark.parametrize(
    ("tracks", "arguments", "message"),
    [
        ({}, {}, "tracks: none; give at least one"),
        (
            {"fau": ONE, "va": make([1], video="13")},
            {},
            "tracks.va: 'va' is of video '13', 'fau' of '12'; align the tracks of one video",
        ),
        ({"fau": make([])}, {}, "tracks.fau: 'fau' of video '12' has no frame; leave it out"),
        (
            {"fau": ONE, "va": OTHER},
            {},
            "features/va/12.npz: 'va' of video '12' lacks the frames 17 and has the frames 21, unlike 'fau'; "
            "say which are wanted by frames",
        ),
        (
            {"fau": ONE, "va": OTHER},
            {"frames": [1, 17, 18]},
            "tracks.fau: 'fau' of video '12' has no features of the frames 18; "
            "leave them out, or write missing='nearest'",
        ),
        (
            {"va": OTHER},
            {"frames": range(1, 15)},
            "features/va/12.npz: 'va' of video '12' has no features of the frames 2, 3, 4, 5, 6, 7, 9, 10, 11, 12 and "
            "2 more; leave them out, or write missing='nearest'",
        ),
        (
            {"fau": ONE},
            {"times": [0.0, 0.31]},
            "tracks.fau: 'fau' of video '12' has no features within 0.02 s of the seconds 0.31; "
            "leave them out, or write missing='nearest'",
        ),
        (
            {"fau": ONE},
            {"times": [0.0, 0.01]},
            "times: frame 1 of video '12' is the nearest to two of them; say by frames how they are numbered",
        ),
        ({"fau": ONE}, {"frames": []}, "frames: float64 (0,) for video '12'; give whole numbers (T,)"),
        (
            {"fau": ONE},
            {"frames": [8, 1]},
            "frames: of video '12' are not in order; give each frame once, in ascending order",
        ),
        ({"fau": ONE}, {"times": []}, "times: (0,) for video '12'; give (T,)"),
        (
            {"fau": ONE},
            {"times": [0.0], "frames": [1, 2]},
            "times: (1,) for video '12'; give one for each of 2 frames",
        ),
        ({"fau": ONE}, {"times": [1.0, 0.0]}, "times: of video '12' are not in order; give times that don't descend"),
        (
            {"fau": make([1, 8, 17], fps=25.0), "va": make([1, 8, 17], fps=30.0)},
            {},
            "tracks.va: 'va' of video '12' has frame 8 at 0.2333 s, where the first track that has it says 0.2800 s; "
            "read all at one rate, or say by times what is wanted",
        ),
        ({"fau": ONE}, {"missing": "drop"}, "missing: 'drop' is not accepted; write 'error' or 'nearest'"),
    ],
)
def test_what_is_refused(tracks: dict[str, FeatureTrack], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        align_tracks(tracks, **arguments)
    assert str(caught.value) == message
