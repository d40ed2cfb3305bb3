"""Dataset `emotionet`: EmotioNet, pictures from the web with action units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit.datasets.base import Published
from affectkit.datasets.unit_configs import UnitsConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class EmotioNetConfig(UnitsConfig):
    """EmotioNet: pictures of faces from the web, known by their addresses, with action units that are there or not.

    The folder holds `EmotioNet_FACS_aws_2020_24600.csv` or `.xlsx`, with columns `URL` and `AU 1`, and in the csv
    quotes around names and addresses; or a list `.txt` with tabs between two addresses and 60 columns, one per unit
    from 1. The code 999 says that nobody coded the unit, and is not valid. Pictures are found in one folder by the last
    piece of their address; one with a name that several rows have may be of any of them, and is left out. Many
    addresses are dead, so pictures that are not there are one issue. Nobody says who is seen.

    Attributes:
        units: by default seventeen that the table of 2020 codes.
        pictures: the folder of the pictures, seen from the dataset's.
    """

    tables: ClassVar[tuple[str, ...]] = ("EmotioNet*.csv", "EmotioNet*.xlsx", "EmotioNet*.txt")
    units: tuple[str, ...] = (
        "AU1", "AU2", "AU4", "AU5", "AU6", "AU9", "AU10", "AU12", "AU15", "AU17", "AU18", "AU20", "AU24", "AU25",
        "AU26", "AU28", "AU43",
    )  # fmt: skip
    pictures: str = "imgs"

    def validate(self) -> None:
        super().validate()
        if unknown := next((unit for unit in self.units if not unit.removeprefix("AU").isdecimal()), None):
            raise ConfigError(f"{unknown!r} is no action unit", "write one such as 'AU12'", path="units")

    @property
    def published(self) -> Published:
        return Published(samples=24_600, source="the name of the table of 2020")


SPEC = DatasetSpec(
    name="emotionet",
    config=EmotioNetConfig,
    factory=lazy("affectkit.datasets.emotionet_reader:EmotioNet"),
    summary="EmotioNet: pictures from the web with action units.",
    citation="Fabian Benitez-Quiroz et al., EmotioNet, CVPR 2016",
)
