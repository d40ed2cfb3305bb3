"""What MediaPipe's networks cost: `.venv-mediapipe/bin/python benchmarks/mediapipe_speed.py` (needs ../shared).

`make test-mediapipe` makes that environment. Frames per second of the parts by themselves, and of `analyze` with the
preset `mediapipe-au-proxies` from file to table, on 640x360 with one face and 960x540 with one face in a part of the
frames. Medians of rounds; beside them milliseconds of processor time per frame, all threads together, which other work
on the machine changes less. The load says how much of that there was.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from affectkit import analyze, default_registry, from_pretrained
from affectkit.configs import FaceDetectorConfig
from affectkit.faces.yunet import YuNetConfig
from affectkit.lookup import find_preset
from affectkit.model import Model
from affectkit.sequences import Sequence
from affectkit.video.cutter import Cutter
from affectkit.video.detection import build_detector
from affectkit.video.reader import VideoFrame, read_frames
from affectkit.video.tracking import TrackedFace

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
PRESET, ROUNDS, FRAMES = "affectkit-mediapipe/mediapipe-au-proxies", 3, 60


def main() -> int:
    """Print the table; 1 where the plugin or the clips are not here."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: the clips and weights are not shipped with the project")
        return 1
    os.environ.setdefault("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    registry = default_registry()
    if find_preset(PRESET, registry) is None:
        print(f"no {PRESET}: run this with the Python of .venv-mediapipe, which `make test-mediapipe` makes")
        return 1
    detector = registry.component("faces", "mediapipe-face").spec.config()
    model = from_pretrained(PRESET)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; one thread, unless it says analyze\n")
    for name in ("single_face.mp4", "noface_face.mov"):
        clip = SHARED / "media" / name
        _line(f"{name}: detect, mediapipe-face", _detection(clip, detector))
        _line(f"{name}: detect, yunet", _detection(clip, YuNetConfig()))
        for faces in ("mediapipe-face", "yunet"):
            _line(f"{name}: analyze, {faces}", _rate(partial(_count, clip, model, faces)))
    _line("single_face.mp4: blendshapes of a cut", _extraction(SHARED / "media" / "single_face.mp4", model))
    print(f"\nload {os.getloadavg()[0]:.1f}")
    return 0


def _detection(clip: Path, config: FaceDetectorConfig) -> tuple[float, float]:
    detector = build_detector(config, default_registry())
    # all along the clip, as a face is not in all of it
    frames = [frame for frame in read_frames(clip) if isinstance(frame, VideoFrame)]
    frames = frames[:: max(len(frames) // FRAMES, 1)]
    return _rate(lambda: len([detector.detect(frame.image) for frame in frames]))


def _extraction(clip: Path, model: Model) -> tuple[float, float]:
    detector = build_detector(YuNetConfig(), default_registry())
    cutter, cuts = Cutter({"clip": model.config.input_streams()["clip"]}), []  # type: ignore[dict-item]
    for frame in read_frames(clip, stop=1.0):
        if isinstance(frame, VideoFrame) and (found := detector.detect(frame.image)):
            cuts.append(cutter.cut(frame, TrackedFace(track=0, face=found[0])).inputs["clip"])
    import torch

    clips = [Sequence.of(torch.from_numpy(cut)[None, None]) for cut in cuts]
    return _rate(lambda: len([model.predict({"clip": clip}) for clip in clips]))


def _line(name: str, measured: tuple[float, float]) -> None:
    print(f"{name:<44}{measured[0]:8.0f} frames/s{measured[1]:8.1f} ms", flush=True)


def _count(video: Path, model: Model, faces: str) -> int:
    return len({row.frame for row in analyze(video, model, faces=faces)})


def _rate(work: Callable[[], int]) -> tuple[float, float]:
    """Items per second of wall time, and milliseconds of processor time per item; medians of the rounds."""
    work()
    rates, costs = [], []
    for _ in range(ROUNDS):
        started, used = time.perf_counter(), time.process_time()
        count = work()
        rates.append(count / (time.perf_counter() - started))
        costs.append(1000 * (time.process_time() - used) / count)
    return statistics.median(rates), statistics.median(costs)


if __name__ == "__main__":
    sys.exit(main())
