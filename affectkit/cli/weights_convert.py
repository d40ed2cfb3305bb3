"""`affectkit weights convert`: a safetensors file of a `.pth` checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from affectkit.cli.output import Output

SUMMARY = "write the tensors of a .pth checkpoint as safetensors; nothing in it is executed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`IN`, `OUT` and `--overwrite`."""
    parser.add_argument("source", metavar="IN", type=Path, help="a checkpoint that torch.save wrote")
    parser.add_argument("out", metavar="OUT", type=Path, help="a .safetensors file")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Convert it, and say what was taken off and left out."""
    from affectkit.conversion import convert_checkpoint
    from affectkit.errors import listed

    done = convert_checkpoint(args.source, args.out, overwrite=args.overwrite)
    output.json(
        {
            "out": str(done.out),
            "tensors": done.tensors,
            "parameters": done.parameters,
            "nesting": list(done.nesting),
            "left_out": list(done.left_out),
            "classes": list(done.classes),
            "has_prefix": done.has_prefix,
        }
    )
    output.text(f"{done.out}: {done.tensors} tensors, {done.parameters:,} numbers")
    if done.nesting:
        output.text(f"taken from below: {listed(done.nesting)}")
    if done.left_out:
        output.text(f"left out beside it: {listed(done.left_out)}")
    if done.classes:
        output.text(f"not read, only left out: objects of {listed(done.classes)}")
    if done.has_prefix:
        output.text("taken off all names: 'module.'")
    return 0
