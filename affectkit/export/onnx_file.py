"""What an ONNX file of ours says about itself, and what is checked before any of it runs. Needs no `onnx` package.

Metadata properties of the file: `affectkit_format`, a number; `affectkit`, JSON of all that is in `OnnxFacts`; and
`affectkit_sha256`, the hash of the graph and of that JSON, so that neither can be exchanged unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from affectkit.codec import Data
from affectkit.errors import ArtifactError, ConfigError
from affectkit.faces.onnx_message import (
    GRAPH_NODE,
    GRAPH_TENSOR,
    MODEL_GRAPH,
    NODE_ATTRIBUTE,
    TENSOR_NAME,
    bytes_field,
    contents,
    fields,
    numbers,
    rewritten,
    texts,
)
from affectkit.files import parse_text

FORMAT = 1
FORMAT_KEY, FACTS_KEY, HASH_KEY = "affectkit_format", "affectkit", "affectkit_sha256"
Numbers = Literal["float32", "int8"]
# Field numbers of onnx.proto beside those of `onnx_message`.
_MODEL_PROPERTY, _MODEL_FUNCTION, _FUNCTION_NODE = 14, 25, 7
_PROPERTY_KEY, _PROPERTY_VALUE = 1, 2
_GRAPH_SPARSE, _SPARSE_PARTS = 15, (1, 2)
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_TRAINING, _TRAINING_GRAPHS, _FUNCTION_ATTRIBUTE = 20, (1, 2), 11
# Types of the facts, and of the items where they hold some.
_KINDS: Mapping[str, tuple[Any, Any]] = {
    "config": (dict, object),
    "requires": (list, dict),
    "provenance": (list, dict),
    "inputs": (dict, dict),
    "outputs": (dict, dict),
    "takes": (list, str),
    "steps": (int | None, object),
    "numbers": (str, object),
    "versions": (dict, str),
    "differences": (dict, int | float),
    "gate": (dict, object),
}


@dataclass(frozen=True, kw_only=True)
class OnnxFacts:
    """What a file says about itself.

    Attributes:
        config: the pipeline, as data.
        requires: distributions of its components, with versions.
        provenance: where the weights come from, with licenses.
        inputs: what the graph takes, by input name: channels, unit, size, alignment.
        outputs: what it gives, by name: problem, resolution, targets, bounds.
        takes: names of the graph's inputs.
        steps: number of steps of every batch; None where any will do.
        numbers: type of the weights and of what is computed.
        versions: of affectkit, torch and the operator set.
        differences: largest absolute difference from PyTorch, by what it was measured on.
        gate: what was measured before int8 was accepted; empty otherwise.
    """

    config: Data
    requires: list[dict[str, str]]
    provenance: list[dict[str, str]]
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    takes: list[str]
    steps: int | None
    numbers: Numbers
    versions: dict[str, str]
    differences: dict[str, float]
    gate: dict[str, Any]


def signed(model: bytes, facts: OnnxFacts) -> bytes:
    """A serialized model with these facts and their hash in its metadata, in place of any that it has."""
    bare = rewritten(model, {_MODEL_PROPERTY: None})
    text = json.dumps(asdict(facts), sort_keys=False, allow_nan=False)
    properties = {FORMAT_KEY: str(FORMAT), FACTS_KEY: text, HASH_KEY: _digest(bare, text)}
    return bare + b"".join(
        bytes_field(
            _MODEL_PROPERTY,
            bytes_field(_PROPERTY_KEY, key.encode()) + bytes_field(_PROPERTY_VALUE, value.encode()),
        )
        for key, value in properties.items()
    )


def read_onnx(path: Path, sha256: str | None = None) -> tuple[bytes, OnnxFacts]:
    """The file's bytes and what it says, checked as far as that goes without building or running anything.

    Arguments:
        path: the file.
        sha256: hash that it has to have; None for any.

    Raises:
        ArtifactError: no such file, another one than the hash says, no ONNX, not ours, of a newer format, changed since
            it was written, or its weights lie in other files.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file; give a file that affectkit export wrote")
    model = path.read_bytes()
    if sha256 is not None and (actual := hashlib.sha256(model).hexdigest()) != sha256:
        fact = f"sha256 is {actual}, the config says {sha256}"
        raise ArtifactError(
            f"{path}: {fact}; get the file that is meant, or write the hash of this one if you trust it"
        )
    try:
        properties = _properties(model)
    except (IndexError, KeyError, UnicodeDecodeError, ValueError) as error:
        raise ArtifactError(f"{path}: is no ONNX file, or is damaged; get it again") from error
    if FORMAT_KEY not in properties:
        fact = f"its metadata hold no {FORMAT_KEY!r}, so its inputs and labels are not known"
        raise ArtifactError(f"{path}: {fact}; give a file that affectkit export wrote")
    found = properties[FORMAT_KEY]
    if found not in {str(number) for number in range(1, FORMAT + 1)}:
        raise ArtifactError(f"{path}: format {found!r}; this affectkit reads up to {FORMAT}: update it")
    text, given = properties.get(FACTS_KEY, ""), properties.get(HASH_KEY, "")
    actual = _digest(rewritten(model, {_MODEL_PROPERTY: None}), text)
    if actual != given:
        raise ArtifactError(f"{path}: sha256 is {actual}, the file says {given}; it was changed, export it again")
    try:
        outside = next(_external(model), None)
    # the hash is no signature: who wrote it may have put anything below the outermost level
    except (IndexError, KeyError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: is no ONNX file, or is damaged; get it again") from error
    if outside is not None:
        raise ArtifactError(f"{path}: tensor {outside!r} lies in another file; give a file that holds its weights")
    return model, _facts(path, text)


def _facts(path: Path, text: str) -> OnnxFacts:
    try:
        facts = OnnxFacts(**parse_text(text, ".json", str(path)))
    except (ConfigError, TypeError) as error:
        raise ArtifactError(f"{path}: its metadata can't be read ({error}); export it again") from error
    for name, (kind, item) in _KINDS.items():
        value = getattr(facts, name)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        # bool is an int too
        if not isinstance(value, kind) or isinstance(value, bool) or not all(isinstance(one, item) for one in parts):
            raise ArtifactError(f"{path}: its metadata say {name} is {value!r}; export it again")
    for name, key in (("requires", "distribution"), ("provenance", "name")):
        for one in getattr(facts, name):
            if key not in one or not all(isinstance(text, str) for text in one.values()):
                raise ArtifactError(f"{path}: its metadata say {name} has {one!r}; export it again")
    return facts


def _digest(bare: bytes, text: str) -> str:
    digest = hashlib.sha256(bare)
    digest.update(text.encode())
    return digest.hexdigest()


def _properties(model: bytes) -> Mapping[str, str]:
    for number, raw, content in fields(model):
        # a file that was cut off ends within a field, which is then shorter than it says
        if content and bytes_field(number, content) != raw:
            raise ValueError("cut off")
    if not contents(model, MODEL_GRAPH):
        raise ValueError("no graph")
    found = {}
    for entry in contents(model, _MODEL_PROPERTY):
        (key,), (value,) = texts(entry, _PROPERTY_KEY), texts(entry, _PROPERTY_VALUE)
        found[key] = value
    return found


def _external(model: bytes) -> Iterator[str]:
    """Names of tensors that say that they are in another file, wherever the model may hold a tensor."""
    for graph in contents(model, MODEL_GRAPH):
        yield from _external_in_graph(graph)
    for training in contents(model, _TRAINING):
        for number in _TRAINING_GRAPHS:
            for graph in contents(training, number):
                yield from _external_in_graph(graph)
    for function in contents(model, _MODEL_FUNCTION):
        for node in contents(function, _FUNCTION_NODE):
            yield from _external_in_attributes(contents(node, NODE_ATTRIBUTE))
        yield from _external_in_attributes(contents(function, _FUNCTION_ATTRIBUTE))


def _external_in_graph(graph: bytes) -> Iterator[str]:
    for tensor in contents(graph, GRAPH_TENSOR):
        yield from _external_tensor(tensor)
    for sparse in contents(graph, _GRAPH_SPARSE):
        yield from _external_sparse(sparse)
    for node in contents(graph, GRAPH_NODE):
        yield from _external_in_attributes(contents(node, NODE_ATTRIBUTE))


def _external_in_attributes(attributes: list[bytes]) -> Iterator[str]:
    for attribute in attributes:
        for number, _, content in fields(attribute):
            if number in _ATTRIBUTE_TENSORS:
                yield from _external_tensor(content)
            elif number in _ATTRIBUTE_GRAPHS:
                yield from _external_in_graph(content)
            elif number in _ATTRIBUTE_SPARSE:
                yield from _external_sparse(content)


def _external_sparse(sparse: bytes) -> Iterator[str]:
    for number in _SPARSE_PARTS:
        for tensor in contents(sparse, number):
            yield from _external_tensor(tensor)


def _external_tensor(tensor: bytes) -> Iterator[str]:
    if contents(tensor, _TENSOR_EXTERNAL) or any(numbers(tensor, _TENSOR_LOCATION)):
        names = texts(tensor, TENSOR_NAME)
        yield names[0] if names else ""
