"""What the configs of datasets with action units have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import PublishedConfig
from affectkit.errors import ConfigError, listed


@dataclass(frozen=True, kw_only=True)
class UnitsConfig(PublishedConfig):
    """Base of the datasets whose labels are action units.

    Attributes:
        target: name of the head that the labels are for.
        units: which action units, in the order of the label's columns; those that the annotation has.
    """

    # Units that are coded, as `AU1`; empty where the tables say it.
    coded: ClassVar[tuple[str, ...]] = ()
    target: str = "au"
    units: tuple[str, ...] = ()

    def validate(self) -> None:
        if not self.target:
            raise ConfigError("'' names no head", f"write one, such as {type(self).target!r}", path="target")
        if not self.units or len(set(self.units)) < len(self.units):
            raise ConfigError(f"{self.units!r} is empty, or has a unit twice", "write each once", path="units")
        if unknown := [unit for unit in self.units if self.coded and unit not in self.coded]:
            raise ConfigError(f"{listed(unknown)} not coded", f"units: {listed(self.coded, 20)}", path="units")

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        return {self.target: self.units}


@dataclass(frozen=True, kw_only=True)
class FoldedUnitsConfig(UnitsConfig):
    """Base of the datasets whose people published work divides into three parts: fold 1 tests on part 3, 3 on part 1.

    Attributes:
        split: `all`, or the half of the fold that is asked for, `train` or `test`. The part of a sample is also in
            `raw["part"]`, empty for people in none.
        fold: which of the three.
    """

    # People by part, as the last piece of their canonical keys.
    parts: ClassVar[tuple[tuple[str, ...], ...]] = ()
    split: Literal["all", "train", "test"] = "all"
    fold: Literal[1, 2, 3] = 1

    def part(self, subject: str) -> str:
        """`1`, `2` or `3` for a canonical subject; empty for one in no part."""
        person = subject.rpartition("/")[2]
        return next((str(number) for number, part in enumerate(self.parts, start=1) if person in part), "")

    def is_asked_for(self, subject: str) -> bool:
        """Whether the split has the subject; people in no part are in `all` alone."""
        part = self.part(subject)
        half = "test" if part == str(len(self.parts) + 1 - self.fold) else "train"
        return self.split == "all" or (part != "" and self.split == half)

    @property
    def people(self) -> int:
        """How many people the split has, of those in the parts."""
        return sum(self.is_asked_for(person) for part in self.parts for person in part)
