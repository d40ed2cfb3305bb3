"""`affectkit evaluate` for frames of long videos, and for pictures whose heads are not one head of classes."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar
from affectkit.cli.score_frames import print_frames

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from affectkit.configs import ModelConfig
    from affectkit.recipes import Recipe
    from affectkit.training.examples import Examples


def run_frames(
    args: argparse.Namespace,
    config: ModelConfig,
    recipe: Recipe,
    examples: Examples,
    executor: Executor | None,
    output: Output,
) -> None:
    """Evaluate and print the tables.

    Raises:
        ConfigError: an option is given that is for one head of classes.
    """
    from affectkit.errors import ConfigError
    from affectkit.protocols.frame_report import report_frames
    from affectkit.training.frame_evaluation import evaluate_frames

    given = {
        "--seeds": args.seeds != 1,
        "--peer-rule": args.peer_rule,
        "--by": args.by is not None,
        "--no-cache": args.no_cache,
        "--protocol databases": args.protocol == "databases",
    }
    for option, is_given in given.items():
        if is_given:
            raise ConfigError("is for one head of classes, one per clip or picture", "leave it out", path=option)
    with count_bar("evaluating", "folds") as bar:
        frames = evaluate_frames(
            config,
            examples,
            recipe,
            protocol="official" if args.protocol == "official" else "folds",
            folds=len(set(examples.subjects)) if args.protocol == "loso" else args.folds,
            unlabeled=args.unlabeled_heads,
            artifacts=args.artifacts,
            keep_models=args.keep_models,
            folder=args.out,
            resume=args.resume,
            executor=executor,
            workers=args.workers if args.workers is not None else os.cpu_count() or 1,
            progress=None if bar is None else lambda done, total, name: bar(done, total),
        )
    print_frames(report_frames(frames), {}, None, output)
    if args.out is not None:
        output.text(f"predictions: {args.out / 'frames.parquet'}")
