"""Records: what they refuse, and the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from affectkit.errors import InputError
from affectkit.records import Event, ImageSource, Index, Issue, Sample
from tests.toys import message_of

SOURCE = ImageSource(path=Path("a.png"))


def sample(subject: str, key: str) -> Sample:
    return Sample(dataset="toy", subject=subject, key=key, source=SOURCE)


def test_an_event_has_its_offset_after_its_onset() -> None:
    assert Event(kind="blink", onset=1.0, offset=1.0).apex_source == "missing"
    assert message_of(InputError, Event, kind="blink", onset=2.0, offset=1.5) == (
        "event: offset 1.5 s is before onset 2.0 s; swap or drop them"
    )


def test_a_sample_has_a_subject() -> None:
    assert message_of(InputError, sample, "", "s01/a") == (
        "toy/s01/a: no subject; give the canonical person key, or the video id with subject_is_known=False"
    )


def test_an_index_lists_a_sample_once() -> None:
    samples = (sample("s2", "a"), sample("s1", "b"), sample("s2", "c"))
    index = Index(samples=samples)
    assert len(index) == 3
    assert tuple(index) == samples
    assert index.subjects == ("s1", "s2")
    assert message_of(InputError, Index, samples=(*samples, sample("s3", "b"))) == (
        "toy/b: listed twice; keys are unique within a dataset"
    )


def test_an_issue_prints_where_it_is() -> None:
    assert str(Issue(level="warning", where="labels.csv:3", fact="no apex")) == "labels.csv:3: no apex"


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        sample("s1", "a").subject = "s2"  # type: ignore[misc]
