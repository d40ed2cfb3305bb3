"""Saved models: a folder with `pipeline.json`, `model.safetensors` and a model card. No pickle, nothing that executes.

`pipeline.json` holds the full config, what is required to load it, and the hash of the weights; the weights hold the
hash of all else in it. So neither can be exchanged or edited unseen. Files of exported members lie beside them, and
`pipeline.json` holds their hashes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from affectkit.cards import model_card
from affectkit.codec import Data
from affectkit.devices import check_device
from affectkit.errors import (
    ArtifactError,
    ConfigError,
    InputError,
    RegistryError,
    SpecError,
    did_you_mean,
    join,
    listed,
    unlike_targets,
)
from affectkit.files import FORMAT, config_from_data, config_to_data, parse_text
from affectkit.graphs import ENDING, OnnxConfig, check_below, graphs_of, with_paths
from affectkit.lookup import CONFIG_FILE, errors_in_saved_model, is_written_as_path, read_saved_config
from affectkit.model import Model, check_has_weights
from affectkit.registry import Component, Preset, Registry, default_registry
from affectkit.specs import Weights
from affectkit.weights import fetch_weights, sha256

WEIGHTS_FILE, CARD_FILE = "model.safetensors", "README.md"


def save(
    model: Model,
    folder: str | Path,
    *,
    weights: tuple[Weights, ...] = (),
    notes: str = "",
    overwrite: bool = False,
) -> Path:
    """Save a model as a folder: under a temporary name first, so that it is whole or not there.

    Arguments:
        model: a built pipeline or ensemble; dials are saved as they are now.
        folder: where to.
        weights: published weights that went into it, beside those that `model.provenance` knows of; their provenance
            and licenses are kept.
        notes: what else should stand in the model card, such as the data and protocol of training.
        overwrite: replace a saved model that is there.

    Raises:
        InputError: `model` is not built, is an exported pipeline, or has one as a member that its config doesn't name
            by an `OnnxConfig`.
        ArtifactError: the folder is there, and is not a saved model or not to be replaced; or the file of an exported
            member is no longer what it was.
    """
    if not isinstance(model, Model):
        raise InputError(f"save: {type(model).__name__} is no built model; call build(), or write_config(config, path)")
    graphs = graphs_of(model.config)
    hint = "copy that file, or make it a member that an OnnxConfig names"
    check_has_weights(model, "save", hint, besides=graphs.keys() - {""})
    folder = Path(folder)
    if folder.exists():
        if not overwrite:
            raise ArtifactError(f"{folder}: already there; pass overwrite=True to replace it")
        if not (folder / CONFIG_FILE).is_file():
            raise ArtifactError(f"{folder}: holds no {CONFIG_FILE}, so it is no saved model; choose another folder")
    # before anything is on disk: this raises if a component has no id
    config = with_paths(config_to_data(model.config, registry=model.registry), lambda path, _: f"{path}{ENDING}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # beside the target: a rename is one step only within a file system
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        data: Data = {
            "format": FORMAT,
            "affectkit": importlib.metadata.version("affectkit"),
            "config": config,
            "requires": _required(config, graphs.values(), model.registry),
            "weights": {"provenance": [dict(item) for item in _joined(model.provenance, weights)]},
            **({"encoders": dict(model.encoders)} if model.encoders else {}),
        }
        _copy_graphs(graphs, temporary)
        _write_weights(model, temporary / WEIGHTS_FILE, _digest(data))
        # after the digest, which stands in the file that is hashed here
        data["weights"]["sha256"] = sha256(temporary / WEIGHTS_FILE)
        (temporary / CONFIG_FILE).write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (temporary / CARD_FILE).write_text(model_card(model, data, notes), encoding="utf-8")
        # Temporary folders and safetensors' files are for the user alone; a saved model is for whoever may read there.
        temporary.chmod(0o755)
        (temporary / WEIGHTS_FILE).chmod(0o644)
        _replace(temporary, folder)
    # an interrupt too must leave nothing behind
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def load(folder: str | Path, *, device: str | torch.device = "cpu", registry: Registry | None = None) -> Model:
    """Load a saved model, in evaluation mode. Outputs are bit-equal to those of the model that was saved.

    Raises:
        ArtifactError: files are missing, damaged or were changed, or keys do not fit.
        ConfigError: there is no such device.
        RegistryError: a plugin is missing; the message has the `pip install`.
    """
    folder = Path(folder)
    # first, since building a large model takes a while
    device = check_device(device) if isinstance(device, str) else device
    data = read_artifact(folder)
    with errors_in_saved_model(folder, data):
        model = config_from_data(data["config"], registry=registry, folder=folder).build(registry=registry)
    _load_into(model, folder / WEIGHTS_FILE, model.stages(), keep_dtypes=True)
    # from here on the model brings it along, to tables and to other folders
    model.provenance = tuple(data["weights"].get("provenance", ()))
    model.encoders = dict(data.get("encoders", {}))
    return model.to(device).eval()


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
        if graphs := _graph_files(folder):
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
        _copy_into(model, state, f"{preset.id}: what its loader made", model.stages())
    model.provenance = _joined((), spec.published)
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
    model.provenance = _joined(model.provenance, (known[name],))
    return known[name]


def load_published(module: nn.Module, component: Component, weights: Weights, path: str) -> None:
    """Copy one of a component's published weights into a module of it; `path` says in messages where that stands.

    Raises:
        ArtifactError, WeightsError: the file can't be had, or does not fit.
        SpecError: the component's loader made something else than tensors by key.
    """
    file, loader = fetch_weights(weights, component.provider), component.spec.loader
    if loader is None:
        _load_into(module, file, {path: module})
        return
    state = _checked_state(loader(file), component.id, "module")
    _copy_into(module, state, f"{component.id}: what its loader made", {path: module})


def _checked_state(state: object, what: str, owner: str) -> Mapping[str, Tensor]:
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        made = f"{what}: its loader made {type(state).__name__}"
        raise SpecError(f"{made}, which is no mapping of tensors; return tensors by the {owner}'s state-dict keys")
    return state


def read_artifact(folder: Path) -> Data:
    """`pipeline.json` of a saved model, checked as far as that goes without building anything.

    Raises:
        ArtifactError: it or the weights are missing, of a newer format, or not what was saved.
    """
    path = folder / CONFIG_FILE
    for needed in (path, folder / WEIGHTS_FILE):
        if not needed.is_file():
            raise ArtifactError(f"{folder}: no {needed.name}; a saved model holds {CONFIG_FILE} and {WEIGHTS_FILE}")
    try:
        data = parse_text(path.read_text(encoding="utf-8"), ".json", str(path))
    except ConfigError as error:
        raise ArtifactError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: can't be read ({error}); the file is damaged, get it again") from error
    if data.get("format") not in range(1, FORMAT + 1):
        raise ArtifactError(f"{path}: format {data.get('format')!r}; this affectkit reads up to {FORMAT}: update it")
    weights = data.get("weights")
    if not isinstance(data.get("config"), dict) or not isinstance(weights, dict) or "sha256" not in weights:
        raise ArtifactError(f"{path}: 'config' or 'weights' is missing; save the model again")
    actual = sha256(folder / WEIGHTS_FILE)
    if actual != weights["sha256"]:
        _metadata(folder / WEIGHTS_FILE)  # a truncated file says so itself, which is better than two hashes
        raise ArtifactError(
            f"{folder / WEIGHTS_FILE}: sha256 is {actual}, {CONFIG_FILE} says {weights['sha256']}; "
            "one of the two files was changed or exchanged, get the saved model again"
        )
    if _metadata(folder / WEIGHTS_FILE).get("pipeline") != _digest(data):
        raise ArtifactError(
            f"{path}: is not what was saved with these weights; load the original, set dials in Python and save again"
        )
    return data


def load_state(model: Model, path: Path) -> None:
    """Copy a safetensors file into a model; all keys have to fit, and classes, where the file says them.

    Raises:
        ArtifactError: damaged file, another config's weights, missing or unexpected keys, other shapes or classes.
    """
    for name, targets in json.loads(_metadata(path).get("affectkit.targets", "{}")).items():
        own = model.traced.outputs.get(name)
        if own is not None and list(own.targets) != targets:
            raise ArtifactError(f"{path}: {name} {unlike_targets(targets, own.targets)}")
    _load_into(model, path, model.stages())


def _load_into(module: nn.Module, path: Path, stages: Mapping[str, nn.Module], *, keep_dtypes: bool = False) -> None:
    metadata, state = _read_weights(path)
    for copy, original in json.loads(metadata.get("tied", "{}")).items():
        state[copy] = state[original]
    _copy_into(module, state, f"{path}:", stages, keep_dtypes=keep_dtypes)


def _copy_into(
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


def _write_weights(model: Model, path: Path, digest: str) -> None:
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


def _copy_graphs(graphs: Mapping[str, OnnxConfig], folder: Path) -> None:
    for path, graph in graphs.items():
        copy = folder / f"{path}{ENDING}"
        try:
            shutil.copyfile(graph.path, copy)
        except OSError as error:
            raise ArtifactError(f"{graph.path}: can't be read ({error.strerror}); put the file back") from error
        # the copy: a file that is exchanged meanwhile must not slip in
        if (actual := sha256(copy)) != graph.sha256:
            fact = f"sha256 is {actual}, the config of {path} says {graph.sha256}"
            raise ArtifactError(f"{graph.path}: {fact}; the file was changed since, put the old one back")


def _graph_files(folder: Path) -> tuple[str, ...]:
    """Files of exported members, by what `pipeline.json` calls them."""
    data = read_saved_config(folder)
    files: list[str] = []

    def note(where: str, path: str) -> str:
        files.append(check_below(where, path))
        return path

    with errors_in_saved_model(folder, data):
        with_paths(data["config"], note)
    return tuple(files)


def _read_weights(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            # the reader has keys(), but can't be iterated
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
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


def _digest(data: Mapping[str, Any]) -> str:
    """Hash of all that `pipeline.json` holds but the hash of the weights, which this one is part of."""
    weights = {key: value for key, value in data["weights"].items() if key != "sha256"}
    # Keys keep their order, since the order of branches and maps means something.
    return hashlib.sha256(json.dumps({**data, "weights": weights}, separators=(",", ":")).encode()).hexdigest()


def requirements(config: Data, registry: Registry) -> list[dict[str, str]]:
    """Distributions whose components an encoded config names, with versions."""
    versions = {report.provider: report.version for report in registry.reports}
    providers = sorted({name.partition("/")[0] for name in _used(config)})
    return [{"distribution": name, "version": versions.get(name, "")} for name in providers]


def _required(config: Data, graphs: Iterable[OnnxConfig], registry: Registry) -> list[dict[str, str]]:
    """As `requirements`, with what the graphs of exported members say that they were made with."""
    found = {item["distribution"]: item for graph in graphs for item in graph.facts.requires}
    found |= {item["distribution"]: item for item in requirements(config, registry)}
    return [found[name] for name in sorted(found)]


def _used(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        if isinstance(data.get("use"), str):
            yield data["use"]
        for value in data.values():
            yield from _used(value)
    elif isinstance(data, list):
        for value in data:
            yield from _used(value)


def _joined(known: tuple[Mapping[str, str], ...], weights: tuple[Weights, ...]) -> tuple[Mapping[str, str], ...]:
    """What is known of a model's weights, and the provenance of `weights`; the same file once."""
    names = ("name", "url", "sha256", "license", "training_data_terms", "citation")
    items = [*known, *({name: getattr(item, name) for name in names} for item in weights)]
    # a model with random weights says so, and that is no file
    return tuple({item["sha256"]: item for item in items if "sha256" in item}.values())


def _replace(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    # rename can't replace a folder that holds something, so the old one steps aside and returns if that fails
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    folder.rename(old / folder.name)
    try:
        temporary.rename(folder)
    except BaseException:
        (old / folder.name).rename(folder)
        old.rmdir()
        raise
    shutil.rmtree(old)
