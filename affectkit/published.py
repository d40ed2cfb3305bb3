"""Weights that others published: for a whole preset, or for one component of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from affectkit.artifact import WEIGHTS_FILE, graph_files, join_provenance, load
from affectkit.errors import ArtifactError, InputError, RegistryError, SpecError, did_you_mean, listed
from affectkit.lookup import CONFIG_FILE, is_written_as_path
from affectkit.model import Model
from affectkit.registry import Component, Preset, Registry, default_registry
from affectkit.specs import Weights
from affectkit.tensor_files import copy_tensors, load_state, load_tensors
from affectkit.weights import fetch_weights


def from_pretrained(
    name: str | Path,
    *,
    device: str | torch.device = "cpu",
    registry: Registry | None = None,
    revision: str | None = None,
) -> Model:
    """A model with its weights: a saved folder, a preset with published weights, or `user/repository` of the hub.

    Its `provenance` says where the weights come from, and is saved with it.

    Arguments:
        name: a path that exists wins; then a preset's name; then a hub id.
        device: where to put it.
        registry: where presets are looked up.
        revision: branch, tag or commit of the hub's repository.

    Raises:
        RegistryError: it is none of the three.
        ArtifactError, WeightsError: as `load` and `fetch_weights`; or the weights do not fit the preset.
        SpecError: the preset's loader made something else than tensors by key.
        MissingDependencyError: a hub id, and `huggingface_hub` is not installed.
    """
    if Path(name).exists():
        return load(name, device=device, registry=registry)
    text = str(name)
    if is_written_as_path(text):
        raise ArtifactError(f"{text}: no such folder; give a saved model, a preset or a hub id")
    names = registry if registry is not None else default_registry()
    try:
        preset = names.preset(text)
    except RegistryError:
        # `user/repository` looks like `distribution/name`; an installed plugin's name is never asked of the hub
        if text.count("/") != 1 or text.partition("/")[0] in {report.provider for report in names.reports}:
            raise
        from affectkit.hub import download

        folder = download(text, (CONFIG_FILE, WEIGHTS_FILE), revision)
        if graphs := graph_files(folder):
            download(text, graphs, revision)
        return load(folder, device=device, registry=registry)
    return _build_preset(preset, names).to(device).eval()


def _build_preset(preset: Preset, registry: Registry) -> Model:
    spec = preset.spec
    if not spec.published:
        raise ArtifactError(f"{preset.id}: has no published weights; build and train it, then save and load that")
    # before building: what can't be had is said at once
    files = {item.name: fetch_weights(item, preset.provider) for item in spec.published}
    model = spec.make().build(registry=registry)
    if spec.loader is None:
        load_state(model, files[spec.published[0].name])
    else:
        state = _checked_state(spec.loader(files), preset.id, "model")
        copy_tensors(model, state, f"{preset.id}: what its loader made", model.stages())
    model.provenance = join_provenance((), spec.published)
    return model


def load_weights(model: Model, path: str, name: str | None = None) -> Weights:
    """Copy published weights into one component of a model, and add their record to `model.provenance`.

    Arguments:
        model: a built pipeline or ensemble.
        path: the component's config path, such as `branches.face.features`.
        name: which of the component's published weights; may be left out where there is one.

    Raises:
        InputError: no component at that path, or it has no such weights.
        ArtifactError, WeightsError: the file can't be had, or does not fit.
    """
    stages = model.stages()
    if path not in stages:
        raise InputError(f"no component at {path!r}; {did_you_mean(path, stages, noun='paths')}")
    component = model.registry.of_config(type(stages[path].config))
    known = {weights.name: weights for weights in component.spec.weights}
    if name is None and len(known) == 1:
        name = next(iter(known))
    if not known:
        raise InputError(f"{path}: {component.id} has no published weights; train it, or load a saved model")
    if name is None:
        raise InputError(f"{path}: {component.id} has several weights; name one of {listed(known)}")
    if name not in known:
        hint = did_you_mean(name, known, noun="published")
        raise InputError(f"{path}: {component.id} has no weights {name!r}; {hint}")
    load_published(stages[path], component, known[name], path)
    model.provenance = join_provenance(model.provenance, (known[name],))
    return known[name]


def load_published(module: nn.Module, component: Component, weights: Weights, path: str) -> None:
    """Copy one of a component's published weights into a module of it; `path` says in messages where that stands.

    Raises:
        ArtifactError, WeightsError: the file can't be had, or does not fit.
        SpecError: the component's loader made something else than tensors by key.
    """
    file, loader = fetch_weights(weights, component.provider), component.spec.loader
    if loader is None:
        load_tensors(module, file, {path: module})
        return
    state = _checked_state(loader(file), component.id, "module")
    copy_tensors(module, state, f"{component.id}: what its loader made", {path: module})


def _checked_state(state: object, what: str, owner: str) -> Mapping[str, Tensor]:
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        made = f"{what}: its loader made {type(state).__name__}"
        raise SpecError(f"{made}, which is no mapping of tensors; return tensors by the {owner}'s state-dict keys")
    return state
