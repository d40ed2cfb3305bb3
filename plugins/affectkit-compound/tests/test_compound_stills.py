"""Stills of synthetic people: who shows what, how far units go, and how faces are cut and kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from affectkit_compound import synthetic_faces
from affectkit_compound.synthetic_faces import (
    APEX_V1,
    BOTH_V1,
    CHOICE,
    COMPOUND_STILLS,
    REPORT,
    STILLS_V2,
    TRAIN,
    StillSettings,
    _draw_pixels,
    draw_stills,
    expressions_of,
    render_examples,
)
from affectkit_compound.system import make_stream

from affectkit.data.labels import BASIC_7, COMPOUND_11
from affectkit.data.synthetic import BENCH_V1, units_of
from affectkit.errors import InputError


def test_people_show_every_expression_equally_often() -> None:
    train = Counter(name for seed in TRAIN[:36] for name in expressions_of(seed, 12))
    assert set(train) == {*BASIC_7, *COMPOUND_11}
    assert set(train.values()) == {24}
    shown = [expressions_of(seed, 12) for seed in REPORT[:100]]
    assert all(len(one) == COMPOUND_STILLS + 7 for one in shown)
    compounds = Counter(name for one in shown for name in one if name in COMPOUND_11)
    assert set(compounds) == set(COMPOUND_11)
    assert sum(compounds.values()) == 2000
    assert max(compounds.values()) - min(compounds.values()) <= 1
    assert expressions_of(CHOICE[0], 3) == expressions_of(CHOICE[0], 18)


def test_stills_are_the_same_for_the_same_person_and_show_the_expression() -> None:
    calm = replace(
        STILLS_V2,
        intensity=(4.0, 5.0),
        offset=0.0,
        turn=0.0,
        scale=(1.0, 1.0),
        quality=100,
        camera=replace(BENCH_V1, noise=0.0, occluded_clips=0.0),
    )
    rest, fear = (draw_stills(3, (name,), calm)[0].astype(int) for name in ("neutral", "fear"))
    assert rest.shape == (256, 256, 3)
    # between the eyes' middle and the chin a face has changed, and its shoulders have not
    changed = np.abs(rest - fear).max(axis=2)[:, 78:178]
    assert changed[90:200].max() > 80
    assert changed[235:].max() < 10
    again = draw_stills(3, ("neutral", "fear"))
    for one, other in zip(again, draw_stills(3, ("neutral", "fear")), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (draw_stills(4, ("neutral",))[0] != again[0]).any()


def test_stills_go_as_far_as_clips_or_by_intensity() -> None:
    rng = np.random.default_rng(0)
    apex = [_draw_pixels("happily_surprised", APEX_V1, rng) for _ in range(200)]
    assert 0.3 <= min(min(one.values()) for one in apex) < 0.35
    assert 1.8 < max(max(one.values()) for one in apex) <= 2.0
    # one event's units are of about one size
    assert all(min(one.values()) >= 0.75 * max(one.values()) - 1e-9 for one in apex)
    strong = [_draw_pixels("happily_surprised", STILLS_V2, rng)["AU12"] for _ in range(200)]
    assert 1.4 <= min(strong) < 2.0 < 6.0 < max(strong) <= 7.0
    both = [_draw_pixels("happily_surprised", BOTH_V1, rng)["AU12"] for _ in range(400)]
    # of an intensity from 1 to 5, eight of nine go farther than an event
    assert 0.4 < np.mean(np.array(both) > 2.0) < 0.5
    assert set(apex[0]) == set(units_of("happily_surprised"))


def test_the_worlds_are_frozen() -> None:
    drawn = {}
    for name, world in (("apex", APEX_V1), ("stills", STILLS_V2), ("both", BOTH_V1)):
        rng = np.random.default_rng(1)
        drawn[name] = [round(pixels, 4) for pixels in _draw_pixels("happily_surprised", world, rng).values()]
        drawn[name] += [round(rng.random(), 6)]
    assert drawn == {
        "apex": [1.5059, 1.8912, 1.5862, 1.6396, 0.827703],
        "stills": [3.0473, 4.8019, 2.2073, 4.7946, 0.311831],
        "both": [4.8019, 1.5766, 6.7124, 2.2473, 0.423326],
    }
    same = StillSettings(intensity=(1.0, 5.0), offset=6.0, turn=6.0, scale=(0.93, 1.07), quality=80, camera=BENCH_V1)
    assert replace(same, apex=0.0) == STILLS_V2
    assert replace(same, apex=1.0) == APEX_V1
    assert replace(same, apex=0.5) == BOTH_V1


def test_faces_are_cut_once_with_one_label_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.conftest import SHARED

    if not SHARED.is_dir():
        pytest.skip("YuNet's weights are not shipped with the project")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    told: list[tuple[int, int]] = []
    found = render_examples(
        TRAIN[:2], make_stream(), folder=tmp_path, stills=9, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 2), (2, 2)]
    assert found.inputs["clip"].values.shape == (18, 1, 3, 112, 112)
    assert found.subjects[8:10] == ("synthetic/00000", "synthetic/00001")
    basic, compound = (found.targets[name] for name in ("expression", "compound"))
    assert basic.valid.flatten().tolist() == [True] * 7 + [False] * 11
    assert torch.equal(basic.valid, ~compound.valid)
    assert compound.values[compound.valid].tolist() == list(range(11))
    monkeypatch.setattr(synthetic_faces, "draw_stills", None)
    again = render_examples(TRAIN[:2], make_stream(), folder=tmp_path, stills=9)
    assert torch.equal(again.inputs["clip"].values, found.inputs["clip"].values)


def test_pictures_without_a_face_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind:
        def __init__(self, config: object) -> None: ...

        def detect(self, picture: object) -> list[object]:
            return []

    monkeypatch.setattr(synthetic_faces, "YuNet", Blind)
    with pytest.raises(InputError) as caught:
        render_examples(TRAIN[:1], make_stream(), folder=tmp_path, stills=1)
    assert str(caught.value) == "synthetic faces: none was found in the pictures of 1 people; check the detector"
