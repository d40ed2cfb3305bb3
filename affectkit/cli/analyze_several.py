"""`affectkit analyze` of several files: a table per video, and one for all pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.faces import picture_table
from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar, video_bar

if TYPE_CHECKING:
    from affectkit.batch import VideoSummary

_FOLDER = Path("affectkit-tables")
PICTURES_FILE = "pictures.csv"
# Of the pictures that were not read.
_SHOWN = 20
_TIMED = ("fps", "start", "stop")


def expanded(names: Iterable[str]) -> list[str]:
    """Names with wildcards as the files that they stand for, where the shell has not done that."""
    found: list[str] = []
    for name in names:
        matches = [] if Path(name).exists() else sorted(glob(name))
        found += matches or [name]
    return found


def run_several(args: argparse.Namespace, output: Output, options: dict[str, Any]) -> int:
    """Pictures first, then videos; 1 if any could not be read."""
    from affectkit.errors import ConfigError
    from affectkit.media_files import list_files
    from affectkit.results.places import TABLE_ENDINGS
    from affectkit.video.opening import is_picture

    for name in ("plot", "annotate", "maps", "elan", "webvtt"):
        if getattr(args, name) is not None:
            raise ConfigError("given with several files", "analyze one at a time for it", path=f"--{name}")
    given = args.videos[0] if len(args.videos) == 1 else args.videos
    files, root = list_files(given)
    pictures = [path for path in files if is_picture(path)]
    videos = [path for path in files if not is_picture(path)]
    if videos and args.out is not None and args.out.suffix in TABLE_ENDINGS:
        fact = f"{str(args.out)!r} is the name of one table, and every video has its own"
        raise ConfigError(fact, "name a folder", path="--out")
    if not pictures:
        if args.sheet is not None:
            raise ConfigError("given without pictures", "leave it out", path="--sheet")
        return _run_videos(args, output, given, options, None)
    if not videos:
        refuse_times(args)
        if args.workers is not None:
            raise ConfigError("given with pictures alone", "leave it out", path="--workers")
    out = args.out if args.out is not None else _FOLDER
    table = out if out.suffix in TABLE_ENDINGS else _in_folder(out)
    picture_code, data = _run_pictures(args, output, pictures, root, table, options)
    if not videos:
        output.json(data)
        return picture_code
    return max(picture_code, _run_videos(args, output, videos, options, data, root=root))


def refuse_times(args: argparse.Namespace) -> None:
    """Raise ConfigError for an option that says something of times, of which pictures have none."""
    from affectkit.errors import ConfigError

    for name in _TIMED:
        if getattr(args, name) is not None:
            raise ConfigError("given with pictures, which have no times", "leave it out", path=f"--{name}")


def _in_folder(out: Path) -> Path:
    from affectkit.folders import make_folder

    return make_folder(out, "the tables", parents=False) / PICTURES_FILE


def _run_pictures(
    args: argparse.Namespace, output: Output, pictures: list[Path], root: Path, table: Path, options: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    from affectkit.many_pictures import analyze_pictures
    from affectkit.results.contact_sheet import check_sheet, write_contact_sheet

    if args.sheet is not None:
        # before the analysis, which may take long
        check_sheet(args.sheet, pictures, overwrite=args.overwrite)
    untimed = {name: value for name, value in options.items() if name not in _TIMED}
    with count_bar(str(table), "pictures") as bar:
        results = analyze_pictures(pictures, args.pipeline, out=table, root=root, progress=bar, **untimed)
    sheets: tuple[Path, ...] = ()
    if args.sheet is not None:
        sheets = write_contact_sheet(results, args.sheet, folder=root, overwrite=args.overwrite)
    faces, faceless, lost = 0, 0, []
    for row in results:
        faces += row.status in ("ok", "low_confidence")
        faceless += row.status == "no_face"
        if row.status == "skipped":
            lost.append({"file": row.file, "reason": row.reason})
    columns, lines, more = picture_table(results)
    output.table(columns, lines)
    if more:
        output.text(f"and {more} rows more in {table}")
    output.text(
        f"{len(pictures)} pictures, {faces} faces; {faceless} without a face, {len(lost)} not read; rows in {table}"
    )
    for item in lost[:_SHOWN]:
        output.text(f"not read: {item['file']}: {item['reason']}")
    if len(lost) > _SHOWN:
        output.text(f"and {len(lost) - _SHOWN} more that were not read")
    for path in sheets:
        output.text(f"contact sheet: {path}")
    data = {"path": str(table), "pictures": len(pictures), "faces": faces, "without_face": faceless, "not_read": lost}
    return (1 if lost else 0), {**data, "sheets": [str(path) for path in sheets]}


def _run_videos(
    args: argparse.Namespace,
    output: Output,
    videos: Any,
    options: dict[str, Any],
    pictures: dict[str, Any] | None,
    *,
    root: Path | None = None,
) -> int:
    """A table per video; 1 if any failed."""
    from affectkit.batch import analyze_many

    out = args.out if args.out is not None else _FOLDER
    with video_bar(str(out)) as bar:

        def progress(video: VideoSummary, done: int, total: int) -> None:
            if bar is not None:
                bar(done, total)

        summary = analyze_many(
            videos, args.pipeline, out=out, root=root, workers=args.workers, progress=progress, **options
        )
    data = {"path": str(summary.path), "videos": [vars(video) for video in summary]}
    output.json(data if pictures is None else {**data, "pictures": pictures})
    shown = ("video", "status", "rows", "frames_with_face", "skipped", "events", "seconds")
    output.table(shown, [[getattr(video, name) for name in shown] for video in summary])
    for video in summary.failed:
        output.text(f"failed: {video.error}")
    output.text(f"{len(summary) - len(summary.failed)} of {len(summary)} videos done; summary in {summary.path}")
    return 1 if summary.failed else 0
