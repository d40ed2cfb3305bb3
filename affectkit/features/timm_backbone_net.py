"""The module of `timm`, and the two verbs that give it weights. Building it never does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from affectkit.errors import ConfigError, StreamError, WeightsError, did_you_mean, listed
from affectkit.features.public_weights import read_state
from affectkit.features.timm_backbone import TimmConfig
from affectkit.features.timm_import import import_timm
from affectkit.interfaces import FeatureExtractor
from affectkit.sequences import Sequence
from affectkit.streams import RGB, FrameStream

# what timm's constructors and networks raise for a size or a channel count that they can't take
_REFUSALS = (ArithmeticError, AssertionError, IndexError, RuntimeError, TypeError, ValueError)


class TimmBackbone(FeatureExtractor[TimmConfig]):
    """Frames `(B, T, C, H, W)` in, pooled features `(B, T, D)` out; zero for padding.

    Attributes:
        network: the timm model, without classifier.
        options: what `timm.create_model` got beside the name.

    Raises:
        ConfigError: timm has no such model, or its width is not the config's `dim`.
        StreamError: the network can't take frames of that size or those channels.
        MissingDependencyError: timm is not installed.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: TimmConfig, stream: FrameStream) -> None:
        super().__init__(config)
        dim = config.output(stream).dim
        timm = import_timm()
        _check_name(timm, config.model)
        self.options: dict[str, Any] = {"num_classes": 0, "in_chans": len(stream.channels)}
        # only then: a network that takes any size (ResNet) refuses the option
        if config.known is not None and config.known.size == "built":
            self.options["img_size"] = (stream.height, stream.width)
        try:
            network = timm.create_model(config.model, pretrained=False, **self.options)
            shape = _output_shape(network, stream)
        except _REFUSALS as error:
            size = f"; its own size is {config.known.height}x{config.known.width}" if config.known else ""
            reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".removesuffix(": ")
            raise StreamError(f"{config.model!r} can't take {stream} ({reason}){size}") from error
        if len(shape) != 2:
            raise ConfigError(f"{config.model!r} gives {shape} per frame", "a model has to pool it", path="model")
        if shape[1] != dim:
            fact = f"{config.model!r} gives {shape[1]} features, not {dim}"
            raise ConfigError(fact, f"write dim={shape[1]}", path="dim")
        self.network: Any = network
        mean, std = _normalization(network.pretrained_cfg, stream)
        # not persistent: they follow from the model's name, so that no checkpoint needs to carry them
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        if config.frozen:
            # eval too: batch statistics move in training mode, whether or not a gradient flows
            self.network.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> TimmBackbone:
        """As usual, but a frozen network stays in evaluation mode, so that its batch statistics stay as they are."""
        super().train(mode)
        if self.config.frozen:
            self.network.eval()
        return self

    def forward(self, inputs: Sequence) -> Sequence:
        mask = inputs.mask.unsqueeze(-1)
        frames = torch.where(mask[..., None, None], inputs.values, 0.0)
        images = ((frames - self.mean) / self.std).flatten(0, 1)
        if self.network.training:
            features = self._without_padding(images, inputs.mask.flatten())
        else:
            # in evaluation every frame is computed alone, so that padding rows cost time but change nothing
            features = self.network(images)
        features = features.reshape(*inputs.mask.shape, -1)
        return inputs.with_values(torch.where(mask, features, 0.0))

    def _without_padding(self, images: Tensor, real: Tensor) -> Tensor:
        # in training, batch normalization would count padding into its statistics
        if bool(real.all()) or not bool(real.any()):
            return self.network(images)  # type: ignore[no-any-return]
        features: Tensor = self.network(images[real])
        return features.new_zeros(len(images), features.shape[1]).index_put((real,), features)


def load_timm_weights(backbone: TimmBackbone, path: str | os.PathLike[str]) -> None:
    """Copy a local safetensors state dict of timm into a built backbone; the checkpoint's classifier is left out.

    Raises:
        WeightsError: no such file, not safetensors, or keys or shapes that do not fit; nothing was copied then.
    """
    state = read_state(path, backbone.config.model)
    classifier = backbone.network.pretrained_cfg.get("classifier") or ()
    # a distilled model has two classifiers, and timm then lists both
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    own = backbone.network.state_dict()
    # without a name, `startswith(())` is False, and every key is kept
    heads = tuple(f"{name}." for name in names)
    _load(backbone, {key: value for key, value in state.items() if key in own or not key.startswith(heads)}, str(path))


def load_pretrained(backbone: TimmBackbone) -> None:
    """Copy the weights that timm publishes for the backbone's model into it. timm downloads them, or finds its cache.

    Their license and the terms of their training data are those of the model's own page: many are for research only.

    Raises:
        WeightsError: they do not fit; nothing was copied then.
        RuntimeError: timm publishes no weights of that name (timm's own error), or can't download them.
    """
    timm = import_timm()
    # a second network, since timm fits its weights to `in_chans` and `img_size` only while it builds
    source = timm.create_model(backbone.config.model, pretrained=True, **backbone.options)
    _load(backbone, source.state_dict(), backbone.config.model)


def _load(backbone: TimmBackbone, state: Mapping[str, Tensor], name: str) -> None:
    own = backbone.network.state_dict()
    # before loading: torch copies all that fits, and raises for the rest only afterwards
    problems = [
        *_grouped("missing", own.keys() - state.keys()),
        *_grouped("unexpected", state.keys() - own.keys()),
        *(
            f"{key} is {tuple(state[key].shape)}, the network's is {tuple(own[key].shape)}"
            for key in sorted(own.keys() & state.keys())
            if own[key].shape != state[key].shape
        ),
    ]
    if problems:
        raise WeightsError(f"{name}: does not fit {backbone.config.model!r}: {'; '.join(problems[:10])}")
    backbone.network.load_state_dict(dict(state))


def _grouped(what: str, keys: set[str]) -> Iterator[str]:
    """`missing conv1: 'weight'`: keys by the part of the network that they belong to."""
    groups: dict[str, list[str]] = {}
    for key in sorted(keys):
        part, _, rest = key.partition(".")
        groups.setdefault(part, []).append(rest or part)
    for part, names in groups.items():
        yield f"{what} {part}: {listed(names)}"


def _check_name(timm: Any, name: str) -> None:
    if not timm.is_model(name):
        hint = did_you_mean(name.partition(".")[0], timm.list_models(), noun="timm models")
        raise ConfigError(f"timm has no model {name!r}", hint, path="model")
    architecture, _, tag = name.partition(".")
    if tag:
        tagged = timm.list_models(f"{architecture}.*", pretrained=True)
        if name not in tagged:
            hint = did_you_mean(name, tagged, noun="weights")
            raise ConfigError(f"timm has no weights {tag!r} of {architecture!r}", hint, path="model")


def _output_shape(network: nn.Module, stream: FrameStream) -> tuple[int, ...]:
    """Shape of the feature of one frame, by running one: the only way to know that its size fits."""
    frame = torch.zeros(1, len(stream.channels), stream.height, stream.width)
    mode = network.training
    with torch.no_grad():
        # in training mode this frame would move batch statistics, and one value per channel is refused
        features: Tensor = network.eval()(frame)
    network.train(mode)
    return tuple(features.shape)


def _normalization(pretrained: Mapping[str, Any], stream: FrameStream) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation `(C, 1, 1)` of the pretrained weights; 0 and 1 for what is no intensity."""
    mean, std = torch.tensor(pretrained["mean"]), torch.tensor(pretrained["std"])
    if stream.unit == "intensity" and stream.channels == ("gray",):
        # timm sums the weights of the first layer over RGB for one channel, so one average color has to serve
        mean, std = mean.mean().expand(1), std.mean().expand(1)
    elif stream.unit != "intensity" or stream.channels != RGB:
        mean, std = torch.zeros(len(stream.channels)), torch.ones(len(stream.channels))
    return mean[:, None, None].clone(), std[:, None, None].clone()
