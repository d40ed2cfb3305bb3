"""Weights as safetensors files: written with each tied tensor once, and copied into a model that they fit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from affectkit.errors import ArtifactError, join, listed, unlike_targets
from affectkit.model import Model


def load_state(model: Model, path: Path) -> None:
    """Copy a safetensors file into a model; all keys have to fit, and classes, where the file says them.

    Raises:
        ArtifactError: damaged file, another config's weights, missing or unexpected keys, other shapes or classes.
    """
    for name, targets in json.loads(read_metadata(path).get("affectkit.targets", "{}")).items():
        own = model.traced.outputs.get(name)
        if own is not None and list(own.targets) != targets:
            raise ArtifactError(f"{path}: {name} {unlike_targets(targets, own.targets)}")
    load_tensors(model, path, model.stages())


def load_tensors(module: nn.Module, path: Path, stages: Mapping[str, nn.Module], *, keep_dtypes: bool = False) -> None:
    metadata, state = _read_weights(path)
    for copy, original in json.loads(metadata.get("tied", "{}")).items():
        state[copy] = state[original]
    copy_tensors(module, state, f"{path}:", stages, keep_dtypes=keep_dtypes)


def copy_tensors(
    module: nn.Module,
    state: Mapping[str, Tensor],
    what: str,
    stages: Mapping[str, nn.Module],
    *,
    keep_dtypes: bool = False,
) -> None:
    own = module.state_dict()
    absent = _absent_members(own.keys(), state.keys())
    lost = {key for key in own.keys() - state.keys() if not any(key.startswith(f"{path}.") for path in absent)}
    problems = [
        *(f"nothing of {path} ({count} tensors)" for path, count in absent.items()),
        *_grouped("missing", lost, stages),
        *_grouped("unexpected", state.keys() - own.keys(), stages),
        *(
            f"{key} is {tuple(state[key].shape)}, the model's is {tuple(own[key].shape)}"
            for key in sorted(own.keys() & state.keys())
            if own[key].shape != state[key].shape
        ),
    ]
    if problems:
        raise ArtifactError(f"{what} does not fit the model: {'; '.join(problems[:10])}")
    for key, tensor in state.items():
        # not infinity, which masks are made of
        if tensor.is_floating_point() and (count := int(tensor.isnan().sum())):
            fact = f"holds NaN, in {count} of {tensor.numel()} numbers of {key}"
            raise ArtifactError(f"{what} {fact}; take weights from before the training diverged")
    if keep_dtypes:  # a model that was saved in half precision comes back in it
        # keep_vars: without it these are detached tensors, and the parameters would keep their dtype
        for key, tensor in module.state_dict(keep_vars=True).items():
            tensor.data = tensor.data.to(state[key].dtype)
    module.load_state_dict(dict(state))


def write_tensors(model: Model, path: Path, digest: str) -> None:
    state: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first: dict[tuple[int, torch.Size, tuple[int, ...]], str] = {}
    for key, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        # empty tensors all have the address 0, and are not tied for that
        if tensor.numel() and place in first:
            tied[key] = first[place]
        else:
            first[place] = key
            # a copy: safetensors refuses tensors that overlap in memory, and those that are not contiguous
            state[key] = tensor.detach().cpu().contiguous().clone()
    targets = {name: one.targets for name, one in model.traced.outputs.items()}
    metadata = {
        "format": "pt",
        "pipeline": digest,
        "tied": json.dumps(tied, sort_keys=True),
        "affectkit.targets": json.dumps(targets),
    }
    save_file(state, path, metadata=metadata)


def read_metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _read_weights(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            # the reader has keys(), but can't be iterated
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: SafetensorError) -> ArtifactError:
    return ArtifactError(f"{path}: can't be read ({error}); the file is damaged, get it again")


def _absent_members(own: Iterable[str], given: Container[str]) -> dict[str, int]:
    """Members of an ensemble of which no tensor is given, and how many there should be; outermost ones alone."""
    counts: Counter[str] = Counter()
    present: set[str] = set()
    for key in own:
        parts, path = key.split("."), ""
        # `members.in.members.one.heads.va.weight` is of two members, one within the other
        while parts[0] == "members" and len(parts) > 2:
            path = join(path, *parts[:2])
            parts = parts[2:]
            counts[path] += 1
            if key in given:
                present.add(path)
    absent = {path: count for path, count in counts.items() if path not in present}
    return {path: count for path, count in absent.items() if not any(path.startswith(f"{other}.") for other in absent)}


def _grouped(what: str, keys: set[str], stages: Mapping[str, nn.Module]) -> Iterator[str]:
    """`missing temporal: 'weight', 'bias'`: keys by the stage that they belong to."""
    # longest first, so that a key goes to the innermost stage
    prefixes = sorted((path.replace("[", ".").replace("]", "") for path in stages), key=len, reverse=True)
    groups: dict[str, list[str]] = {}
    for key in sorted(keys):
        stage = next((prefix for prefix in prefixes if key.startswith(prefix + ".")), "")
        groups.setdefault(stage, []).append(key.removeprefix(stage + ".") if stage else key)
    for stage, names in groups.items():
        yield f"{what} {stage or 'keys'}: {listed(names)}"
