"""Dataset `disfa`: DISFA, videos of 27 people with the intensity of twelve action units in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import Published
from affectkit.datasets.unit_configs import FoldedUnitsConfig, UnitsConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

UNITS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU9", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26")
# The eight that published work on occurrence takes.
FREQUENT = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")
_LINES = 4845


@dataclass(frozen=True, kw_only=True)
class IntensityConfig(UnitsConfig):
    """Base of DISFA and DISFA+, whose coders wrote intensities from 0 to 5.

    Attributes:
        intensity: whether labels are intensities in [0, 5], instead of occurrence.
        threshold: the least intensity that counts as occurrence, 1 to 5. Published work on DISFA takes 2; some takes 1.
    """

    coded: ClassVar[tuple[str, ...]] = UNITS
    intensity: bool = False
    threshold: int = 2

    def validate(self) -> None:
        super().validate()
        if not 1 <= self.threshold <= 5:
            raise ConfigError(f"{self.threshold!r} is no intensity", "write 1 to 5", path="threshold")


@dataclass(frozen=True, kw_only=True)
class DisfaConfig(FoldedUnitsConfig, IntensityConfig):
    """DISFA: a video of each of 27 people before two cameras, 4845 frames, with the intensity of twelve action units.

    The folder holds `ActionUnit_Labels/SN001/SN001_au1.txt` and eleven more, with a line `frame,intensity` per frame,
    from 1, and `Video_LeftCamera/LeftVideoSN001_comp.avi`. A sample is a video, with labels `(T, K)`: row t is of the
    frame t, from 0, in the order of presentation. Extracted pictures are `SN001/0.png`, numbered from 0: the picture 0
    is the frame of line 1. People share their keys with DISFA+, which shows nine of them: `disfa/001`.

    Attributes:
        frames: `video`; `pictures`, folders of extracted pictures, anywhere below the dataset's folder. Labeled frames
            without a picture are left out.
        camera: of the video, `left` or `right`.
        fps: frames per second of pictures; None where nobody knows. A video has times of its own.
        units: by default the eight of published work on occurrence.
    """

    parts: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("001", "002", "009", "010", "016", "026", "027", "030", "032"),
        ("006", "011", "012", "013", "018", "021", "024", "028", "031"),
        ("003", "004", "005", "007", "008", "017", "023", "025", "029"),
    )
    signs: ClassVar[tuple[str, ...]] = ("ActionUnit_Labels",)
    units: tuple[str, ...] = FREQUENT
    frames: Literal["video", "pictures"] = "video"
    camera: Literal["left", "right"] = "left"
    fps: float | None = None

    def validate(self) -> None:
        super().validate()
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} is no rate", "write more than 0", path="fps")

    @property
    def published(self) -> Published:
        people = self.people
        frames = {self.target: people * _LINES}
        return Published(samples=people, subjects=people, frames=frames, source="code that reads its labels")


SPEC = DatasetSpec(
    name="disfa",
    config=DisfaConfig,
    factory=lazy("affectkit.datasets.disfa_reader:Disfa"),
    summary="DISFA: videos of 27 people with the intensity of twelve action units in every frame.",
    citation="Mavadati et al., DISFA: a spontaneous facial action intensity database, IEEE Transactions on Affective "
    "Computing 4(2), 2013",
)
