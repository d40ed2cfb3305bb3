"""Reading synthetic trees in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affectkit import default_registry
from affectkit.datasets.trees.writing import TreeSample
from affectkit.records import FramesSource, Index, Sample


def scan(name: str, root: Path, **fields: Any) -> Index:
    """What the reader of that name finds."""
    spec = default_registry().component("dataset", name).spec
    index = spec.factory(spec.config(**fields)).scan(root)
    assert isinstance(index, Index)
    return index


def as_read(sample: Sample) -> TreeSample:
    """A sample as the writer of a tree says it."""
    assert isinstance(sample.source, FramesSource)
    events = [(one.onset_frame, one.apex_frame, one.offset_frame, one.label) for one in sample.events]
    return TreeSample(
        key=sample.key,
        subject=sample.subject,
        frames=tuple(number for number, _ in sample.source.frames),
        events=tuple(events),  # type: ignore[arg-type]
    )


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
