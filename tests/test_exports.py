"""Events for ELAN and as subtitles."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affectkit.errors import InputError
from affectkit.results.exports import write_elan, write_webvtt
from affectkit.results.rows import EventRow

EVENTS = [
    EventRow(track=1, kind="micro-expression", label="fear & <b>", onset=3661.0014, apex=3661.2, offset=3661.4),
    EventRow(track=0, kind="micro-expression", onset=1.5, offset=1.84, confidence=0.876),
    EventRow(track=0, kind="blink", label="left\teye\nonly", onset=0.5, offset=0.5),
    EventRow(kind="other", onset=-0.2, offset=0.25, status="rejected", reason="no apex was found"),
]


def test_elan(tmp_path: Path) -> None:
    path = write_elan(EVENTS, tmp_path / "events.txt")
    assert path.read_text() == (
        "other\t0\t250\t250\tother (rejected: no apex was found)\n"
        "track 0 blink\t500\t501\t1\tleft eye only\n"
        "track 0 micro-expression\t1500\t1840\t340\tmicro-expression\n"
        "track 1 micro-expression\t3661001\t3661400\t399\tfear & <b>\n"
    )


def test_webvtt(tmp_path: Path) -> None:
    path = write_webvtt(EVENTS, tmp_path / "events.vtt")
    assert path.read_text() == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:00.250\nother: other (rejected: no apex was found)\n\n"
        "00:00:00.500 --> 00:00:00.501\ntrack 0 blink: left eye only\n\n"
        "00:00:01.500 --> 00:00:01.840\ntrack 0 micro-expression (0.88)\n\n"
        "01:01:01.001 --> 01:01:01.400\ntrack 1 micro-expression: fear &amp; &lt;b&gt;\n"
    )


def test_no_events(tmp_path: Path) -> None:
    assert write_elan([], tmp_path / "events.tsv").read_text() == ""
    assert write_webvtt([], tmp_path / "events.vtt").read_text() == "WEBVTT\n"


WRITERS = [(write_elan, "events.txt", "write a .txt or .tsv file"), (write_webvtt, "events.vtt", "write a .vtt file")]


@pytest.mark.parametrize(("write", "name", "endings"), WRITERS)
def test_what_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., Path], name: str, endings: str
) -> None:
    def message(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            write(EVENTS, path)
        return str(caught.value)

    path = tmp_path / name
    other = tmp_path / "events.doc"
    assert message(other) == f"{other}: ending '.doc'; {endings}"
    missing = tmp_path / "none" / name
    assert message(missing) == f"{missing}: no folder '{tmp_path / 'none'}'; create it"
    path.write_text("old")
    assert message(path) == f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file"
    write(EVENTS, path, overwrite=True)
    path.unlink()

    def full(handle: int) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert message(path) == f"{path}: can't be written (No space left on device); choose another folder"
    assert list(tmp_path.iterdir()) == []
