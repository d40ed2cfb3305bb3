"""Events as files that coders of behavior open: tab-delimited text for ELAN, and WebVTT subtitles for any player."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from affectkit.results.places import check_ending, check_file, explained, replacing
from affectkit.results.rows import EventRow


def write_elan(events: Iterable[EventRow], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write events as ELAN's menu File, Import, CSV / Tab-delimited Text File reads them: one line each, no header.

    Columns: tier, begin time, end time and duration in milliseconds, annotation. There is a tier per track and kind,
    such as `track 0 micro-expression`. The annotation is the label, or the kind where there is none; a rejected event
    says so. ELAN has neither moments nor times before 0: an annotation lasts at least 1 ms, from 0 or later.

    Arguments:
        events: such as `results.events`.
        path: a `.txt` or `.tsv` file.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: the ending is another, a file is there, or it can't be written.
    """
    lines = []
    for event in sorted(events, key=lambda event: (_tier(event), event.onset)):
        begin, end = _milliseconds(event)
        lines.append("\t".join((_tier(event), str(begin), str(end), str(end - begin), " ".join(_text(event).split()))))
    return _write(
        "".join(line + "\n" for line in lines), path, (".txt", ".tsv"), "write a .txt or .tsv file", overwrite
    )


def write_webvtt(events: Iterable[EventRow], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write events as WebVTT: a cue from onset to offset of each, at least 1 ms long, in the order of their onsets.

    Arguments:
        events: such as `results.events`.
        path: a `.vtt` file.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: the ending is another, a file is there, or it can't be written.
    """
    cues = ["WEBVTT\n"]
    for event in sorted(events, key=lambda event: (event.onset, event.offset)):
        begin, end = _milliseconds(event)
        text = f"{_tier(event)}: {_text(event)}" if event.label or event.status == "rejected" else _tier(event)
        if event.confidence is not None:
            text += f" ({event.confidence:.2f})"
        escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_clock(begin)} --> {_clock(end)}\n{escaped}\n")
    return _write("\n".join(cues), path, (".vtt",), "write a .vtt file", overwrite)


def _tier(event: EventRow) -> str:
    return event.kind if event.track is None else f"track {event.track} {event.kind}"


def _text(event: EventRow) -> str:
    text = event.label or event.kind
    return text if event.status == "ok" else f"{text} (rejected: {event.reason})"


def _milliseconds(event: EventRow) -> tuple[int, int]:
    begin = max(round(event.onset * 1000), 0)
    return begin, max(round(event.offset * 1000), begin + 1)


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def _write(text: str, path: str | Path, endings: tuple[str, ...], suggestion: str, overwrite: bool) -> Path:
    path = Path(path)
    check_ending(path, endings, suggestion)
    check_file(path, overwrite=overwrite)
    with explained(path, "choose another folder"), replacing(path) as file:
        file.write(text.encode())
    return path
