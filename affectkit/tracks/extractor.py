"""One branch of a pipeline as a function of frames: what computes features once, for every use of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from affectkit.artifact import requirements
from affectkit.caching import digest
from affectkit.codec import encode
from affectkit.errors import InputError, did_you_mean, listed
from affectkit.model import Model
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream
from affectkit.video.clips import video_streams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class BranchExtractor:
    """Features of single frames, by the modules of a branch, in evaluation mode and without gradient.

    Arguments:
        model: a pipeline, with the weights that count; it is not changed, but put into evaluation mode.
        branch: name of the branch; None where there is one.

    Attributes:
        stream: the frames that it takes.
        dim: width of a feature vector.
        digest: hash of weights, configs, stream and versions: of all that decides the features of a frame.
        encoder: hash of the same but the versions, by which `join_encoders` knows it again.

    Raises:
        InputError: no such branch, several and no name, or one whose features are not of single frames of a video.
    """

    def __init__(self, model: Model, branch: str | None = None) -> None:
        if not isinstance(model, Pipeline):
            raise InputError(f"model: {type(model).__name__} has members; give the pipeline of one of them")
        name = _choose(model, branch)
        config, path = model.config.branches[name], f"branches.{name}"
        self.stream: FrameStream = video_streams({config.source: model.config.inputs[config.source]})[config.source]
        for i, motion in enumerate(config.motion):
            if motion.context > 1:
                fact = f"compares {motion.context} frames, and features are computed of each alone"
                raise InputError(f"{path}.motion[{i}]: {fact}; choose a branch without motion")
        output = model.traced[f"{path}.features"].output
        assert isinstance(output, FeatureStream)
        if output.stride != 1 or output.steps:
            raise InputError(f"{path}.features: gives {output}, not one vector per frame; choose another branch")
        self.dim = output.dim
        self._modules = [*model.branches[name].motion, model.branches[name].features]
        parts = [encode(module.config, model.registry) for module in self._modules]
        self.encoder = encoder_digest(model, name)
        self.digest = digest(
            [
                {"parts": parts, "stream": encode(self.stream, model.registry)},
                [requirements(part, model.registry) for part in parts],
                [dict(module.state_dict()) for module in self._modules],
            ]
        )

    @torch.no_grad()
    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames `(N, C, H, W)` as the stream says to features `(N, D)`."""
        device = next((tensor.device for tensor in self._tensors()), torch.device("cpu"))
        sequence = Sequence.of(torch.from_numpy(frames).to(device).unsqueeze(1))
        for module in self._modules:
            sequence = module.eval()(sequence)
        values: NDArray[np.float32] = sequence.values[:, 0].float().cpu().numpy()
        return values

    def _tensors(self) -> Any:
        return (tensor for module in self._modules for tensor in module.state_dict().values())


def encoder_digest(model: Pipeline, branch: str) -> str:
    """Hash of a branch: of its configs, its weights and the frames that it takes; equal under another version."""
    config, modules = model.config.branches[branch], model.branches[branch]
    stages = [*modules.motion, modules.features]
    parts = [encode(stage.config, model.registry) for stage in stages]
    stream = encode(model.config.inputs[config.source], model.registry)
    return digest(["encoder", parts, stream, [dict(stage.state_dict()) for stage in stages]])


def _choose(model: Pipeline, branch: str | None) -> str:
    names: Mapping[str, Any] = model.config.branches
    if branch is None and len(names) == 1:
        return next(iter(names))
    if branch is None:
        raise InputError(f"branch: the pipeline has {listed(names) or 'none'}; name one of them")
    if branch not in names:
        raise InputError(f"branch: no branch {branch!r}; {did_you_mean(branch, names, noun='branches')}")
    return branch
