"""`affectkit demo`: a synthetic face with a known micro-expression, and what is found in it, beside the truth."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.progress import frame_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from affectkit.data.synthetic import SyntheticClip
    from affectkit.records import Event
    from affectkit.registry import Registry
    from affectkit.results.reading import Results
    from affectkit.results.rows import EventRow

SUMMARY = "render a synthetic face with a micro-expression, and compare what is found with the truth"
FPS, SECONDS = 200.0, 3.0
# Says that a folder's files are the demo's, which it may replace.
_MARKER = ".affectkit-demo"
_LARGEST_SEED = 4999


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and whose face."""
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("demo-output"), help="folder (demo-output)")
    parser.add_argument("--overwrite", action="store_true", help="use a folder that holds other files")
    parser.add_argument("--seed", metavar="N", type=int, default=2, help="of the face and what it does, up to 4999 (2)")


def run(args: argparse.Namespace, output: Output) -> int:
    """The whole way, with a word on each step."""
    from affectkit.errors import ConfigError

    if not 0 <= args.seed <= _LARGEST_SEED:
        raise ConfigError(f"{args.seed!r} is not accepted", f"write 0 to {_LARGEST_SEED}", path="seed")
    folder = _folder(args.out, overwrite=args.overwrite)
    from affectkit.analysis import analyze
    from affectkit.registry import default_registry

    started = time.perf_counter()
    clip = make_clip(args.seed)
    path = folder / "clip.mp4"
    count = len(clip.times)
    output.text(f"Rendering {count} frames at {FPS:.0f} per second: a SYNTHETIC face, nobody's.")
    _write(clip, path)
    faces = _detector(default_registry())
    files = [path]
    with frame_bar("motion-events") as progress:
        results = analyze(
            path, "affectkit/motion-events", faces=faces, out=folder / "rows.csv", overwrite=True, progress=progress
        )
    files += [folder / "rows.csv", folder / "rows.events.csv"]
    output.text(f"What motion-events found with {results.detector}, beside what was rendered (seconds):")
    comparison = compare(results.events, clip.truth.events)
    shown = ("event", "true onset", "apex", "offset", "found onset", "found apex", "found offset", "overlap")
    output.table(shown, [[_cell(value) for value in line.values()] for line in comparison])
    files.append(_draw(results, folder / "timeline.png"))
    files.append(_annotate(path, results, folder / "annotated.mp4"))
    expression = _expression(path, faces, folder, output)
    files += [] if expression is None else [folder / "expression.csv", folder / "expression.png"]
    output.text("One rendered clip shows that the parts work together, and says nothing about real faces.")
    names = ", ".join(file.name for file in files)
    output.text(f"{time.perf_counter() - started:.0f} s in all; in {folder}: {names}")
    program = program_name()
    output.text("Next:")
    output.text(f"  {program} analyze VIDEO --pipeline motion-events")
    output.text(f"  {program} components")
    output.json(
        {"folder": str(folder), "is_synthetic": True, "detector": results.detector, "rows": len(results)}
        | {"events": comparison, "files": [str(file) for file in files], "expression": expression}
    )
    return 0


def make_clip(seed: int) -> SyntheticClip:
    """One micro-expression of one to two pixels and a blink, nothing before the face."""
    from dataclasses import replace

    from affectkit.data.synthetic import BENCH_V1, render_clip

    settings = replace(
        BENCH_V1, seconds=SECONDS, events=(1, 1), without_event=0.0, micro=1.0, peak=(1.0, 2.0), occluded_clips=0.0
    )
    return render_clip(seed, settings, fps=FPS, split="train")


def compare(found: tuple[EventRow, ...], truth: tuple[Event, ...]) -> list[dict[str, Any]]:
    """A line for each true event with what was found there, and one for each that was found where nothing was."""
    from affectkit.metrics.spotting import interval_iou, match_intervals

    spans = [(event.onset_frame or 0, event.offset_frame or 0) for event in truth]
    guesses = [(event.onset_frame or 0, event.offset_frame or 0) for event in found]
    matches: list[int | None] = [None] * len(guesses)
    if guesses and spans:
        matches = match_intervals(guesses, spans)
    lines = []
    for i, event in enumerate(truth):
        own = matches.index(i) if i in matches else None
        guess = None if own is None else found[own]
        label = event.kind if event.label is None else f"{event.kind}, {event.label}"
        overlap = None if own is None else round(interval_iou(guesses[own], spans[i]), 3)
        lines.append(_line(label, event, guess, overlap))
    lines += [
        _line(event.kind, None, event, None) for event, match in zip(found, matches, strict=True) if match is None
    ]
    return lines


def _line(label: str, true: Event | None, found: EventRow | None, overlap: float | None) -> dict[str, Any]:
    line: dict[str, Any] = {"event": label}
    for prefix, event in (("true", true), ("found", found)):
        for moment in ("onset", "apex", "offset"):
            value = None if event is None else getattr(event, moment)
            line[f"{prefix}_{moment}"] = None if value is None else round(value, 4)
    return {**line, "overlap": overlap}


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _write(clip: SyntheticClip, path: Path) -> None:
    from affectkit.data.synthetic.encoding import encode

    path.unlink(missing_ok=True)
    with frame_bar("rendering") as progress:

        def frames() -> Iterator[NDArray[np.uint8]]:
            for count, frame in enumerate(clip.frames(), start=1):
                yield frame
                if progress is not None:
                    progress(count, len(clip))

        encode(path, frames(), clip.times, clip.settings.size, clip.settings.crf)


def _detector(registry: Registry) -> str:
    """YuNet if its weights are on this machine, or else Haar: the demo asks no network."""
    from affectkit.faces.yunet import SPEC
    from affectkit.weights import find_weights

    provider = registry.component("faces", "affectkit/yunet").provider
    return "yunet" if find_weights(SPEC.weights[0], provider) is not None else "haar"


def _draw(results: Results, path: Path) -> Path:
    results.plot(path, overwrite=True)
    return path


def _annotate(video: Path, results: Results, path: Path) -> Path:
    from affectkit.results.annotate import annotate_video

    return annotate_video(video, results, path, overwrite=True)


def _expression(video: Path, faces: str, folder: Path, output: Output) -> dict[str, float] | None:
    """The means of `expression`, if its plugin is installed and its weights are on this machine."""
    from affectkit.analysis import analyze
    from affectkit.registry import default_registry
    from affectkit.resolving import DEFAULT_PIPELINES
    from affectkit.weights import find_weights

    preset = next((item for item in default_registry().presets() if item.id == DEFAULT_PIPELINES[0]), None)
    if preset is None:
        output.text("expression was not run: its plugin, affectkit-faceapi, is not installed.")
        return None
    if any(find_weights(weights, preset.provider) is None for weights in preset.spec.published):
        output.text(
            "expression was not run: its weights are not on this machine, and the demo asks no network; "
            "AFFECTKIT_WEIGHTS names a folder that has them."
        )
        return None
    with frame_bar("expression") as progress:
        results = analyze(
            video, preset.id, faces=faces, fps=25, out=folder / "expression.csv", overwrite=True, progress=progress
        )
    _draw(results, folder / "expression.png")
    sums: dict[str, float] = {}
    rows = [row for row in results if row.predictions]
    for row in rows:
        for name, value in row.predictions.items():
            sums[name] = sums.get(name, 0.0) + value
    means = {name: round(total / len(rows), 4) for name, total in sums.items()}
    best = max(means, key=lambda name: means[name]) if means else None
    if best is not None:
        output.text(f"expression, which was trained on real faces, calls this one {best.partition('.')[2]} on average")
    return means


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
