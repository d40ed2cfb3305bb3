"""The log of the spotting challenge: every match is a line, and what it can't hold is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectkit.errors import InputError
from affectkit.protocols.spotting_log import write_spotting_log
from tests.test_event_scores import GOLDEN, GOLDEN_TRUTH, KINDS, KINDS_TRUTH, events, truth


def message(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        work()
    return str(caught.value)


def test_every_match_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    write_spotting_log(GOLDEN, GOLDEN_TRUTH, path, database="samm")
    assert path.read_text() == (
        "1\nv1 10 29 12 31 TP\nv1 50 69 - - FN\nv1 - - 55 80 FP\nv1 - - 100 110 FP\nv2 - - 5 9 FP\n"
    )
    assert message(lambda: write_spotting_log(GOLDEN, GOLDEN_TRUTH, path, database="samm")) == (
        f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
    write_spotting_log(KINDS, KINDS_TRUTH, path, database="casme_sq", overwrite=True)
    assert path.read_text() == "2\na 1 10 1 9 TP\nb 1 10 1 10 TP\n"


def test_what_a_log_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"

    def refused(found: Any, true: Any, where: Path = path, database: Any = "samm") -> str:
        return message(lambda: write_spotting_log(found, true, where, database=database))

    assert (
        refused(GOLDEN, GOLDEN_TRUTH, tmp_path / "a.csv") == f"{tmp_path / 'a.csv'}: ending '.csv'; write a .txt file"
    )
    assert refused(GOLDEN, GOLDEN_TRUTH, database="smic") == "database: 'smic'; write 'samm' or 'casme_sq'"
    assert refused(events(("a", 0.5, 1.5), unit="seconds"), GOLDEN_TRUTH) == (
        "events: onsets in seconds, but the challenge counts frames; read it with those"
    )
    seeds = events(("v1", 1, 2, "0"), ("v1", 1, 2, "1"), names="video onset offset seed")
    assert refused(seeds, GOLDEN_TRUTH) == "events: 2 seeds; a log holds one"
    assert refused(events(("v 1", 1, 2)), truth(("v 1", "s", 1, 2))) == (
        "truth: video 'v 1' has a blank in its name, which a log can't hold; rename it"
    )
    assert not path.exists()
