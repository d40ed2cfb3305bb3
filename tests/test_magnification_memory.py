"""`magnify` holds no more of a long video than of a short one."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from affectkit import EulerianConfig, MagNetConfig, PhaseConfig, magnification, magnify
from affectkit.configs import MotionConfig
from affectkit.video.reader import SkippedFrame, VideoFrame, read_frames
from tests.clips import write_levels

MOTIONS = {
    "phase": PhaseConfig(band=(1.0, 4.0), directions=2),
    "eulerian": EulerianConfig(band=(1.0, 4.0), cutoff=8.0),
    "magnet": MagNetConfig(),
    "magnet-previous": MagNetConfig(reference="previous"),
}


class Held(NamedTuple):
    """The most at any time: pictures that were read or made, and bytes of tensors."""

    pictures: int
    tensors: int


def hold(motion: MotionConfig, count: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Held:
    """What `magnify` holds of a video of `count` frames, beside what there was before."""
    pictures: list[weakref.ref[Any]] = []
    found: list[Held] = []
    # what earlier tests left in cycles would be counted before, and be gone within
    gc.collect()
    step, before = magnification._step, tensor_bytes()

    def read(path: Path, **options: Any) -> Iterator[VideoFrame | SkippedFrame]:
        for frame in read_frames(path, **options):
            assert isinstance(frame, VideoFrame)
            pictures.append(weakref.ref(frame.image))
            yield frame

    def watched_step(*args: Any) -> Any:
        made, state = step(*args)
        pictures.append(weakref.ref(made))
        return made, state

    def watch(done: int, total: int | None) -> None:
        if done % 15:  # to look at every object takes longer than a frame
            return
        gc.collect(0)
        found.append(Held(sum(one() is not None for one in pictures), tensor_bytes() - before))

    video = write_levels(folder / f"{count}.mp4", [90 + i % 7 for i in range(count)])
    with monkeypatch.context() as patch:
        patch.setattr(magnification, "read_frames", read)
        patch.setattr(magnification, "_step", watched_step)
        # random weights take as much room, and need no file
        patch.setattr(magnification, "load_published", lambda *args: None)
        magnify(video, motion, folder / f"{count}.out.mp4", size=16, progress=watch)
    assert len(pictures) == 2 * count
    return Held(*map(max, zip(*found, strict=True)))


def tensor_bytes() -> int:
    # by address: views share what they show
    storages = [one.untyped_storage() for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.mark.parametrize("name", MOTIONS)
def test_a_video_three_times_as_long_takes_no_more(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = (hold(MOTIONS[name], count, tmp_path, monkeypatch) for count in (30, 90))
    assert short == long
    assert short.pictures <= 8
    assert short.tensors > 0


def test_garbage_of_others_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "again").mkdir()
    clean = hold(MOTIONS["eulerian"], 30, tmp_path, monkeypatch)
    ring: list[Any] = [torch.zeros(100_000)]
    ring.append(ring)
    del ring
    assert hold(MOTIONS["eulerian"], 30, tmp_path / "again", monkeypatch) == clean


@pytest.mark.parametrize("kind", ["pictures", "tensors"])
def test_what_keeps_every_frame_would_be_found(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    step = magnification._step

    def hoarding(*args: Any) -> Any:
        made, state = step(*args)
        kept.append(made if kind == "pictures" else state.last.clone())
        return made, state

    monkeypatch.setattr(magnification, "_step", hoarding)
    short, long = (hold(MOTIONS["eulerian"], count, tmp_path, monkeypatch) for count in (30, 90))
    assert getattr(long, kind) > getattr(short, kind) + 50
