"""Pictures that are frames of a video: its folder is the video, the number in its name the frame."""

from __future__ import annotations

import re

# So many digits are a whole number in tables of floats too.
_NAME = re.compile(r"(.+)/\D*(\d{1,15})\.\w+")


def frame_of(picture: str) -> tuple[str, int] | None:
    """Video and frame of a picture `VIDEO/NUMBER.jpg`, with slashes; None where it has no folder or no such number.

    A video may be several folders deep, and letters may stand before the number: `a/01/img_00012.png` is frame 12 of
    `a/01`.
    """
    found = _NAME.fullmatch(picture)
    return (found[1], int(found[2])) if found else None
