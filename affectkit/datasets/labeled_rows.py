"""From a line that gives a picture or a clip one label, and no moments, to a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from affectkit.datasets.base import ClassesConfig
from affectkit.datasets.clip_rows import make_label
from affectkit.datasets.frame_folders import list_frames
from affectkit.datasets.notes import Notes
from affectkit.records import FramesSource, Issue, Labels, Sample, Source


@dataclass(frozen=True, kw_only=True)
class LabeledRow:
    """One labeled picture or clip of which nobody says who is seen.

    Attributes:
        where: file and line.
        key: unique in the dataset.
        emotion: the annotation's word.
        source: the pixels; None where they are not on disk.
        expected: what was looked for, for the message.
        subject: what splits keep together; by default the sample is a group of its own.
        targets: further labels by head name; one for the config's own head counts instead of the word.
        raw: the annotation's own fields.
        issues: what was odd when the row was made.
    """

    where: str
    key: str
    emotion: str
    source: Source | None
    expected: str
    subject: str = ""
    targets: Mapping[str, Labels] = field(default_factory=dict)
    raw: Mapping[str, str] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()


def make_labeled(dataset: str, row: LabeledRow, config: ClassesConfig, notes: Notes) -> Sample | None:
    """The sample of one row; None, with a note, where it is not on disk."""
    before = len(notes.issues)
    if row.source is None:
        notes.add("error", row.where, f"no {row.expected}; unpack it, or remove the line", row.key)
        return None
    targets = dict(row.targets)
    if config.target not in targets:
        targets[config.target] = make_label(row.where, row.emotion, config, notes, row.key)
    return Sample(
        dataset=dataset,
        subject=row.subject or f"{dataset}/{row.key}",
        subject_is_known=False,
        key=row.key,
        source=row.source,
        targets=targets,
        raw=row.raw,
        issues=(*row.issues, *notes.since(before)),
    )


def find_frames(path: str | None, where: str, key: str, notes: Notes, *, fps: float | None = None) -> Source | None:
    """All pictures of a clip's folder by number; None where there is no folder, or no picture in it."""
    if path is None:
        return None
    folder = list_frames(path)
    notes.add_names(where, folder, key)
    frames = folder.numbers
    return FramesSource(frames=folder.frames(frames[0], frames[-1]), fps=fps) if frames else None
