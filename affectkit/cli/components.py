"""`affectkit components`: every component and preset, by kind."""

from __future__ import annotations

import argparse

from affectkit.cli.output import Output

SUMMARY = "list the components and presets at hand"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--kind`."""
    parser.add_argument("--kind", metavar="K", help="only this kind, such as motion, features, temporal or pipeline")


def run(args: argparse.Namespace, output: Output) -> int:
    """Print one row per component, then one per preset."""
    from affectkit.registry import default_registry
    from affectkit.specs import KIND_NAMES

    registry = default_registry()
    found = [
        {
            "kind": item.spec.kind,
            "id": item.id,
            "version": item.version,
            "summary": item.spec.summary,
            "experimental": item.spec.experimental,
        }
        for item in (registry.components(args.kind) if args.kind != "pipeline" else ())
    ]
    if args.kind in (None, "pipeline"):
        found += [
            {
                "kind": "pipeline",
                "id": preset.id,
                "version": preset.version,
                "summary": preset.spec.summary,
                "experimental": False,
            }
            for preset in registry.presets()
        ]
    output.json(found)
    rows, last = [], None
    for item in found:
        kind = KIND_NAMES.get(str(item["kind"]), str(item["kind"]))
        summary = f"{item['summary']} (experimental)" if item["experimental"] else item["summary"]
        rows.append([kind if kind != last else "", item["id"], summary])
        last = kind
    output.table(["kind", "id", "summary"], rows)
    return 0
