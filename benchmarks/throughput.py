"""Frames per second of `analyze` with `expression`: run `python benchmarks/throughput.py` (needs ../shared).

Decode, detect in every frame, track, align and classify, in one process, from a 640x360 video: `single_face.mp4`
looped, and a video made of `multi_face.jpg` with five faces. Medians of rounds; the machine's own parts beside them,
measured in the same run: decoding alone, and detection alone on one thread. Bar: at least 100 frames per second
with one face, on two cores.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from looped import loop_video

from affectkit import analyze, from_pretrained
from affectkit.data.patterns import write_clip
from affectkit.faces.yunet import YuNetConfig
from affectkit.model import Model
from affectkit.registry import default_registry
from affectkit.video.detection import build_detector
from affectkit.video.reader import VideoFrame, read_frames

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
BAR, ROUNDS, SECONDS = 100.0, 3, 20.0


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: the clips and weights are not shipped with the project")
        return 1
    os.environ.setdefault("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    model = from_pretrained("expression")
    print(f"{os.cpu_count()} processors; 640x360, a detector in every frame\n")
    with tempfile.TemporaryDirectory() as name:
        one = loop_video(SHARED / "media" / "single_face.mp4", Path(name) / "one.mp4", SECONDS)
        five = _five_faces(Path(name) / "five.mp4")
        found = build_detector(YuNetConfig(), default_registry())
        frames = [frame for frame in read_frames(one, stop=3.0) if isinstance(frame, VideoFrame)]
        _line("decode alone", _rate(lambda: sum(1 for _ in read_frames(one))))
        _line("detect alone, one thread", _rate(lambda: len([found.detect(frame.image) for frame in frames])))
        result = _rate(lambda: _count(one, model))
        _line(f"analyze, one face (bar {BAR:.0f})", result)
        _line("analyze, five faces", _rate(lambda: _count(five, model)))
    return int(result < BAR)


def _line(name: str, rate: float) -> None:
    print(f"{name:<36}{rate:8.0f} frames/s", flush=True)


def _count(video: Path, model: Model) -> int:
    return len({row.frame for row in analyze(video, model, faces="yunet")})


def _rate(work: Callable[[], int]) -> float:
    """Items per second of wall time, the median of the rounds."""
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - started))
    return statistics.median(rates)


def _five_faces(path: Path) -> Path:
    """A slow pan over the picture of five people, 640x360, ten seconds at 30 frames per second."""
    picture = cv2.cvtColor(cv2.imread(str(SHARED / "media" / "multi_face.jpg")), cv2.COLOR_BGR2RGB)
    scaled = cv2.resize(picture, (640, round(picture.shape[0] * 640 / picture.shape[1])), interpolation=cv2.INTER_AREA)
    room = scaled.shape[0] - 360
    tops = np.rint((1 - np.cos(np.linspace(0, 2 * np.pi, 300))) / 2 * min(room, 20)).astype(int)
    return write_clip(path, np.stack([scaled[top : top + 360] for top in tops]), [i / 30 for i in range(300)])


if __name__ == "__main__":
    sys.exit(main())
