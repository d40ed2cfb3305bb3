"""Which frame each frame is compared with: shared by the front-ends that look at two frames at a time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.exporting import is_exporting
from affectkit.sequences import Sequence


class PairState(NamedTuple):
    """What streaming remembers: the frame `(B, C, H, W)` to compare with, and where `(B,)` it is a real one."""

    frame: Tensor
    known: Tensor


class FramePairs(NamedTuple):
    """Frames beside those with which they are compared.

    Attributes:
        references: `(B, T, C, H, W)`, the frame with which each frame is compared.
        frames: `(B, T, C, H, W)`, the frames themselves. Padding is zero in both, whatever it held.
        valid: `(B, T)` bool, True where both are real and are two different frames.
        state: what the next call needs.
    """

    references: Tensor
    frames: Tensor
    valid: Tensor
    state: PairState


def pair_frames(inputs: Sequence, reference: Literal["previous", "first"], state: PairState | None) -> FramePairs:
    """Pair each frame with the one before it, or with the first real frame of its clip.

    Arguments:
        inputs: frames `(B, T, C, H, W)`; T may be 1.
        reference: which frame to compare with.
        state: of the frames before these; None at the start of a clip.
    """
    mask = inputs.mask
    frames = real_frames(inputs)
    if state is None:
        # `known` False: the zeros stand for no frame, not for a black one
        state = PairState(torch.zeros_like(frames[:, 0]), torch.zeros_like(mask[:, 0]))
    if reference == "previous":
        references = torch.cat([state.frame.unsqueeze(1), frames[:, :-1]], dim=1)
        # after a gap of padding there is no previous frame: the motion across the gap is not the motion of one step
        known = torch.cat([state.known.unsqueeze(1), mask[:, :-1]], dim=1)
        return FramePairs(references, frames, mask & known, PairState(frames[:, -1], mask[:, -1]))
    clips = torch.arange(frames.shape[0], device=frames.device)
    # argmax finds the first True (torch has none for bool); a clip of padding gets step 0, and stays not known
    first = torch.where(state.known[:, None, None, None], state.frame, frames[clips, mask.int().argmax(dim=1)])
    # strictly after the first real frame, which is not compared with itself
    known = state.known.unsqueeze(1) | (mask.int().cumsum(dim=1) > 1)
    after = PairState(first, state.known | mask.any(dim=1))
    return FramePairs(first.unsqueeze(1).expand_as(frames), frames, mask & known, after)


def real_frames(inputs: Sequence) -> Tensor:
    """The values with zero for padding, so that NaN there reaches neither the output nor a gradient."""
    return torch.where(inputs.mask[:, :, None, None, None], inputs.values, 0.0)


def check_finite(inputs: Sequence, name: str) -> None:
    """Refuse what is not finite in real frames; padding may hold anything.

    Raises:
        InputError: NaN or infinity in a frame; the message begins with `name` and names the first such frame.
    """
    if is_exporting():  # a graph can't refuse; who runs it does
        return
    is_finite = inputs.values.isfinite().flatten(2).all(dim=2)
    faulty = (inputs.mask & ~is_finite).nonzero()
    if len(faulty):
        item, step = faulty[0].tolist()
        frame = inputs.values[item, step]
        value = float(frame[~frame.isfinite()][0])
        raise InputError(
            f"{name}: {value} in item {item} of the batch, frame {step}; "
            "give finite values, or mask False for what is no real frame"
        )


def luma(frames: Tensor) -> Tensor:
    """RGB or gray frames `(..., C, H, W)` to gray `(..., 1, H, W)`, by the weights of ITU-R BT.601."""
    if frames.shape[-3] == 1:
        return frames
    red, green, blue = frames.unbind(dim=-3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)
