"""Motion front-ends on clips, outside of a pipeline, and never twice on the same one."""

from __future__ import annotations

import functools
from collections.abc import Sequence as Items
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from affectkit.artifact import requirements
from affectkit.batch_checks import check_batch
from affectkit.caching import cached
from affectkit.codec import encode
from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError, InputError
from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.frame_pairs_net import real_frames
from affectkit.motion.lengths import check_lengths
from affectkit.registry import Registry, default_registry
from affectkit.sequences import Sequence
from affectkit.stage_building import build_stage
from affectkit.streams import FrameStream
from affectkit.tracing import stage_output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Modules = list[MotionFrontEnd[Any]]
# Clips that are computed at once: what a front-end needs in between is many times its input.
_AT_ONCE = 16


def apply_motion(
    motion: MotionConfig | Items[MotionConfig],
    frames: Sequence | Tensor | NDArray[np.floating[Any]],
    stream: FrameStream,
    *,
    cache: str | Path | bool = False,
    registry: Registry | None = None,
) -> Sequence:
    """What motion front-ends make of clips, one after another; without gradient, and for those without weights.

    With a cache every clip is an entry of its own, whatever its batch mates. An entry is found again if the real
    frames, their mask and times, the stream, the configs and the versions of the distributions that they come from are
    equal. What padding holds does not count.

    Arguments:
        motion: the front-end's config, or several in order.
        frames: a sequence; or values of one clip `(T, C, H, W)`, of several `(B, T, C, H, W)`, at the stream's rate.
        stream: describes the frames.
        cache: folder of the cache; True for `affectkit.caching.default_folder()`, False to keep nothing.
        registry: where components are looked up; left out, what is installed.

    Returns:
        The maps, `(B, T', C', H', W')` as the last config's `output` says, where the frames are.

    Raises:
        StreamError: a config does not accept its stream; the path says which.
        ConfigError: there is no config.
        InputError: the frames are not what the stream says, a clip is shorter than the filter of a front-end, or one
            has weights.
    """
    registry = default_registry() if registry is None else registry
    configs = (motion,) if isinstance(motion, MotionConfig) else tuple(motion)
    if not configs:
        raise ConfigError("no front-end", "give at least one", path="motion")
    streams = [stream]
    for i, config in enumerate(configs):
        streams.append(stage_output(f"motion[{i}]", config.output, streams[-1]))
    clips = check_batch({"frames": _as_sequence(frames, stream)}, {"frames": stream})["frames"]
    check_lengths(configs, clips)
    # zeros for padding, so that what it holds does not decide what an entry is called
    clips = clips.with_values(real_frames(clips))
    # not built before something has to be computed
    modules = functools.cache(lambda: _build(configs, streams, registry))

    @torch.no_grad()
    def compute(given: Sequence) -> dict[str, Tensor]:
        for module in modules():
            given = module(given)
        return {"values": given.values, "mask": given.mask, "times": given.times}

    def part(first: int, count: int) -> Sequence:
        values, mask, times = (tensor[first : first + count] for tensor in clips[:3])
        return Sequence(values, mask, times)

    if cache is False:
        return _joined([compute(part(i, _AT_ONCE)) for i in range(0, max(1, len(clips.values)), _AT_ONCE)])
    data = [encode(config, registry) for config in configs]
    settings = {
        "motion": data,
        "requires": [item for part in data for item in requirements(part, registry)],
        "stream": encode(stream, registry),
    }
    folder = None if cache is True else cache
    found = []
    for i in range(len(clips.values)):
        one = part(i, 1)
        parts = ["apply_motion", settings, *one[:3]]
        found.append(cached(functools.partial(compute, one), parts=parts, folder=folder))
    return _joined(found).to(clips.values.device)


def _joined(found: list[dict[str, Tensor]]) -> Sequence:
    values, mask, times = (torch.cat([clip[name] for clip in found]) for name in ("values", "mask", "times"))
    return Sequence(values, mask, times)


def _as_sequence(frames: Sequence | Tensor | NDArray[np.floating[Any]], stream: FrameStream) -> Sequence:
    if isinstance(frames, Sequence):
        return frames
    values = torch.as_tensor(frames)
    return Sequence.of(values.unsqueeze(0) if values.ndim == 4 else values, fps=stream.fps or 25.0)


def _build(configs: tuple[MotionConfig, ...], streams: list[FrameStream], registry: Registry) -> Modules:
    modules = []
    for i, (config, stream) in enumerate(zip(configs, streams, strict=False)):
        module = build_stage(config, stream, f"motion[{i}]", registry).eval()
        if module.state_dict():
            raise InputError(
                f"motion[{i}]: {registry.id_of(type(config))} has weights, which a config does not hold; "
                "put it into a pipeline, build that and load them"
            )
        modules.append(module)
    return modules
