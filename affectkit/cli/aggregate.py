"""`affectkit aggregate`: predictions of frames become one for each face of a video."""

from __future__ import annotations

import argparse
from pathlib import Path

from affectkit.cli.output import Output

SUMMARY = "join predictions of frames to one for each face of a video, or for each folder of numbered pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`TABLE`, `--output` and how."""
    parser.add_argument(
        "table", metavar="TABLE", type=Path, help="a table that analyze or predict wrote, or a folder of them"
    )
    parser.add_argument("--output", metavar="NAME", required=True, help="head or map of classes, such as compound")
    parser.add_argument(
        "--rule", choices=("mean", "geometric", "vote"), default="mean",
        help="mean of probabilities (the default) or of their logarithms, or each frame's class counted",
    )  # fmt: skip
    parser.add_argument(
        "--smooth", metavar="N", type=int, default=0, help="first the mean over N frames to each side; default: 0"
    )
    parser.add_argument("--top", metavar="N", type=int, help="only the N surest frames of each face; default: all")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write a .csv with all probabilities")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Aggregate, and print a line for each."""
    from affectkit.errors import ConfigError
    from affectkit.protocols.video_predictions import Pooling, aggregate_tables, write_video_predictions
    from affectkit.results.places import check_ending, check_file

    if args.out is not None:
        check_ending(args.out, (".csv",), "write a table of videos as .csv")
        check_file(args.out, overwrite=args.overwrite)
    elif args.overwrite:
        raise ConfigError("given without --out, so nothing is written", "leave it out", path="--overwrite")
    found = aggregate_tables(args.table, args.output, Pooling(rule=args.rule, smooth=args.smooth, top=args.top))
    if args.out is not None:
        write_video_predictions(found, args.out, overwrite=args.overwrite)
    output.json({"out": None if args.out is None else str(args.out), "videos": [vars(one) for one in found]})
    rows = [
        (one.video, one.track, one.frames, one.used, one.label, f"{one.probabilities[one.label]:.3f}") for one in found
    ]
    output.table(("video", "face", "frames", "used", "label", "probability"), rows)
    return 0
