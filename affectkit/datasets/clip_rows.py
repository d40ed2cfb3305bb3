"""From an annotated clip and its folder of frames to a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from affectkit.datasets.action_units import unread_text
from affectkit.datasets.apexes import resolve_apex
from affectkit.datasets.base import ClassesConfig, ClipsConfig
from affectkit.datasets.frame_folders import FrameFolder, list_frames
from affectkit.datasets.notes import Notes, named
from affectkit.datasets.tables import parse_frame
from affectkit.records import Event, EventKind, FramesSource, Labels, Sample


@dataclass(frozen=True, kw_only=True)
class ClipRow:
    """One annotated clip, as far as all datasets agree on what that is.

    Attributes:
        where: file and row, or the folder where there is no table.
        key: unique in the dataset.
        subject: canonical.
        emotion: the coder's word.
        folder: path of the frames; None where it is not on disk.
        expected: what was looked for, for the message.
        fps: frames per second.
        onset, apex, offset: text of the cells; None where the annotation has no such column, and then the clip is the
            whole folder.
        aus: text of the cell with the action units.
        kind: what the clip shows.
        raw: the annotation's own fields.
    """

    where: str
    key: str
    subject: str
    emotion: str
    folder: str | None
    expected: str
    fps: float
    onset: str | None = None
    apex: str | None = None
    offset: str | None = None
    aus: str = ""
    kind: EventKind = "micro-expression"
    raw: Mapping[str, str] = field(default_factory=dict)


def make_sample(dataset: str, row: ClipRow, config: ClipsConfig, notes: Notes) -> Sample | None:
    """The sample of one clip: frames from onset to offset, one event, one label; None where it can't be had.

    Seconds of the event are counted from the first frame that is listed: (number - its number) / fps. Everything odd is
    noted, with file and row.
    """
    before = len(notes.issues)
    if row.folder is None:
        notes.add("error", row.where, f"no folder of {row.expected}; unpack it, or remove the row", row.key)
        return None
    folder = list_frames(row.folder)
    notes.add_names(row.where, folder, row.key)
    if not folder.names:
        notes.add("error", row.where, f"no picture of {row.expected}; unpack it again", row.key)
        return None
    span = _read_span(row, folder, notes)
    if span is None:
        return None
    onset, apex, offset = _fit_numbers(row, folder, span, notes)
    frames = folder.frames(onset, offset)
    if not frames:
        held = f"frames {folder.numbers[0]} to {folder.numbers[-1]}"
        fact = f"no frame of {onset} to {offset} in its folder, which has {held}; check the row"
        notes.add("error", row.where, fact, row.key)
        return None
    _note_gaps(row, frames.numbers, onset, offset, notes)
    apex_frame, source = resolve_apex(onset, apex, offset, config.apex)
    _note_apex(row, onset, apex, offset, notes)
    if unread := unread_text(row.aus):
        notes.add("warning", row.where, f"action units {row.aus!r}: {unread!r} can't be read; check the cell", row.key)
    first = frames.numbers[0]
    return Sample(
        dataset=dataset,
        subject=row.subject,
        key=row.key,
        source=FramesSource(frames=frames, fps=row.fps),
        events=(
            Event(
                kind=row.kind,
                onset=(onset - first) / row.fps,
                apex=None if apex_frame is None else (apex_frame - first) / row.fps,
                offset=(offset - first) / row.fps,
                onset_frame=onset,
                apex_frame=apex_frame,
                offset_frame=offset,
                label=row.emotion,
                apex_source=source,
            ),
        ),
        targets={config.target: make_label(row.where, row.emotion, config, notes, row.key)},
        raw=row.raw,
        issues=notes.since(before),
    )


def make_label(where: str, word: str, config: ClassesConfig, notes: Notes, key: str | None = None) -> Labels:
    """The class of a coder's word; not valid where the map leaves it out, or does not know it, which is noted."""
    import numpy as np

    try:
        index = config.label_map.index(word)
    except KeyError:
        known = named(config.label_map.words, 20)
        notes.add("warning", where, f"label {word!r} is unknown, so it is not valid; known: {known}", key)
        index = None
    return Labels(np.array(index or 0, dtype=np.int64), np.array(index is not None))


def _read_span(row: ClipRow, folder: FrameFolder, notes: Notes) -> tuple[int, int | None, int] | None:
    """Onset, apex and offset as numbers; None where the clip has no interval that can be meant."""
    if row.onset is None or row.offset is None:
        return folder.numbers[0], parse_frame(row.apex or ""), folder.numbers[-1]
    onset, apex, offset = (parse_frame(text or "") for text in (row.onset, row.apex, row.offset))
    for name, value, text in (("onset", onset, row.onset), ("offset", offset, row.offset)):
        if value is None:
            notes.add("error", row.where, f"{name} is {text!r}; write a frame number", row.key)
            return None
    assert onset is not None
    assert offset is not None
    # CAS(ME)^2 and CAS(ME)^3 write 0 for an offset that was not seen
    if offset == 0 and apex is not None and apex >= onset:
        notes.add("warning", row.where, f"offset is 0; the apex, {apex}, stands in for it", row.key)
        offset = apex
    if offset < onset:
        notes.add("error", row.where, f"offset {offset} is before onset {onset}; mend the row", row.key)
        return None
    return onset, apex, offset


def _fit_numbers(
    row: ClipRow, folder: FrameFolder, span: tuple[int, int | None, int], notes: Notes
) -> tuple[int, int | None, int]:
    """The interval in the folder's own numbers: in some releases files are numbered anew from 0 or 1 in every clip."""
    onset, apex, offset = span
    first, last = folder.numbers[0], folder.numbers[-1]
    shift = first - onset
    if shift and first in (0, 1) and last - first == offset - onset and len(folder.numbers) == last - first + 1:
        fact = f"files are numbered from {first}, not from onset {onset}; the annotation was shifted by {shift}"
        notes.add("info", row.where, fact, row.key)
        return first, None if apex is None else apex + shift, last
    return onset, apex, offset


def _note_gaps(row: ClipRow, numbers: tuple[int, ...], onset: int, offset: int, notes: Notes) -> None:
    missing = offset - onset + 1 - len(numbers)
    if missing:
        names = named(sorted(set(range(onset, offset + 1)).difference(numbers)))
        fact = f"{missing} of {offset - onset + 1} frames not on disk: {names}; take the nearest, or unpack again"
        notes.add("warning", row.where, fact, row.key)
    if len(numbers) == 1:
        notes.add("warning", row.where, "one frame, in which nothing can move; leave it out", row.key)


def _note_apex(row: ClipRow, onset: int, apex: int | None, offset: int, notes: Notes) -> None:
    if row.apex is None:
        return
    if apex is None:
        fact = f"apex is {row.apex!r}, no frame number; it counts as missing"
        notes.add("info", row.where, fact, row.key)
    elif not onset <= apex <= offset:
        fact = f"apex {apex} is outside {onset} to {offset}; it counts as missing"
        notes.add("warning", row.where, fact, row.key)
    elif apex == onset < offset:
        notes.add("info", row.where, f"apex {apex} is the onset: no motion lies between them", row.key)
