"""`affectkit predict`: scores of every frame of many videos, from stored features, as one table."""

from __future__ import annotations

import argparse
from pathlib import Path

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar

SUMMARY = "score every frame of many videos by their stored features, as one table"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`MODEL TRACKS... --out TABLE` and options."""
    parser.add_argument(
        "model", metavar="MODEL", help="saved model, preset or pipeline file that takes stored features"
    )
    parser.add_argument(
        "tracks",
        metavar="TRACKS",
        nargs="+",
        help="a folder of features, a file per video; INPUT=FOLDER for each input of a model with several",
    )
    parser.add_argument("--out", metavar="TABLE", type=Path, required=True, help="a .parquet file, for submit")
    parser.add_argument("--fps", metavar="F", type=float, help="rate of features that have no times")
    parser.add_argument("--segment", metavar="N", type=int, default=250, help="frames scored together; default: 250")
    parser.add_argument("--overlap", metavar="N", type=int, default=125, help="frames two segments share; default: 125")
    parser.add_argument("--batch-size", metavar="N", type=int, default=8, help="segments at once; default: 8")
    parser.add_argument("--device", metavar="D", help="cpu (the default), cuda or cuda:1")
    parser.add_argument("--overwrite", action="store_true", help="replace a table that is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Score, then say how many frames there are."""
    from affectkit.devices import check_device
    from affectkit.registry import default_registry
    from affectkit.resolving import resolve_model
    from affectkit.tracks.tables import predict_table

    if args.device is not None:
        check_device(args.device)
    model = resolve_model(args.model, device=args.device, seed=0, registry=default_registry())
    folders = _folders(args.tracks, tuple(model.config.input_streams()))
    with count_bar("scoring", "videos") as bar:
        found = predict_table(
            model,
            folders,
            args.out,
            fps=args.fps,
            segment=args.segment,
            overlap=args.overlap,
            batch_size=args.batch_size,
            overwrite=args.overwrite,
            progress=bar,
        )
    output.text(f"{args.out}: {found.frames} frames of {found.videos} videos")
    output.json({"table": str(args.out), "videos": found.videos, "frames": found.frames})
    return 0


def _folders(words: list[str], inputs: tuple[str, ...]) -> dict[str, str]:
    """Folders by input; the only one needs no name."""
    from affectkit.errors import ConfigError

    if len(words) == len(inputs) == 1:
        return {inputs[0]: words[0].removeprefix(f"{inputs[0]}=")}
    folders: dict[str, str] = {}
    for word in words:
        name, sign, folder = word.partition("=")
        if not sign or name in folders:
            fact = f"{word!r} is no folder of an input" if not sign else f"input {name!r} is given twice"
            raise ConfigError(fact, f"write one such as {inputs[0]}=FOLDER for each input", path="TRACKS")
        folders[name] = folder
    return folders
