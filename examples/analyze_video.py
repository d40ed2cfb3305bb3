"""A video in, a table of rows and events out. Run: python examples/analyze_video.py [VIDEO]"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from affectkit import analyze
from affectkit.data.synthetic import BENCH_V1, Movement, render_clip

SMILE = Movement(
    kind="micro-expression",
    label="happiness",
    onset=0.9,
    apex=1.06,
    offset=1.26,
    pixels={"AU6": 1.0, "AU12": 1.8},
)


def render_video() -> Path:
    """A face that nobody has, and that smiles for a third of a second."""
    settings = replace(BENCH_V1, seconds=2.0, occluded_clips=0.0)
    print(f"rendered: {SMILE.kind} from {SMILE.onset:.3f} to {SMILE.offset:.3f} s, apex {SMILE.apex:.3f}")
    return render_clip(2, settings, fps=30, movements=(SMILE,)).write("clip.mp4")


def main(video: Path) -> None:
    # `motion-events` needs no weights. For labels of expressions: "expression", or the folder of a model of your own.
    # Haar comes with OpenCV; faces="yunet" finds more, once its weights are there.
    results = analyze(video, "motion-events", faces="haar", out="rows.csv", overwrite=True)

    print(f"{len(results)} rows in {results.path}, columns {', '.join(results.columns[:4])}, ...")
    # Rows are read from the file as they are asked for.
    for row in results[:3]:
        print(f"frame {row.frame} at {row.pts:.3f} s: {row.status}, face {row.track}")
    for event in results.events:
        apex = "unknown" if event.apex is None else f"{event.apex:.3f}"
        print(f"found: {event.kind} from {event.onset:.3f} to {event.offset:.3f} s, apex {apex}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else render_video())
