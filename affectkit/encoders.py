"""A model that was trained on stored features, with their encoders put before it: frames in, scores out.

    features ─▶ tail          frames ─▶ encoder ─▶ tail

Nothing is trained: weights and fitted values are those of the parts, so that the whole scores frames as the tail scores
what the encoders say of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from affectkit.configs import FaceDetectorConfig, ModelConfig, Sampling
from affectkit.errors import ConfigError, InputError, did_you_mean, listed
from affectkit.model import Model
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.pipeline_model import Pipeline
from affectkit.registry import Registry
from affectkit.resolving import resolve_detector, resolve_model
from affectkit.streams import FeatureStream, FrameStream, with_changes
from affectkit.tracks.extractor import encoder_digest


@dataclass(frozen=True)
class _Encoder:
    """One branch of a pipeline, and the frames that it takes."""

    model: Pipeline
    branch: str
    stream: FrameStream

    @property
    def config(self) -> Branch:
        return self.model.config.branches[self.branch]


def join_encoders(
    tail: Model,
    encoders: Mapping[str, Model | ModelConfig | str | Path],
    *,
    branches: Mapping[str, str] | None = None,
    sampling: Sampling | None = None,
    faces: FaceDetectorConfig | str | None = None,
    registry: Registry | None = None,
) -> Pipeline:
    """One pipeline of the encoders and of what was trained on their features.

    Its branches have the tail's names. Encoders that take the same frames share an input.

    Arguments:
        tail: a built pipeline that takes stored features.
        encoders: by input of the tail, whose features these are: pipelines, built or by name as `analyze` takes them.
            What stands behind their branch is left out.
        branches: by input, the branch of an encoder that has several; by default the one of the input's name.
        sampling: how a video is cut into samples; None for the tail's own.
        faces: the face detector, or its name; None for the tail's own, or else that of the encoders.
        registry: where components are looked up; None for the tail's.

    Returns:
        It on the CPU, in evaluation mode, with weights of its own and the provenance of all parts.

    Raises:
        InputError: the tail takes no stored features, or has members; an input has no encoder; or an encoder has no
            such branch, gives other features than the tail takes, or is not the one that the tail's were computed by,
            where `tail.encoders` says it.
        ConfigError: encoders have unlike face detectors, and none is named; or they don't fit `sampling`.
    """
    if not isinstance(tail, Pipeline):
        fact = f"{type(tail).__name__} is no pipeline of its own"
        raise InputError(f"tail: {fact}; join each member with its encoders, and then the members")
    names = registry if registry is not None else tail.registry
    parts = _check_encoders(tail.config, encoders, branches or {}, names)
    for name, given in parts.items():
        mine, theirs = encoder_digest(given.model, given.branch), tail.encoders.get(name)
        if theirs is not None and mine != theirs:
            fact = (
                f"branch {given.branch!r} is encoder {mine[:12]}, and the tail learned from features of {theirs[:12]}"
            )
            raise InputError(f"encoders.{name}: {fact}; give the encoder that its features were computed by")
    config = _config(tail.config, parts, sampling, _detector(tail.config, parts, faces, names))
    with torch.random.fork_rng(devices=[]):
        model = Pipeline(config, registry=names)
    state = dict(tail.state_dict())
    for name, branch in tail.config.branches.items():
        if (part := parts.get(branch.source)) is not None:
            weights = part.model.branches[part.branch].state_dict()
            state |= {f"branches.{name}.{key}": tensor for key, tensor in weights.items()}
    model.load_state_dict(state)
    known = [*tail.provenance, *(item for part in parts.values() for item in part.model.provenance)]
    model.provenance = tuple({tuple(sorted(item.items())): item for item in known}.values())
    return model.eval()


def _check_encoders(
    tail: PipelineConfig,
    encoders: Mapping[str, Model | ModelConfig | str | Path],
    branches: Mapping[str, str],
    registry: Registry,
) -> dict[str, _Encoder]:
    """The encoder of each input of stored features, in the tail's order."""
    stored = {name: stream for name, stream in tail.inputs.items() if isinstance(stream, FeatureStream)}
    if not stored:
        raise InputError("tail: takes no stored features; give the model that was trained on them")
    for what, given in (("encoders", encoders), ("branches", branches)):
        for name in given:
            if name not in stored:
                hint = did_you_mean(name, stored, noun="inputs of stored features")
                raise InputError(f"{what}: the tail takes no {name!r}; {hint}")
    if absent := [name for name in stored if name not in encoders]:
        raise InputError(f"encoders: none of {listed(absent)}; give one for each input of stored features")
    found: dict[str, _Encoder] = {}
    for name, stream in stored.items():
        model = resolve_model(encoders[name], device=None, seed=0, registry=registry)
        found[name] = part = _choose(name, model, branches.get(name))
        made = model.traced[f"branches.{part.branch}.features"].output
        # a rate is told by the times, where the tail fixes one and frames don't
        if not isinstance(made, FeatureStream) or with_changes(made, fps=None) != with_changes(stream, fps=None):
            fact = f"branch {part.branch!r} gives {made}, and the tail takes {stream}"
            raise InputError(f"encoders.{name}: {fact}; give the encoder that its features were computed by")
    return found


def _choose(name: str, model: Model, branch: str | None) -> _Encoder:
    where = f"encoders.{name}"
    if not isinstance(model, Pipeline):
        raise InputError(f"{where}: {type(model).__name__} is no pipeline of its own; give the pipeline of one member")
    known = model.config.branches
    if branch is None:
        branch = next(iter(known)) if len(known) == 1 else name
        if branch not in known:
            fact = f"has the branches {listed(known) or 'none'}"
            raise InputError(f"{where}: {fact}; say which by branches={{{name!r}: ...}}, or --branch {name}=NAME")
    if branch not in known:
        raise InputError(f"{where}: no branch {branch!r}; {did_you_mean(branch, known, noun='branches')}")
    stream = model.config.inputs[known[branch].source]
    if not isinstance(stream, FrameStream):
        raise InputError(f"{where}: branch {branch!r} takes stored features too; give a pipeline that takes frames")
    return _Encoder(model, branch, stream)


def _config(
    tail: PipelineConfig, parts: Mapping[str, _Encoder], sampling: Sampling | None, faces: FaceDetectorConfig | None
) -> PipelineConfig:
    """The tail's, with frames and encoders in the place of stored features."""
    inputs = {name: stream for name, stream in tail.inputs.items() if name not in parts}
    is_one = not inputs and len({part.stream for part in parts.values()}) == 1
    sources: dict[str, str] = {}
    for name, part in parts.items():
        # what several branches begin with is computed once, if they have one input
        there = [other for other, stream in inputs.items() if stream == part.stream]
        sources[name] = there[0] if there else part.config.source if is_one else name
        inputs[sources[name]] = part.stream
    branches = {
        name: replace(parts[branch.source].config, source=sources[branch.source]) if branch.source in parts else branch
        for name, branch in tail.branches.items()
    }
    return replace(tail, inputs=inputs, branches=branches, sampling=sampling or tail.sampling, faces=faces)


def _detector(
    tail: PipelineConfig, parts: Mapping[str, _Encoder], faces: FaceDetectorConfig | str | None, registry: Registry
) -> FaceDetectorConfig | None:
    if faces is not None or tail.faces is not None:
        found: FaceDetectorConfig = resolve_detector(faces, tail, registry)
        return found
    known = {name: part.model.config.faces for name, part in parts.items()}
    first, detector = next(iter(known.items()))
    for name, other in known.items():
        if other != detector:
            fact = f"{first!r} has {detector or 'auto'}, {name!r} has {other or 'auto'}"
            raise ConfigError(fact, "say by which faces are found for all of them", path="faces")
    return detector
