"""Whether clips are as long as the filters of front-ends."""

from __future__ import annotations

from collections.abc import Sequence as Items

import torch
from torch import Tensor

from affectkit.configs import ROUNDING, MotionConfig
from affectkit.errors import InputError, join
from affectkit.sequences import Sequence


def check_lengths(motion: Items[MotionConfig], clips: Sequence, path: str = "") -> None:
    """Refuse whole clips that are shorter than the filter of a front-end; not for windows or pieces of a stream.

    Arguments:
        motion: front-ends, in order.
        clips: what they are applied to, `(B, T, ...)`; one without real steps is left alone.
        path: of the branch, for the message.

    Raises:
        InputError: a clip is too short; the message names the first such clip.
    """
    lengths = clip_seconds(clips)
    for i, config in enumerate(motion):
        faulty = (clips.mask.any(dim=1) & lengths.less(config.least_seconds - ROUNDING)).nonzero().flatten()
        if len(faulty):
            first = int(faulty[0])
            raise InputError(
                f"{join(path, f'motion[{i}]')}: needs {config.least_seconds:.3g} s, and clip {first} lasts "
                f"{float(lengths[first]):.3g} s; give longer clips, or raise the lowest frequency of its filter"
            )


def clip_seconds(clips: Sequence) -> Tensor:
    """From the first real step to the last, and one gap more, `(B,)` float64; 0 with fewer than two of them."""
    count = clips.mask.sum(dim=1)
    low = torch.where(clips.mask, clips.times, torch.inf).amin(dim=1)
    high = torch.where(clips.mask, clips.times, -torch.inf).amax(dim=1)
    return torch.where(count > 1, (high - low) * count / (count - 1).clamp(min=1), 0.0)


def is_too_short(seconds: float, config: MotionConfig) -> bool:
    """Whether a clip or video of that length is shorter than the front-end's filter."""
    return seconds < config.least_seconds - ROUNDING
