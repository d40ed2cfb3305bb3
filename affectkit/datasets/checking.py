"""What is in an index, beside what its owners published."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from affectkit.datasets.abaw import AbawConfig
from affectkit.datasets.base import ClassesConfig, Published, PublishedConfig
from affectkit.datasets.unit_configs import UnitsConfig
from affectkit.records import Index, Issue, IssueLevel, Labels

_VARYING = re.compile(r"'[^']*'|\S*\d\S*")


@dataclass(frozen=True)
class Row:
    """One count.

    Attributes:
        what: is counted.
        found, published: how many; None where nobody published it.
    """

    what: str
    found: int
    published: int | None = None

    @property
    def difference(self) -> str:
        """`+2`, `-1`; empty where the two agree, or one is not known."""
        return "" if self.published in (None, self.found) else f"{self.found - (self.published or 0):+d}"


@dataclass(frozen=True)
class Group:
    """Issues that say the same of different places."""

    issues: tuple[Issue, ...]


@dataclass(frozen=True)
class Report:
    """Counts and issues of one index.

    Attributes:
        rows: counts, with the published ones.
        fields: by field of the annotation, how many samples have text in it.
        issues: all of them, errors first.
        source: who published the counts.
    """

    rows: tuple[Row, ...]
    fields: Mapping[str, int]
    issues: tuple[Issue, ...]
    source: str = ""

    @property
    def levels(self) -> Mapping[str, int]:
        """How many issues by level, errors first."""
        counts = Counter[str](issue.level for issue in self.issues)
        return {level: counts[level] for level in _LEVELS}

    @property
    def groups(self) -> tuple[Group, ...]:
        """Issues by level and by what is the same when names and numbers are left out."""
        groups: dict[tuple[str, str], list[Issue]] = {}
        for issue in self.issues:
            groups.setdefault((issue.level, _VARYING.sub("#", issue.fact)), []).append(issue)
        return tuple(Group(tuple(issues)) for issues in groups.values())


def check_index(index: Index, config: Any) -> Report:
    """Count samples, subjects, events by kind and word, samples by class, and fields; and sort the issues.

    Arguments:
        index: what a reader found.
        config: of the reader; what was published is known to those of affectkit's own.
    """
    published = config.published if isinstance(config, PublishedConfig) else Published()
    events = [event for sample in index for event in sample.events]
    kinds = Counter[str](event.kind for event in events)
    words = Counter(event.label.strip().lower() for event in events if event.label)
    unknown = sum(not sample.subject_is_known for sample in index)
    rows = [
        Row("samples", len(index), published.samples),
        Row("subjects", len(index.subjects), published.subjects),
        *([Row("samples of unknown subjects", unknown)] if unknown else []),
        *_rows("events", kinds, published.kinds),
        *_rows("labeled", words, published.words),
    ]
    if isinstance(config, UnitsConfig):
        labels = [one for sample in index if (one := sample.targets.get(config.target)) is not None]
        # a still picture is one frame
        count = sum(int(one.valid.reshape(-1, len(config.units)).any(axis=1).sum()) for one in labels)
        rows.append(Row(f"frames with {config.target}", count, published.frames.get(config.target)))
        rows += [
            Row(f"frames with active {unit}", count) for unit, count in _count_active(labels, config.units).items()
        ]
    else:
        frames = _frame_counts(index)
        rows += [Row(f"frames with {head}", frames[head], published.frames.get(head)) for head in sorted(frames)]
    if isinstance(config, AbawConfig):
        rows += _rows("frames of class", _class_counts(index, config), published.classes)
    # long videos have no classes
    if names := getattr(config, "class_names", ()):
        counts = Counter(name for sample in index for name in _classes(sample.targets.get(config.target), names))
        rows += _rows("of class", {name: counts[name] for name in names}, _published_classes(published, config))
    fields = Counter(name for sample in index for name, text in sample.raw.items() if text)
    issues = sorted(index.issues, key=lambda issue: _LEVELS.index(issue.level))
    return Report(tuple(rows), fields, tuple(issues), published.source)


def _count_active(labels: list[Labels], units: tuple[str, ...]) -> Mapping[str, int]:
    """Frames by unit that is there, whatever its intensity; a frame counts once for each."""
    counts = dict.fromkeys(units, 0)
    for one in labels:
        active = (one.valid & (one.values != 0)).reshape(-1, len(units)).sum(axis=0).tolist()
        counts = {unit: count + more for (unit, count), more in zip(counts.items(), active, strict=True)}
    return counts


def _classes(labels: Labels | None, names: tuple[str, ...]) -> list[str]:
    """The class of one sample; several, where each has a value of its own."""
    if labels is None:
        return []
    if not labels.values.ndim:
        return [names[int(labels.values)]] if labels.valid else []
    pairs = zip(names, labels.values.tolist(), labels.valid.tolist(), strict=True)
    return [name for name, value, is_valid in pairs if is_valid and value]


def _rows(what: str, found: Mapping[str, int], published: Mapping[str, int]) -> list[Row]:
    names = dict.fromkeys([*published, *sorted(found)])
    return [Row(f"{what} {name}", found.get(name, 0), published.get(name, 0) if published else None) for name in names]


def _frame_counts(index: Index) -> Mapping[str, int]:
    """Frames with a valid label by head, where labels are of frames; a frame counts with one unit of twelve."""
    counts: Counter[str] = Counter()
    for sample in index:
        for head, labels in sample.targets.items():
            if labels.valid.ndim and sample.times is not None and len(labels.valid) == len(sample.times):
                counts[head] += int(labels.valid.reshape(len(labels.valid), -1).any(axis=1).sum())
    return counts


def _class_counts(index: Index, config: AbawConfig) -> Mapping[str, int]:
    """Frames by expression."""
    labels = [sample.targets[config.expr] for sample in index if config.expr in sample.targets]
    counts = Counter[int](int(value) for one in labels for value in one.values[one.valid])
    return {name: counts[at] for at, name in enumerate(config.classes)} if labels else {}


def _published_classes(published: Published, config: Any) -> Mapping[str, int]:
    """As published, or what the published words give by the config's map."""
    if published.classes or not isinstance(config, ClassesConfig):
        return published.classes
    counts: Counter[str] = Counter()
    for word, count in published.words.items():
        name = config.label_map.words.get(word)
        if name is not None:
            counts[name] += count
    return counts


_LEVELS: tuple[str, ...] = tuple(reversed(get_args(IssueLevel)))
