"""`affectkit export --int8 --calibrate DATASET`: half of its people to calibrate on, and the labels of the others."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar

if TYPE_CHECKING:
    from affectkit.export.int8 import Int8
    from affectkit.model import Model
    from affectkit.training.examples import Examples

_FILES = (".toml", ".npz", ".safetensors")
# Examples in a batch.
_AT_ONCE = 8


def is_dataset(text: str) -> bool:
    """Whether `--calibrate` names data with labels, as `train` and `evaluate` take it, and no files to look at."""
    return text.endswith(_FILES) or ("=" in text and not Path(text).exists())


def int8_by_labels(args: argparse.Namespace, model: Model, seen: dict[str, Any], output: Output, *, most: int) -> Int8:
    """What int8 is fitted to and measured on: two halves of a dataset, in which nobody is in both.

    Arguments:
        args: of the command.
        model: that is exported.
        seen: gets how many examples there are, of whom, and how many are used.
        output: where that is said, and what is wrong with the data.
        most: batches of a half at the most; more examples are drawn from.

    Raises:
        AffectkitError: the data can't be had, doesn't fit the model, or is of one person.
    """
    from affectkit.cli.train import print_issues
    from affectkit.errors import InputError
    from affectkit.export.int8 import Int8
    from affectkit.protocols.splits import split_subjects
    from affectkit.training.labeled_outputs import labeled_outputs
    from affectkit.training.sources import open_data

    with count_bar("cutting faces", "samples") as bar:
        gathered = open_data(
            args.calibrate,
            model.config,
            faces=args.faces,
            # both are said below
            extra="invalid",
            unlabeled="leave",
            workers=os.cpu_count() or 1,
            registry=model.registry,
            progress=bar,
        )
    examples = gathered.examples
    outputs = labeled_outputs(model.config, registry=model.registry)
    # what issues say of outputs without labels is about training
    lacking = {one.path for name, one in outputs.items() if name not in examples.targets}
    print_issues(tuple(one for one in gathered.issues if one.where not in lacking), output)
    if len(set(examples.subjects)) < 2:
        fact = f"{len(examples)} {examples.noun} of one person, and halves have different people"
        raise InputError(f"{args.calibrate}: {fact}; give data of two people at the least, better hundreds")
    fold = split_subjects(examples.subjects, 2, seed=args.seed)[0]
    calibrate, held_out = (_draw(examples, half, most * _AT_ONCE, args.seed) for half in (fold.train, fold.test))
    seen["calibrate"] = {"examples": len(examples), "subjects": len(set(examples.subjects))}
    for name, half in (("calibrated_on", calibrate), ("held_out", held_out)):
        seen["calibrate"][name] = {"examples": len(half), "subjects": len(set(half.subjects))}
    people = [len(set(half.subjects)) for half in (calibrate, held_out)]
    # where nobody says who is seen, each is a subject of its own
    is_said = len(set(examples.subjects)) < len(examples)
    whose = f"{people[0]} and {people[1]} people, nobody in both" if is_said else "each counts as another person"
    output.text(
        f"--calibrate {args.calibrate}: {len(calibrate)} {examples.noun} to calibrate on, {len(held_out)} others held "
        f"out, of {len(examples)}; {whose}"
    )
    batches, labels = zip(*_batches(held_out), strict=True)
    return Int8(
        calibrate=tuple(batch for batch, _ in _batches(calibrate)),
        held_out=batches,
        labels=labels,
        max_drop=args.max_drop,
    )


def _draw(examples: Examples, rows: tuple[int, ...], most: int, seed: int) -> Examples:
    """At most so many of some rows, in order: the first ones may all be of one class."""
    import numpy as np

    drawn = np.random.default_rng(seed).permutation(len(rows))[:most]
    return examples.take([rows[place] for place in sorted(drawn.tolist())])


def _batches(examples: Examples) -> list[tuple[Any, Any]]:
    import torch

    return [examples.batch(rows) for rows in torch.split(torch.arange(len(examples)), _AT_ONCE)]
