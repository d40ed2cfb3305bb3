"""Answers to the ABAW challenges: written from predictions of frames, and checked line by line against the sample.

Both go through the files line by line, so memory does not grow with them. An answer keeps the header, the order and the
pictures of the sample; what the sample has behind a picture, nothing or dummies, is replaced. Blank lines at the end of
a sample are nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Literal

from affectkit.errors import InputError
from affectkit.protocols import abaw_video_answers
from affectkit.protocols.abaw_tracks import Part, find_track
from affectkit.protocols.abaw_video_answers import Answer, encode_frames
from affectkit.protocols.frame_store import FrameStore
from affectkit.protocols.frame_tables import stored_predictions
from affectkit.protocols.picture_names import frame_of
from affectkit.results.places import check_file, replacing

Line = tuple[int, str]


@dataclass(frozen=True)
class _Wanted:
    """A line of a sample: its number, the picture, and the video and frame that this names."""

    line: int
    image: str
    video: str
    frame: int


def write_answer(
    track: str,
    predictions: str | Path,
    sample: str | Path,
    out: str | Path,
    *,
    use: Sequence[str] = (),
    missing: Literal["refuse", "nearest"] = "refuse",
    overwrite: bool = False,
) -> Answer:
    """Write an answer.

    Arguments:
        track: by name, such as `abaw7-mtl`.
        predictions: a table of frames, a table that `analyze` wrote, or a folder of either.
        sample: the owners' file of the track's test set; of `abaw3-` tracks their list of videos.
        out: the answer, a file; of `abaw3-` tracks a folder.
        use: names of outputs that count where several of the table score the same, as a head and its maps do.
        missing: what becomes of pictures that nobody predicted: `refuse` names the first; `nearest` takes the nearest
            predicted frame of the same video. A video without any prediction is refused in any case.
        overwrite: whether the answer may be there.

    Raises:
        InputError: no such track; a file can't be read, or is not of the track; a prediction is missing; several
            outputs score the same, and `use` names none or a wrong one; or the answer is there already, or can't be
            written. Nothing is left of an answer that isn't whole.
    """
    chosen, sample, out = find_track(track), Path(sample), Path(out)
    if chosen.is_per_video:
        return abaw_video_answers.write(
            chosen, Path(predictions), sample, out, use=use, missing=missing, overwrite=overwrite
        )
    check_file(out, overwrite=overwrite)
    lines = _sample_lines(sample)
    header = _header(sample, lines)
    parts = chosen.parts_of(header, f"{sample}, line 1")
    count, filled, videos = 0, 0, set[str]()
    with stored_predictions(predictions, parts, use) as store, replacing(out) as file:
        file.write(f"{header}\n".encode())
        for video, group in groupby(_wanted(sample, lines), key=lambda one: one.video):
            wanted = list(group)
            fields, nearest = _fields(store, parts, sample, wanted, missing)
            file.write("".join(f"{one.image},{text}\n" for one, text in zip(wanted, fields, strict=True)).encode())
            count, filled = count + len(wanted), filled + nearest
            videos.add(video)
        _check_any(count, sample)
    return Answer(count, len(videos), filled)


def check_answer(track: str, answer: str | Path, sample: str | Path) -> Answer:
    """Check an answer, whoever wrote it, line by line against the sample.

    Arguments:
        track: by name.
        answer: a file; of `abaw3-` tracks a folder.
        sample: as for `write_answer`.

    Raises:
        InputError: of the first line that is not as it should be: the header or a picture differs from the sample's, it
            has another number of fields, a field is no value of its kind, or one file ends before the other.
    """
    chosen, answer, sample = find_track(track), Path(answer), Path(sample)
    if chosen.is_per_video:
        return abaw_video_answers.check(chosen, answer, sample)
    asked, given = _sample_lines(sample), _numbered_lines(answer, "an answer")
    header, own = _header(sample, asked), _header(answer, given)
    parts = chosen.parts_of(header, f"{sample}, line 1")
    if own != header:
        raise InputError(f"{answer}, line 1: header {own!r}, and {sample} has {header!r}; keep it")
    count, videos = 0, set[str]()
    for wanted, found in zip_longest(_wanted(sample, asked), given):
        if found is None:
            raise InputError(
                f"{answer}: ends before line {wanted.line}, {wanted.image!r} in {sample}; answer every line"
            )
        line, text = found
        if wanted is None:
            raise InputError(f"{answer}, line {line}: {text!r} is behind the end of {sample}; remove it")
        image, *fields = text.split(",")
        if image != wanted.image:
            raise InputError(
                f"{answer}, line {line}: picture {image!r}, and {sample} has {wanted.image!r}; keep its order"
            )
        _check_fields(parts, fields, f"{answer}, line {line}")
        count += 1
        videos.add(wanted.video)
    _check_any(count, sample)
    return Answer(count, len(videos), 0)


def _fields(
    store: FrameStore, parts: tuple[Part, ...], sample: Path, wanted: list[_Wanted], missing: str
) -> tuple[list[str], int]:
    """Fields of consecutive lines of one video, and for how many a neighbor stood in."""

    def refuse(place: int, suggestion: str) -> InputError:
        one = wanted[place]
        return InputError(f"{sample}, line {one.line}: no prediction of {one.image!r}; {suggestion}")

    video = wanted[0].video
    frames, values = store.read(video)
    if not len(frames):
        # crops that were analyzed from a folder farther up are called by more folders than the sample has
        if deeper := next((one for one in store.videos if one.endswith(f"/{video}")), None):
            above = deeper.removesuffix(f"/{video}")
            raise refuse(0, f"there are some of {deeper!r}, so analyze its folder {above!r} itself")
        raise refuse(0, f"predict the video {video!r}")
    fields, strangers = encode_frames(frames, values, parts, [one.frame for one in wanted])
    if strangers and missing == "refuse":
        raise refuse(strangers[0], "predict it, or take the nearest frame's with --missing nearest")
    return fields, len(strangers)


def _check_fields(parts: tuple[Part, ...], fields: list[str], where: str) -> None:
    width = sum(part.width for part in parts)
    if len(fields) != width:
        raise InputError(f"{where}: number of fields behind the picture is {len(fields)}; write {width}")
    for part in parts:
        if fault := part.fault(fields[: part.width]):
            raise InputError(f"{where}: {fault}")
        fields = fields[part.width :]


def _wanted(sample: Path, lines: Iterator[Line]) -> Iterator[_Wanted]:
    for line, text in lines:
        image = text.partition(",")[0]
        found = frame_of(image)
        if found is None:
            raise InputError(f"{sample}, line {line}: {image!r} is no picture VIDEO/NUMBER.jpg; give the owners' file")
        yield _Wanted(line, image, *found)


def _check_any(lines: int, sample: Path) -> None:
    if not lines:
        raise InputError(f"{sample}: no line below its header; give the owners' file")


def _header(path: Path, lines: Iterator[Line]) -> str:
    return next(lines, (1, ""))[1]


def _sample_lines(path: Path) -> Iterator[Line]:
    """Those of a sample, without blank ones at the end."""
    blanks: list[Line] = []
    for line, text in _numbered_lines(path, "a sample"):
        blanks.append((line, text))
        if text.strip():
            yield from blanks
            blanks.clear()


def _numbered_lines(path: Path, what: str) -> Iterator[Line]:
    """Lines without their ends, from 1; an InputError where the file can't be read."""
    with _explained(path, what), path.open(encoding="utf-8-sig", newline="") as file:
        for line, text in enumerate(file, start=1):
            yield line, text.rstrip("\r\n")


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); give {what} as text") from error
