"""Reading ahead in a thread: the same items, the same errors, and no thread that stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from affectkit.errors import ConfigError, InputError
from affectkit.video.prefetch import prefetch
from affectkit.video.reader import read_frames
from tests.clips import write_levels


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "affectkit-prefetch"]


def wait_until(condition: object) -> None:
    end = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_same_items_in_the_same_order(size: int) -> None:
    items = [3, None, 1, None, 2, *range(50)]
    assert list(prefetch(items, size)) == items
    assert not threads()


def test_frames_of_a_video(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "clip.mp4", [10, 50, 90, 130])
    assert [frame.pts for frame in prefetch(read_frames(path))] == [frame.pts for frame in read_frames(path)]


def test_no_more_than_size_are_made_ahead() -> None:
    made = []

    def count() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = prefetch(count(), 3)
    assert not made
    assert next(items) == 0
    # one that was taken, three that wait and one for which there is no place
    wait_until(lambda: len(made) == 5)
    time.sleep(0.02)
    assert len(made) == 5
    items.close()


def test_making_and_using_overlap() -> None:
    ready = threading.Event()

    def steps() -> Iterator[int]:
        yield 0
        ready.set()
        yield 1

    items = prefetch(steps())
    assert next(items) == 0
    assert ready.wait(5)
    items.close()


def test_an_error_comes_out_in_its_place() -> None:
    def fail() -> Iterator[int]:
        yield 1
        yield 2
        raise InputError("clip.mp4: is damaged")

    given: list[int] = []
    with pytest.raises(InputError) as caught:
        given.extend(prefetch(fail()))
    assert str(caught.value) == "clip.mp4: is damaged"
    assert given == [1, 2]
    assert not threads()


def test_what_is_no_iterator() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        next(prefetch(5))  # type: ignore[arg-type]
    assert not threads()


def test_closing_early_stops_the_thread_and_closes_the_iterator() -> None:
    closed_in = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed_in.append(threading.current_thread().name)

    items = prefetch(endless(), 2)
    next(items)
    began = time.monotonic()
    items.close()
    assert time.monotonic() - began < 0.4
    assert not threads()
    assert closed_in == ["affectkit-prefetch"]


def test_closing_before_the_first_item_starts_nothing() -> None:
    items = prefetch(iter(range(3)))
    items.close()
    assert not threads()


def test_an_interrupt_stops_the_thread() -> None:
    def use() -> None:
        for item in prefetch(iter(range(10**9))):
            if item == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert not threads()


def test_an_interrupt_while_it_waits() -> None:
    # Ctrl-C is raised in the main thread, wherever that is
    import os
    import signal

    def slow() -> Iterator[int]:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        yield 1

    with pytest.raises(KeyboardInterrupt):
        list(prefetch(slow()))
    assert not threads()


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_is_none(size: int) -> None:
    with pytest.raises(ConfigError) as caught:
        prefetch([1], size)
    assert str(caught.value) == f"size: {size} is not accepted; write 1 or more"
