"""Scores of spotted and named events: golden vectors, kinds, seeds, pairs, the slow bootstrap, and the command."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.cli import main
from affectkit.errors import InputError
from affectkit.metrics.bootstrap import bootstrap_score
from affectkit.metrics.spotting import SpottingCounts
from affectkit.protocols.event_tables import write_events
from affectkit.protocols.events import Events
from affectkit.protocols.matching import match_events
from affectkit.protocols.spotting import compare_events, score_events
from affectkit.protocols.strs import compare_named_events, score_named_events

MICRO, MACRO = "micro-expression", "macro-expression"


def events(*rows: tuple[object, ...], names: str = "video onset offset", **more: Any) -> Events:
    """Rows of as many cells as there are names; what is missing at the end is empty."""
    keys = names.split()
    cells = [tuple(map(str, row)) + ("",) * (len(keys) - len(row)) for row in rows]
    return Events({name: tuple(row[at] for row in cells) for at, name in enumerate(keys)}, **more)


def truth(*rows: tuple[object, ...], more: str = "", **options: Any) -> Events:
    """Of each row the video, the subject and the rest."""
    return events(*rows, names=f"video subject onset offset {more}", source="truth", **options)


def message(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    return str(caught.value)


GOLDEN_TRUTH = truth(("v1", "s1", 10, 29), ("v1", "s1", 50, 69), ("v2", "s2"))
GOLDEN = events(("v1", 12, 31), ("v1", 55, 80), ("v1", 100, 110), ("v2", 5, 9))


def test_the_golden_vector_is_pooled_over_videos() -> None:
    report = score_events(GOLDEN, GOLDEN_TRUTH)
    assert (report.kinds, report.videos, report.subjects, report.seeds, report.quiet) == ((), 2, 2, 1, 1)
    assert report.counts == {"overall": SpottingCounts(1, 3, 1)}
    scores = report.scores["overall"]
    values = [scores[name].value for name in ("precision", "recall", "F1")]
    assert values == pytest.approx([0.25, 0.5, 1 / 3])
    assert 0 <= scores["F1"].low <= 1 / 3 <= scores["F1"].high <= 1
    assert (report.left_out, report.slices) == ({}, {})
    assert math.isnan(report.apex_error)


def test_every_prediction_and_event_is_in_one_match() -> None:
    matching = match_events(GOLDEN, GOLDEN_TRUTH)
    assert [(match.video, match.found, match.true, match.outcome) for match in matching.matches] == [
        ("v1", 0, 0, 0),
        ("v1", 1, None, 1),
        ("v1", 2, None, 1),
        ("v1", None, 1, 2),
        ("v2", 3, None, 1),
    ]


KINDS_TRUTH = truth(
    ("a", "s1", 1, 10, MICRO, 4, "x"),
    ("a", "s1", 100, 200, MACRO, "", "x"),
    ("b", "s2", 1, 10, MICRO, 5, "y"),
    more="kind apex dataset",
)
KINDS = events(
    ("a", 1, 10, MACRO),
    ("a", 1, 9, MICRO, 6),
    ("a", 100, 200, MACRO, 150),
    ("b", 1, 10, MICRO, 9),
    ("b", 50, 60, "blink"),
    names="video onset offset kind apex",
)


def test_kinds_are_matched_apart_and_added_up() -> None:
    report = score_events(KINDS, KINDS_TRUTH, by="dataset")
    assert report.kinds == (MICRO, MACRO)
    assert report.counts == {
        "overall": SpottingCounts(3, 1, 0),
        MICRO: SpottingCounts(2, 0, 0),
        MACRO: SpottingCounts(1, 1, 0),
    }
    assert report.scores["overall"]["F1"].value == pytest.approx(6 / 7)
    assert report.scores[MACRO]["precision"].value == 0.5
    assert report.left_out == {"blink": 1}
    # 6 for 4 and 9 for 5; the macro-expression's apex is not known
    assert report.apex_error == 3
    parts = report.slices
    assert [(part.videos, part.subjects, part.events) for part in parts.values()] == [(1, 1, 2), (1, 1, 1)]
    assert parts["x"].f1 == pytest.approx({"overall": 0.8, MICRO: 1.0, MACRO: 2 / 3})
    assert parts["y"].f1 == {"overall": 1.0, MICRO: 1.0, MACRO: 0.0}


def test_one_kind_can_be_scored() -> None:
    report = score_events(KINDS, KINDS_TRUTH, kinds=[MICRO])
    assert report.counts["overall"] == report.counts[MICRO] == SpottingCounts(2, 0, 0)
    assert report.left_out == {"blink": 1, MACRO: 2}


def test_without_kinds_in_the_truth_all_are_one() -> None:
    found = events(("a", 1, 10, "blink"), ("b", 1, 10, MICRO), names="video onset offset kind")
    report = score_events(found, truth(("a", "1", 1, 10), ("b", "2", 1, 10)))
    assert (report.kinds, report.left_out) == ((), {})
    assert report.counts == {"overall": SpottingCounts(2, 0, 0)}


def test_seconds_are_not_counted_as_frames() -> None:
    # 0.5 of 1.5 s: as frames, with both ends counted, it would be 1.5 of 2.5
    true = truth(("a", "1", 0.0, 1.0), ("b", "2", 0.0, 1.0), unit="seconds")
    found = events(("a", 0.5, 1.5), ("b", 0.25, 1.25), unit="seconds")
    assert score_events(found, true).counts["overall"] == SpottingCounts(1, 1, 1)
    assert message(lambda: score_events(events(("a", 1, 2)), true)) == (
        "events: in frames, but truth in seconds; read both alike"
    )


def test_seeds_are_averaged_and_their_counts_added() -> None:
    rows = [("a", 1, 10, "0"), ("b", 1, 10, "0"), ("a", 1, 10, "1"), ("b", 50, 60, "1")]
    report = score_events(events(*rows, names="video onset offset seed"), truth(("a", "1", 1, 10), ("b", "2", 1, 10)))
    assert (report.seeds, report.counts["overall"]) == (2, SpottingCounts(3, 1, 1))
    assert report.scores["overall"]["F1"].value == pytest.approx((1 + 0.5) / 2)


def test_nothing_found_scores_zero() -> None:
    report = score_events(Events({"video": (), "onset": (), "offset": ()}), GOLDEN_TRUTH)
    assert report.counts["overall"] == SpottingCounts(0, 0, 2)
    assert report.scores["overall"]["F1"].value == 0


def drawn(seed: int, right: float, subjects: int = 8) -> tuple[Events, Events]:
    """Predictions of generated events, and these; one video each, the last of each subject is quiet."""
    rng = np.random.default_rng(seed)
    names = ("negative", "positive", "surprise")
    true: list[tuple[object, ...]] = []
    found: list[tuple[object, ...]] = []
    for subject in range(subjects):
        for number in range(4):
            video = f"{subject}-{number}"
            if number == 3:
                true.append((video, subject))
                found.append((video, 5, 9, "positive"))
                continue
            label = str(rng.choice(names))
            true.append((video, subject, 10, 29, label))
            start = 10 if rng.random() < right else 40
            found.append((video, start, start + 19, label if rng.random() < right else str(rng.choice(names))))
    return events(*found, names="video onset offset label"), truth(*true, more="label")


def test_subjects_are_drawn_and_pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("spotting", "strs"):
        few = functools.partial(bootstrap_score, replicates=300)
        monkeypatch.setattr(f"affectkit.protocols.{module}.bootstrap_score", few)
    found, true = drawn(0, 0.7)
    report, named = score_events(found, true), score_named_events(found, true)
    matching = match_events(found, true)
    people = sorted(set(matching.subjects.values()))
    # as the bootstrap draws them
    draws = np.random.default_rng(0).multinomial(len(people), [1 / len(people)] * len(people), size=300)
    slow_f1, slow_strs = [], []
    for times in draws:
        pairs: list[tuple[str, str]] = []
        counts = SpottingCounts()
        for person, often in zip(people, times, strict=True):
            for match in [one for one in matching.matches if matching.subjects[one.video] == person] * int(often):
                counts += SpottingCounts(*(int(match.outcome == at) for at in range(3)))
                if match.found is not None and match.true is not None:
                    pairs.append((true.labels[match.true], found.labels[match.found]))
        slow_f1.append(counts.f1)
        slow_strs.append(counts.f1 * analysis_f1_ref(pairs))
    for slow, interval in ((slow_f1, report.scores["overall"]["F1"]), (slow_strs, named.scores["STRS"])):
        assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
    assert named.scores["spotting F1"] == report.scores["overall"]["F1"]


def analysis_f1_ref(pairs: list[tuple[str, str]]) -> float:
    precision = recall = 0.0
    for name in ("negative", "positive", "surprise"):
        hits = pairs.count((name, name))
        precision += hits / max(1, sum(found == name for _, found in pairs)) / 3
        recall += hits / max(1, sum(true == name for true, _ in pairs)) / 3
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_two_systems_are_compared_on_the_same_subjects() -> None:
    good, true = drawn(1, 0.9)
    bad, _ = drawn(1, 0.3)
    difference = compare_events(good, bad, true)["overall"]
    scores = [score_events(found, true).scores["overall"]["F1"].value for found in (good, bad)]
    assert difference.value == pytest.approx(scores[0] - scores[1])
    assert 0 < difference.low < difference.value < difference.high
    named = compare_named_events(good, good, true)
    assert [named[name].high for name in ("spotting F1", "analysis F1", "STRS")] == [0, 0, 0]


NAMED_TRUTH = truth(
    ("a", "s1", 1, 10, "negative"),
    ("a", "s1", 100, 110, "others"),
    ("b", "s2", 1, 10, "positive"),
    ("b", "s2", 50, 59, "surprise"),
    more="label",
)
NAMED = events(
    ("a", 1, 10, "negative"),
    ("a", 100, 110, "negative"),
    ("b", 1, 10),
    ("b", 80, 90, "surprise"),
    names="video onset offset label",
)


def test_only_true_positives_of_a_class_are_analyzed() -> None:
    report = score_named_events(NAMED, NAMED_TRUTH, by="subject")
    assert report.counts == SpottingCounts(3, 1, 1)
    assert report.confusion.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert (report.unnamed, report.absent) == (1, ("surprise",))
    values = {name: interval.value for name, interval in report.scores.items()}
    assert values == pytest.approx(
        {
            "spotting F1": 0.75,
            "analysis precision": 1 / 3,
            "analysis recall": 1 / 3,
            "analysis F1": 1 / 3,
            "STRS": 0.25,
        }
    )
    assert report.slices["s1"].scores["STRS"] == pytest.approx(1 / 3)
    assert (report.slices["s2"].videos, report.slices["s2"].subjects) == (1, 1)
    assert report.slices["s2"].scores["STRS"] == 0


def test_micro_expressions_are_what_is_analyzed() -> None:
    names = "video onset offset kind label"
    true = truth(("a", 1, 1, 10, MICRO, "positive"), ("b", 2, 1, 99, MACRO, "smile"), more="kind label")
    found = events(("a", 1, 10, MICRO, "positive"), ("b", 1, 99, MACRO, "grin"), names=names)
    report = score_named_events(found, true)
    assert report.counts == SpottingCounts(1, 0, 0)
    assert report.left_out == {MACRO: 1}
    assert score_named_events(found, true, kinds=None, classes=("positive", "smile", "grin")).counts.true_positives == 2


def test_what_cannot_be_scored_is_refused() -> None:
    names = "video subject onset offset seed"
    assert message(lambda: score_events(GOLDEN, GOLDEN)) == (
        "events: no column 'subject'; columns: 'video', 'onset', 'offset'"
    )
    assert message(lambda: score_events(GOLDEN, truth(("v1", "s1")))) == (
        "truth: no event, so there is nothing to find; give at least one"
    )
    assert message(lambda: score_events(GOLDEN, events(("v1", "s", 1, 2, 0), ("v1", "s", 1, 2, 1), names=names))) == (
        "events: 2 seeds; what is true is there once"
    )
    assert message(lambda: score_events(GOLDEN, truth(("v1", "s", 1, 2), ("v1", "s", 1, 2)))) == (
        "truth: event 1 to 2 of 'v1' is there 2 times; keep one line per event"
    )
    assert message(lambda: score_events(GOLDEN, truth(("v1", "s", 1, 2)))) == (
        "events: video 'v2' is not in truth, which has 'v1'; add it there, with empty onset and offset if it has no "
        "event"
    )
    wrong = events(("v1", "s2", 1, 2), names="video subject onset offset")
    assert message(lambda: score_events(wrong, GOLDEN_TRUTH)) == (
        "events: subject of 'v1' is 's2', but 's1' in truth; mend one of them"
    )
    assert message(lambda: score_events(GOLDEN, KINDS_TRUTH)) == (
        "events: no column 'kind', which truth has; say what each event is"
    )
    assert message(lambda: score_events(KINDS, KINDS_TRUTH, kinds=["blink"])) == (
        f"truth: no event is of kind 'blink'; kinds: '{MACRO}', '{MICRO}'"
    )
    assert message(lambda: score_events(GOLDEN, GOLDEN_TRUTH, kinds=[MICRO])) == (
        "truth: no column 'kind'; write one, or leave kinds= out"
    )
    assert message(lambda: score_events(KINDS, KINDS_TRUTH, by="apex")) == (
        "truth: apex of video 'a' is '4' and ''; write one, or name two videos"
    )
    assert message(lambda: score_events(events(("v1", 1, 2)), truth(("v1", "s1", 1, 2)))) == (
        "counts: 1 subject; an interval over subjects needs at least 2"
    )


def test_names_that_cannot_be_scored_are_refused() -> None:
    assert message(lambda: score_named_events(GOLDEN, NAMED_TRUTH)) == (
        "events: video 'v1' is not in truth, which has 'a', 'b'; add it there, with empty onset and offset if it has "
        "no event"
    )
    assert message(lambda: score_named_events(GOLDEN, GOLDEN_TRUTH)) == (
        "events: no column 'label'; say what each event is called, or score the spotting"
    )
    assert message(lambda: score_named_events(NAMED, NAMED_TRUTH, classes=("negative", "positive"))) == (
        "events: label 'surprise' is none of negative, positive, nor 'others'; name all with --classes (in Python "
        "classes=...), or mend it"
    )
    assert message(lambda: score_named_events(NAMED, NAMED_TRUTH, classes=("negative",))) == (
        "classes: negative; give two or more, each once"
    )


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code = main(["score", *map(str, arguments)])
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


def test_the_command_prints_what_python_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, true = tmp_path / "found.csv", tmp_path / "truth.csv"
    write_events(KINDS, found)
    write_events(KINDS_TRUTH, true)
    lines = run(
        capsys, found, "--protocol", "spotting", "--truth", true, "--by", "dataset", "--against", found
    ).splitlines()
    assert lines[:2] == ["2 videos of 2 subjects; 95 % intervals over subjects", "videos without an event: 0"]
    table = [line.split() for line in lines]
    assert [*table[5][:7]] == ["overall", "3", "1", "0", "0.750", "1.000", "0.857"]
    assert "apexes of what is right are 3 frames off, on average" in lines
    assert "not scored: 1 of kind blink, which are not looked for" in lines
    assert ["x", "1", "1", "2", "0.800", "1.000", "0.667"] in table
    assert f"less {found}, paired over subjects" in lines
    assert ["F1", "overall", "0.000", "0.000", "0.000"] in table
    data = json.loads(run(capsys, found, "--protocol", "spotting", "--truth", true, "--json"))
    assert data["counts"][MACRO] == {"true_positives": 1, "false_positives": 1, "false_negatives": 0}
    assert data["scores"]["overall"]["F1"]["value"] == pytest.approx(6 / 7)
    assert (data["quiet"], data["apex_error"], data["left_out"]) == (0, 3.0, {"blink": 1})


def test_the_command_scores_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, true = tmp_path / "found.csv", tmp_path / "truth.csv"
    write_events(NAMED, found)
    write_events(NAMED_TRUTH, true)
    lines = run(
        capsys, found, "--protocol", "strs", "--truth", true, "--by", "subject", "--against", found
    ).splitlines()
    assert lines[1] == "3 events are right, 1 wrong, 1 missed; 2 of the right analyzed"
    table = [line.split() for line in lines]
    assert ["STRS", "0.250"] in [line[:2] for line in table]
    assert ["positive", "0", "0", "0", "1"] in table
    assert "no event that is right is surprise: it counts 0" in lines
    assert ["STRS", "0.000", "0.000", "0.000"] in table
    data = json.loads(
        run(capsys, found, "--protocol", "strs", "--truth", true, "--classes", "negative,positive,surprise", "--json")
    )
    assert data["confusion"] == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert data["scores"]["STRS"]["value"] == pytest.approx(0.25)
    assert (data["unnamed"], data["absent"]) == (1, ["surprise"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--protocol", "strs"], "--truth: needed with --protocol strs; name the table of true events"),
        (["--protocol", "spotting", "--truth", "t.csv", "--classes", "a,b"],
         "--classes: given with --protocol spotting, which names nothing; leave it out"),
        (["--truth", "t.csv"],
         "--truth: given with --protocol pooled, which scores no events; add --protocol spotting or strs, or leave it "
         "out"),
        (["--protocol", "megc2019", "--unit", "seconds"],
         "--unit: given with --protocol megc2019, which scores no events; add --protocol spotting or strs, or leave it "
         "out"),
    ],
)  # fmt: skip
def test_options_that_do_not_belong(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str) -> None:
    assert run(capsys, "found.csv", *arguments) == f"error: {expected}\n"
