"""The log of the spotting challenge of 2019: what was found beside what is true, a line each.

The first line is the number of the database, 1 for SAMM, 2 for CAS(ME)^2. Below it are lines `VIDEO GT_ONSET GT_OFFSET
ONSET OFFSET RESULT`, with a hyphen for what is missing and TP, FP or FN for the result, in the order of the predicted
onsets; a missed event stands where its true onset is (Micro-Expression Grand Challenge 2019, guideline for spotting).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from affectkit.errors import InputError
from affectkit.metrics.spotting import Interval
from affectkit.protocols.events import Events
from affectkit.protocols.matching import match_events
from affectkit.results.places import check_ending, check_file, replacing

Database = Literal["samm", "casme_sq"]
_NUMBERS = {"samm": 1, "casme_sq": 2}
_RESULTS = ("TP", "FP", "FN")


def write_spotting_log(
    found: Events, truth: Events, path: str | Path, *, database: Database, overwrite: bool = False
) -> None:
    """Write the log of one database: micro-expressions only, where the truth tells kinds apart.

    Arguments:
        found: predictions of one seed, in frames.
        truth: true events, as `match_events` takes them.
        path: a `.txt` file.
        database: which of the two.
        overwrite: whether the file may be there already.

    Raises:
        InputError: as `match_events`; the events are in seconds or of several seeds, a name has a blank in it, or the
            file is there already or can't be written.
    """
    path = Path(path)
    check_ending(path, (".txt",), "write a .txt file")
    if database not in _NUMBERS:
        raise InputError(f"database: {database!r}; write {' or '.join(map(repr, _NUMBERS))}")
    check_file(path, overwrite=overwrite)
    if found.unit != "frames":
        raise InputError(f"{found.source}: onsets in seconds, but the challenge counts frames; read it with those")
    if (seeds := len(set(found.seeds))) > 1:
        raise InputError(f"{found.source}: {seeds} seeds; a log holds one")
    lines = [str(_NUMBERS[database]), *_lines(found, truth)]
    with replacing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def _lines(found: Events, truth: Events) -> list[str]:
    matching = match_events(found, truth, kinds=("micro-expression",) if "kind" in truth.columns else None)
    videos = {video: at for at, video in enumerate(matching.subjects)}
    ours, theirs = found.intervals, truth.intervals
    rows = []
    for match in matching.matches:
        if len(match.video.split()) != 1:
            raise InputError(
                f"{truth.source}: video {match.video!r} has a blank in its name, which a log can't hold; rename it"
            )
        true = None if match.true is None else theirs[match.true]
        guess = None if match.found is None else ours[match.found]
        words = [match.video, *_frames(true), *_frames(guess), _RESULTS[match.outcome]]
        rows.append((videos[match.video], guess or true or (), " ".join(words)))
    return [line for *_, line in sorted(rows)]


def _frames(interval: Interval | None) -> list[str]:
    return ["-", "-"] if interval is None else [f"{frame:.0f}" for frame in interval]
