"""The command `affectkit-ammsm`: a phase or all of them on labeled clips, or what they reach on other people."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

from affectkit.cli.output import Output
from affectkit.errors import AffectkitError


def main(argv: Items[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    args = make_parser().parse_args(argv)
    try:
        return _run(args, Output())
    except AffectkitError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("stopped; the same command goes on")
        return 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(prog="affectkit-ammsm", description=__doc__)
    parser.add_argument(
        "phase",
        choices=("joint", "adapt", "search", "tune", "all", "loso"),
        help="run the phases up to this one, those that are done in FOLDER not again; all is the same as tune; loso "
        "leaves out one subject at a time",
    )
    parser.add_argument(
        "data", metavar="DATA", help="NAME=ROOT of a dataset, such as casme2=/data/CASME2; .toml; or examples, .npz"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="models, candidates, predictions")
    parser.add_argument("--pipeline", default="ammsm", help="ammsm, ammsm-flow, or a pipeline file; default: ammsm")
    parser.add_argument("--plan", metavar="FILE", type=Path, help="recipes of the phases and the space (.toml)")
    parser.add_argument("--epochs", metavar="N", type=int, help="of every phase, to try it")
    parser.add_argument("--seed", metavar="N", type=int, help="of all that is random, but of loso; default: 0")
    parser.add_argument("--seeds", metavar="N", type=int, default=1, help="of loso: runs, from seed 0; default: 1")
    parser.add_argument(
        "--searches", metavar="K", type=int, default=8, help="of loso: groups with a search of their own; default: 8"
    )
    parser.add_argument("--workers", metavar="N", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--no-cache", action="store_true", help="compute motion anew, and keep nothing of it")
    parser.add_argument("--faces", metavar="NAME", help="face detector; whole-frame where pictures are faces already")
    return parser


def _run(args: argparse.Namespace, output: Output) -> int:
    from affectkit.lookup import find_trace, is_saved_model
    from affectkit.pipeline import PipelineConfig
    from affectkit.registry import default_registry
    from affectkit.training.sources import open_data
    from affectkit_ammsm.phases import run_phases, shorten
    from affectkit_ammsm.plan import Plan, read_plan

    config, _, _ = find_trace(args.pipeline, default_registry())
    if not isinstance(config, PipelineConfig):
        raise AffectkitError(f"{args.pipeline}: is an ensemble; give a pipeline")
    if args.phase == "loso" and is_saved_model(args.pipeline):
        raise AffectkitError(
            f"{args.pipeline}: is a saved model, whose dials and class weights may come from those who would be "
            "tested; give a preset or a pipeline file"
        )
    if args.phase == "loso" and args.seed is not None:
        raise AffectkitError(f"--seed: {args.seed} with loso, which begins at 0; say how many by --seeds")
    plan = Plan() if args.plan is None else read_plan(args.plan)
    if args.epochs is not None:
        plan = shorten(plan, args.epochs)
    gathered = open_data(args.data, config, faces=args.faces)
    for issue in gathered.issues:
        _say(f"{issue.level}: {issue.where}: {issue.fact}")
    if args.phase == "loso":
        return _evaluate(config, gathered.examples, plan, args, output)
    found = run_phases(
        config,
        gathered.examples,
        plan,
        until="tune" if args.phase == "all" else args.phase,
        seed=args.seed or 0,
        folder=args.out,
        workers=args.workers,
        cache=not args.no_cache,
        progress=_say,
    )
    for path, value in found.values.items():
        output.text(f"{path} = {value!r}")
    if found.score is not None:
        what = "score" if plan.space is None else plan.space.objectives.score
        output.text(f"{what} {found.score:.3f} on the subjects that the search chose by: no result")
    output.text(f"models: {args.out}")
    return 0


def _evaluate(config: Any, examples: Any, plan: Any, args: argparse.Namespace, output: Output) -> int:
    from affectkit.protocols.predictions import write_predictions
    from affectkit.protocols.report import score_predictions
    from affectkit_ammsm.evaluation import evaluate_phases

    predictions, groups = evaluate_phases(
        config,
        examples,
        plan,
        searches=args.searches,
        seeds=args.seeds,
        folder=args.out,
        workers=args.workers,
        cache=not args.no_cache,
        progress=lambda done, total, name: _say(f"{name}: {done} of {total}"),
    )
    path = args.out / "predictions.parquet"
    write_predictions(predictions, path, overwrite=True)
    for number, group in enumerate(groups):
        values = ", ".join(f"{path.rpartition('.')[2]} {value}" for path, value in group.values.items())
        output.text(f"seed {number // args.searches}, group {number % args.searches + 1}: {values or 'no search'}")
    for name, score in score_predictions(predictions).scores.items():
        output.text(f"{name} {score}")
    output.text(f"{args.searches} searches, each without the subjects that it is for: {path}")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
