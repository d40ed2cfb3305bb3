"""`affectkit analyze`: a video in, a table out."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.analysis import Progress
    from affectkit.results.rows import Results

SUMMARY = "score every face of every frame of a video"
_SHOWN = 6
_NO_DETECTOR = "affectkit/whole-frame"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `affectkit.analyze`."""
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video file, or a picture")
    parser.add_argument(
        "--pipeline", required=True, metavar="P", help="a preset, a .toml or .json file, a saved model or a hub id"
    )
    parser.add_argument("--faces", metavar="F", help="face detector (the pipeline's own, or whole-frame)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="where the rows go (VIDEO's name + .rows.csv, here)")
    parser.add_argument("--overwrite", action="store_true", help="replace the rows that are there")
    parser.add_argument("--device", metavar="D", default="cpu", help="cpu (the default), cuda or cuda:1")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="float32 by default")
    parser.add_argument("--batch-size", metavar="N", type=int, default=16, help="frames scored at once, about (16)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the weights of an untrained pipeline (0)")


def run(args: argparse.Namespace, output: Output) -> int:
    """Analyze, then say where the rows are and what is in them."""
    from affectkit.analysis import analyze

    out = args.out if args.out is not None else Path(f"{args.video.name}.rows.csv")
    started = time.perf_counter()
    with _progress_bar(args.video.name) as progress:
        results = analyze(
            args.video,
            args.pipeline,
            faces=args.faces,
            out=out,
            overwrite=args.overwrite,
            device=args.device,
            precision=args.precision,
            batch_size=args.batch_size,
            seed=args.seed,
            progress=progress,
        )
    summary = summarize(results)
    # JSON has no NaN
    means = {name: mean if math.isfinite(mean) else None for name, mean in summary["means"].items()}
    facts = {"path": str(results.path), "detector": results.detector, **summary, "means": means}
    output.json({**facts, "seconds": round(time.perf_counter() - started, 3)})
    output.text(f"{summary['rows']} rows in {results.path}")
    for line in summary_lines(summary):
        output.text(line)
    if results.detector == _NO_DETECTOR:
        output.text("no face detector: every picture counts as one face (whole-frame)")
    return 0


def summarize(results: Results) -> dict[str, Any]:
    """Counts, span and means of a table, in one pass over it."""
    statuses = {"ok": 0, "no_face": 0}
    sums: dict[str, float] = {}
    frames, first, last = 0, None, None
    previous = -1
    for row in results:
        statuses[row.status] += 1
        frames += row.frame != previous
        previous = row.frame
        first = row.pts if first is None else first
        last = row.pts
        for name, value in row.predictions.items():
            sums[name] = sums.get(name, 0.0) + value
    means = {name: total / statuses["ok"] for name, total in sums.items()}
    return {
        "rows": sum(statuses.values()),
        "frames": frames,
        "start": first,
        "stop": last,
        "statuses": statuses,
        "means": means,
    }


def summary_lines(summary: dict[str, Any]) -> tuple[str, str]:
    """The same in two lines."""
    counts = ", ".join(f"{count} {status}" for status, count in summary["statuses"].items())
    span = f"{summary['frames']} frames from {summary['start']:.3f} to {summary['stop']:.3f} s: {counts}"
    means = [f"{name} {value:.3f}" for name, value in summary["means"].items()]
    more = f" and {len(means) - _SHOWN} more" if len(means) > _SHOWN else ""
    return span, f"means: {', '.join(means[:_SHOWN])}{more}" if means else "means: none, no frame has a face"


@contextmanager
def _progress_bar(title: str) -> Iterator[Progress | None]:
    """A bar with frames per second on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")
        started = time.perf_counter()

        def update(done: int, total: int | None) -> None:
            rate = done / max(time.perf_counter() - started, 1e-9)
            # Containers may say too few frames; the bar then has no end rather than a wrong one.
            bar.update(task, completed=done, total=total if total and total >= done else None, rate=f"{rate:.0f} fps")

        yield update
