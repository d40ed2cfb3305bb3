"""The command `affectkit-compound`: train the small ensemble on synthetic faces."""

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
from affectkit_compound.plan import Plan, quick, read_plan


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
    parser = argparse.ArgumentParser(prog="affectkit-compound", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="draw synthetic faces, train every step, write one model")
    train.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="what is done, and model/ in the end")
    train.add_argument("--plan", metavar="FILE", type=Path, help="numbers of people and recipes of the steps (.toml)")
    train.add_argument("--quick", action="store_true", help="a handful of people and epochs, to see that it runs")
    train.add_argument("--seed", metavar="N", type=int, help="of all that is random; default: that of the plan")
    train.add_argument("--workers", metavar="N", type=int, default=os.cpu_count() or 1, help="processes")
    train.add_argument(
        "--cache",
        metavar="FOLDER",
        type=Path,
        default=Path(".cache/compound"),
        help="of faces; default: .cache/compound",
    )
    return parser


def _train(args: argparse.Namespace, output: Output) -> int:
    from affectkit import save
    from affectkit.training import Examples
    from affectkit.training.plan_folders import open_folder
    from affectkit.weights import sha256
    from affectkit_compound.synthetic_faces import CHOICE, TRAIN, WORLDS, render_examples
    from affectkit_compound.system import make_stream
    from affectkit_compound.training import NOTES, train_system

    if args.workers < 1:
        raise ConfigError(f"{args.workers!r} processes", "write 1 or more", path="--workers")
    plan = Plan() if args.plan is None else read_plan(args.plan)
    if args.seed is not None:
        plan = replace(plan, seed=args.seed)
    if args.quick:
        plan = quick(plan)
    open_folder(args.out, plan)
    started = time.perf_counter()

    def render(name: str, seeds: range) -> Examples:
        return render_examples(
            seeds,
            make_stream(),
            folder=args.cache,
            stills=plan.stills,
            settings=WORLDS[plan.world],
            workers=args.workers,
            progress=lambda done, total: _say(f"{name}: {done} of {total} people") if done % 50 == 0 else None,
        )

    train = render("train", TRAIN[: plan.train_people])
    choice = render("choice", CHOICE[: plan.choice_people])
    _say(f"{len(train)} and {len(choice)} faces after {time.perf_counter() - started:.0f} s")
    model = train_system(train, choice, plan, folder=args.out, workers=args.workers, say=_say)
    path = args.out / "model"
    save(model, path, notes=NOTES, overwrite=True)
    _say(f"all after {time.perf_counter() - started:.0f} s")
    weights = path / "model.safetensors"
    output.text(f"{weights}: {weights.stat().st_size} bytes, sha256 {sha256(weights)}")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
