"""An exported pipeline as `describe` and `check` show it: by its metadata."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.registry import Registry
    from affectkit.streams import PredictionStream

KIND = "exported pipeline"


def describe_graph(path: Path, output: Output) -> None:
    """Print what the file says about itself; the graph is not run, and plugins of its components are not needed.

    Raises:
        ArtifactError: the file is missing, not ours, changed, or its metadata describe what can't be.
    """
    from affectkit.export.onnx_file import read_onnx
    from affectkit.graphs import read_inputs, read_outputs

    content, facts = read_onnx(path)
    inputs, outputs = read_inputs(path, facts), read_outputs(path, facts)
    digest = hashlib.sha256(content).hexdigest()
    output.text(f"{path}, {KIND}")
    rows = [[name, stream, getattr(stream, "alignment", "")] for name, stream in inputs.items()]
    output.table(["input", "takes", "alignment"], rows)
    _print_outputs(outputs, output)
    output.text(f"takes: {', '.join(facts.takes)}; " + _steps(facts.steps))
    made = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    output.text(f"exported by {made}; computes in {facts.numbers}")
    for what, difference in facts.differences.items():
        output.text(f"float32, largest difference from PyTorch on {what} input: {difference:.2g}")
    for item in facts.requires:
        output.text(f"needs: {item['distribution']} {item.get('version', '')}".rstrip())
    output.text(f"file: {len(content):,} bytes, sha256 {digest}")
    print_provenance(facts.provenance, output)
    file = {"kind": KIND, "path": str(path), "bytes": len(content), "sha256": digest}
    output.json({**file, **dataclasses.asdict(facts)})


def check_graph(path: Path, registry: Registry, output: Output) -> None:
    """Print the trace of the pipeline that was exported and its outputs, if the file can be run and agrees with itself.

    Raises:
        AffectkitError: as `load_onnx`.
    """
    from affectkit.cli.trace import print_trace, trace_data
    from affectkit.export.onnx_model import load_onnx

    model = load_onnx(path, registry=registry)
    output.json({"ok": True, "kind": KIND, **trace_data(model.config, model.traced)})
    output.text(f"{path}, {KIND}")
    print_trace(output, model.config, model.traced)
    _print_outputs(model.traced.outputs, output)


def print_provenance(items: Any, output: Output) -> None:
    """Where weights come from, a line each."""
    for item in items:
        license, training = (item.get(key) or "not known" for key in ("license", "training_data_terms"))
        address = item.get("url") or "no address"
        output.text(f"  from {item['name']}: license {license}, training data {training}, {address}")


def _print_outputs(outputs: Mapping[str, PredictionStream], output: Output) -> None:
    """Every output with all of its targets."""
    rows = [[name, one.problem, one.resolution, ", ".join(one.targets)] for name, one in outputs.items()]
    output.table(["output", "problem", "per", "targets"], rows)


def _steps(steps: int | None) -> str:
    return "any number of clips and steps" if steps is None else f"any number of clips of up to {steps} steps"
