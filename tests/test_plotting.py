"""Timelines: what is drawn where, and what can't be drawn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectkit.data.labels import ABAW_AUS, BASIC_7
from affectkit.errors import InputError
from affectkit.results.colors import color_of
from affectkit.results.info import RANDOM_WEIGHTS, RunInfo
from affectkit.results.reading import Results
from affectkit.results.rows import BASE_COLUMNS, EventRow, Row
from affectkit.results.timeline import MAX_POINTS, collect, thinned

NAMES = (*(f"expression.{name}" for name in BASIC_7), "va.valence", "va.arousal", *(f"au.{name}" for name in ABAW_AUS))
EVENTS = (
    EventRow(track=0, kind="micro-expression", label="fear", onset=0.2, apex=0.3, offset=0.5, apex_source="estimated"),
    EventRow(track=0, kind="blink", onset=0.6, offset=0.7, status="rejected", reason="no apex was found"),
)


def rows(count: int = 30, tracks: int = 1) -> list[Row]:
    """Frame 5 and 6 can't be decoded, 10 to 14 have no face, track 1 begins at frame 8."""
    found = []
    for frame in range(count):
        pts = frame / 10
        if frame in (5, 6):
            found.append(Row(frame=frame, pts=pts, track=None, status="skipped"))
        elif 10 <= frame < 15:
            found.append(Row(frame=frame, pts=pts, track=None, status="no_face"))
        else:
            predictions = {name: (frame + i) % 7 / 7 for i, name in enumerate(NAMES)}
            for track in range(tracks if frame >= 8 else 1):
                face: dict[str, Any] = {"left": 1.0, "top": 1.0, "width": 9.0, "height": 9.0, "confidence": 0.75}
                found.append(Row(frame=frame, pts=pts, track=track, status="ok", predictions=predictions, **face))
    return found


RESULTS = Results((*BASE_COLUMNS, *NAMES), rows(tracks=2), events=EVENTS, info=RunInfo(source="interview.mp4"))


def panels(figure: Any) -> list[Any]:
    return [axes for axes in figure.axes if axes.get_subplotspec() is not None]


def test_a_panel_per_track_and_output() -> None:
    axes = panels(RESULTS.plot())
    assert [axis.get_ylabel() for axis in axes] == ["", "expression", "va", "au", "expression", "va", "au"]
    titles = [axis.get_title(loc="left") for axis in axes]
    assert titles == ["track 0", "", "", "", "track 1", "", ""]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["micro-expression", "blink"]
    assert axes[1].get_ylim() == (-0.03, 1.03)
    assert axes[2].get_ylim() == (-1.05, 1.05)
    assert [label.get_text() for label in axes[3].get_yticklabels()] == list(ABAW_AUS)
    assert axes[-1].get_xlabel() == "seconds of container time"


def test_lines_are_broken_where_there_is_no_face() -> None:
    lines = panels(RESULTS.plot(targets=["va"]))[1].get_lines()
    times, values = lines[0].get_data()
    assert lines[0].get_label() == "valence"
    assert np.isnan(values).sum() == 2
    kept = {round(float(time), 6) for time, value in zip(times, values, strict=True) if not np.isnan(value)}
    assert kept == {round(row.pts, 6) for row in RESULTS if row.track == 0}


def test_stretches_without_a_face_and_frames_that_were_skipped() -> None:
    timeline = collect(RESULTS, None, None, 4)
    assert timeline.tracks[0].gaps == [(0.4, 0.7), (0.9, 1.5)]
    assert timeline.tracks[1].gaps == [(0.0, 0.8), (0.9, 1.5)]
    assert timeline.skipped == [(0.4, 0.7)]
    assert timeline.span == (0.0, 2.9)


def test_a_chosen_track_and_target() -> None:
    axes = panels(RESULTS.plot(track=1, targets=["va.valence", "expression"]))
    assert [axis.get_ylabel() for axis in axes] == ["expression", "va"]
    assert axes[0].get_title(loc="left") == "track 1"
    assert axes[1].get_lines()[0].get_label() == "valence"
    assert axes[1].get_legend() is None
    assert [axis.get_ylabel() for axis in panels(RESULTS.plot(track=1, targets="va"))] == ["va"]


def test_the_heading() -> None:
    figure = RESULTS.plot(targets=["va"])
    assert figure.get_suptitle() == "interview.mp4  ·  hatched: no face  ·  crossed: not decoded"
    assert figure.axes[0].get_title(loc="right") == ""
    info = RunInfo(source="interview.mp4", weights=(RANDOM_WEIGHTS,), complete=False)
    figure = Results(RESULTS.columns, rows(5), info=info).plot(targets=["va"])
    assert figure.get_suptitle() == "interview.mp4"
    assert figure.axes[0].get_title(loc="right") == "untrained: scores come from random weights; not complete"


def test_of_many_tracks_the_longest() -> None:
    figure = Results(RESULTS.columns, rows(tracks=6)).plot(targets=["va"])
    titles = [axis.get_title(loc="left") for axis in panels(figure)]
    assert titles == ["track 0", "track 1", "track 2", "track 3"]
    assert figure.get_suptitle().startswith("4 of 6 tracks")


def test_without_predictions_the_confidence_is_drawn() -> None:
    (axes,) = panels(Results(BASE_COLUMNS, [row for row in rows() if row.track is not None]).plot())
    assert axes.get_ylabel() == "confidence"
    assert axes.get_lines()[0].get_ydata()[0] == 0.75


def test_without_any_face() -> None:
    found = [Row(frame=i, pts=i / 10, track=None, status="no_face") for i in range(3)]
    (axes,) = panels(Results(RESULTS.columns, found).plot(targets=["va"]))
    assert axes.get_title(loc="left") == "no face"


@pytest.mark.parametrize("count", [1, 2])
def test_few_frames(count: int, tmp_path: Path) -> None:
    Results(RESULTS.columns, rows(count)).plot(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_other_values() -> None:
    columns = tuple(f"au.AU{i}" for i in range(5))
    found = [
        Row(frame=i, pts=i / 10, track=0, status="ok", predictions=dict.fromkeys(columns[:4], 4.0 * i))
        for i in range(2)
    ]
    (axes,) = panels(Results((*BASE_COLUMNS, *columns), found).plot())
    assert axes.collections[0].get_clim() == (0.0, 5.0)
    (axes,) = panels(Results((*BASE_COLUMNS, *columns), found).plot(targets=["au.AU0"]))
    assert axes.get_ylim()[1] > 4
    (axes,) = panels(Results((*BASE_COLUMNS, *columns), found).plot(targets=["au.AU4"]))
    assert np.isnan(axes.get_lines()[0].get_ydata()).all()


def test_long_lines_are_thinned_and_keep_their_peaks() -> None:
    times = np.arange(50_000) / 30
    values = np.zeros(50_000)
    values[777], values[31_234] = 1.0, -1.0
    values[40_000] = np.nan
    few, kept = thinned(times, values)
    assert len(few) <= 2 * MAX_POINTS + 1
    assert np.nanmax(kept) == 1
    assert np.nanmin(kept) == -1
    assert np.isnan(kept).sum() == 1
    assert (np.diff(few) > 0).all()


def test_a_heat_map_keeps_brief_peaks() -> None:
    found = [
        Row(frame=i, pts=i / 30, track=0, status="ok", predictions={"au.AU1": float(i == 7001)})
        for i in range(9000)
        if not 100 <= i < 200
    ]
    track = collect(Results((*BASE_COLUMNS, "au.AU1"), found), None, None, 1).tracks[0]
    edges, heat = track.grid(("au.AU1",))
    assert heat.shape == (1, len(edges) - 1)
    assert heat.shape[1] <= MAX_POINTS
    assert np.nanmax(heat) == 1
    assert (np.diff(edges) > 0).all()


def test_labels_have_their_colors() -> None:
    assert color_of("expression.happiness", 0) == color_of("micro.Happy", 5)
    assert color_of("a.b", 1) == color_of("c.d", 11)
    assert color_of("a.b", 1) != color_of("a.c", 2)


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"plot.{ending}"
    RESULTS.plot(path, targets=["va"], track=0)
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    assert path.read_bytes().startswith(start)
    RESULTS.plot(path, targets=["va"], track=0, overwrite=True)


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from affectkit.results.rows import *; from affectkit.results.reading import Results; "
        "Results(BASE_COLUMNS, [Row(frame=0, pts=0.0, track=None, status='no_face')]).plot('plot.png'); "
        "assert 'matplotlib.pyplot' not in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)


def message(run: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        run()
    return str(caught.value)


def test_what_can_not_be_drawn(tmp_path: Path) -> None:
    assert message(lambda: RESULTS.plot(targets=["vaa"])) == (
        "targets: 'vaa' is not in the table; did you mean 'va'? targets: 'expression', 'va', 'au', "
        "'expression.neutral', 'expression.anger', 'expression.disgust', 'expression.fear', 'expression.happiness', "
        "'expression.sadness', 'expression.surprise' and 14 more"
    )
    assert message(lambda: RESULTS.plot(track=7)) == (
        "track: 7 has no row in the table; leave it out to see which there are"
    )
    assert message(lambda: Results(BASE_COLUMNS).plot()) == "results: hold no rows; there is nothing to plot"
    path = tmp_path / "plot.gif"
    assert message(lambda: RESULTS.plot(path)) == f"{path}: ending '.gif'; write a .png, .pdf or .svg file"
    path = tmp_path / "plot.png"
    path.touch()
    assert message(lambda: RESULTS.plot(path)) == (
        f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file"
    )
