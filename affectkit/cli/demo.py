"""`affectkit demo`: compose, trace, train for a moment, evaluate, save, load and analyze, on generated clips."""

from __future__ import annotations

import argparse
import itertools
import math
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.cli.demo_task import Report
    from affectkit.results.rows import Results

SUMMARY = "compose, train and run a small pipeline on generated clips, in under a minute"
_STEPS = 90
# Says that a folder's files are the demo's, which it may replace.
_MARKER = ".affectkit-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and for how long."""
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("demo-output"), help="folder (demo-output)")
    parser.add_argument("--overwrite", action="store_true", help="use a folder that holds other files")
    parser.add_argument("--seconds", metavar="S", type=float, default=30.0, help="the longest training may take (30)")


def run(args: argparse.Namespace, output: Output) -> int:
    """The whole way, with a word on each step."""
    from affectkit.errors import ConfigError

    if math.isnan(args.seconds) or args.seconds <= 0:
        raise ConfigError(f"{args.seconds!r} is not accepted", "write a number above 0", path="seconds")
    folder = _folder(args.out, overwrite=args.overwrite)
    import torch

    from affectkit.analysis import analyze
    from affectkit.artifact import load, save
    from affectkit.cli import demo_task as task
    from affectkit.cli.trace import print_trace, trace_data
    from affectkit.files import write_config

    started = time.perf_counter()
    config = task.make_pipeline()
    output.text("A pipeline, composed in Python and checked before anything is built:")
    trace = config.trace()
    print_trace(output, config, trace)
    write_config(config, folder / "pipeline.toml")

    output.text(f"Training on {len(task.TRAIN_TEXTURES)} generated clips: moving textures, NOT faces.")
    train, test = task.make_clips(task.TRAIN_TEXTURES), task.make_clips(task.TEST_TEXTURES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = config.build()
    steps = task.fit(model, train, seconds=args.seconds, steps=_STEPS, report=_progress_line)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    report = task.evaluate(model, train, test)
    for line in _report_lines(report, steps):
        output.text(line)

    notes = (
        f"Trained for {steps} steps by `affectkit demo` on generated moving textures, not faces; "
        f"accuracy {report.accuracy:.3f} on {report.clips} held-out textures, majority {report.majority:.3f}."
    )
    save(model, folder / "model", notes=notes, overwrite=True)
    loaded = load(folder / "model")
    clip = task.write_demo_clip(folder / "clip.mp4")
    results = analyze(clip, loaded, out=folder / "rows.csv", overwrite=True)
    output.text(f"Saved the model, loaded it, and analyzed {clip} (expand, then contract, then rotate):")
    _print_rows(results, output)
    output.json(
        {"folder": str(folder), "steps": steps, **report._asdict(), "rows": len(results), **trace_data(config, trace)}
    )
    output.text(f"{time.perf_counter() - started:.0f} s in all; in {folder}: pipeline.toml, model, clip.mp4, rows.csv")
    output.text("Next:")
    program = program_name()
    output.text(f"  {program} check {_quoted(folder / 'pipeline.toml')}")
    output.text(f"  {program} analyze {_quoted(clip)} --pipeline {_quoted(folder / 'model')}")
    output.text(f"  {program} components")
    return 0


def program_name() -> str:
    """How to call this program from a shell: by its name where that is found, or else by its path."""
    if shutil.which("affectkit"):
        return "affectkit"
    path = Path(sys.argv[0])
    if path.stem == "affectkit" and path.is_file():
        return _quoted(path)
    return f"{_quoted(Path(sys.executable))} -m affectkit"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _folder(path: Path, *, overwrite: bool) -> Path:
    """Make the folder, and mark it as the demo's.

    Raises:
        InputError: it can't be made, or holds what the demo did not make and `overwrite` is not set.
    """
    from affectkit.errors import InputError

    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()) and not (path / _MARKER).exists() and not overwrite:
            raise InputError(f"{path}: holds files that are not the demo's; choose another with --out, or --overwrite")
        (path / _MARKER).touch()
    except OSError as error:
        raise InputError(f"{path}: can't be made a folder ({error.strerror}); choose another with --out") from error
    return path


def _progress_line(step: int, loss: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r  step {step} of {_STEPS}, loss {loss:.3f} ")
        sys.stderr.flush()


def _report_lines(report: Report, steps: int) -> tuple[str, ...]:
    return (
        f"After {steps} steps, on {report.clips} clips of textures that were not trained on:",
        f"  which motion:  {report.accuracy:6.1%} right; naming the most frequent one: {report.majority:.1%}",
        f"  how fast:      {report.speed_error:6.3f} off on average; naming the median: {report.guess_error:.3f}",
        "  These are generated patterns, not faces: the figures say that the parts work together, no more.",
    )


def _print_rows(results: Results, output: Output) -> None:
    shown = [name for name in results.columns if name in ("frame", "pts", "track", "status") or "." in name]
    rows = []
    # Every tenth row, so that all three motions are seen.
    for row in itertools.islice(results, 4, None, 10):
        cells = row.as_dict()
        rows.append([f"{cells[name]:.3f}" if isinstance(cells[name], float) else cells[name] for name in shown])
    output.table(shown, rows)
