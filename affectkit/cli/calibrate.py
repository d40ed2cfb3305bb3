"""`affectkit calibrate`: what is fitted after the training, on people apart, from one saved model to another."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar
from affectkit.cli.train import add_reading_arguments, counted, print_issues, read_model

if TYPE_CHECKING:
    from affectkit.model import Model
    from affectkit.training.calibrating import Calibration
    from affectkit.training.examples import Examples

SUMMARY = "fit a trained model's temperatures, thresholds, smoothing, weights of members, on people apart"
# What a value is, by the kind of what was fitted.
NOUNS = {
    "temperature": "temperature", "thresholds": "threshold of", "smooth": "smoothing", "compound-learned": "mean loss",
    "weighted": "weight of", "stacking": "penalty of",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`MODEL DATA... --out FOLDER` and options."""
    parser.add_argument("model", metavar="MODEL", help="saved model, or preset with weights")
    parser.add_argument(
        "data", metavar="DATA", nargs="+", help="as for train, of people whom the model was not trained on"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="where the new model is saved")
    parser.add_argument(
        "--fit", metavar="NAME", nargs="+", help="such as fusion or maps.calibrated; default: all that has labels"
    )
    parser.add_argument(
        "--add-temperatures", action="store_true", help="give each member of an ensemble a fitted temperature first"
    )
    parser.add_argument(
        "--part",
        choices=("train", "validation", "test", "all"),
        help="of DATA that its owners have split; nobody of another part may be in it",
    )
    parser.add_argument(
        "--trained-on", metavar="DATA", nargs="+", default=[], help="nobody in it may be among those it is fitted on"
    )
    add_reading_arguments(parser)
    parser.add_argument("--device", metavar="D", help="cpu (the default), cuda or cuda:1")
    parser.add_argument("--overwrite", action="store_true", help="replace a saved model that is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Fit, save and say what was found."""
    from affectkit.artifact import save
    from affectkit.devices import check_device
    from affectkit.errors import ArtifactError
    from affectkit.training.calibrating import calibrate

    if args.out.exists() and not args.overwrite:
        raise ArtifactError(f"{args.out}: is there already; give another folder, or add --overwrite")
    device = check_device("cpu" if args.device is None else args.device)
    model = read_model(args.model).to(device)
    examples, elsewhere = _read(args, model, output)
    with count_bar("fitting", "fits") as bar:
        found = calibrate(
            model,
            examples,
            names=args.fit,
            add_temperatures=args.add_temperatures,
            used_elsewhere=elsewhere,
            progress=bar,
        )
    paths, part = ", ".join(one.path for one in found.fitted), f"{args.part} of " if args.part else ""
    notes = f"{args.model}, calibrated on {counted(examples)} of {part}{', '.join(args.data)}: {paths}."
    save(found.model.cpu(), args.out, notes=f"{notes} How it was trained, its own card says.", overwrite=args.overwrite)
    _print(args, found, examples, output)
    return 0


def _read(args: argparse.Namespace, model: Model, output: Output) -> tuple[Examples, frozenset[str]]:
    """Examples of all data, and people who may not be among them."""
    from affectkit.registry import default_registry
    from affectkit.training.calibrating import labels_to_read
    from affectkit.training.examples import join_examples
    from affectkit.training.labeled_outputs import labeled_outputs, left_untrained
    from affectkit.training.sources import open_data, subjects_of
    from affectkit.training.splitting import take_half

    registry = default_registry()
    elsewhere = frozenset[str]().union(*(subjects_of(data, registry=registry) for data in args.trained_on))
    maps = labels_to_read(model.config, registry=registry)
    # of what is not fitted for it, the end tells
    left = set(left_untrained(labeled_outputs(model.config, maps=maps, registry=registry).values()))
    parts = []
    for data in args.data:
        with count_bar("cutting faces", "samples") as bar:
            gathered = open_data(
                data,
                model.config,
                faces=args.faces,
                extra=args.extra_classes,
                unlabeled="leave",
                maps=maps,
                workers=args.workers if args.workers is not None else os.cpu_count() or 1,
                registry=registry,
                progress=bar,
            )
        print_issues([issue for issue in gathered.issues if issue not in left], output)
        part, others = take_half(gathered.examples, args.part, data)
        parts.append(part)
        elsewhere |= others
    return parts[0] if len(parts) == 1 else join_examples(parts, partial=True), elsewhere


def _print(args: argparse.Namespace, found: Calibration, examples: Examples, output: Output) -> None:
    output.table(
        ("fitted", "what", "value"),
        [
            (one.path, f"{NOUNS[one.kind]} {name}", f"{value:.4g}")
            for one in found.fitted
            for name, value in one.values.items()
        ],
    )
    if found.left:
        output.table(("as it was", "why"), list(found.left.items()))
    output.text(f"calibrated on {counted(examples)}: {args.out}")
    if args.trained_on:
        output.text(f"nobody of them is in {', '.join(args.trained_on)}")
    else:
        unknown = f"whether {args.model} was trained on any of them can't be checked, since it does not say on whom"
        output.text(f"{unknown}; name that data by --trained-on")
    output.json(
        {
            "model": str(args.out),
            "fitted": {one.path: {"kind": one.kind, "values": one.values} for one in found.fitted},
            "left": found.left,
            "clips": len(examples),
            "subjects": len(set(examples.subjects)),
            "checked": args.trained_on,
        }
    )
