"""The command `affectkit-abaw7`: train the small system on synthetic faces."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence as Items
from dataclasses import replace
from pathlib import Path

from affectkit.cli.output import Output
from affectkit.errors import AffectkitError, ConfigError
from affectkit_abaw7.plan import Plan, quick, read_plan


def main(argv: Items[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    args = make_parser().parse_args(argv)
    try:
        return _train(args, Output())
    except AffectkitError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("stopped; the same command goes on")
        return 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(prog="affectkit-abaw7", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="render synthetic faces, train every step, write one model")
    train.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="what is done, and model/ in the end")
    train.add_argument("--plan", metavar="FILE", type=Path, help="numbers of videos and recipes of the steps (.toml)")
    train.add_argument("--quick", action="store_true", help="a handful of videos and epochs, to see that it runs")
    train.add_argument("--seed", metavar="N", type=int, help="of all that is random; default: that of the plan")
    train.add_argument("--workers", metavar="N", type=int, default=os.cpu_count() or 1, help="processes")
    train.add_argument(
        "--cache", metavar="FOLDER", type=Path, default=Path(".cache/abaw7"), help="of videos; default: .cache/abaw7"
    )
    return parser


def _train(args: argparse.Namespace, output: Output) -> int:
    from affectkit import save
    from affectkit.training import Examples
    from affectkit.training.plan_folders import open_folder
    from affectkit.video.clips import video_streams
    from affectkit.weights import sha256
    from affectkit_abaw7.synthetic_videos import CHOICE, INPUT, TRAIN, render_examples
    from affectkit_abaw7.system import make_abaw7
    from affectkit_abaw7.training import train_system

    if args.workers < 1:
        raise ConfigError(f"{args.workers!r} processes", "write 1 or more", path="--workers")
    plan = Plan() if args.plan is None else read_plan(args.plan)
    if args.seed is not None:
        plan = replace(plan, seed=args.seed)
    if args.quick:
        plan = quick(plan)
    open_folder(args.out, plan)
    stream = video_streams(make_abaw7().input_streams())[INPUT]
    started = time.perf_counter()

    def render(name: str, seeds: range) -> Examples:
        found = render_examples(
            seeds,
            stream,
            folder=args.cache,
            workers=args.workers,
            progress=lambda done, total: _say(f"{name} videos: {done} of {total}") if done % 20 == 0 else None,
        )
        if lost := len(seeds) - len(found):
            _say(f"{name} videos: {lost} of {len(seeds)} left out, no face was found in them")
        return found

    train = render("train", TRAIN[: plan.train_videos])
    choice = render("choice", CHOICE[: plan.choice_videos])
    _say(f"videos after {time.perf_counter() - started:.0f} s")
    model = train_system(train, choice, plan, folder=args.out, workers=args.workers, say=_say)
    path = args.out / "model"
    save(model, path, notes="Trained on synthetic faces alone, by `affectkit-abaw7 train`.", overwrite=True)
    _say(f"all after {time.perf_counter() - started:.0f} s")
    weights = path / "model.safetensors"
    output.text(f"{weights}: {weights.stat().st_size} bytes, sha256 {sha256(weights)}")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
