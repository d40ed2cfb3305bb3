"""Loads a checkpoint that others published into a network of ours, by a map of their names to ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from affectkit.errors import WeightsError, is_below, listed

# how often statistics were updated; old checkpoints lack it, and what we build does not read it
_COUNTER = ".num_batches_tracked"


@dataclass(frozen=True)
class PublicNames:
    """What a published state dict calls the parts of a network.

    Attributes:
        parts: names of modules or tensors, theirs to ours; several of theirs may stand for one of ours.
        unused: theirs for modules or tensors that the feature does not need; what is below them is left out.
    """

    parts: Mapping[str, str]
    unused: tuple[str, ...] = ()

    def own(self, key: str) -> str | None:
        """Our key for one of theirs: `conv1.weight` to `stem.0.weight`; None for what has no name here."""
        if key in self.parts:
            return self.parts[key]
        module, _, tensor = key.rpartition(".")
        return f"{self.parts[module]}.{tensor}" if module in self.parts else None

    def theirs(self, key: str) -> str:
        """Their key for one of ours: the first that the map has."""
        module, _, tensor = key.rpartition(".")
        for public, own in self.parts.items():
            if own == key:
                return public
            if own == module:
                return f"{public}.{tensor}"
        return key

    def is_unused(self, key: str) -> bool:
        """Whether one of their keys is left out."""
        return any(is_below(key, part) for part in self.unused)


def load_public_weights(network: nn.Module, path: str | os.PathLike[str], names: PublicNames, what: str) -> None:
    """Copy a local safetensors state dict with its publishers' names into a network.

    Arguments:
        network: to load into; all of it has to be in the file.
        path: the file; `affectkit weights convert` makes one of a `.pth`.
        names: the map of names.
        what: the network has this name in messages.

    Raises:
        WeightsError: no such file, not safetensors, names that are unknown or missing, or other shapes; nothing was
            copied then.
    """
    state = read_state(path, what)
    own = network.state_dict()
    found: dict[str, str] = {}
    for key in sorted(state):
        target = names.own(key)
        if target is not None and target in own and target not in found:
            found[target] = key
    used = set(found.values())
    missing = [names.theirs(key) for key in own if key not in found and not key.endswith(_COUNTER)]
    unexpected = [key for key in sorted(state) if key not in used and not names.is_unused(key)]
    problems = [
        *_named("missing", missing),
        *_named("unexpected", unexpected),
        *(
            f"{key} is {tuple(state[key].shape)}, the network's is {tuple(own[target].shape)}"
            for target, key in found.items()
            if state[key].shape != own[target].shape
        ),
    ]
    if problems:
        raise WeightsError(f"{Path(path)}: does not fit {what!r}: {'; '.join(problems[:10])}")
    network.load_state_dict({**own, **{target: state[key] for target, key in found.items()}})


def read_state(path: str | os.PathLike[str], what: str) -> dict[str, Tensor]:
    """Tensors of a local safetensors file by their names there; `what` says in messages whose they should be.

    Raises:
        WeightsError: no such file, or not safetensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; give a safetensors file of {what!r}")
    try:
        return load_file(path)
    except SafetensorError as error:
        is_cut = path.suffix == ".safetensors"
        convert = f"run affectkit weights convert {path} {path.with_suffix('.safetensors')}"
        suggestion = "download it again" if is_cut else convert
        raise WeightsError(f"{path}: not a safetensors file ({error}); {suggestion}") from error


def _named(what: str, keys: list[str]) -> Iterator[str]:
    if keys:
        yield f"{what} {listed(keys)}"
