"""How a trace is printed; shared by `describe`, `check` and `demo`."""

from __future__ import annotations

from typing import Any

from affectkit.cli.output import Output
from affectkit.configs import ModelConfig
from affectkit.tracing import Trace


def print_trace(output: Output, config: ModelConfig, trace: Trace) -> None:
    """Inputs, then every stage with what it puts out."""
    rows: list[list[object]] = [[f"inputs.{name}", "", stream, ""] for name, stream in config.input_streams().items()]
    rows += [[step.path, step.component, step.output or "", step.note] for step in trace]
    columns = ["stage", "component", "puts out", "note"]
    has_notes = any(row[3] for row in rows)
    output.table(columns if has_notes else columns[:3], rows if has_notes else [row[:3] for row in rows])


def trace_data(config: ModelConfig, trace: Trace) -> dict[str, Any]:
    """The same as data."""
    return {
        "inputs": {name: str(stream) for name, stream in config.input_streams().items()},
        "stages": [
            {
                "path": step.path,
                "component": step.component,
                "inputs": {name: str(stream) for name, stream in step.inputs.items()},
                "output": None if step.output is None else str(step.output),
                "note": step.note,
            }
            for step in trace
        ],
        "outputs": {
            name: {"problem": stream.problem, "resolution": stream.resolution, "targets": list(stream.targets)}
            for name, stream in trace.outputs.items()
        },
    }
