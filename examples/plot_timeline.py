"""Draw what was found over time, above what is true. Run: python examples/plot_timeline.py [PICTURE]"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from affectkit import Results, analyze
from affectkit.data.synthetic import SyntheticClip, SyntheticSettings, render_clip

FACE = SyntheticSettings(
    seconds=4.0, events=(2, 2), without_event=0.0, peak=(1.0, 2.0), blink_every=2.0, occluded_clips=0.0
)


def with_truth(results: Results, clip: SyntheticClip) -> Results:
    """The same table with the true intensity of every unit that moves, as if a pipeline had predicted it."""
    units = [i for i in range(len(clip.truth.aus)) if clip.truth.au[:, i].any()]
    names = tuple(f"au.{clip.truth.aus[i]}" for i in units)
    rows = tuple(
        replace(row, predictions=dict(zip(names, clip.truth.au[row.frame, units].tolist(), strict=True)))
        for row in results
    )
    columns = (*results.columns, *names)
    return Results(columns, rows, events=tuple(results.events), info=results.info)


def main(picture: Path) -> None:
    clip = render_clip(2, FACE, fps=30)
    results = analyze(clip.write("clip.mp4"), "motion-events", faces="haar")
    # For a table of your own: affectkit.read_results("rows.csv").plot("timeline.png")
    with_truth(results, clip).plot(picture, overwrite=True)
    print(f"drawn: {picture}, {len(results.events)} events found, {len(clip.truth.events)} rendered")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("timeline.png"))
