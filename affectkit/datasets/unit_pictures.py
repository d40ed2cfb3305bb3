"""Pictures of the frames that coders of action units labeled."""

from __future__ import annotations

from collections.abc import Collection, Sequence as Items
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affectkit.datasets.frame_folders import FrameList, list_frames
from affectkit.datasets.notes import Notes, counted, named
from affectkit.records import FramesSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Found:
    """Labeled frames that have a picture.

    Attributes:
        numbers: of the frames, ascending.
        source: their pictures.
    """

    numbers: list[int]
    source: FramesSource

    @property
    def times(self) -> NDArray[np.float64] | None:
        """Seconds from the first of them, float64 `(T,)`: (number - its number) / rate; None where none is known."""
        import numpy as np

        if self.source.fps is None or not self.numbers:
            return None
        return (np.array(self.numbers, dtype=np.float64) - self.numbers[0]) / self.source.fps


def find_pictures(
    path: str, numbers: Items[int], where: str, sample: str, fps: float | None, notes: Notes
) -> Found:  # fmt: skip
    """The picture of each labeled frame, by the number in its name, however it is padded.

    Labeled frames without a picture, and pictures without a label, are counted and left out.
    """
    folder = list_frames(path)
    notes.add_names(where, folder, sample)
    kept = [number for number in numbers if number in folder.names]
    lost = [number for number in numbers if number not in folder.names]
    if lost:
        fact = f"{len(lost)} of {counted(len(numbers), 'labeled frame')} without a picture: {named(lost)}; left out"
        notes.add("warning", where, fact, sample)
    labeled = set(numbers)
    if spare := [number for number in folder.numbers if number not in labeled]:
        notes.add("info", where, f"{counted(len(spare), 'picture')} without a label: {named(spare)}; left out", sample)
    frames = FrameList(folder.path, kept, [folder.names[number] for number in kept])
    return Found(kept, FramesSource(frames=frames, fps=fps))


def note_units(units: Items[str], found: Collection[str], where: str, sample: str, notes: Notes) -> None:
    """A note for units that are asked for, and that nobody coded here."""
    if missing := [unit for unit in units if unit not in found]:
        notes.add("warning", where, f"no codes of {named(missing, 12)}; not valid", sample)
