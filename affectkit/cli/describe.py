"""`affectkit describe`: everything about a component, preset, pipeline file, saved model or exported pipeline."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from affectkit.cli.output import Output

SUMMARY = "show a component, preset, pipeline file, saved model or exported pipeline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`NAME`, and `--kind` where several kinds have that name."""
    parser.add_argument(
        "name", metavar="NAME", help="a name, an id, a .toml, .json or .onnx file, or a saved model's folder"
    )
    parser.add_argument("--kind", metavar="K", help="only look among this kind, such as temporal or pipeline")


def run(args: argparse.Namespace, output: Output) -> int:
    """Print what is known about `NAME`."""
    from affectkit.lookup import is_path
    from affectkit.registry import default_registry

    registry = default_registry()
    if args.kind is None and is_path(args.name):
        _describe_path(Path(args.name), registry, output)
        return 0
    item = _find(args.name, args.kind, registry)
    if hasattr(item.spec, "kind"):
        _describe_component(item, output)
    else:
        _describe_preset(item, registry, output)
    return 0


def _find(name: str, kind: str | None, registry: Any) -> Any:
    from affectkit.errors import AmbiguousNameError, RegistryError, did_you_mean
    from affectkit.specs import KIND_NAMES

    if kind is not None:
        return registry.preset(name) if kind == "pipeline" else registry.component(kind, name)
    found = []
    for one in (*KIND_NAMES, "pipeline"):
        try:
            found.append((one, registry.preset(name) if one == "pipeline" else registry.component(one, name)))
        except AmbiguousNameError:
            raise
        except RegistryError:
            continue
    if len(found) > 1:
        kinds = " or ".join(one for one, _ in found)
        raise AmbiguousNameError(f"{name!r} is the name of {len(found)} kinds; add --kind {kinds}")
    if not found:
        provider = name.rpartition("/")[0]
        if provider and provider not in {report.provider for report in registry.reports}:
            raise RegistryError(f"no component or pipeline {name!r}; run pip install {provider}")
        known = [*registry.names(tuple(KIND_NAMES)), *(preset.spec.name for preset in registry.presets())]
        raise RegistryError(f"no component or pipeline {name!r}; {did_you_mean(name, known, noun='names')}")
    return found[0][1]


def _describe_component(item: Any, output: Output) -> None:
    from affectkit.cli.field_table import describe_fields
    from affectkit.specs import KIND_NAMES

    spec = item.spec
    fields = describe_fields(spec.config, spec.example)
    status = None if spec.status is None else spec.status()
    output.json(
        {
            "kind": spec.kind,
            "id": item.id,
            "version": item.version,
            "summary": spec.summary,
            "experimental": spec.experimental,
            "config": f"{spec.config.__module__}.{spec.config.__qualname__}",
            "fields": [dataclasses.asdict(field) for field in fields],
            "requires": [dataclasses.asdict(requirement) for requirement in spec.requires],
            "weights": [dataclasses.asdict(weights) for weights in spec.weights],
            "status": status,
            "citation": spec.citation,
        }
    )
    output.text(
        f"{item.id} {item.version}".rstrip()
        + f", {KIND_NAMES[spec.kind]}{', experimental' if spec.experimental else ''}"
    )
    output.text(spec.summary)
    output.text(f"in Python: from {_home(spec.config)} import {spec.config.__qualname__}")
    if fields:
        rows = [[field.name, field.type, field.default, field.domain, field.doc] for field in fields]
        any_dial = any(field.domain for field in fields)
        columns = ["field", "type", "default", "dial over", "meaning"]
        output.table(*_without(columns, rows, 3) if not any_dial else (columns, rows))
    for requirement in spec.requires:
        output.text(f"needs: {requirement.module} ({requirement.install})")
    if status is not None:
        output.text(f"on this machine: {status}")
    _print_weights(spec.weights, output)
    if spec.citation:
        output.text(f"citation: {spec.citation}")


def _home(config: type[Any]) -> str:
    """The module to import a config from: the package itself where it offers it."""
    import affectkit

    return "affectkit" if config.__name__ in affectkit.__all__ else config.__module__


def _describe_preset(item: Any, registry: Any, output: Output) -> None:
    from affectkit.cli.trace import print_trace, trace_data
    from affectkit.pipeline import PipelineConfig

    config = item.spec.make()
    trace = config.trace(registry=registry)
    weights = item.spec.published
    output.json(
        {
            "kind": "pipeline",
            "id": item.id,
            "version": item.version,
            "summary": item.spec.summary,
            "weights": [dataclasses.asdict(one) for one in weights],
            "citation": item.spec.citation,
            **trace_data(config, trace),
        }
    )
    output.text(f"{item.id} {item.version}".rstrip() + ", pipeline")
    output.text(item.spec.summary)
    print_trace(output, config, trace)
    if not weights:
        # a pipeline without heads is its spotter
        has_heads = not isinstance(config, PipelineConfig) or bool(config.heads)
        output.text("no published weights: it has to be trained first" if has_heads else "nothing to train, no weights")
    _print_weights(weights, output)
    if item.spec.citation:
        output.text(f"citation: {item.spec.citation}")


def _describe_path(path: Path, registry: Any, output: Output) -> None:
    from affectkit.cli.graph import describe_graph, print_provenance
    from affectkit.cli.trace import print_trace, trace_data
    from affectkit.graphs import is_graph_file
    from affectkit.lookup import find_trace, read_saved_config

    if is_graph_file(path):
        describe_graph(path, output)
        return
    config, kind, trace = find_trace(path, registry)
    saved = read_saved_config(path) if kind == "saved model" else {}
    facts = {name: saved[name] for name in ("affectkit", "requires", "weights", "encoders") if name in saved}
    output.json({"kind": kind, "path": str(path), **facts, **trace_data(config, trace)})
    output.text(f"{path}, {kind}")
    print_trace(output, config, trace)
    if not saved:
        return
    output.text(f"saved by affectkit {saved.get('affectkit', '?')}")
    for item in saved.get("requires", ()):
        output.text(f"needs: {item['distribution']} {item['version']}")
    for name, digest in saved.get("encoders", {}).items():
        output.text(f"features {name!r}: computed by the encoder {digest[:12]}")
    weights = saved.get("weights", {})
    output.text(f"weights: sha256 {weights.get('sha256', '?')}")
    print_provenance(weights.get("provenance", ()), output)


def _print_weights(weights: Any, output: Output) -> None:
    if weights:
        rows = [
            [
                one.name,
                f"{one.size / 1e6:.1f} MB",
                one.license,
                one.training_data_terms,
                ", ".join(one.targets),
                one.url,
            ]
            for one in weights
        ]
        output.table(["weights", "size", "license", "training data", "targets", "url"], rows)


def _without(columns: list[str], rows: list[list[Any]], at: int) -> tuple[list[str], list[list[Any]]]:
    return columns[:at] + columns[at + 1 :], [row[:at] + row[at + 1 :] for row in rows]
