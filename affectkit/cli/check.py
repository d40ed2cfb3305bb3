"""`affectkit check`: whether the stages of a pipeline fit, or a plugin keeps what it promises."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from affectkit.cli.output import Output

SUMMARY = "check a pipeline file, preset, saved model or exported pipeline, or the components of a plugin"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`TARGET`."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="a .toml, .json or .onnx file, a preset, a saved model's folder, or an installed plugin's distribution",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Print the trace and `ok`, or the result of every check."""
    from affectkit.errors import RegistryError, did_you_mean
    from affectkit.lookup import find_preset, is_path
    from affectkit.plugins import normalize
    from affectkit.registry import default_registry

    registry = default_registry()
    if is_path(args.target) or find_preset(args.target, registry) is not None:
        return _check_pipeline(args.target, registry, output)
    provider = normalize(args.target)
    providers = list(dict.fromkeys(report.provider for report in registry.reports))
    if provider in providers:
        return _check_plugin(provider, output)
    known = [*(preset.spec.name for preset in registry.presets()), *providers]
    hint = did_you_mean(args.target, known, noun="presets and plugins")
    raise RegistryError(f"no file, preset or plugin {args.target!r}; {hint}")


def _check_pipeline(name: str, registry: Any, output: Output) -> int:
    from affectkit.cli.graph import check_graph
    from affectkit.cli.trace import print_trace, trace_data
    from affectkit.graphs import is_graph_file
    from affectkit.lookup import find_trace

    if is_graph_file(name):
        check_graph(Path(name), registry, output)
        output.text("ok")
        return 0
    config, kind, trace = find_trace(name, registry)
    if kind == "saved model":
        from affectkit.artifact import read_artifact

        read_artifact(Path(name))
    output.json({"ok": True, "kind": kind, **trace_data(config, trace)})
    print_trace(output, config, trace)
    output.text("ok")
    return 0


def _check_plugin(distribution: str, output: Output) -> int:
    from affectkit.testing import run_checks

    results = run_checks(distribution=distribution)
    output.json([dataclasses.asdict(result) for result in results])
    failed = [result for result in results if result.status == "failed"]
    rows = []
    for component in dict.fromkeys(result.component for result in results):
        own = [result for result in results if result.component == component]
        counts = [sum(result.status == status for result in own) for status in ("passed", "failed", "skipped")]
        rows.append([component, *counts, f"{sum(result.seconds for result in own):.2f}"])
    output.table(["component", "passed", "failed", "skipped", "seconds"], rows)
    for result in failed:
        output.text(str(result))
    output.text(f"{len(failed)} of {len(results)} checks failed" if failed else f"ok, {len(results)} checks")
    return 1 if failed else 0
