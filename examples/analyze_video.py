"""A video in, a table out, at the video's own times. Run: python examples/analyze_video.py [VIDEO]"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

from affectkit import analyze
from affectkit.data.patterns import Pattern, progress, render, write_clip
from affectkit.errors import UntrainedWarning


def render_clip() -> Path:
    """A moving texture, not a face, at the uneven times of a variable frame rate."""
    times = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.02, 0.06, 39)])
    frames = render(Pattern(motion="expand", texture=1, size=64), progress(times, float(times[-1])))
    return write_clip("clip.mp4", frames, list(times))


def main(video: Path) -> None:
    with warnings.catch_warnings():
        # `starter` has no trained weights. With a model of your own: analyze(video, "path/of/the/saved/model")
        warnings.simplefilter("ignore", UntrainedWarning)
        results = analyze(video, "starter", out="rows.csv", overwrite=True)

    print(f"{len(results)} rows in {results.path}; columns: {', '.join(results.columns)}")
    # Rows are read from the file as they are asked for.
    for row in results[:5]:
        print(f"frame {row.frame} at {row.pts:.3f} s: {row.status}, valence {row.predictions['affect.valence']:+.3f}")
    first, last = results[0], results[-1]
    print(f"seconds from first to last frame: {last.pts - first.pts:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else render_clip())
