"""Dataset `clip-table`: anybody's own clips, listed in a CSV file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from affectkit.data.labels import MICRO_3
from affectkit.datasets.base import ClipsConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

if TYPE_CHECKING:
    from affectkit.datasets.label_maps import LabelMap


@dataclass(frozen=True, kw_only=True)
class ClipTableConfig(ClipsConfig):
    """Clips of one's own: a table `clips.csv` with a row per clip.

    | column | |
    |---|---|
    | `path` | a folder of frames, or a video; seen from the table's folder, or absolute |
    | `subject` | who is seen, spelled the same in every row |
    | `label` | one of `classes` or `ignored`; in any case |
    | `onset`, `apex`, `offset` | of frames their numbers, of a video seconds of container time; may be empty |
    | `fps` | of frames; may be empty where the config says it |

    Without onset and offset the clip is all that lies at `path`. Other columns are kept in `raw`. Keys are paths, with
    `@` and the onset where there is one.

    Attributes:
        prefix: of canonical subjects: `clips/ann`. Give people who are in two tables the same keys.
        classes: labels in the order of their index.
        ignored: labels that are left out on purpose.
        fps: of frames whose row says none.
        shows: what kind of event the clips show.
    """

    dataset: ClassVar[str] = "clip-table"
    tables: ClassVar[tuple[str, ...]] = ("clips.csv", "clips.xlsx")
    prefix: str = "clips"
    classes: tuple[str, ...] = MICRO_3
    ignored: tuple[str, ...] = ()
    fps: float | None = None
    shows: Literal["micro-expression", "macro-expression", "expression", "other"] = "micro-expression"

    def validate(self) -> None:
        super().validate()
        if not self.prefix or "/" in self.prefix:
            raise ConfigError(f"{self.prefix!r} is no word", "write one such as 'clips'", path="prefix")
        if not self.classes:
            raise ConfigError("no classes", "write the labels in order", path="classes")
        words = [word.strip().lower() for word in (*self.classes, *self.ignored)]
        twice = next((word for word in words if not word or words.count(word) > 1), None)
        if twice is not None:
            raise ConfigError(f"{twice!r} is empty or there twice", "write each label once", path="classes")
        if self.fps is not None and self.fps <= 0:
            raise ConfigError(f"{self.fps!r} is no rate", "write more than 0", path="fps")

    @property
    def label_map(self) -> LabelMap:
        from affectkit.datasets.label_maps import LabelMap

        words: dict[str, str | None] = {name.strip().lower(): name for name in self.classes}
        return LabelMap(self.classes, words | dict.fromkeys(word.strip().lower() for word in self.ignored))


SPEC = DatasetSpec(
    name="clip-table",
    config=ClipTableConfig,
    factory=lazy("affectkit.datasets.clip_table_reader:ClipTable"),
    summary="Clips of your own, as folders of frames or videos, listed in a CSV file.",
)
