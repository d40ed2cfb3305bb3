"""The apex of an event that nobody annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ApexSource = Literal["annotated", "estimated", "middle", "missing"]


def middle_frame(onset: int, offset: int) -> int:
    """The frame number halfway between two, the earlier one of two middles."""
    return onset + (offset - onset) // 2


def resolve_apex(onset: int, apex: int | None, offset: int, policy: str) -> tuple[int | None, ApexSource]:
    """The apex to use and where it is from. One outside the event counts as missing.

    Arguments:
        onset, apex, offset: frame numbers as annotated.
        policy: `annotated` leaves a missing apex missing, `middle` takes the middle.
    """
    if apex is not None and onset <= apex <= offset:
        return apex, "annotated"
    return (middle_frame(onset, offset), "middle") if policy == "middle" else (None, "missing")


def estimate_apex(frames: NDArray[np.generic]) -> int:
    """Position of the apex in a clip, by how far frames are from the onset, beside how fast they change.

    The frame-level form of the cell difference that published code of SMIC uses: the frame t from 1 on with the largest
    mean over pixels of `(|I_t - I_0| + 1) / (|I_t - I_(t-1)| + 1)`. Where nothing moves, the middle.

    Arguments:
        frames: gray pictures `(T, H, W)` in [0, 255], from onset to offset, of any number type.

    Returns:
        0 to T - 1.

    Raises:
        InputError: `frames` has another shape, or no frame.
    """
    import numpy as np

    from affectkit.errors import InputError

    if frames.ndim != 3 or not frames.size:
        raise InputError(f"frames: shape {frames.shape!r}; give gray pictures (T, H, W)")
    pictures = frames.astype(np.float64)
    from_onset = np.abs(pictures[1:] - pictures[0])
    if not from_onset.any():
        return middle_frame(0, len(pictures) - 1)
    steps = np.abs(np.diff(pictures, axis=0))
    return 1 + int(((from_onset + 1) / (steps + 1)).mean(axis=(1, 2)).argmax())


def estimate_apex_ref(frames: NDArray[np.generic]) -> int:
    """`estimate_apex`, frame by frame and pixel by pixel."""
    first = frames[0].astype(float)
    scores = [0.0]
    moves = False
    for t in range(1, len(frames)):
        now, before = frames[t].astype(float), frames[t - 1].astype(float)
        pixels = list(zip(now.flat, before.flat, first.flat, strict=True))
        scores.append(sum((abs(a - o) + 1) / (abs(a - b) + 1) for a, b, o in pixels) / len(pixels))
        moves |= any(a != o for a, _, o in pixels)
    return scores.index(max(scores)) if moves else (len(frames) - 1) // 2
