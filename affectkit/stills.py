"""Whether a pipeline can say anything of a still picture, or of a video shorter than its filters over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from affectkit.configs import ROUNDING, Events, ModelConfig, Windows
from affectkit.ensemble import EnsembleConfig, branches_of
from affectkit.errors import AffectkitError, InputError
from affectkit.pipeline import PipelineConfig, check_windows
from affectkit.registry import Registry

_NONE_AT_HAND = "use one that scores single pictures, such as expression (pip install affectkit-faceapi)"


def check_still(config: ModelConfig, pipeline: str, picture: str, registry: Registry) -> None:
    """Refuse a picture that a pipeline would score without seeing what it looks at.

    Arguments:
        config: of the pipeline.
        pipeline: its name, for the error.
        picture: the file, for the error.
        registry: where pipelines for pictures are looked for.

    Raises:
        InputError: the pipeline looks for events, or a branch of it measures motion between frames.
    """
    fact = next(_needs(config, registry), None)
    if fact is None:
        return
    raise InputError(f"{picture}: is a still picture, and {pipeline} {fact}; {_remedy(registry)}")


def check_filters(config: ModelConfig, video: str, seconds: float | None) -> None:
    """Refuse a video that is shorter than the filter of a front-end, and windows that are.

    Windows at the end of a track may be shorter all the same: what was seen is scored.

    Arguments:
        config: of the pipeline; without a sampling, `Windows()` are what it gets.
        video: what is analyzed, for the error.
        seconds: about how long it is; None where that is not known.

    Raises:
        ConfigError: the windows are too short.
        InputError: the video is.
    """
    if isinstance(config.sampling, Events) or not isinstance(config, PipelineConfig | EnsembleConfig):
        return
    branches = branches_of(config)
    if config.sampling is None:
        # those of a config were checked when it was made
        check_windows(Windows(), branches)
    for path, branch in branches.items():
        for i, front in enumerate(branch.motion):
            if seconds is not None and seconds < front.least_seconds - ROUNDING:
                raise InputError(
                    f"{video}: {seconds:.3g} s of video, and {path}.motion[{i}] needs {front.least_seconds:.3g} s; "
                    "raise the lowest frequency of its filter"
                )


def _remedy(registry: Registry) -> str:
    names = []
    for preset in registry.presets():
        # weights first: making a config of each preset takes time
        if preset.spec.weights and _can_score(preset.spec.make, registry):
            names.append(preset.spec.name)
    return f"use a pipeline for pictures, such as {' or '.join(names)}" if names else _NONE_AT_HAND


def _can_score(make: Callable[[], ModelConfig], registry: Registry) -> bool:
    try:
        return next(_needs(make(), registry), None) is None
    except AffectkitError:
        # a preset that can't be made is no help, and no reason to fail here
        return False


def _needs(config: ModelConfig, registry: Registry) -> Iterator[str]:
    """What of a video a config looks at, that a picture has not."""
    if isinstance(config.sampling, Events):
        yield f"looks for events over time, by {type(config.sampling.spotter).__name__}"
    if isinstance(config, PipelineConfig | EnsembleConfig):
        for path, branch in branches_of(config, within=registry).items():
            for front in branch.motion:
                if front.context > 1:
                    yield f"measures motion between frames, by {type(front).__name__} of {path}"
