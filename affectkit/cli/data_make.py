"""`affectkit data make`: a synthetic tree with the layout of a published dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from affectkit.cli.output import Output

SUMMARY = "write a tiny synthetic dataset with the layout and the oddities of a published one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`NAME`, `ROOT` and options."""
    parser.add_argument("name", metavar="NAME", help="of the dataset, such as casme2")
    parser.add_argument("root", metavar="ROOT", type=Path, help="a folder that is not there yet, or is empty")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of pictures and further clips (0)")
    parser.add_argument("--more", metavar="N", type=int, default=0, help="add N ordinary clips; casme2 alone (0)")


def run(args: argparse.Namespace, output: Output) -> int:
    """Write it, and say what is in it."""
    from affectkit.datasets import make_tree

    tree = make_tree(args.name, args.root, seed=args.seed, more=args.more)
    facts = {"samples": len(tree.samples), "subjects": len({sample.subject for sample in tree.samples})}
    output.json({"root": str(tree.root), **facts, "issues": list(tree.issues)})
    output.text(
        f"synthetic {args.name} in {tree.root}: {facts['samples']} samples of {facts['subjects']} subjects, "
        f"with {len(tree.issues)} issues to find"
    )
    return 0
