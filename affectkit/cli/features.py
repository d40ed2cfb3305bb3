"""`affectkit features`: what a pipeline's branch says of every frame of many videos, computed once."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar

if TYPE_CHECKING:
    from affectkit.records import Index

SUMMARY = "compute features of every frame of many videos, a file per video"
# Issues that are printed; how many there are is always said.
SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`MODEL DATA --out FOLDER` and options."""
    parser.add_argument("model", metavar="MODEL", help="preset, pipeline file or saved model")
    parser.add_argument(
        "data", metavar="DATA", help="a folder of videos or of frame folders; NAME=ROOT of a dataset; or .toml"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="for the files")
    parser.add_argument("--branch", metavar="NAME", help="of the pipeline, where it has several")
    parser.add_argument("--faces", metavar="NAME", help="face detector; whole-frame where pictures are faces already")
    parser.add_argument("--fps", metavar="F", type=float, help="rate of listed frames that have no times")
    parser.add_argument("--batch-size", metavar="N", type=int, default=32, help="frames at once; default: 32")
    parser.add_argument("--device", metavar="D", help="cpu (the default), cuda or cuda:1")
    parser.add_argument("--workers", metavar="N", type=int, help="processes; default: one per processor")
    parser.add_argument("--overwrite", action="store_true", help="replace features of another model, detector or video")


def run(args: argparse.Namespace, output: Output) -> int:
    """Extract, then say how many videos there are and what went wrong."""
    from affectkit.tracks.extracting import extract_tracks

    started = time.perf_counter()
    index = _index(args.data)
    with count_bar("extracting features", "videos") as bar:
        found = extract_tracks(
            index,
            args.model,
            args.out,
            branch=args.branch,
            faces=args.faces,
            fps=args.fps,
            batch_size=args.batch_size,
            device=args.device,
            overwrite=args.overwrite,
            workers=args.workers if args.workers is not None else os.cpu_count() or 1,
            progress=bar,
        )
    issues = found.issues
    if issues:
        output.table(("issue", "where", "what"), [(one.level, one.where, one.fact) for one in issues[:SHOWN]])
    if len(issues) > SHOWN:
        output.text(f"and {len(issues) - SHOWN} more issues; --json has all of them")
    there = len(found.paths) - found.computed
    output.text(f"{args.out}: features of {len(found.paths)} of {len(index)} videos, {there} of them there before")
    output.json(
        {
            "folder": str(args.out),
            "videos": {key: str(path) for key, path in found.paths.items()},
            "computed": found.computed,
            "issues": [{"level": one.level, "where": one.where, "fact": one.fact} for one in issues],
            "seconds": round(time.perf_counter() - started, 3),
        }
    )
    return 0 if len(found.paths) == len(index) else 1


def _index(data: str) -> Index:
    from affectkit.registry import default_registry
    from affectkit.tracks.footage import index_folder
    from affectkit.training.sources import find_dataset, scan_dataset

    if not data.endswith(".toml") and "=" not in data:
        return index_folder(data)
    registry = default_registry()
    dataset, root = find_dataset(data, registry)
    return scan_dataset(dataset, root, registry)
