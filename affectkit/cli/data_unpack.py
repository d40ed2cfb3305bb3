"""`affectkit data unpack`: the pictures of a dataset that has them as text."""

from __future__ import annotations

import argparse
from pathlib import Path

from affectkit.cli.output import Output

SUMMARY = "write the pixels of fer2013.csv to fer2013.npy beside it, for the datasets fer2013 and fer-plus"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`ROOT`."""
    parser.add_argument("root", metavar="ROOT", type=Path, help="the folder that holds fer2013.csv")


def run(args: argparse.Namespace, output: Output) -> int:
    """Write the array, and say which rows are no pictures; 1 if there are any."""
    from affectkit.datasets.fer2013_pixels import ARRAY, unpack_pixels
    from affectkit.datasets.tables import find_table

    table, out = find_table(args.root, ("fer2013.csv",)), args.root / ARRAY
    issues = unpack_pixels(table, out)
    output.json({"array": str(out), "issues": [vars(issue) for issue in issues]})
    output.text(f"{out}: the pictures of {table.name}")
    for issue in issues:
        output.text(f"  {issue.level}: {issue}")
    return 1 if issues else 0
