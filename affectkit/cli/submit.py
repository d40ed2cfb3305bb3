"""`affectkit submit`: an answer to an ABAW challenge, written from predictions, or checked."""

from __future__ import annotations

import argparse
from pathlib import Path

from affectkit.cli.output import Output

SUMMARY = "write the answer file of an ABAW challenge from predictions of frames, or check one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`TRACK`, `FILE`, `SAMPLE` and options."""
    parser.add_argument("track", metavar="TRACK", help="such as abaw7-mtl, abaw6-expr or abaw6-ce")
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="predictions: a table of frames (.parquet, .csv), one that analyze wrote, or a folder of them; with "
        "--check the answer",
    )
    parser.add_argument("sample", metavar="SAMPLE", type=Path, help="the owners' file of pictures to predict")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--out", metavar="ANSWER", type=Path, help="where to write it; of abaw3 a folder")
    mode.add_argument("--check", action="store_true", help="check FILE line by line against SAMPLE")
    parser.add_argument(
        "--use",
        metavar="A,B,...",
        help="outputs that count where several score the same, such as va_smooth,expr_smooth,au_present",
    )
    parser.add_argument(
        "--missing",
        choices=("refuse", "nearest"),
        help="what becomes of pictures without a prediction; nearest: take the nearest frame's; default: refuse",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Write or check, and say how many lines."""
    from affectkit.errors import ConfigError
    from affectkit.protocols.abaw_answers import check_answer, write_answer

    if args.check:
        for name in ("use", "missing", "overwrite"):
            if getattr(args, name):
                raise ConfigError("given with --check, which writes nothing", "leave one out", path=f"--{name}")
        found = check_answer(args.track, args.file, args.sample)
    else:
        found = write_answer(
            args.track,
            args.file,
            args.sample,
            args.out,
            use=args.use.split(",") if args.use is not None else (),
            missing=args.missing or "refuse",
            overwrite=args.overwrite,
        )
    facts = {"lines": found.lines, "videos": found.videos}
    output.json({"ok": True, **facts} if args.check else {"answer": str(args.out), **facts, "nearest": found.nearest})
    what = f"{found.lines} lines of {found.videos} videos"
    if args.check:
        output.text(f"{args.file}: {what}, as {args.sample} asks for")
        return 0
    output.text(f"{args.out}: {what}")
    if found.nearest:
        output.text(f"{found.nearest} of them without a prediction, so the nearest frame's stands there")
    return 0
