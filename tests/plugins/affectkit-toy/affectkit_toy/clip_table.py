"""Dataset `clip-table`: a folder of videos and a table of moods."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import DatasetConfig, DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class ClipTableConfig(DatasetConfig):
    """A folder with one table of the columns `subject`, `clip` and `mood`.

    Attributes:
        table: name of the table.
    """

    table: str = "moods.csv"


SPEC = DatasetSpec(
    name="clip-table",
    config=ClipTableConfig,
    factory=lazy("affectkit_toy.clip_table_reader:ClipTable"),
    summary="A folder of videos with a table of their moods.",
)
