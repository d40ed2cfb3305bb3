"""From annotated clips or pictures to an index: one sample each, and nothing that is left out in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from affectkit.datasets.base import ClassesConfig, ClipsConfig
from affectkit.datasets.clip_rows import ClipRow, make_sample
from affectkit.datasets.notes import Notes, counted, named
from affectkit.records import Index, Sample


class Row(Protocol):
    """What all rows say: where they stand, the key of their sample, and the coder's word."""

    @property
    def where(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def emotion(self) -> str: ...


R = TypeVar("R", bound=Row)
K = TypeVar("K", bound=ClassesConfig)


def index_clips(
    dataset: str,
    rows: Iterable[ClipRow],
    config: ClipsConfig,
    where: str,
    notes: Notes,
    *,
    make: Callable[[str, ClipRow, ClipsConfig, Notes], Sample | None] = make_sample,
) -> Index:
    """Samples of the clips, sorted by key, with every issue; arguments as `index_rows`."""
    return index_rows(dataset, rows, config, where, notes, make=make)


def index_rows(
    dataset: str,
    rows: Iterable[R],
    config: K,
    where: str,
    notes: Notes,
    *,
    make: Callable[[str, R, K, Notes], Sample | None],
    noun: str = "clip",
) -> Index:
    """Samples of the rows, sorted by key, with every issue.

    Arguments:
        dataset: name of the component.
        rows: clips or pictures; of several with one key, the first counts.
        config: policies for labels, and for whatever `make` asks it.
        where: the table, or the folder, for what is counted over all rows.
        notes: issues so far; more are added.
        make: makes the sample of one row; None where it can't be had, which it notes.
        noun: what a row is.
    """
    places: dict[str, str] = {}
    samples: list[Sample] = []
    out: Counter[str] = Counter()
    label_map = config.label_map
    for row in rows:
        if row.key in places:
            fact = f"{noun} {row.key} is in {places[row.key]} already; keep one of them"
            notes.add("error", row.where, fact, row.key)
            continue
        places[row.key] = row.where
        sample = make(dataset, row, config, notes)
        if sample is None:
            continue
        is_dropped = label_map.leaves_out(row.emotion)
        out[row.emotion.strip().lower()] += is_dropped
        if not (is_dropped and config.dropped == "omit"):
            samples.append(sample)
    if total := out.total():
        words = named(f"{word} {count}" for word, count in sorted(out.items()) if count)
        fate = "left out" if config.dropped == "omit" else "samples without a valid label"
        classes = ", ".join(config.class_names)
        notes.add("info", where, f"{counted(total, noun)} in no class of {classes} ({words}): {fate}")
    return Index(samples=tuple(sorted(samples, key=lambda one: one.key)), issues=tuple(notes.issues))


def note_spare(folders: Iterable[str], used: set[str], table: str, notes: Notes) -> None:
    """An issue for the folders of clips that no row of the table names."""
    spare = sorted(set(folders) - used)
    if spare:
        fact = f"{counted(len(spare), 'folder')} of clips in no row: {named(spare)}; add rows, or remove them"
        notes.add("info", table, fact)
