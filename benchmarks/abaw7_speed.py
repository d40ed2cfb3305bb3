"""Frames per second of `analyze` with the preset `abaw7`: run `python benchmarks/abaw7_speed.py` (needs ../shared).

Decode, detect in every frame, track, align, flow, three encoders, fusion and Transformer, in one process, on a looped
synthetic clip of 256x256 pixels with one face. Medians of rounds. Random weights where the preset has none yet: they
take as long. Bar: at least 30 frames per second on two cores.

Beside it the published size on faces that are cut already: frames per second, and the share of what one large matrix
product reaches on the same threads, by counted multiplications and additions.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from affectkit_abaw7.presets import PUBLISHED, make_published
from affectkit_abaw7.system import make_abaw7
from looped import loop_video
from torch.utils.flop_counter import FlopCounterMode

from affectkit import analyze
from affectkit.data.synthetic import BENCH_V1, render_clip

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
BAR, ROUNDS, SECONDS, FPS = 30.0, 3, 20.0, 30.0
# Frames of the published size that are scored at once, and the side of the product that it is compared with.
CLIP, SIDE = 16, 2048


def main() -> int:
    """Print the rates; 1 if the bar is missed."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: YuNet's weights are not shipped with the project")
        return 1
    os.environ.setdefault("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    print(f"{os.cpu_count()} processors, {torch.get_num_threads()} threads of torch")
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        # of weights that are synthetic, or none
        warnings.simplefilter("ignore")
        clip = render_clip(10_000, BENCH_V1, fps=FPS).write(Path(name) / "clip.mp4")
        video = loop_video(clip, Path(name) / "long.mp4", SECONDS)
        model = make_abaw7().build().eval()
        rate = _rate(lambda: sum(1 for _ in analyze(video, model, faces="yunet")))
    print(f"analyze, abaw7, one face: {rate:.0f} frames/s (bar {BAR:.0f})", flush=True)
    published = make_published().build().eval()
    faces = torch.rand(1, CLIP, 3, PUBLISHED, PUBLISHED)
    with FlopCounterMode(display=False) as counter:
        published.predict(faces)
    per_frame = counter.get_total_flops() / CLIP
    rate_published, peak = _rate(lambda: len(published.predict(faces)["va"][0])), _peak()
    share = rate_published * per_frame / peak
    print(
        f"abaw7-published: {rate_published:.1f} frames/s, {per_frame / 1e9:.1f} GFLOP per frame, "
        f"{share:.0%} of {peak / 1e9:.0f} GFLOP/s"
    )
    return int(rate < BAR)


def _rate(work: Callable[[], int]) -> float:
    """Items per second of wall time, the median of the rounds."""
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - started))
    return statistics.median(rates)


def _peak() -> float:
    """Multiplications and additions per second of a product of two square matrices, the best of the rounds."""
    a = torch.rand(SIDE, SIDE)
    b = torch.rand(SIDE, SIDE)
    a @ b
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - started)
    return float(2 * SIDE**3 / min(times))


if __name__ == "__main__":
    sys.exit(main())
