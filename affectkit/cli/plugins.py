"""`affectkit plugins`: what is installed, and what failed to load."""

from __future__ import annotations

import argparse
import dataclasses

from affectkit.cli.output import Output

SUMMARY = "list the installed plugins and whether they loaded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None beside the common ones."""


def run(args: argparse.Namespace, output: Output) -> int:
    """Print one row per entry point."""
    from affectkit.registry import default_registry

    reports = default_registry().reports
    output.json([dataclasses.asdict(report) for report in reports])
    columns = ["provider", "version", "state", "entry point", "components", "pipelines", "seconds", "error"]
    rows = [
        [
            report.provider,
            report.version,
            report.state,
            report.entry_point,
            len(report.components),
            ", ".join(report.pipelines),
            f"{report.seconds:.3f}",
            report.error,
        ]
        for report in reports
    ]
    any_error = any(report.error for report in reports)
    output.table(columns if any_error else columns[:-1], rows if any_error else [row[:-1] for row in rows])
    return 0
