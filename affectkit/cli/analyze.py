"""`affectkit analyze`: a video or picture in, a table out; a folder in, a folder of tables out."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from affectkit.cli.analyze_several import expanded, refuse_times, run_several
from affectkit.cli.faces import face_data, face_lines
from affectkit.cli.output import Output
from affectkit.cli.progress import frame_bar

if TYPE_CHECKING:
    from affectkit.results.reading import Results
    from affectkit.results.rows import EventRow

SUMMARY = "score every face of every frame of a video, and find events in it"
_SHOWN, _SHOWN_EVENTS = 6, 8
_NO_DETECTOR = "affectkit/whole-frame"
_PRECISIONS = ("float32", "bfloat16")
_ENGINES = ("onnxruntime", "openvino")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `affectkit.analyze` and `affectkit.analyze_many`."""
    parser.add_argument(
        "videos", metavar="VIDEO", nargs="+", help="a video, a picture, a folder of them, or a camera's number"
    )
    parser.add_argument(
        "--pipeline", metavar="P", help="a preset, a .toml or .json file, a saved model, an .onnx file or a hub id "
        "(expression, where its plugin is installed, or else motion-events)",
    )  # fmt: skip
    parser.add_argument(
        "--weights", metavar="FILE", help="weights of your own, .safetensors, for a preset or pipeline file"
    )
    parser.add_argument(
        "--faces", metavar="F", help="face detector, or a .csv of boxes (the pipeline's own, or else auto)"
    )
    parser.add_argument("--fps", metavar="N", type=float, help="process at most N frames per second")
    parser.add_argument("--start", metavar="S", type=float, help="begin at S seconds of container time")
    parser.add_argument("--stop", metavar="S", type=float, help="stop at S seconds")
    parser.add_argument(
        "--out", metavar="FILE", type=Path,
        help="rows: .csv or .parquet (VIDEO's name + .rows.csv, here); for several videos a folder (affectkit-tables), "
        "in which pictures.csv is of all pictures",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("--resume", action="store_true", help="go on where a run with the same options was stopped")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw the timeline: .png, .svg or .pdf")
    parser.add_argument(
        "--annotate", metavar="FILE", type=Path, help="write video or picture with boxes and labels: .mp4, .png"
    )
    parser.add_argument(
        "--sheet", metavar="FILE", type=Path, help="of several pictures, write a contact sheet: .png, .jpg"
    )
    parser.add_argument(
        "--top", metavar="N", type=int, default=3, help="of a picture, name the N most probable classes (3)"
    )
    parser.add_argument(
        "--maps", metavar="DIR", type=Path, help="write the motion map of each event that is scored: a folder of .png"
    )
    parser.add_argument("--elan", metavar="FILE", type=Path, help="write the events for ELAN, tab-delimited: .txt")
    parser.add_argument("--webvtt", metavar="FILE", type=Path, help="write the events as subtitles: .vtt")
    parser.add_argument("--device", metavar="D", default="cpu", help="cpu (the default), cuda or cuda:1")
    parser.add_argument("--precision", choices=_PRECISIONS, default="float32", help="float32 by default")
    parser.add_argument("--engine", choices=_ENGINES, help="what runs an .onnx file; onnxruntime by default")
    parser.add_argument("--batch-size", metavar="N", type=int, default=16, help="frames scored at once, about (16)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the weights of an untrained pipeline (0)")
    parser.add_argument("--workers", metavar="N", type=int, help="videos at once, of several (one per processor)")


def run(args: argparse.Namespace, output: Output) -> int:
    """One video, or several."""
    from affectkit.errors import ConfigError

    if args.workers is not None and args.workers < 1:
        raise ConfigError(f"{args.workers!r} processes", "write 1 or more", path="workers")
    if args.top < 1:
        raise ConfigError(f"{args.top!r} classes", "write 1 or more", path="--top")
    args.videos = expanded(args.videos)
    several = len(args.videos) > 1 or Path(args.videos[0]).is_dir()
    if several:
        return run_several(args, output, _options(args))
    if args.sheet is not None:
        raise ConfigError("given with one file", "use --annotate", path="--sheet")
    return _run_one(args, output)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    names = (
        "faces", "fps", "start", "stop", "overwrite", "resume", "device", "precision", "engine", "weights",
        "batch_size", "seed",
    )  # fmt: skip
    return {name: getattr(args, name) for name in names}


def _run_one(args: argparse.Namespace, output: Output) -> int:
    """Analyze, then say where the rows are and what is in them."""
    from affectkit.analysis import analyze
    from affectkit.errors import ConfigError
    from affectkit.results.annotate import PICTURE_ENDINGS, annotate_picture, annotate_video
    from affectkit.results.exports import write_elan, write_webvtt
    from affectkit.results.places import check_ending, check_file, check_not_input, events_of
    from affectkit.video.opening import is_picture as is_called_picture

    name = args.videos[0]
    # A file that is called 0 is named as ./0
    video = int(name) if name.isdecimal() else Path(name)
    title = f"camera-{video}" if isinstance(video, int) else video.name
    is_picture = isinstance(video, Path) and is_called_picture(video)
    if isinstance(video, int) and args.annotate is not None:
        raise ConfigError("given with a camera, whose frames are gone", "record it first", path="--annotate")
    if is_picture:
        refuse_times(args)
    out = args.out if args.out is not None else Path(f"{title}.rows.csv")
    # Before the analysis, which may take hours.
    for path, endings in (
        (args.elan, (".txt",)),
        (args.webvtt, (".vtt",)),
        (args.plot, (".png", ".svg", ".pdf")),
        (args.annotate, PICTURE_ENDINGS if is_picture else (".mp4",)),
    ):
        if path is not None:
            check_ending(path, endings, f"write {' or '.join(endings)}")
            check_not_input([path], [] if isinstance(video, int) else [video])
            check_file(path, overwrite=args.overwrite)
    started = time.perf_counter()
    with frame_bar(title) as progress:
        results = analyze(video, args.pipeline, out=out, maps=args.maps, progress=progress, **_options(args))
    for option, path in (("--elan", args.elan), ("--webvtt", args.webvtt)):
        if path is not None and not events_of(out).is_file():
            fact = f"{args.pipeline or 'this pipeline'} looks for no events, so {path} was not written; {out} was"
            raise ConfigError(fact, "use a pipeline with a spotter, such as motion-events", path=option)
    if args.elan is not None:
        write_elan(results.events, args.elan, overwrite=args.overwrite)
    if args.webvtt is not None:
        write_webvtt(results.events, args.webvtt, overwrite=args.overwrite)
    if args.plot is not None:
        results.plot(args.plot, overwrite=args.overwrite)
    if args.annotate is not None:
        if is_picture:
            annotate_picture(str(video), results, args.annotate, top=args.top, overwrite=args.overwrite)
        else:
            annotate_video(str(video), results, args.annotate, overwrite=args.overwrite)
    summary = summarize(results)
    # JSON has no NaN
    means = {name: mean if math.isfinite(mean) else None for name, mean in summary["means"].items()}
    pipeline = "" if results.info is None else results.info.pipeline
    events = [event.as_dict() for event in results.events]
    facts = {"path": str(results.path), "pipeline": pipeline, "detector": results.detector, **summary}
    found = {"faces": [face_data(row) for row in results if row.track is not None]} if is_picture else {}
    seconds = round(time.perf_counter() - started, 3)
    output.json({**facts, "means": means, "events": events, **found, "seconds": seconds})
    output.text(f"{counted(summary['rows'], 'row')} in {results.path}, by {pipeline} with {results.detector}")
    if is_picture:
        lines = face_lines(results, results.targets, args.top) or [_no_face(title)]
    else:
        lines = [*summary_lines(summary), *(event_lines(results.events) if events_of(out).is_file() else ())]
    for line in lines:
        output.text(line)
    if not summary["rows"] and args.start is not None:
        output.text(f"nothing at or after --start {args.start:g}: the video may be shorter")
    if results.detector == _NO_DETECTOR:
        output.text("no face detector: every picture counts as one face (whole-frame)")
    return 0


def _no_face(name: str) -> str:
    return f"no face found in {name}, so nothing was scored; try another detector (--faces)"


def summarize(results: Results) -> dict[str, Any]:
    """Counts, span and means of a table, in one pass over it."""
    from affectkit.results.rows import Status

    statuses = dict.fromkeys(get_args(Status), 0)
    sums: dict[str, tuple[float, int]] = {}
    frames, first, last = 0, None, None
    previous = -1
    for row in results:
        statuses[row.status] += 1
        frames += row.frame != previous
        previous = row.frame
        first = row.pts if first is None else first
        last = row.pts
        for name, value in row.predictions.items():
            total, count = sums.get(name, (0.0, 0))
            sums[name] = total + value, count + 1
    return {
        "rows": sum(statuses.values()),
        "frames": frames,
        "start": first,
        "stop": last,
        "statuses": {name: count for name, count in statuses.items() if count or name in ("ok", "no_face")},
        "means": {name: total / count for name, (total, count) in sums.items()},
    }


def summary_lines(summary: dict[str, Any]) -> tuple[str, ...]:
    """The same in a line or two."""
    counts = ", ".join(f"{count} {status}" for status, count in summary["statuses"].items())
    if not summary["rows"]:
        return ("no frames",)
    frames = counted(summary["frames"], "frame")
    span = f"{frames} from {summary['start']:.3f} to {summary['stop']:.3f} s: {counts}"
    means = [f"{name} {value:.3f}" for name, value in summary["means"].items()]
    more = f" and {len(means) - _SHOWN} more" if len(means) > _SHOWN else ""
    return (span, f"means: {', '.join(means[:_SHOWN])}{more}") if means else (span,)


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def event_lines(events: tuple[EventRow, ...]) -> list[str]:
    """How many events, and the first of them, one line each."""
    lines = []
    for event in events[:_SHOWN_EVENTS]:
        apex = "" if event.apex is None else f", apex {event.apex:.3f}"
        label = "" if event.label is None else f" {event.label}{_probability(event)}"
        confidence = "" if event.confidence is None else f", confidence {event.confidence:.2f}"
        reason = "" if event.reason is None else f" ({event.reason})"
        lines.append(
            f"  {event.kind}{label} of face {event.track}: {event.onset:.3f} to {event.offset:.3f} s{apex}"
            f"{confidence}{reason}"
        )
    more = len(events) - _SHOWN_EVENTS
    head = f"{counted(len(events), 'event')}:" if events else "no events"
    return [head, *lines, *([f"  and {more} more"] if more > 0 else [])]


def _probability(event: EventRow) -> str:
    """What the label was given, where one output gives it any."""
    found = [value for name, value in event.predictions.items() if name.partition(".")[2] == event.label]
    return f" {found[0]:.2f}" if len(found) == 1 else ""
