"""What of a dataset the inputs of a model can be cut from: pictures, or keyframes of clips."""

from __future__ import annotations

from collections.abc import Mapping

from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig, branches_of
from affectkit.errors import InputError, listed
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry
from affectkit.streams import FrameStream, InputStream


def takes_pictures(config: ModelConfig) -> bool:
    """Whether its inputs are frames without named steps, so that one picture is enough for an example."""
    return all(isinstance(stream, FrameStream) and not stream.steps for stream in config.input_streams().values())


def check_one_kind(streams: Mapping[str, InputStream]) -> None:
    """Raise InputError where inputs, such as those of an ensemble's members, can't be cut from the same samples."""
    kinds = {name: _kind(stream) for name, stream in streams.items()}
    first = next(iter(kinds))
    for name, kind in kinds.items():
        if kind != kinds[first]:
            raise InputError(
                f"inputs: {first!r} takes {kinds[first]}, and {name!r} {kind}, which no dataset gives together; "
                "join members of one kind, or give a file of examples"
            )


def check_no_motion(config: ModelConfig, registry: Registry, *, are_frames: bool = False) -> None:
    """Raise InputError where a branch measures motion between frames, which a single picture has not.

    Neither do the labeled frames of a video show it, `are_frames`, of which no two need to be neighbors.
    """
    lacking = "labeled frames, which may be far apart, don't show" if are_frames else "a single picture has not"
    if isinstance(config, PipelineConfig | EnsembleConfig):
        for path, branch in branches_of(config, within=registry).items():
            if any(front.context > 1 for front in branch.motion):
                raise InputError(f"{path}: has motion, which {lacking}; train it on clips")


def _kind(stream: InputStream) -> str:
    if not isinstance(stream, FrameStream):
        return "stored features"
    return f"the keyframes {listed(stream.steps)}" if stream.steps else "single pictures"
