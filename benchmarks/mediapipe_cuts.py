"""What docs/plugins/mediapipe.md says of cuts: `.venv-mediapipe/bin/python benchmarks/mediapipe_cuts.py` (../shared).

Blendshapes of a cut against those of the whole frame, by alignment, over frames of the clips with one face; what a
frame shifted by 3 and 5 pixels makes of them; the five points against YuNet's; whom both detectors find among five
people; and how far the proxies go in a clip of a smile.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from affectkit_mediapipe.bundle import BUNDLE, PROVIDER
from affectkit_mediapipe.face import MediaPipeFaceConfig
from affectkit_mediapipe.face_detector import MediaPipeFace, five_points
from affectkit_mediapipe.landmarker import Landmarker, Mesh
from numpy.typing import NDArray

from affectkit import Face, analyze
from affectkit.faces.yunet import YuNetConfig
from affectkit.faces.yunet_detector import YuNet
from affectkit.video.alignment import TEMPLATES, warp
from affectkit.video.reader import VideoFrame, read_frames
from affectkit.weights import fetch_weights

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
MEDIA = SHARED / "media"
# every so many frames
CLIPS = {"single_face.mp4": 7, "face_noface.mov": 40, "noface_face.mov": 40}
SIDE = 256


def main() -> int:
    """Print the tables; 1 where the clips are not here."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: the clips and weights are not shipped with the project")
        return 1
    os.environ.setdefault("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    bundle = fetch_weights(BUNDLE, PROVIDER).read_bytes()
    landmarker = Landmarker(bundle, max_faces=1, score_threshold=0.5, presence_threshold=0.5, with_blendshapes=True)
    _compare_cuts(landmarker)
    _find_five(landmarker)
    rows = [row.predictions for row in analyze(MEDIA / "face_noface.mov", "mediapipe-au-proxies", faces="yunet")]
    print("\nlargest value of each proxy in face_noface.mov, a smile")
    for name in (name for name in rows[0] if name.startswith("au_proxies.")):
        print(f"{name:<24}{max(row[name] for row in rows if row):8.4f}")
    return 0


def _compare_cuts(landmarker: Landmarker) -> None:
    gaps: dict[str, list[Any]] = {}
    offsets = []
    pictures = _pictures()
    for picture in pictures:
        (mesh,) = landmarker(picture)
        points = five_points(mesh)
        face = Face(box=(0, 0, 1, 1), landmarks=tuple((x, y) for x, y in points.tolist()))
        others = {name: _cut(picture, face, name) for name in TEMPLATES} | {"shift": np.roll(picture, (3, 5), (0, 1))}
        for name, other in others.items():
            found = landmarker(other)
            gaps.setdefault(name, []).append(np.abs(_shapes(found[0]) - _shapes(mesh)) if found else None)
        (seen, *_) = YuNet(YuNetConfig()).detect(picture)
        eyes = np.array(seen.landmarks[:2])
        offsets.append((points - seen.landmarks) / np.hypot(*(eyes[1] - eyes[0])))
    print(f"blendshapes against those of the whole frame, {len(pictures)} frames: found, mean and largest difference")
    for name, gap in gaps.items():
        known = np.array([one for one in gap if one is not None])
        print(f"{name:<10}{len(known):4}{known.mean():8.4f}{known.max():8.3f}")
    print("\nthe five points less YuNet's, in distances between the eyes: means, x and y")
    print(np.array2string(np.mean(offsets, axis=0), precision=3, suppress_small=True))


def _find_five(landmarker: Landmarker) -> None:
    picture = _read(MEDIA / "multi_face.jpg")
    print("\nfive people: score and width of the box; for YuNet, whether its steady cut has a mesh")
    for face in MediaPipeFace(MediaPipeFaceConfig()).detect(picture):
        print(f"mediapipe-face {face.score:6.2f}{face.box[2]:6.0f}")
    for face in YuNet(YuNetConfig()).detect(picture):
        print(f"yunet          {face.score:6.2f}{face.box[2]:6.0f}  {bool(landmarker(_cut(picture, face, 'steady')))}")


def _pictures() -> list[NDArray[np.uint8]]:
    """Those in which YuNet sees a face."""
    pictures = [_read(MEDIA / "single_face.jpg")]
    for name, stride in CLIPS.items():
        frames = [frame.image for frame in read_frames(MEDIA / name) if isinstance(frame, VideoFrame)]
        pictures += [image for image in frames[stride - 1 :: stride] if YuNet(YuNetConfig()).detect(image)]
    return pictures


def _shapes(mesh: Mesh) -> NDArray[np.float32]:
    assert mesh.blendshapes is not None  # asked for in main
    return mesh.blendshapes


def _cut(picture: NDArray[np.uint8], face: Face, name: str) -> NDArray[np.uint8]:
    cut = warp(picture, TEMPLATES[name].similarity(face).then(SIDE, 0j), SIDE, SIDE)
    return np.rint(cut * 255).astype(np.uint8)


def _read(path: Path) -> NDArray[np.uint8]:
    picture: Any = cv2.imread(str(path))
    return np.ascontiguousarray(picture[:, :, ::-1])


if __name__ == "__main__":
    sys.exit(main())
