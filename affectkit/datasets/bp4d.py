"""Dataset `bp4d`: BP4D-Spontaneous, 41 people in eight tasks with action units in every coded frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit.datasets.base import Published
from affectkit.datasets.unit_configs import FoldedUnitsConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

_TASKS = 8


@dataclass(frozen=True, kw_only=True)
class Bp4dConfig(FoldedUnitsConfig):
    """BP4D: videos of 41 people (23 women, 18 men) in eight tasks, of which coders saw a stretch each.

    The folder holds `AUCoding/AU_OCC/F001_T1.csv`, with a row per coded frame and a column per action unit, and
    `F001/T1/2440.jpg` somewhere below it. The first column, named `0`, is the frame; a code 9 says that nobody could
    tell, and is not valid. A sample is a person in a task, with labels `(T, K)` of the coded frames that have a
    picture. The names of files with intensities are known from no source, so they are not read.

    Attributes:
        units: by default the twelve of published work.
        fps: frames per second; None where nobody knows.
    """

    parts: ClassVar[tuple[tuple[str, ...], ...]] = (
        (
            "F001",
            "F002",
            "F008",
            "F009",
            "F010",
            "F016",
            "F018",
            "F023",
            "M001",
            "M004",
            "M007",
            "M008",
            "M012",
            "M014",
        ),
        (
            "F003",
            "F005",
            "F011",
            "F013",
            "F020",
            "F022",
            "M002",
            "M005",
            "M010",
            "M011",
            "M013",
            "M016",
            "M017",
            "M018",
        ),
        ("F004", "F006", "F007", "F012", "F014", "F015", "F017", "F019", "F021", "M003", "M006", "M009", "M015"),
    )
    signs: ClassVar[tuple[str, ...]] = ("AUCoding",)
    units: tuple[str, ...] = (
        "AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU14", "AU15", "AU17", "AU23", "AU24",
    )  # fmt: skip
    fps: float | None = None

    def validate(self) -> None:
        super().validate()
        if unknown := next((unit for unit in self.units if not unit.removeprefix("AU").isdecimal()), None):
            raise ConfigError(f"{unknown!r} is no action unit", "write one such as 'AU12'", path="units")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} is no rate", "write more than 0", path="fps")

    @property
    def published(self) -> Published:
        people = self.people
        return Published(samples=people * _TASKS, subjects=people, source="code that reads its labels")


SPEC = DatasetSpec(
    name="bp4d",
    config=Bp4dConfig,
    factory=lazy("affectkit.datasets.bp4d_reader:Bp4d"),
    summary="BP4D-Spontaneous: 41 people in eight tasks with action units in every coded frame.",
    citation="Zhang et al., BP4D-Spontaneous, Image and Vision Computing 32(10), 2014",
)
