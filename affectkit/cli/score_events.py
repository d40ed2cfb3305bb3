"""`affectkit score --protocol spotting` and `--protocol strs`: scores of events."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.score_tables import interval_data, interval_row, print_differences, print_remarks, shown

if TYPE_CHECKING:
    from affectkit.metrics.bootstrap import Interval
    from affectkit.metrics.spotting import Unit
    from affectkit.protocols.events import Events
    from affectkit.protocols.spotting import SpottingReport
    from affectkit.protocols.strs import StrsReport


def run_events(args: argparse.Namespace, output: Output) -> int:
    """Read the tables, and print the scores."""
    from affectkit.errors import ConfigError
    from affectkit.protocols.event_tables import read_events

    if args.truth is None:
        raise ConfigError(f"needed with --protocol {args.protocol}", "name the table of true events", path="--truth")
    if args.protocol == "spotting" and args.classes is not None:
        raise ConfigError("given with --protocol spotting, which names nothing", "leave it out", path="--classes")
    unit: Unit = args.unit or "frames"
    found, truth = read_events(args.predictions, unit=unit), read_events(args.truth, unit=unit)
    other = None if args.against is None else read_events(args.against, unit=unit)
    score = _score_spotting if args.protocol == "spotting" else _score_strs
    score(found, truth, other, args, output)
    return 0


def _score_spotting(found: Events, truth: Events, other: Events | None, args: Any, output: Output) -> None:
    from affectkit.protocols.spotting import compare_events, score_events

    report = score_events(found, truth, by=args.by)
    differences = {} if other is None else compare_events(found, other, truth)
    output.json(_spotting_data(report, differences))
    output.text(_summary(report))
    output.text(f"videos without an event: {report.quiet}")
    columns = ("kind", "right", "wrong", "missed", "precision", "recall", "F1", "from", "to")
    output.table(columns, [_spotting_row(name, report) for name in report.counts])
    print_remarks({f"F1 {name}": report.scores[name]["F1"] for name in report.counts}, output)
    if not math.isnan(report.apex_error):
        output.text(f"apexes of what is right are {report.apex_error:.3g} {found.unit} off, on average")
    _print_left_out(report.left_out, output)
    if report.slices:
        rows = [
            (value, part.videos, part.subjects, part.events, *map(shown, part.f1.values()))
            for value, part in report.slices.items()
        ]
        output.table((args.by, "videos", "subjects", "events", *(f"F1 {name}" for name in report.counts)), rows)
    if differences:
        print_differences({f"F1 {name}": interval for name, interval in differences.items()}, args.against, output)


def _score_strs(found: Events, truth: Events, other: Events | None, args: Any, output: Output) -> None:
    from affectkit.data.labels import MICRO_3
    from affectkit.protocols.strs import compare_named_events, score_named_events

    classes = MICRO_3 if args.classes is None else args.classes.split(",")
    report = score_named_events(found, truth, classes=classes, by=args.by)
    differences = {} if other is None else compare_named_events(found, other, truth, classes=classes)
    output.json(_strs_data(report, differences))
    output.text(_summary(report))
    counts = report.counts
    right, wrong, missed = counts.true_positives, counts.false_positives, counts.false_negatives
    output.text(
        f"{right} events are right, {wrong} wrong, {missed} missed; {right - report.unnamed} of the right analyzed"
    )
    output.table(("score", "value", "from", "to"), [interval_row(*item) for item in report.scores.items()])
    print_remarks(report.scores, output)
    rows = zip(report.classes, report.confusion.tolist(), strict=True)
    columns = ("class", *(f"as {name}" for name in report.classes), "as none")
    output.table(columns, [(name, *cells) for name, cells in rows])
    for name in report.absent:
        output.text(f"no event that is right is {name}: it counts 0")
    _print_left_out(report.left_out, output)
    if report.slices:
        cells = [
            (value, part.videos, part.subjects, *map(shown, part.scores.values()))
            for value, part in report.slices.items()
        ]
        output.table((args.by, "videos", "subjects", *report.scores), cells)
    if differences:
        print_differences(differences, args.against, output)


def _summary(report: SpottingReport | StrsReport) -> str:
    runs = "" if report.seeds == 1 else f", means over {report.seeds} seeds and counts of all"
    return f"{report.videos} videos of {report.subjects} subjects{runs}; 95 % intervals over subjects"


def _spotting_row(name: str, report: SpottingReport) -> tuple[object, ...]:
    counts, scores = report.counts[name], report.scores[name]
    f1 = scores["F1"]
    numbers = (scores["precision"].value, scores["recall"].value, f1.value, f1.low, f1.high)
    return name, counts.true_positives, counts.false_positives, counts.false_negatives, *map(shown, numbers)


def _print_left_out(left_out: Mapping[str, int], output: Output) -> None:
    for kind, count in left_out.items():
        output.text(f"not scored: {count} of kind {kind}, which are not looked for")


def _spotting_data(report: SpottingReport, differences: Mapping[str, Interval]) -> dict[str, Any]:
    return {
        "videos": report.videos,
        "subjects": report.subjects,
        "seeds": report.seeds,
        "quiet": report.quiet,
        "counts": {name: asdict(counts) for name, counts in report.counts.items()},
        "scores": {
            name: {score: interval_data(interval) for score, interval in scores.items()}
            for name, scores in report.scores.items()
        },
        "apex_error": None if math.isnan(report.apex_error) else report.apex_error,
        "slices": {value: asdict(part) for value, part in report.slices.items()},
        "left_out": dict(report.left_out),
        "differences": {name: interval_data(interval) for name, interval in differences.items()},
    }


def _strs_data(report: StrsReport, differences: Mapping[str, Interval]) -> dict[str, Any]:
    return {
        "videos": report.videos,
        "subjects": report.subjects,
        "seeds": report.seeds,
        "classes": list(report.classes),
        "counts": asdict(report.counts),
        "scores": {name: interval_data(interval) for name, interval in report.scores.items()},
        "confusion": report.confusion.tolist(),
        "unnamed": report.unnamed,
        "absent": list(report.absent),
        "slices": {value: asdict(part) for value, part in report.slices.items()},
        "left_out": dict(report.left_out),
        "differences": {name: interval_data(interval) for name, interval in differences.items()},
    }
