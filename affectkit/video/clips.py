"""From a face in a picture to what a pipeline's input takes: cut, size, channels, intensity in [0, 1].

What an input's `alignment` asks for: `none` stretches the face's box; a template's name brings the five points to
their places, anew in every frame, as appearance needs it; `steady` keeps one transform for the whole track, as motion
needs it, since boxes and points that are found anew shake more than a micro-expression moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from affectkit.errors import InputError, did_you_mean
from affectkit.records import Face
from affectkit.streams import RGB, FrameStream, InputStream
from affectkit.video.alignment import TEMPLATES
from affectkit.video.frames import VideoFrame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GRAY = ("gray",)


def video_streams(inputs: Mapping[str, InputStream], *, events: bool = False) -> dict[str, FrameStream]:
    """The inputs of a pipeline, checked to be what can be cut from a video.

    Arguments:
        inputs: streams by name.
        events: whether events are sampled, whose keyframes are named steps.

    Raises:
        InputError: an input holds stored features, named steps without events, faces aligned to an unknown template,
            motion channels or a fixed rate.
    """
    streams = {}
    for name, stream in inputs.items():
        where = f"inputs.{name}"
        if not isinstance(stream, FrameStream):
            raise InputError(
                f"{where}: takes stored features, and a video gives frames; put their encoders before the model "
                "(affectkit join), or call it on them"
            )
        if stream.steps and not events:
            raise InputError(
                f"{where}: takes the steps {stream.steps!r}, and the pipeline samples no events; "
                "sample Events with a spotter, or cut them out and call the model on them"
            )
        if stream.alignment not in ("none", *TEMPLATES):
            hint = did_you_mean(stream.alignment, ("none", *TEMPLATES), noun="alignments")
            raise InputError(f"{where}: takes faces aligned to {stream.alignment!r}, which is no template; {hint}")
        if stream.channels not in (RGB, GRAY) or stream.unit != "intensity":
            raise InputError(
                f"{where}: takes {'+'.join(stream.channels)} in unit {stream.unit!r}, and a video gives intensities "
                f"of r+g+b or gray; make motion maps by a front-end of the pipeline"
            )
        if stream.fps is not None:
            raise InputError(
                f"{where}: takes {stream.fps!r} frames per second, and a video is read at its own times; leave fps out"
            )
        streams[name] = stream
    return streams


def cut_face(frame: VideoFrame, face: Face, stream: FrameStream) -> NDArray[np.float32]:
    """The face's box as `(C, H, W)` float32 in [0, 1], stretched to the size of `stream`.

    Raises:
        InputError: the box lies outside the picture.
    """
    import cv2
    import numpy as np

    height, width = frame.image.shape[:2]
    left, top, box_width, box_height = face.box
    x0, x1 = max(round(left), 0), min(round(left + box_width), width)
    y0, y1 = max(round(top), 0), min(round(top + box_height), height)
    if x0 >= x1 or y0 >= y1:
        raise InputError(
            f"frame {frame.index}: the face's box {face.box!r} has no pixel of the {width}x{height} picture; "
            "mend the face detector"
        )
    # Resized as floats: rounding to 1/255 would hide the small motions that some pipelines look for. Shrunk by areas
    # and then enlarged, since OpenCV has one way for both sides, and what is not averaged where it shrinks aliases.
    crop = frame.image[y0:y1, x0:x1].astype(np.float32)
    smaller = (min(stream.width, x1 - x0), min(stream.height, y1 - y0))
    crop = cv2.resize(crop, smaller, interpolation=cv2.INTER_AREA)
    crop = cv2.resize(crop, (stream.width, stream.height), interpolation=cv2.INTER_LINEAR)
    if stream.channels == GRAY:
        crop = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None]
    values: NDArray[np.float32] = np.divide(np.ascontiguousarray(crop.transpose(2, 0, 1)), 255.0, dtype=np.float32)
    return values
