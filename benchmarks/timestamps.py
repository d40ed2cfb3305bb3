"""Times of the frames against the container's own: run `python benchmarks/timestamps.py` (needs ../shared).

The container's times are those of its packets, in the order of presentation, without those that an edit list cuts away;
no decoder is asked. Bar: equal for every frame, and a frame for each. Index over average rate is printed for scale.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import av

from affectkit.video.reader import probe, read_frames

MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "media"
CLIPS = ("face_noface.mov", "noface_face.mov", "no_face.mp4", "single_face.mp4", "baby-monitor-input.mp4")


def packet_times(path: Path) -> list[float]:
    """Seconds of every packet that is shown, ascending."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size and not packet.is_discard]
        return sorted(float(packet.pts * packet.time_base) for packet in packets)


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    if not MEDIA.is_dir():
        print(f"no {MEDIA}: the clips are not shipped with the project")
        return 1
    failed = False
    print(f"{'clip':24}{'frames':>8}{'shortest':>10}{'longest':>10}{'equal':>8}{'index / rate is off by':>25}")
    for name in CLIPS:
        path = MEDIA / name
        expected, given = packet_times(path), [frame.pts for frame in read_frames(path)]
        gaps = [b - a for a, b in itertools.pairwise(given)]
        rate = probe(path).average_fps or 1.0
        error = max(abs(index / rate - pts) for index, pts in enumerate(given))
        failed |= given != expected
        low, high = f"{1e3 * min(gaps):.1f} ms", f"{1e3 * max(gaps):.1f} ms"
        print(f"{name:24}{len(given):8}{low:>10}{high:>10}{given == expected!s:>8}{1e3 * error:22.0f} ms")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
