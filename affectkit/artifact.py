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
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from affectkit.cards import model_card
from affectkit.codec import Data
from affectkit.devices import check_device
from affectkit.errors import (
    ArtifactError,
    ConfigError,
    InputError,
)
from affectkit.files import FORMAT, config_from_data, config_to_data, parse_text
from affectkit.graphs import ENDING, OnnxConfig, check_below, graphs_of, with_paths
from affectkit.lookup import CONFIG_FILE, check_no_graph_file, errors_in_saved_model, read_saved_config
from affectkit.model import Model, check_has_weights
from affectkit.registry import Registry
from affectkit.specs import Weights
from affectkit.tensor_files import load_tensors, read_metadata, write_tensors
from affectkit.weights import sha256

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
            "weights": {"provenance": [dict(item) for item in join_provenance(model.provenance, weights)]},
            **({"encoders": dict(model.encoders)} if model.encoders else {}),
        }
        _copy_graphs(graphs, temporary)
        write_tensors(model, temporary / WEIGHTS_FILE, _digest(data))
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
    load_tensors(model, folder / WEIGHTS_FILE, model.stages(), keep_dtypes=True)
    # from here on the model brings it along, to tables and to other folders
    model.provenance = tuple(data["weights"].get("provenance", ()))
    model.encoders = dict(data.get("encoders", {}))
    return model.to(device).eval()


def read_artifact(folder: Path) -> Data:
    """`pipeline.json` of a saved model, checked as far as that goes without building anything.

    Raises:
        ArtifactError: it or the weights are missing, of a newer format, or not what was saved; or `folder` is an
            exported pipeline.
    """
    check_no_graph_file(folder)
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
        read_metadata(folder / WEIGHTS_FILE)  # a truncated file says so itself, which is better than two hashes
        raise ArtifactError(
            f"{folder / WEIGHTS_FILE}: sha256 is {actual}, {CONFIG_FILE} says {weights['sha256']}; "
            "one of the two files was changed or exchanged, get the saved model again"
        )
    if read_metadata(folder / WEIGHTS_FILE).get("pipeline") != _digest(data):
        raise ArtifactError(
            f"{path}: is not what was saved with these weights; load the original, set dials in Python and save again"
        )
    return data


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


def graph_files(folder: Path) -> tuple[str, ...]:
    """Files of exported members, by what `pipeline.json` calls them."""
    data = read_saved_config(folder)
    files: list[str] = []

    def note(where: str, path: str) -> str:
        files.append(check_below(where, path))
        return path

    with errors_in_saved_model(folder, data):
        with_paths(data["config"], note)
    return tuple(files)


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


def join_provenance(
    known: tuple[Mapping[str, str], ...], weights: tuple[Weights, ...]
) -> tuple[Mapping[str, str], ...]:
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
