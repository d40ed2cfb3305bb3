"""`affectkit data check`: what a reader finds in a dataset's folder, beside what its owners published."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.progress import count_bar

if TYPE_CHECKING:
    from affectkit.datasets.checking import Group, Report
    from affectkit.records import Issue

SUMMARY = "read a dataset's folder and print counts beside the published ones, and every issue"
# More issues than this are shown as groups of alike ones.
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`ROOT` and options."""
    parser.add_argument("root", metavar="ROOT", type=Path, help="the dataset's folder")
    parser.add_argument("--dataset", metavar="NAME", help="which dataset it is; default: found out by its files")
    parser.add_argument(
        "--set", metavar="FIELD=VALUE", action="append", default=[], help="a field of its config, such as part=VIS"
    )
    parser.add_argument("--pictures", action="store_true", help="open every picture, and name those that are damaged")
    parser.add_argument("--all", action="store_true", help=f"show every issue, even if there are more than {_SHOWN}")


def run(args: argparse.Namespace, output: Output) -> int:
    """Print counts and issues; 1 if an issue is an error."""
    from affectkit.codec import decode
    from affectkit.configs import DatasetConfig
    from affectkit.datasets.checking import check_index
    from affectkit.datasets.guessing import guess_dataset
    from affectkit.datasets.picture_check import check_pictures
    from affectkit.registry import default_registry

    registry = default_registry()
    name = args.dataset
    if name is None:
        known = {item.spec.name: item.spec.config for item in registry.components("dataset")}
        name = guess_dataset(args.root, known)
    component = registry.component("dataset", name)
    for requirement in component.spec.requires:
        requirement.check(component.spec.name)
    config: DatasetConfig = decode(component.spec.config, {"use": component.id, **_fields(args.set)}, registry)
    index = component.spec.factory(config).scan(args.root)
    if args.pictures:
        with count_bar("pictures", "samples") as bar:
            index = replace(index, issues=(*index.issues, *check_pictures(index, bar)))
    report = check_index(index, config)
    output.json(_data(component.spec.name, report))
    _print(component.spec.name, args, report, output)
    return 1 if report.levels["error"] else 0


def _fields(words: list[str]) -> dict[str, Any]:
    """Fields as TOML has them; what is no TOML value is text."""
    import tomllib

    from affectkit.errors import ConfigError

    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise ConfigError(f"{word!r} is no field with a value", "write FIELD=VALUE", path="--set")
        try:
            found[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = text
    return found


def _print(name: str, args: argparse.Namespace, report: Report, output: Output) -> None:
    from affectkit.datasets.notes import counted

    output.text(f"{name} in {args.root}")
    columns = ("what", "found", "published", "differs by")
    output.table(columns, [(row.what, row.found, row.published, row.difference) for row in report.rows])
    if report.source:
        output.text(f"published: {report.source}")
    if report.fields:
        output.table(("field", "samples with it"), list(report.fields.items()))
    counts = ", ".join(counted(count, level) for level, count in report.levels.items())
    output.text(f"issues: {counts}")
    if args.all or len(report.issues) <= _SHOWN:
        for issue in report.issues:
            output.text(_line(issue))
        return
    for group in report.groups:
        output.text(_group_line(group))
    output.text(f"{len(report.issues)} issues in {counted(len(report.groups), 'group')}; --all shows each")


def _line(issue: Issue) -> str:
    return f"  {issue.level}: {issue}"


def _group_line(group: Group) -> str:
    if len(group.issues) == 1:
        return _line(group.issues[0])
    return f"{_line(group.issues[0])}\n    and {len(group.issues) - 1} like it"


def _data(name: str, report: Report) -> dict[str, Any]:
    return {
        "dataset": name,
        "counts": [vars(row) for row in report.rows],
        "fields": dict(report.fields),
        "source": report.source,
        "levels": dict(report.levels),
        "issues": [vars(issue) for issue in report.issues],
    }
