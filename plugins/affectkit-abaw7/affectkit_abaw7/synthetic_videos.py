"""Videos of synthetic people as training examples: rendered, encoded, read again, and cut as `analyze` cuts faces.

Train people have two or three expressions in every video, so that less is rendered for what is learned; choice and
report people are filmed exactly as `BENCH_V1` says. Each video is an entry of a content-addressed cache: what was
rendered once is not rendered again, and a run that was stopped goes on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affectkit import FrameStream
from affectkit.caching import cached
from affectkit.data.synthetic import BENCH_V1, SPLITS, SyntheticSettings, render_clip, split_of
from affectkit.faces.yunet import YuNetConfig
from affectkit.faces.yunet_detector import YuNet
from affectkit.records import Face
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.video.cutter import Cutter
from affectkit.video.reader import VideoFrame, read_frames
from affectkit.video.tracking import TrackedFace
from affectkit.workers import Workers
from affectkit_abaw7.synthetic_labels import BLOCKS, PRESENT, SHARES, hide_labels, list_frames, make_labels

# Of what is kept; another number renders anew.
VERSION = 1
FPS = 30.0
TRAIN_SETTINGS = replace(BENCH_V1, events=(2, 3), without_event=0.0)
INPUT = "clip"
# People to train on, to choose by, and to report on: of the latter two in the order of their numbers.
TRAIN, CHOICE, REPORT = SPLITS["train"], SPLITS["choice"], SPLITS["report"]


def settings_of(seed: int) -> SyntheticSettings:
    """How the video of a person is made."""
    return TRAIN_SETTINGS if split_of(seed) == "train" else BENCH_V1


def render_examples(
    seeds: range,
    stream: FrameStream,
    *,
    folder: Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Examples:
    """One video for each of these people, with labels per listed frame, partial as those of real lists.

    Arguments:
        seeds: of one split.
        stream: how faces are cut.
        folder: of the cache.
        workers: processes that render.
        progress: called with how many videos are done, and of how many.

    Returns:
        Frames `(N, T, C, H, W)`, targets `va` `(N, T, 2)`, `expr` `(N, T)` and `au` `(N, T, 12)`; shorter videos are
        padded. A video in whose first listed frame no face is found is left out; the caller sees it by its key.
    """
    work = partial(cut_video, stream=stream, folder=folder)
    found: dict[int, dict[str, Tensor]] = {}
    if workers == 1:
        for seed in seeds:
            found[seed] = work(seed)
            if progress is not None:
                progress(len(found), len(seeds))
    else:
        with Workers(workers) as pool:
            futures = {seed: pool.submit(work, seed) for seed in seeds}
            for seed, future in futures.items():
                found[seed] = pool.take(future.result())
                if progress is not None:
                    progress(len(found), len(seeds))
    return _joined({seed: one for seed, one in found.items() if len(one["frames"])})


def cut_video(
    seed: int, *, stream: FrameStream, folder: Path, progress: Callable[..., None] | None = None
) -> dict[str, Tensor]:
    """Cuts `(T, C, H, W)` in 256 gray levels, `frames`, `times`, and values and valid of every head, from the cache."""
    if progress is not None:
        progress()
    settings = settings_of(seed)
    form = {"side": (stream.height, stream.width), "channels": stream.channels, "alignment": stream.alignment}
    labels = {"present": PRESENT, "shares": list(SHARES.values()), "blocks": BLOCKS}
    parts = [VERSION, seed, FPS, asdict(settings), form, labels]
    return cached(lambda: _cut_video(seed, settings, stream), parts=parts, folder=folder)


def _cut_video(seed: int, settings: SyntheticSettings, stream: FrameStream) -> dict[str, Tensor]:
    import cv2

    # beside other workers, more threads cost more than they bring
    cv2.setNumThreads(1)
    clip = render_clip(seed, settings, fps=FPS)
    listed = list_frames(len(clip), np.random.default_rng([seed, 6]))
    with tempfile.TemporaryDirectory() as name:
        path = clip.write(Path(name) / "clip.mp4")
        wanted = set(listed.tolist())
        frames = [frame for frame in read_frames(path) if isinstance(frame, VideoFrame) and frame.index in wanted]
    cuts, kept = _cut_faces(frames, stream)
    at = np.array([frame.index for frame in kept], np.int64)
    labels = hide_labels(make_labels(clip.truth, at), np.random.default_rng([seed, 7]))
    found = {
        "frames": torch.from_numpy(at + 1),
        "times": torch.tensor([frame.pts for frame in kept], dtype=torch.float64),
        "cuts": cuts,
    }
    for head, one in labels.items():
        values = np.where(one.valid, one.values, 0).astype(one.values.dtype)
        found |= {f"{head}.values": torch.from_numpy(values), f"{head}.valid": torch.from_numpy(one.valid)}
    return found


def _cut_faces(frames: list[VideoFrame], stream: FrameStream) -> tuple[Tensor, list[VideoFrame]]:
    """Cuts of the frames from the first one with a face on; a frame without one is cut where the face was last."""
    detector, cutter = YuNet(YuNetConfig()), Cutter({INPUT: stream})
    last: Face | None = None
    cuts, kept = [], []
    for frame in frames:
        faces = detector.detect(frame.image)
        last = max(faces, key=lambda one: one.score) if faces else last
        if last is not None:
            cuts.append(cutter.cut(frame, TrackedFace(track=0, face=last)).inputs[INPUT])
            kept.append(frame)
    shape = (0, len(stream.channels), stream.height, stream.width)
    values = np.stack(cuts) if cuts else np.zeros(shape, np.float32)
    return torch.from_numpy(np.rint(values * 255).astype(np.uint8)), kept


def _joined(videos: Mapping[int, Mapping[str, Tensor]]) -> Examples:
    longest = max(len(one["frames"]) for one in videos.values())

    def pad(name: str) -> Tensor:
        parts = [one[name] for one in videos.values()]
        filled = torch.zeros(len(parts), longest, *parts[0].shape[1:], dtype=parts[0].dtype)
        for row, part in enumerate(parts):
            filled[row, : len(part)] = part
        return filled

    mask = pad("frames") > 0
    # the last time over and over, so that padding is no gap
    times = pad("times").masked_fill(~mask, -torch.inf).cummax(dim=1).values
    heads = sorted({name.partition(".")[0] for one in videos.values() for name in one if "." in name})
    return Examples(
        inputs={INPUT: Sequence(pad("cuts").float().div_(255), mask, times)},
        targets={head: Targets(pad(f"{head}.values"), pad(f"{head}.valid")) for head in heads},
        subjects=tuple(f"synthetic/{seed:05}" for seed in videos),
        keys=tuple(f"{seed:05}" for seed in videos),
        videos=tuple(f"{seed:05}" for seed in videos),
        frames=pad("frames"),
    )
