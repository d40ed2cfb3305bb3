"""Whether a pipeline can say anything of a still picture, which has no motion and no events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from affectkit.configs import Events, ModelConfig
from affectkit.ensemble import EnsembleConfig, branches_of
from affectkit.errors import AffectkitError, InputError
from affectkit.pipeline import PipelineConfig
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
