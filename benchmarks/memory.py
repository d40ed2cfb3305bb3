"""Peak memory of `analyze`, 30 seconds against 10 minutes: run `python benchmarks/memory.py` (needs ../shared).

`single_face.mp4` is looped by copying its packets, and each length is analyzed in a process of its own, with
`expression` and the rows written to a file. Bar: the peaks of resident memory differ by less than 50 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from looped import loop_video

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
LENGTHS, BAR = (30.0, 600.0), 50.0
CODE = """
import resource, sys
from affectkit import analyze
results = analyze(sys.argv[1], "expression", faces="yunet", out=sys.argv[2])
print(results.info.complete, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(results))
"""


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: the clips and weights are not shipped with the project")
        return 1
    environment = {**os.environ, "AFFECTKIT_WEIGHTS": str(SHARED / "weights")}
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        for ending in ("csv", "parquet"):
            for seconds in LENGTHS:
                video = loop_video(SHARED / "media" / "single_face.mp4", Path(name) / f"{seconds:.0f}.mp4", seconds)
                out = Path(name) / f"{seconds:.0f}.{ending}"
                command = [sys.executable, "-c", CODE, str(video), str(out)]
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                complete, peak, rows = done.stdout.split()
                assert complete == "True"
                peaks.append(float(peak))
                print(f"{ending:<8}{seconds:6.0f} s {int(rows):7d} rows {float(peak):8.0f} MB")
            print(f"{ending:<8}difference {peaks[-1] - peaks[-2]:+17.0f} MB (bar {BAR:.0f})")
    return int(any(abs(long - short) >= BAR for short, long in zip(peaks[::2], peaks[1::2], strict=True)))


if __name__ == "__main__":
    sys.exit(main())
