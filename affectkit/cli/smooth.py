"""`affectkit smooth`: predictions of frames, averaged with their neighbors over whole videos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.maps.smooth import SmoothConfig

SUMMARY = "smooth a table of predictions of frames over whole videos, and write it anew"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`TABLE`, which outputs, and where to."""
    parser.add_argument(
        "table", metavar="TABLE", type=Path, help="a .parquet file that predict, evaluate or analyze wrote"
    )
    parser.add_argument(
        "--output",
        metavar="NAME[=SIGMA,DELTA]",
        action="append",
        required=True,
        help="head or map to smooth, such as va or expr=100000,50: squared frames and neighbors to each side; "
        "again for each; default: 100000,10",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the new table, .parquet")
    parser.add_argument(
        "--time-unit", metavar="S", type=float, default=0.04,
        help="seconds of a frame of SIGMA, for tables with times, those that analyze wrote of a video; default: 0.04",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Smooth, and say how many videos there are."""
    from affectkit.tracks.smoothing import smooth_table

    chosen = [_smoothing(word, args.time_unit) for word in args.output]
    found = smooth_table(args.table, args.out, chosen, overwrite=args.overwrite)
    names = ", ".join(one.source for one in chosen)
    output.text(f"{args.out}: {found.frames} frames, smoothed over {found.videos} videos: {names}")
    settings = {one.source: {"sigma": one.sigma, "delta": one.delta} for one in chosen}
    output.json({"table": str(args.out), "videos": found.videos, "frames": found.frames, "outputs": settings})
    return 0


def _smoothing(word: str, unit: float) -> SmoothConfig:
    from affectkit.errors import ConfigError
    from affectkit.maps.smooth import SmoothConfig

    name, sign, text = word.partition("=")
    sigma, comma, delta = text.partition(",")
    try:
        if not name or bool(sign) != bool(comma):
            raise ValueError
        spread, neighbors = (float(sigma), int(delta)) if sign else (SmoothConfig.sigma, SmoothConfig.delta)
    except ValueError:
        raise ConfigError(
            f"{word!r} is no NAME=SIGMA,DELTA", "write one such as va=100000,10", path="--output"
        ) from None
    return SmoothConfig(source=name, sigma=spread, delta=neighbors, time_unit=unit)
