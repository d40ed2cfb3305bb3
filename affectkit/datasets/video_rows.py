"""From annotated long videos to an index: one sample per video, with all of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from affectkit.datasets.apexes import resolve_apex
from affectkit.datasets.frame_folders import FrameFolder, list_frames
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.tables import parse_frame
from affectkit.records import Event, EventKind, FramesSource, Index, IssueLevel, Sample


@dataclass(frozen=True, kw_only=True)
class Video:
    """A folder with all frames of a video; `subject` is canonical."""

    key: str
    subject: str
    folder: str
    fps: float


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """One annotated event of a video.

    Attributes:
        where: file and row.
        video: key of the video.
        kind: of the event.
        onset, apex, offset: text of the cells.
        label: the coder's word; None where the table has none.
        raw: the annotation's own fields.
    """

    where: str
    video: str
    kind: EventKind
    onset: str
    apex: str
    offset: str
    label: str | None = None
    raw: Mapping[str, str] = field(default_factory=dict)


def index_videos(
    dataset: str,
    videos: Iterable[Video],
    rows: Iterable[EventRow],
    *,
    apex: str,
    table: str,
    notes: Notes,
    zero_onset_is_unknown: bool = False,
) -> Index:
    """A sample per video on disk, sorted by key, its events sorted by onset. Videos without an event are samples too.

    Seconds count from the first frame on disk: (number - its number) / fps. `raw` holds each field of the annotation
    with a line per event, in the order of the table.

    Arguments:
        dataset: name of the component.
        videos: those on disk.
        rows: the events.
        apex: the policy.
        table: name of the table, for what is counted over all videos.
        notes: issues so far; more are added.
        zero_onset_is_unknown: whether an onset 0 says that the event began before the video; such an event is left out.
    """
    events: dict[str, list[EventRow]] = {}
    for row in rows:
        events.setdefault(row.video, []).append(row)
    samples = []
    for video in sorted(videos, key=lambda one: one.key):
        own = events.pop(video.key, [])
        sample = _make_sample(dataset, video, own, apex, notes, zero_onset_is_unknown)
        if sample is not None:
            samples.append(sample)
    for key, lost in events.items():
        fact = f"no folder of video {key}, with {counted(len(lost), 'event')}; unpack it, or remove the rows"
        notes.add("error", lost[0].where, fact, key)
    if empty := [sample.key for sample in samples if not sample.events]:
        notes.add("info", table, f"{counted(len(empty), 'video')} without an event: {named(empty)}")
    return Index(samples=tuple(samples), issues=tuple(notes.issues))


def _make_sample(
    dataset: str, video: Video, rows: list[EventRow], apex: str, notes: Notes, zero_is_unknown: bool
) -> Sample | None:
    before = len(notes.issues)
    folder = list_frames(video.folder)
    if not folder.names:
        notes.add("error", video.key, "no picture in the folder of this video; unpack it again", video.key)
        return None
    first, last = folder.numbers[0], folder.numbers[-1]
    missing = last - first + 1 - len(folder.numbers)
    if missing:
        fact = f"{missing} of {last - first + 1} frames not on disk; take the nearest, or unpack again"
        notes.add("warning", video.key, fact, video.key)
    notes.add_names(video.key, folder, video.key)
    events = [_make_event(row, video, folder, apex, notes, zero_is_unknown) for row in rows]
    return Sample(
        dataset=dataset,
        subject=video.subject,
        key=video.key,
        source=FramesSource(frames=folder.frames(first, last), fps=video.fps),
        events=tuple(sorted((one for one in events if one is not None), key=lambda one: (one.onset, one.offset))),
        raw={name: "\n".join(row.raw.get(name, "") for row in rows) for row in rows for name in row.raw},
        issues=notes.since(before),
    )


def _make_event(
    row: EventRow, video: Video, folder: FrameFolder, policy: str, notes: Notes, zero_is_unknown: bool
) -> Event | None:
    def note(level: IssueLevel, fact: str) -> None:
        notes.add(level, row.where, fact, row.video)

    onset, apex, offset = (parse_frame(text) for text in (row.onset, row.apex, row.offset))
    if onset is None:
        note("error", f"onset is {row.onset!r}; write a frame number")
        return None
    if onset == 0 and zero_is_unknown:
        note("info", "onset is 0: it began before the video, so it is left out")
        return None
    if apex is not None and apex <= 0 < onset:
        note("info", f"apex is {apex}, which stands for none; it counts as missing")
        apex = None
    if not offset and apex is not None and apex >= onset:
        note("warning", f"offset is {row.offset!r}; the apex, {apex}, stands in for it")
        offset = apex
    if offset is None:
        note("error", f"offset is {row.offset!r}; write a frame number")
        return None
    if offset < onset:
        note("error", f"offset {offset} is before onset {onset}; mend the row")
        return None
    first, last = folder.numbers[0], folder.numbers[-1]
    if onset < first or offset > last:
        note("warning", f"{onset} to {offset} is not within the frames {first} to {last} on disk; check the row")
    if apex is not None and not onset <= apex <= offset:
        note("warning", f"apex {apex} is outside {onset} to {offset}; it counts as missing")
    at, source = resolve_apex(onset, apex, offset, policy)
    return Event(
        kind=row.kind,
        onset=(onset - first) / video.fps,
        apex=None if at is None else (at - first) / video.fps,
        offset=(offset - first) / video.fps,
        onset_frame=onset,
        apex_frame=at,
        offset_frame=offset,
        label=row.label,
        apex_source=source,
    )
