"""Tiny inputs on the CPU for every kind, made from a stream and a mask, the same ones at every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from affectkit.sequences import Sequence, Targets
from affectkit.streams import FeatureStream, FrameStream, InputStream, PredictionStream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAN = float("nan")
WINDOW = 5
# Longer than the kernels and blocks of small components.
LONG_WINDOW = 12
FPS = 25.0


def steps_of(stream: Any) -> int:
    """T of the examples: the number of named steps, or WINDOW."""
    first = next(iter(stream.values())) if isinstance(stream, Mapping) else stream
    return len(getattr(first, "steps", ())) or WINDOW


def full_mask(batch: int, steps: int) -> Tensor:
    """Every step real."""
    return torch.ones(batch, steps, dtype=torch.bool)


def ragged_mask(steps: int) -> Tensor:
    """Four clips: all steps real, padding behind, padding before and between, no real step."""
    t = torch.arange(steps)
    return torch.stack([t >= 0, t < (steps + 1) // 2, t % 2 == 1, t < 0])


def padded_masks(steps: int) -> dict[str, Tensor]:
    """Clips `(1, T)` with padding at one place, for T of at least 3: the place, and the mask."""
    t = torch.arange(steps).unsqueeze(0)
    third = steps // 3
    return {
        "behind it": t < (steps + 1) // 2,
        "before it": t >= third,
        "between its steps": (t < third) | (t >= steps - third),
        "before it and between its steps": t % 3 != 0,
    }


def make_inputs(stream: Any, mask: Tensor, seed: int = 0) -> Any:
    """What a module that was built for `stream` takes: a sequence, or a mapping of sequences or scores by name."""
    make = torch.Generator().manual_seed(seed)
    if isinstance(stream, Mapping):
        first = next(iter(stream.values()))
        if isinstance(first, PredictionStream):
            return {name: probabilities(part, mask, make) for name, part in stream.items()}
        times = make_times(mask, make)
        return {name: Sequence(_values(part, mask, make), mask, times) for name, part in stream.items()}
    if isinstance(stream, PredictionStream):
        scores = _scores(stream, mask, make)
        if stream.resolution == "clip":
            scores, mask = scores.unsqueeze(1), mask.any(dim=1, keepdim=True)
        return Sequence(scores, mask, make_times(mask, make))
    return Sequence(_values(stream, mask, make), mask, make_times(mask, make))


def make_times(mask: Tensor, make: torch.Generator) -> Tensor:
    """Seconds `(B, T)`, as of a video with a variable frame rate: 20 to 60 ms apart, ten seconds into the clip."""
    return 10 + (0.02 + 0.04 * torch.rand(mask.shape, generator=make, dtype=torch.float64)).cumsum(dim=1)


def make_targets(stream: PredictionStream, mask: Tensor, seed: int = 0) -> Targets:
    """Valid labels for every clip or frame."""
    make = torch.Generator().manual_seed(seed + 1000)
    shape = mask.shape if stream.resolution == "frame" else mask.shape[:1]
    count = len(stream.targets)
    if stream.problem == "multiclass":
        return Targets.of(torch.randint(count, shape, generator=make))
    low, high = stream.bounds or (0.0, 1.0)
    if stream.problem == "multilabel":
        return Targets.of(torch.randint(2, (*shape, count), generator=make).float())
    if stream.problem == "ordinal":
        return Targets.of(torch.randint(int(low), int(high) + 1, (*shape, count), generator=make).float())
    return Targets.of(low + (high - low) * torch.rand(*shape, count, generator=make))


def probabilities(stream: PredictionStream, mask: Tensor, make: torch.Generator) -> Tensor:
    """What a late fusion gets of one member: probabilities, or values within the bounds."""
    scores = _scores(stream, mask, make)
    if stream.problem == "multiclass":
        return scores.softmax(dim=-1)
    if stream.problem == "multilabel":
        return scores.sigmoid()
    low, high = stream.bounds or (-1.0, 1.0)
    return low + (high - low) * scores.sigmoid()


def moving_clip(stream: FrameStream, steps: int) -> Sequence:
    """A textured picture in which a patch twitches twice, `(1, T, C, H, W)` at 25 frames per second."""
    make = torch.Generator().manual_seed(0)
    shape = (len(stream.channels), stream.height, stream.width)
    picture = torch.rand(shape, generator=make)
    t = torch.arange(steps)
    twitch = sum(torch.exp(-((t - center) ** 2) / 18) for center in (15, 45))
    frames = torch.zeros(steps, *shape)
    rows, columns = slice(stream.height // 4, stream.height // 2), slice(stream.width // 4, stream.width // 2)
    for i, amount in enumerate(torch.as_tensor(twitch).tolist()):
        if stream.unit == "intensity":
            frames[i] = 0.25 + 0.5 * picture
            frames[i, :, rows, columns] += 0.25 * amount
        else:
            frames[i, :, rows, columns] = amount * picture[:, rows, columns]
    return Sequence.of(frames.unsqueeze(0), fps=FPS)


def face_picture(height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    """A drawn face, RGB `(H, W, 3)`: skin, eyes and mouth before a gray wall."""
    import numpy as np

    y, x = np.mgrid[:height, :width]
    picture = np.full((height, width, 3), 110, dtype=np.uint8)
    x, y = (x - width / 2) / (height * 0.32), (y - height / 2) / (height * 0.42)
    picture[x**2 + y**2 < 1] = (224, 178, 150)
    for side in (-0.4, 0.4):
        picture[((x - side) / 0.16) ** 2 + ((y + 0.2) / 0.08) ** 2 < 1] = (40, 30, 30)
    picture[(x / 0.4) ** 2 + ((y - 0.5) / 0.08) ** 2 < 1] = (150, 60, 60)
    return picture


def mapped(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """The same nest of sequences and mappings, with `function` applied to every tensor."""
    if isinstance(tree, Sequence):
        return Sequence(function(tree.values), function(tree.mask), function(tree.times))
    if isinstance(tree, Mapping):
        return {key: mapped(function, item) for key, item in tree.items()}
    return function(tree)


def copied(tree: Any) -> Any:
    """A copy that shares no memory."""
    return mapped(lambda tensor: tensor.clone(), tree)


def clip_of(tree: Any, clip: int, steps: int | None = None) -> Any:
    """One clip of a batch, and of it the first `steps` steps."""
    rows = mapped(lambda tensor: tensor[clip : clip + 1], tree)
    return rows if steps is None else span(rows, 0, steps)


def span(tree: Any, start: int, stop: int) -> Any:
    """Steps `start` to `stop` of every clip."""
    return mapped(lambda tensor: tensor[:, start:stop], tree)


def without_padding(tree: Any, mask: Tensor) -> Any:
    """One clip without its padded steps; `mask` is `(1, T)`."""
    return mapped(lambda tensor: tensor[:, mask[0]], tree)


def with_values(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """As `mapped`, for the values of sequences alone; masks and times stay."""
    if isinstance(tree, Sequence):
        return tree.with_values(function(tree.values))
    if isinstance(tree, Mapping):
        return {key: with_values(function, item) for key, item in tree.items()}
    return function(tree)


def pad_with(inputs: Any, fill: float) -> Any:
    """The inputs with `fill` in the padding; masks and times stay."""
    if isinstance(inputs, Mapping):
        return {name: pad_with(part, fill) for name, part in inputs.items()}
    padding = ~inputs.mask.reshape(*inputs.mask.shape, *[1] * (inputs.values.ndim - 2))
    return inputs.with_values(inputs.values.masked_fill(padding, fill))


def tensors(tree: Any) -> list[Tensor]:
    """Every tensor of a nest."""
    if tree is None or isinstance(tree, Tensor):
        return [] if tree is None else [tree]
    return [tensor for item in (tree.values() if isinstance(tree, Mapping) else tree) for tensor in tensors(item)]


def _values(stream: InputStream, mask: Tensor, make: torch.Generator) -> Tensor:
    if isinstance(stream, FeatureStream):
        return torch.randn(*mask.shape, stream.dim, generator=make)
    shape = (*mask.shape, len(stream.channels), stream.height, stream.width)
    if stream.unit == "intensity":
        return torch.rand(shape, generator=make)
    scale = {"pixel": 0.5, "iod": 0.01, "relative": 0.3}[stream.unit]
    values = scale * torch.randn(shape, generator=make)
    strain = [i for i, name in enumerate(stream.channels) if name == "strain"]
    values[:, :, strain] = values[:, :, strain].abs()  # a magnitude
    return values


def _scores(stream: PredictionStream, mask: Tensor, make: torch.Generator) -> Tensor:
    shape = mask.shape if stream.resolution == "frame" else mask.shape[:1]
    scores = torch.randn(*shape, len(stream.targets), generator=make)
    if stream.problem in ("multiclass", "multilabel") or stream.bounds is None:
        return scores
    low, high = stream.bounds
    return low + (high - low) * scores.sigmoid()
