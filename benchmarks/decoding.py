"""What a frame costs until it is RGB: run `python benchmarks/decoding.py` (needs ../shared).

The memory of the reader over a long video; then CPU time and wall time per frame of decoding and converting, by the
threads of the decoder, and of the reader as it is, alone and read ahead. Candidates are interleaved, medians printed.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import av
from looped import loop_video

from affectkit.video.prefetch import prefetch
from affectkit.video.reader import read_frames

MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "media"
ROUNDS = 5


def decoded(path: Path, kind: str, count: int, threads: int | None) -> Iterable[object]:
    """Every frame as RGB; `threads` of the conversion, None for FFmpeg's choice."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        context.thread_type, context.thread_count = kind, count
        given: dict[str, Any] = {} if threads is None else {"threads": threads}
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24", **given)


def read_ahead(path: Path) -> Iterable[object]:
    """The reader in a thread of its own."""
    return prefetch(read_frames(path))


def cost(frames: Iterable[object]) -> tuple[float, float]:
    """CPU and wall time per frame, ms."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in frames)
    return 1e3 * (time.process_time() - cpu) / count, 1e3 * (time.perf_counter() - wall) / count


def main() -> int:
    """Print the tables."""
    if not MEDIA.is_dir():
        print(f"no {MEDIA}: the clips are not shipped with the project")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (30.0, 600.0):
            path = loop_video(MEDIA / "single_face.mp4", Path(folder) / f"{seconds:.0f}.mp4", seconds)
            count = sum(1 for _ in read_frames(path))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{seconds:5.0f} s, {count:6} frames: peak memory so far {peak:.0f} MB")
    for name in ("single_face.mp4", "face_noface.mov"):
        path = MEDIA / name
        ways: dict[str, Callable[[], Iterable[object]]] = {}
        for label, kind, count in (("1 thread", "SLICE", 1), ("slices", "SLICE", 0), ("auto", "AUTO", 0)):
            for threads in (1, None):
                converted = "converted by 1" if threads == 1 else "converted by FFmpeg's choice"
                ways[f"{label}, {converted}"] = partial(decoded, path, kind, count, threads)
        ways["read_frames"] = partial(read_frames, path)
        ways["read_frames, read ahead"] = partial(read_ahead, path)
        found: dict[str, list[tuple[float, float]]] = {label: [] for label in ways}
        for _ in range(ROUNDS):
            for label, way in ways.items():
                found[label].append(cost(way()))
        print(f"{name:45}{'CPU ms':>10}{'wall ms':>10}")
        for label, costs in found.items():
            cpu, wall = (statistics.median(column) for column in zip(*costs, strict=True))
            print(f"{label:45}{cpu:10.2f}{wall:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
