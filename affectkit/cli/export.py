"""`affectkit export`: a pipeline as an ONNX file that was compared with PyTorch."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.export.int8 import Int8
    from affectkit.model import Model
    from affectkit.sequences import Batch
    from affectkit.video.batches import FaceBatches

SUMMARY = "write a pipeline as an ONNX file, compared with PyTorch before it is kept"
# Batches of a picture, or of eight frames or so of a video: of each half of the calibration data and of --check-on.
_MOST = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`PIPELINE OUT` and options."""
    parser.add_argument("pipeline", metavar="PIPELINE", help="a saved model, preset, pipeline file or hub id")
    parser.add_argument("out", metavar="OUT", type=Path, help="a .onnx file")
    parser.add_argument("--steps", metavar="N", type=int, help="fix the number of steps, for stages that need one")
    parser.add_argument(
        "--check-on", metavar="PATH", type=Path, help="a video, a picture or a folder of them: compare on its faces too"
    )
    parser.add_argument(
        "--tolerance", metavar="F", type=float, default=1e-4,
        help="largest difference from PyTorch of any output, raw or decoded, in float32 (0.0001)",
    )  # fmt: skip
    parser.add_argument("--int8", action="store_true", help="eight-bit weights and activations; needs --calibrate")
    parser.add_argument(
        "--calibrate", metavar="DATA",
        help="a folder of pictures or videos: every second file is calibrated on, the others are held out; or data "
        "with labels, as train takes it (NAME=ROOT, .toml, .npz): half of the people are held out, with their labels",
    )  # fmt: skip
    parser.add_argument(
        "--max-drop",
        metavar="F",
        type=float,
        default=0.01,
        help="share of decisions that int8 may lose: right ones by labels, or else PyTorch's (0.01)",
    )
    parser.add_argument("--faces", metavar="F", help="face detector (the pipeline's own, or else auto)")
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="of who is held out, and of an untrained pipeline's weights (0)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Export it, then say how far it is from PyTorch."""
    from affectkit.errors import ConfigError
    from affectkit.export.onnx_export import export_onnx
    from affectkit.registry import default_registry
    from affectkit.resolving import resolve_model
    from affectkit.seeds import check_seed
    from affectkit.weights import sha256

    if args.int8 != (args.calibrate is not None):
        fact = "given without --calibrate" if args.int8 else "not given, and --calibrate is"
        raise ConfigError(fact, "give both or neither", path="--int8")
    check_seed(args.seed)
    model = resolve_model(args.pipeline, device=None, seed=args.seed, registry=default_registry())
    seen: dict[str, Any] = {}
    real = () if args.check_on is None else _check_on(args, model, seen, output)
    int8 = _int8(args, model, seen, output) if args.int8 else None
    facts = export_onnx(
        model,
        args.out,
        steps=args.steps,
        check_on=real,
        tolerance=args.tolerance,
        int8=int8,
        overwrite=args.overwrite,
    )
    size = args.out.stat().st_size
    output.json(
        {
            "out": str(args.out),
            "bytes": size,
            "sha256": (digest := sha256(args.out)),
            "numbers": facts.numbers,
            "inputs": facts.takes,
            "outputs": list(facts.outputs),
            "steps": facts.steps,
            "differences": facts.differences,
            "gate": facts.gate,
            "seen": seen,
        }
    )
    output.text(f"{args.out}: {size:,} bytes, {facts.numbers}, takes {', '.join(facts.takes)}")
    output.text(f"sha256: {digest}")
    for what, difference in facts.differences.items():
        output.text(f"float32, largest difference from PyTorch on {what} input: {difference:.2g}")
    if "real" not in facts.differences:
        output.text("not compared on real input; give --check-on PATH, a picture or video with faces")
    # the gate of labels first
    for kind, what in (("accuracy", "right"), ("agreement", "PyTorch's")):
        for name, shares in facts.gate.get(kind, {}).items():
            both = f"float32 {shares['float32']:.4f}, int8 {shares['int8']:.4f}"
            output.text(f"decisions of {name} that are {what}, of {facts.gate['decisions'][name]} held out: {both}")
    return 0


def _int8(args: argparse.Namespace, model: Model, seen: dict[str, Any], output: Output) -> Int8:
    from affectkit.cli.export_labels import int8_by_labels, is_dataset
    from affectkit.errors import InputError
    from affectkit.export.int8 import Int8

    if is_dataset(args.calibrate):
        return int8_by_labels(args, model, seen, output, most=_MOST)
    folder = Path(args.calibrate)
    files = _files(folder)
    found = _read(args, model, folder, files, parts=2)
    seen["calibrate"] = _seen("--calibrate", folder, files, found, output)
    calibrate, held_out = found.parts
    if not calibrate or not held_out:
        counted = f"{len(calibrate)} batches to calibrate on and {len(held_out)} others"
        fact = f"{len(files)} files, every second one held out, with faces in {counted}"
        raise InputError(f"{args.calibrate}: {fact}; give pictures of faces, two at the least, better hundreds")
    return Int8(calibrate=calibrate, held_out=held_out, max_drop=args.max_drop)


def _check_on(args: argparse.Namespace, model: Model, seen: dict[str, Any], output: Output) -> tuple[Batch, ...]:
    from affectkit.errors import InputError

    files = _files(args.check_on)
    found = _read(args, model, args.check_on, files, parts=1)
    seen["check_on"] = _seen("--check-on", args.check_on, files, found, output)
    (batches,) = found.parts
    if not batches:
        fact = f"no face that the pipeline could be given in {len(files)} files"
        raise InputError(f"{args.check_on}: {fact}; give files with faces, or another detector (--faces)")
    return batches


def _files(path: Path) -> list[Path]:
    from affectkit.media_files import find_videos

    return find_videos(path) if path.is_dir() else [path]


def _read(args: argparse.Namespace, model: Model, path: Path, files: list[Path], *, parts: int) -> FaceBatches:
    """Faces in the files that an option names by `path`; a file that is named itself has to be readable."""
    from affectkit.analysis import pipeline_name
    from affectkit.errors import InputError
    from affectkit.resolving import resolve_detector
    from affectkit.stills import check_still
    from affectkit.video.batches import face_batches
    from affectkit.video.opening import is_picture

    pictures, refused = [one for one in files if is_picture(one)], dict[Path, str]()
    if pictures:
        try:
            check_still(model.config, pipeline_name(args.pipeline, model), str(pictures[0]), model.registry)
        except InputError as error:
            if len(pictures) == len(files):
                raise
            # among videos they are left out, as what can't be read
            refused = dict.fromkeys(pictures, str(error).removeprefix(f"{pictures[0]}: "))
    detector = resolve_detector(args.faces, model.config, model.registry)
    found = face_batches([one for one in files if one not in refused], model, detector, most=_MOST, parts=parts)
    found = replace(found, read=found.read + len(refused), not_read={**refused, **found.not_read})
    if found.not_read and not path.is_dir():
        raise InputError(f"{path}: {found.not_read[path]}")
    if found.not_read and len(found.not_read) == found.read:
        first, reason = next(iter(found.not_read.items()))
        raise InputError(f"{path}: none of {found.read} files can be used, first {first}: {reason}")
    return found


def _seen(option: str, path: Path, files: list[Path], found: FaceBatches, output: Output) -> dict[str, Any]:
    """Say which files an option names without effect: not readable, without a face, or not needed."""
    without, not_read = found.without, found.not_read
    if not_read:
        first, reason = next(iter(not_read.items()))
        counted = f"{len(not_read)} of {found.read} files can't be used and are left out"
        output.text(f"{option} {path}: {counted}, first {first}: {reason}")
    if without:
        output.text(
            f"{option} {path}: no face in {len(without)} of {found.read} files, first {without[0]}; they are left out"
        )
    if found.read < len(files):
        output.text(f"{option} {path}: {found.read} of {len(files)} files are read, which is enough")
    return {
        "files": len(files),
        "read": found.read,
        "no_face": [str(one) for one in without],
        "not_read": [{"file": str(one), "reason": reason} for one, reason in not_read.items()],
    }
