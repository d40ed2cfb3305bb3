"""`affectkit train`: a pipeline and data in, a saved model out."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence as Items
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar

if TYPE_CHECKING:
    from affectkit.configs import ModelConfig
    from affectkit.model import Model
    from affectkit.recipes import Recipe
    from affectkit.records import Issue
    from affectkit.training.examples import Examples
    from affectkit.training.reading import Gathered

SUMMARY = "train a pipeline on labeled clips or pictures, and save it"
# Issues that are printed; how many there are is always said.
SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`PIPELINE DATA --out FOLDER` and options."""
    add_data_arguments(parser)
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="where the model is saved")
    parser.add_argument("--start", metavar="MODEL", help="saved model or preset whose weights it begins with")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of all that is random; default: 0")
    parser.add_argument("--logs", metavar="FOLDER", type=Path, help="losses and checkpoints; default: OUT.run")
    parser.add_argument("--resume", action="store_true", help="go on with the checkpoint of an interrupted run")
    parser.add_argument("--logger", choices=("csv", "tensorboard"), default="csv", help="of the losses; default: csv")
    parser.add_argument("--accelerator", default="auto", help="cpu or gpu; default: auto")
    parser.add_argument("--devices", metavar="N", type=int, default=1, help="how many; default: 1")
    parser.add_argument("--strategy", default="auto", help="Lightning's, for several devices, such as ddp")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """What `train` and `evaluate` have in common."""
    parser.add_argument("pipeline", metavar="PIPELINE", help="preset, pipeline file or saved model")
    parser.add_argument(
        "data", metavar="DATA", help="NAME=ROOT of a dataset, such as casme2=/data/CASME2; .toml; or examples, .npz"
    )
    parser.add_argument("--recipe", metavar="FILE", type=Path, help="how to train (.toml); default: the preset's own")
    parser.add_argument("--epochs", metavar="N", type=int, help="in place of the recipe's")
    parser.add_argument("--no-cache", action="store_true", help="compute motion anew, and keep nothing of it")
    add_reading_arguments(parser)
    parser.add_argument(
        "--unlabeled-heads",
        choices=("refuse", "leave"),
        default="refuse",
        help="heads that the data has no labels of: an error, or left untrained and unscored; default: refuse",
    )


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """How data is read, for `calibrate` too."""
    parser.add_argument("--faces", metavar="NAME", help="face detector; whole-frame where pictures are faces already")
    parser.add_argument(
        "--extra-classes",
        choices=("refuse", "invalid"),
        default="refuse",
        help="labels of classes that a head of pictures lacks: an error, or not valid; default: refuse",
    )
    parser.add_argument("--workers", metavar="N", type=int, help="processes; default: one per processor")


def run(args: argparse.Namespace, output: Output) -> int:
    """Train and save."""
    from affectkit.artifact import save
    from affectkit.errors import ArtifactError
    from affectkit.training import Hardware, fit

    if args.out.exists():
        raise ArtifactError(f"{args.out}: is there already; give another folder")
    config, recipe, gathered = read_arguments(args, output)
    folder = args.logs if args.logs is not None else args.out.with_name(f"{args.out.name}.run")
    with count_bar("training", "epochs") as bar:
        model = fit(
            config,
            gathered.examples,
            recipe,
            seed=args.seed,
            start=None if args.start is None else read_model(args.start),
            folder=folder,
            resume=args.resume,
            logger=args.logger,
            cache=not args.no_cache,
            hardware=Hardware(accelerator=args.accelerator, devices=args.devices, strategy=args.strategy),
            after_epoch=None if bar is None else lambda model, epoch: bar(epoch, recipe.epochs),
        )
    subjects, count = len(set(gathered.examples.subjects)), len(gathered.examples)
    counts = counted(gathered.examples)
    save(model, args.out, notes=f"Trained on {counts} of {args.data}, seed {args.seed}. Not evaluated on other people.")
    output.text(f"trained on {counts}, {recipe.epochs} epochs: {args.out}")
    output.text(f"what it reaches on other people: affectkit evaluate {args.pipeline} {args.data}")
    output.json({"model": str(args.out), "logs": str(folder), "clips": count, "subjects": subjects})
    return 0


def counted(examples: Examples) -> str:
    """How many there are, and of how many people."""
    subjects, count = len(set(examples.subjects)), len(examples)
    # where nobody says who is seen, each picture is a subject of its own
    is_known = not examples.are_pictures or subjects < count
    return f"{count} {examples.noun}" + (f" of {subjects} subjects" if is_known else "")


def read_model(name: str) -> Model:
    """A preset with its weights, or a saved model; a mistyped folder is looked for nowhere else."""
    from affectkit.artifact import load
    from affectkit.lookup import find_preset
    from affectkit.published import from_pretrained
    from affectkit.registry import default_registry

    preset = find_preset(name, default_registry())
    return load(name) if preset is None or not preset.spec.weights else from_pretrained(preset.id)


def read_arguments(args: argparse.Namespace, output: Output) -> tuple[ModelConfig, Recipe, Gathered]:
    """Config, recipe and examples; issues of the data are printed.

    Raises:
        AffectkitError: one of them can't be had.
    """
    from affectkit.lookup import find_preset, find_trace
    from affectkit.recipes import Recipe, read_recipe
    from affectkit.registry import default_registry
    from affectkit.training.sources import open_data

    registry = default_registry()
    config, _, _ = find_trace(args.pipeline, registry)
    preset = find_preset(args.pipeline, registry)
    recipe = preset.spec.recipe() if preset is not None and preset.spec.recipe is not None else Recipe()
    if args.recipe is not None:
        recipe = read_recipe(args.recipe)
    if args.epochs is not None:
        recipe = replace(recipe, epochs=args.epochs)
    with count_bar("cutting faces", "samples") as bar:
        gathered = open_data(
            args.data,
            config,
            faces=args.faces,
            extra=args.extra_classes,
            unlabeled=args.unlabeled_heads,
            made=() if recipe.mixing is None else recipe.mixing.made,
            workers=args.workers if args.workers is not None else os.cpu_count() or 1,
            registry=registry,
            progress=bar,
        )
    print_issues(gathered.issues, output)
    return config, recipe, gathered


def print_issues(issues: Items[Issue], output: Output) -> None:
    """The first of them, and how many there are."""
    if not issues:
        return
    output.table(("issue", "where", "what"), [(one.level, one.where, one.fact) for one in issues[:SHOWN]])
    if len(issues) > SHOWN:
        output.text(f"and {len(issues) - SHOWN} more issues; affectkit data check shows those of the dataset")
