"""What the configs of all readers of published datasets have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from affectkit.configs import DatasetConfig
from affectkit.errors import ConfigError

if TYPE_CHECKING:
    from affectkit.datasets.label_maps import LabelMap

# Columns of labels of valence and arousal.
AFFECT = ("valence", "arousal")


@dataclass(frozen=True, kw_only=True)
class Published:
    """What the owners of a dataset, or whoever opened its tables, counted. Copies differ; so this is no rule.

    Attributes:
        samples, subjects: how many; None where nobody says.
        words: how many events by the annotation's own word in lower case.
        classes: how many samples by class; by default those that the words give by the config's map.
        kinds: how many events by kind, of long videos.
        frames: how many frames have a valid label, by head, where frames are labeled.
        source: whose counts they are.
    """

    samples: int | None = None
    subjects: int | None = None
    words: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class PublishedConfig(DatasetConfig):
    """Base of the datasets with an annotation table.

    Attributes:
        table: the annotation table, seen from the dataset's folder; by default it is found by its name.
    """

    # Names by which the table is found, and names directly below the dataset's folder by which the dataset is known.
    tables: ClassVar[tuple[str, ...]] = ()
    signs: ClassVar[tuple[str, ...]] = ()
    table: str | None = None

    @property
    def published(self) -> Published:
        """Counts to compare a scan with."""
        return Published()


@dataclass(frozen=True, kw_only=True)
class AnnotatedConfig(PublishedConfig):
    """Base of the published datasets whose events have an apex, or may get one.

    Attributes:
        apex: what an event gets that has no apex, or one outside the event: `annotated`, none; `middle`, the middle
            between onset and offset, with `apex_source="middle"`.
    """

    apex: Literal["annotated", "middle"] = "annotated"


@dataclass(frozen=True, kw_only=True)
class ClassesConfig(PublishedConfig):
    """Base of the datasets with one class per sample.

    Attributes:
        target: name of the head that the label is for.
        dropped: what becomes of samples whose word the map leaves out on purpose: `invalid`, they are samples without a
            valid label; `omit`, they are no samples.
    """

    dataset: ClassVar[str] = ""
    target: str = "expression"
    dropped: Literal["invalid", "omit"] = "invalid"

    def validate(self) -> None:
        if not self.target:
            raise ConfigError("'' names no head", f"write one, such as {type(self).target!r}", path="target")

    @property
    def label_map(self) -> LabelMap:
        """From the annotation's words to classes."""
        # not at the top: every start of affectkit makes this class, and a scan alone needs the maps
        from affectkit.datasets.label_maps import find_map

        # each derived config has the maps that its dataset has
        return find_map(self.dataset, getattr(self, "classes", "three"))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes in the order of the label's index: the targets of a head for them."""
        return self.label_map.classes

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        return {self.target: self.class_names}


@dataclass(frozen=True, kw_only=True)
class ClipsConfig(ClassesConfig, AnnotatedConfig):
    """Base of the datasets of clips with events and one label each."""

    target: str = "emotion"
