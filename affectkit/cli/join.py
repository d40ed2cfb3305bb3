"""`affectkit join`: encoders before a model that was trained on their features, as one model of frames."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.configs import Windows

SUMMARY = "put encoders before a model that was trained on their features, and save it as one that takes videos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`TAIL ENCODERS... --out FOLDER` and options."""
    parser.add_argument("tail", metavar="TAIL", help="saved model that takes stored features")
    parser.add_argument(
        "encoders", metavar="INPUT=MODEL", nargs="+",
        help="for each of its inputs, what its features were computed by: saved model, preset or pipeline file",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="where the whole is saved")
    parser.add_argument(
        "--branch", metavar="INPUT=NAME", action="append", default=[], help="of an encoder that has several"
    )
    parser.add_argument("--window", metavar="S", type=float, help="seconds of a video that are scored together")
    parser.add_argument("--hop", metavar="S", type=float, help="from one window to the next; default: half of it")
    parser.add_argument("--faces", metavar="NAME", help="face detector; default: that of the parts, or else auto")
    parser.add_argument("--overwrite", action="store_true", help="replace a saved model that is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Join and save."""
    from affectkit.artifact import load, save
    from affectkit.encoders import join_encoders
    from affectkit.errors import ArtifactError, listed

    if args.out.exists() and not args.overwrite:
        raise ArtifactError(f"{args.out}: is there already; give another folder, or add --overwrite")
    encoders = _pairs(args.encoders, "INPUT=MODEL")
    tail = load(args.tail)
    model = join_encoders(
        tail,
        encoders,
        branches=_pairs(args.branch, "--branch"),
        sampling=_windows(args.window, args.hop),
        faces=args.faces,
    )
    parts = ", ".join(f"{name} of {encoder}" for name, encoder in encoders.items())
    save(model, args.out, notes=f"{args.tail} behind its encoders: {parts}.", overwrite=args.overwrite)
    unknown = [name for name in encoders if name not in tail.encoders]
    if unknown:
        output.text(f"not checked: {args.tail} doesn't say which encoder computed its features {listed(unknown)}")
    inputs = {name: str(stream) for name, stream in model.config.inputs.items()}
    output.text(f"{args.out}: takes {'; '.join(f'{name}, {stream}' for name, stream in inputs.items())}")
    output.text(f"run it on a video: affectkit analyze VIDEO --pipeline {args.out}")
    output.json({"model": str(args.out), "inputs": inputs, "outputs": list(model.traced.outputs), "unchecked": unknown})
    return 0


def _pairs(words: list[str], path: str) -> dict[str, str]:
    from affectkit.errors import ConfigError

    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value or name in found:
            fact = f"input {name!r} is given twice" if name in found else f"{word!r} names no input"
            raise ConfigError(fact, "write one such as face=NAME for each input", path=path)
        found[name] = value
    return found


def _windows(seconds: float | None, hop: float | None) -> Windows | None:
    from affectkit.configs import Windows
    from affectkit.errors import ConfigError

    if seconds is None:
        if hop is not None:
            raise ConfigError("given without --window", "add it, or leave this out", path="--hop")
        return None
    return Windows(seconds=seconds, hop_seconds=seconds / 2 if hop is None else hop)
