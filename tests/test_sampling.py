"""Sampling by container time: every item in a window, none lost, nothing kept for longer than it must be."""

from __future__ import annotations

import numpy as np
import pytest

from affectkit.configs import Frames, Windows
from affectkit.video.sampling import Sampler, Window, start_sampling


def cut(times: list[float], sampling: Frames | Windows) -> list[Window[float]]:
    sampler: Sampler[float] = start_sampling(sampling)
    windows = [window for time in times for window in sampler.push(time, time)]
    return windows + sampler.finish()


def test_frames_are_windows_of_one() -> None:
    assert cut([0.0, 0.1], Frames()) == [Window((0.0,), (0.0,)), Window((0.1,), (0.1,))]


def test_windows_are_half_open_and_the_last_may_be_short() -> None:
    windows = cut([0.0, 0.5, 1.0, 1.5, 2.0, 2.5], Windows(seconds=1.0, hop_seconds=1.0))
    assert [window.items for window in windows] == [(0.0, 0.5), (1.0, 1.5), (2.0, 2.5)]
    assert [window.final for window in windows] == [(0.0, 0.5), (1.0, 1.5), (2.0, 2.5)]


def test_overlapping_windows_say_what_is_final() -> None:
    windows = cut([0.0, 0.5, 1.0, 1.5, 2.0], Windows(seconds=1.0, hop_seconds=0.5))
    assert [window.items for window in windows] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]
    assert [window.final for window in windows] == [(0.0,), (0.5,), (1.0,), (1.5, 2.0)]


def test_windows_that_touch_do_not_drift() -> None:
    times = [i / 25 for i in range(48)]
    windows = cut(times, Windows(seconds=0.5, hop_seconds=0.5))
    # 12.5 frames each; a count that began anew at every window's first frame would give 13 each.
    assert [len(window.items) for window in windows] == [13, 12, 13, 10]


@pytest.mark.parametrize("seed", range(20))
def test_windows_are_those_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    length = int(rng.integers(100, 400))
    hop = int(length * rng.choice([0.2, 0.5, 1.0]))
    ticks = [int(tick) for tick in 5000 + np.cumsum(rng.integers(1, hop, 60))]
    expected: list[tuple[int, ...]] = []
    for start in range(ticks[0], ticks[-1] + 1, hop):
        items = tuple(tick for tick in ticks if start <= tick < start + length)
        if items and not any(set(items) <= set(other) for other in expected):
            expected.append(items)
    windows = cut([tick / 1000 for tick in ticks], Windows(seconds=length / 1000, hop_seconds=hop / 1000))
    assert [tuple(round(1000 * time) for time in window.items) for window in windows if window.items] == expected


def test_windows_count_from_the_first_frame() -> None:
    windows = cut([7.25, 7.75, 8.25], Windows(seconds=1.0, hop_seconds=1.0))
    assert [window.items for window in windows] == [(7.25, 7.75), (8.25,)]


def test_a_remainder_is_no_window_of_its_own() -> None:
    windows = cut([0.0, 0.4, 0.8, 1.2], Windows(seconds=1.0, hop_seconds=0.25))
    # [0.5, 1.5) is the first that holds the last frame; [0.75, ...) and [1.0, ...) would hold nothing new.
    assert [window.items for window in windows] == [(0.0, 0.4, 0.8), (0.4, 0.8, 1.2)]
    assert [item for window in windows for item in window.final] == [0.0, 0.4, 0.8, 1.2]


def test_windows_end_when_time_passes_without_items() -> None:
    sampler: Sampler[float] = start_sampling(Windows(seconds=1.0, hop_seconds=0.5))
    sampler.push(0.0, 0.0)
    sampler.push(0.75, 0.75)
    assert sampler.advance(0.9) == []
    assert sampler.advance(1.0) == [Window((0.0, 0.75), (0.0,))]
    assert not sampler.is_empty
    # 0.75 has been in a window: the next one would hold nothing new, and only says that 0.75 is done.
    assert sampler.advance(5.0) == [Window((), (0.75,))]
    assert sampler.is_empty
    # Windows begin anew after the gap.
    assert sampler.push(5.2, 5.2) == []
    assert sampler.advance(6.2) == [Window((5.2,), (5.2,))]
    assert sampler.finish() == []


@pytest.mark.parametrize("seed", range(20))
def test_every_frame_is_in_a_window_and_final_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.choice([0.001, 1 / 30, 0.1, 0.7, 3.0], 200, p=[0.1, 0.5, 0.3, 0.08, 0.02])
    times = [float(time) for time in rng.uniform(-2.0, 2.0) + np.cumsum(gaps)]
    seconds = float(rng.choice([0.1, 1 / 3, 1.0, 2.0]))
    hop = seconds * float(rng.choice([0.1, 1 / 3, 0.5, 1.0]))
    windows = cut(times, Windows(seconds=seconds, hop_seconds=hop))
    assert {item for window in windows for item in window.items} == set(times)
    assert [item for window in windows for item in window.final] == times
    for window in windows:
        assert list(window.items) == sorted(window.items)
        assert not window.items or window.items[-1] - window.items[0] < seconds


def test_windows_that_touch_leave_no_frame_between_them() -> None:
    # 0.1 * 3 is more than 0.3 in floats: a frame at 0.3 must still be in a window.
    times = [i * 0.1 for i in range(200)]
    windows = cut(times, Windows(seconds=0.1, hop_seconds=0.1))
    assert [window.items for window in windows] == [(time,) for time in times]


def test_memory_is_bounded() -> None:
    sampler: Sampler[int] = start_sampling(Windows(seconds=1.0, hop_seconds=0.5))
    largest = 0
    for i in range(10_000):
        windows = sampler.push(i / 25, i)
        largest = max([largest, *(len(window.items) for window in windows)])
    assert largest == 25
    assert len(sampler.finish()[0].items) <= 25


def test_durations_below_a_nanosecond_still_end() -> None:
    assert len(cut([0.0, 0.5, 1.0], Windows(seconds=1e-12, hop_seconds=1e-12))) == 3


def test_a_tiny_hop_costs_no_more_than_the_frames() -> None:
    windows = cut([i / 4 for i in range(100)], Windows(seconds=1.0, hop_seconds=1e-9))
    assert len([window for window in windows if window.items]) <= 100


def follow(sampler: Sampler[int] | None, times: list[float], seen: list[bool], start: int) -> Followed:
    """Windows of a track that comes and goes, and the sampler's state before each frame, as `WindowScoring` does it."""
    windows, states = list[tuple[int, ...]](), list[list[int] | None]()
    for i in range(start, len(times)):
        states.append(None if sampler is None else sampler.snapshot())
        given = []
        if seen[i]:
            sampler = sampler or start_sampling(CONFIG)
            given += sampler.push(times[i], i)
        if sampler is not None:
            given += sampler.advance(times[i])
            sampler = None if sampler.is_empty else sampler
        windows += [window.items for window in given]
    return windows + ([window.items for window in sampler.finish()] if sampler is not None else []), states


Followed = tuple[list[tuple[int, ...]], list[list[int] | None]]
CONFIG = Windows(seconds=0.5, hop_seconds=0.3)


@pytest.mark.parametrize("seed", range(30))
def test_windows_go_on_after_a_snapshot_as_if_nothing_had_been(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([0.02, 0.06, 0.1, 0.3], 40)).tolist()
    seen = [bool(value) for value in np.repeat(rng.random(20) < 0.6, rng.integers(1, 5, 20))][:40]
    times = times[: len(seen)]
    whole, states = follow(None, times, seen, 0)
    for start in range(1, len(times), 3):
        sampler: Sampler[int] | None = None
        if (state := states[start]) is not None:
            sampler = start_sampling(CONFIG)
            sampler.restore(state)
        # a window that reaches back before the snapshot has lost what lies there
        expected = [kept for items in whole if (kept := tuple(i for i in items if i >= start))]
        assert [items for items in follow(sampler, times, seen, start)[0] if items] == expected
