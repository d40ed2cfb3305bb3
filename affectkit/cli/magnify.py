"""`affectkit magnify`: a video in, the same video with larger motion out, side by side."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output
from affectkit.cli.progress import frame_bar

if TYPE_CHECKING:
    from affectkit.configs import MotionConfig

SUMMARY = "write a video anew with its small motions magnified, beside the original"
METHODS = ("phase", "eulerian", "magnet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `affectkit.magnify`, and the fields of the magnifiers that count most."""
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video file")
    parser.add_argument("--alpha", metavar="A", type=float, default=8.0, help="how many times as large (8)")
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="phase by default; magnet has weights")
    parser.add_argument(
        "--band", metavar=("LO", "HI"), nargs=2, type=float, help="phase, eulerian: of which motion, Hz (0.5 4)"
    )
    parser.add_argument("--reference", choices=("first", "previous"), help="magnet: the frame to compare with (first)")
    parser.add_argument("--start", metavar="S", type=float, help="begin at S seconds of container time")
    parser.add_argument("--stop", metavar="S", type=float, help="stop at S seconds")
    parser.add_argument("--size", metavar="N", type=int, help="shrink the longer side to N pixels before")
    parser.add_argument("--out", metavar="FILE", type=Path, help="an .mp4 file (VIDEO's name + .magnified.mp4, here)")
    parser.add_argument("--alone", action="store_true", help="without the original beside it")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--device", metavar="D", default="cpu", help="cpu (the default), cuda or cuda:1")


def run(args: argparse.Namespace, output: Output) -> int:
    """Magnify, then say where the video is."""
    motion = _motion(args)
    from affectkit.magnification import magnify

    out = args.out if args.out is not None else Path(f"{args.video.name}.magnified.mp4")
    started = time.perf_counter()
    with frame_bar(args.video.name) as progress:
        made = magnify(
            args.video,
            motion,
            out,
            start=args.start,
            stop=args.stop,
            size=args.size,
            beside=not args.alone,
            device=args.device,
            overwrite=args.overwrite,
            progress=progress,
        )
    facts = {"path": str(made.path), "method": args.method, "alpha": args.alpha, "frames": made.frames}
    output.json(
        {**facts, "skipped": made.skipped, "seconds_of_video": round(made.seconds, 3)}
        | {"seconds": round(time.perf_counter() - started, 3)}
    )
    beside = "alone" if args.alone else "beside the original"
    what = f"{made.frames} frames, {made.seconds:.3f} s"
    output.text(f"{made.path}: {what}, motion times {args.alpha:g} by {args.method}, {beside}")
    if made.skipped:
        output.text(f"{made.skipped} frames can't be decoded; the picture before each stays")
    return 0


def _motion(args: argparse.Namespace) -> MotionConfig:
    """The config that the options mean."""
    from affectkit.errors import ConfigError
    from affectkit.motion.eulerian import EulerianConfig
    from affectkit.motion.magnet import MagNetConfig
    from affectkit.motion.phase import PhaseConfig

    if args.method == "magnet":
        if args.band is not None:
            fact = "given with magnet, which compares two frames"
            raise ConfigError(fact, "leave it out, or use --method phase", path="--band")
        return MagNetConfig(alpha=args.alpha, reference=args.reference or "first")
    if args.reference is not None:
        fact = f"given with {args.method}, which filters over time"
        raise ConfigError(fact, "leave it out, or use --method magnet", path="--reference")
    config = PhaseConfig if args.method == "phase" else EulerianConfig
    return config(alpha=args.alpha) if args.band is None else config(alpha=args.alpha, band=tuple(args.band))
