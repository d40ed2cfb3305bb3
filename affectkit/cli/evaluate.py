"""`affectkit evaluate`: what a pipeline reaches on people that it was not trained on."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from affectkit.cli.evaluate_frames import run_frames
from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar
from affectkit.cli.score import print_report, report_data
from affectkit.cli.train import add_data_arguments, read_arguments

SUMMARY = "train and test a pipeline fold by fold; nobody is tested by a model that has seen them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`PIPELINE DATA` and options."""
    add_data_arguments(parser)
    parser.add_argument(
        "--protocol",
        choices=("loso", "folds", "databases", "official"),
        help="leave out one subject, one of --folds parts by subject, one database, or the test half that the "
        "dataset's owners say; default: official for pictures and frames that have it, else loso",
    )
    parser.add_argument("--folds", metavar="K", type=int, default=5, help="parts of --protocol folds; default: 5")
    parser.add_argument("--seeds", metavar="N", type=int, default=1, help="runs, of which means are shown; default: 1")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="predictions, and what an interrupted run needs")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--executor", metavar="dask=ADDRESS", help="a Dask cluster that sees --out, in place of processes"
    )
    parser.add_argument(
        "--peer-rule", action="store_true", help="show too what each subject's best test epoch would give"
    )
    parser.add_argument(
        "--artifacts",
        metavar="'DIR/{subject}'",
        help="saved models of the folds, or one saved model or preset that has seen none of these people, in place of "
        "training",
    )
    parser.add_argument("--keep-models", action="store_true", help="save the model of every fold in --out")
    parser.add_argument("--by", metavar="COLUMN", help="scores of each value of a column too, such as dataset")


def run(args: argparse.Namespace, output: Output) -> int:
    """Evaluate and print the report."""
    from affectkit.errors import ConfigError
    from affectkit.protocols.report import score_predictions
    from affectkit.training import evaluate
    from affectkit.training.evaluation import only_class_head

    if args.executor is not None and args.out is None:
        raise ConfigError("needs a folder that the cluster sees", "add --out FOLDER", path="--executor")
    config, recipe, gathered = read_arguments(args, output)
    examples = gathered.examples
    if args.protocol is None:
        # of frames, where one half alone is read, the others may still be left out one by one
        is_split = bool(examples.halves) if examples.are_pictures else len(set(examples.halves)) > 1
        args.protocol = "official" if is_split else "loso"
    with ExitStack() as stack:
        executor = None if args.executor is None else stack.enter_context(_dask(args.executor))
        is_segments = bool(examples.videos) and not examples.are_pictures
        head = only_class_head(config, examples, unlabeled=args.unlabeled_heads)
        if is_segments or (examples.are_pictures and head is None):
            run_frames(args, config, recipe, examples, executor, output)
            return 0
        bar = stack.enter_context(count_bar("evaluating", "folds"))
        found = evaluate(
            config,
            examples,
            recipe,
            protocol=args.protocol,
            folds=args.folds,
            seeds=args.seeds,
            head=head,
            peer_rule=args.peer_rule,
            artifacts=args.artifacts,
            keep_models=args.keep_models,
            folder=args.out,
            cache=not args.no_cache,
            resume=args.resume,
            executor=executor,
            workers=args.workers if args.workers is not None else os.cpu_count() or 1,
            progress=None if bar is None else lambda done, total, name: bar(done, total),
        )
    report = score_predictions(found.predictions, classes=found.classes, by=args.by)
    data = report_data(report, {})
    print_report(report, {}, args.by, "", output)
    if found.inflated is not None:
        inflated = score_predictions(found.inflated, classes=found.classes)
        values = {name: one.value for name, one in inflated.scores.items()}
        shown = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        output.text(
            f"INFLATED, no result: {shown}, by each subject's best test epoch, the rule of many published tables"
        )
        data["inflated"] = values
    if args.out is not None:
        output.text(f"predictions: {args.out / 'predictions.parquet'}")
    output.json(data)
    return 0


def _dask(text: str) -> Any:
    from affectkit.errors import ConfigError, MissingDependencyError

    kind, _, address = text.partition("=")
    if kind != "dask" or not address:
        raise ConfigError(
            f"{text!r} is no executor", "write dask=ADDRESS, such as dask=tcp://10.0.0.1:8786", path="--executor"
        )
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "--executor: distributed is not installed; run pip install 'affectkit[dask]'"
        ) from error
    return Client(address).get_executor()
