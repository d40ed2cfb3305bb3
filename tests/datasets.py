"""Reading synthetic trees in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affectkit import default_registry
from affectkit.datasets.trees.writing import TreeLabel, TreeSample
from affectkit.records import ArraySource, FramesSource, Index, Labels, Sample


def scan(name: str, root: Path, **fields: Any) -> Index:
    """What the reader of that name finds."""
    spec = default_registry().component("dataset", name).spec
    index = spec.factory(spec.config(**fields)).scan(root)
    assert isinstance(index, Index)
    return index


def as_read(sample: Sample, names: tuple[str, ...] | None = None) -> TreeSample:
    """A sample as the writer of a tree says it; with labels where `names` of classes are given."""
    events = [(one.onset_frame, one.apex_frame, one.offset_frame, one.label) for one in sample.events]
    source = sample.source
    frames: tuple[int, ...] = ()
    if isinstance(source, FramesSource):
        frames = tuple(number for number, _ in source.frames)
    elif isinstance(source, ArraySource) and source.index is not None:
        frames = (source.index,)
    return TreeSample(
        key=sample.key,
        subject=sample.subject,
        frames=frames,
        events=tuple(events),  # type: ignore[arg-type]
        file="" if isinstance(source, FramesSource) else source.path.name,
        labels={} if names is None else {name: _said(labels, names) for name, labels in sample.targets.items()},
    )


def _said(labels: Labels, names: tuple[str, ...]) -> TreeLabel:
    if not labels.values.ndim:
        return names[int(labels.values)] if labels.valid else None
    return _values(labels.values.tolist(), labels.valid.tolist())


def _values(values: list[Any], valid: list[Any]) -> tuple[Any, ...]:
    pairs = zip(values, valid, strict=True)
    return tuple(_values(one, own) if isinstance(one, list) else (one if own else None) for one, own in pairs)


def issue_lines(index: Index) -> list[str]:
    """Every issue as people read it, with its level."""
    return [f"{issue.level}: {issue}" for issue in index.issues]


def issue_places(index: Index) -> tuple[str, ...]:
    """Level and place of every issue, sorted."""
    return tuple(sorted(f"{issue.level} {issue.where}" for issue in index.issues))


def valid_labels(index: Index, target: str = "emotion") -> dict[str, int]:
    """Valid labels by key."""
    return {
        sample.key: int(sample.targets[target].values)
        for sample in index
        if target in sample.targets and sample.targets[target].valid
    }
