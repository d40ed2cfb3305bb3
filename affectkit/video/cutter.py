"""Cutting the faces of a video out for every input of a pipeline, track by track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affectkit.records import Face
from affectkit.streams import FrameStream
from affectkit.video.alignment import TEMPLATES, Similarity, template_points, warp
from affectkit.video.clips import GRAY, cut_face
from affectkit.video.frames import VideoFrame
from affectkit.video.steady import Anchor, Anchors
from affectkit.video.tracking import TrackedFace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A face, cut out for every input.

    Attributes:
        inputs: `(C, H, W)` float32 in [0, 1], by input.
        segment: of the track: counts up when a steady cut is made anew, and nothing before can be compared.
        shift: whole pixels of the first steady input by which its cut has followed the face since the segment began, to
            the right and down. Steady inputs of another size follow by as much of theirs, rounded.
        iod: inter-ocular distance in pixels of the first aligned input; None without points.
        is_approximate: whether points were asked for and there are none, so that the box stands in for them.
    """

    inputs: Mapping[str, NDArray[np.float32]]
    segment: int = 0
    shift: tuple[int, int] = (0, 0)
    iod: float | None = None
    is_approximate: bool = False


class Cutter:
    """Cuts the faces of one video; remembers the transform of every track whose motion is measured.

    Arguments:
        streams: what the pipeline takes, by input, as `video_streams` gives it.
    """

    def __init__(self, streams: Mapping[str, FrameStream]) -> None:
        self._streams = dict(streams)
        aligned = [stream for stream in streams.values() if stream.alignment != "none"]
        self._aligned = aligned[0] if aligned else None
        self._sides = [_side(stream) for stream in aligned if stream.alignment == "steady"]
        self._anchors = Anchors(self._sides[0]) if self._sides else None

    def cut(self, frame: VideoFrame, tracked: TrackedFace) -> Cut:
        """The face, for every input. Frames come in the order of their times.

        Raises:
            InputError: the box has no pixel of the picture, and an input takes the box.
        """
        face = tracked.face
        anchor = None if self._anchors is None else self._anchors.follow(tracked.track, face, frame.pts)
        points = template_points(face)
        iod = None
        if self._aligned is not None and points:
            iod = self._similarity(face, self._aligned, anchor).scale * abs(points[1] - points[0])
        return Cut(
            inputs={name: self._cut(frame, face, stream, anchor) for name, stream in self._streams.items()},
            segment=0 if anchor is None else anchor.segment,
            shift=(0, 0) if anchor is None else anchor.shift,
            iod=iod,
            is_approximate=self._aligned is not None and not points,
        )

    def forget(self, track: int) -> None:
        """The track is over. One that is not seen for a minute is forgotten in any case."""
        if self._anchors is not None:
            self._anchors.forget(track)

    def snapshot(self) -> dict[str, Any]:
        """All that is remembered; plain data, as JSON has it."""
        return {} if self._anchors is None else self._anchors.snapshot()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        if self._anchors is not None:
            self._anchors.restore(state)

    def _cut(self, frame: VideoFrame, face: Face, stream: FrameStream, anchor: Anchor | None) -> NDArray[np.float32]:
        import numpy as np

        if stream.alignment == "none":
            return cut_face(frame, face, stream)
        similarity = self._similarity(face, stream, anchor)
        cut = warp(frame.image, similarity, stream.height, stream.width, gray=stream.channels == GRAY)
        return np.ascontiguousarray(cut[None] if cut.ndim == 2 else cut.transpose(2, 0, 1))

    def _similarity(self, face: Face, stream: FrameStream, anchor: Anchor | None) -> Similarity:
        """From pixels of the picture to those of the cut, where the template's square is the largest in the middle."""
        side = _side(stream)
        corner = complex(stream.width - side, stream.height - side) / 2
        if stream.alignment != "steady" or anchor is None:
            return TEMPLATES[stream.alignment].similarity(face).then(side, corner)
        share = side / self._sides[0]
        shift = complex(*(round(share * pixels) for pixels in anchor.shift))
        return anchor.similarity.then(side, corner - shift)


def _side(stream: FrameStream) -> int:
    return min(stream.height, stream.width)
