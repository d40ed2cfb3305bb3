"""A shot: one row on its way to the table, with what was cut out of the frame for the pipeline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from affectkit.configs import Tracking
from affectkit.results.rows import Row, Status
from affectkit.video.cutter import Cut
from affectkit.video.quality import face_status
from affectkit.video.reader import SkippedFrame
from affectkit.video.tracking import TrackedFace

if TYPE_CHECKING:
    from torch import Tensor

    from affectkit.video.detection import AnyFrame


@dataclass
class Shot:
    """A face of a frame, or a frame without one.

    Attributes:
        row: the row without predictions.
        cut: the face, cut out for every input; None without a face, and when nothing more will be scored.
        total: sum of its predictions over the windows that covered it, one value per column.
        windows: how many did.
        is_final: whether no more will.
    """

    row: Row
    cut: Cut | None = None
    total: Tensor | None = None
    windows: int = 0
    is_final: bool = False

    def add(self, values: Tensor) -> None:
        """One window's predictions."""
        self.total = values if self.total is None else self.total + values
        self.windows += 1

    def finish(self) -> None:
        """Nothing more is added; the pixels are let go."""
        self.is_final, self.cut = True, None

    def result(self, columns: tuple[str, ...]) -> Row:
        """The row with the mean of the predictions."""
        return (
            self.row if self.total is None else replace(self.row, predictions=named(self.total / self.windows, columns))
        )


def named(values: Tensor, columns: tuple[str, ...]) -> Mapping[str, float]:
    """Predictions by column; without those that are NaN, where all members of an ensemble were left out.

    Seven digits are all that float32 has.
    """
    pairs = zip(columns, values.tolist(), strict=True)
    return {name: float(f"{value:.7g}") for name, value in pairs if not math.isnan(value)}


def make_shots(frame: AnyFrame, cuts: tuple[tuple[TrackedFace, Cut], ...], tracking: Tracking) -> Iterator[Shot]:
    """A shot per face, or one that says why there is none."""
    if not cuts:
        status: Status = "skipped" if isinstance(frame, SkippedFrame) else "no_face"
        yield Shot(Row(frame=frame.index, pts=frame.pts, track=None, status=status), is_final=True)
    for tracked, cut in cuts:
        left, top, width, height = map(float, tracked.face.box)
        yield Shot(
            Row(
                frame=frame.index,
                pts=frame.pts,
                track=tracked.track,
                status=face_status(tracked.face, tracking),
                left=left,
                top=top,
                width=width,
                height=height,
                confidence=float(tracked.face.score),
            ),
            cut,
        )
