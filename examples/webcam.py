"""Watch a camera for a few seconds and keep a table of it. Run: python examples/webcam.py [NUMBER]"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from affectkit import InputError, analyze

SECONDS = 10.0
# Fewer than the camera gives, so that a slow machine keeps up.
FPS = 15.0


def tell(done: int, total: int | None) -> None:
    if done % 10 == 0:
        print(f"{done} frames")


def main(number: int) -> None:
    out = Path(time.strftime("camera-%H-%M-%S.csv"))
    try:
        results = analyze(number, "motion-events", faces="haar", fps=FPS, stop=SECONDS, out=out, progress=tell)
    except InputError as error:
        # No camera, no permission, in use by another program: the message says which, and what to do.
        print(error)
        return
    seen = sum(row.track is not None for row in results)
    print(f"{len(results)} rows in {results.path}, {seen} with a face, {len(results.events)} events")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
