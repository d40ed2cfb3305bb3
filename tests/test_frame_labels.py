"""Numbers in annotations to labels of frames, and frames to pictures."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from affectkit.data.labels import ABAW_8, ABAW_AUS, BASIC_7
from affectkit.datasets.frame_folders import FrameFolder
from affectkit.datasets.frame_labels import (
    label_affect,
    label_expression,
    label_units,
    parse_numbers,
    parse_numbers_ref,
)
from affectkit.datasets.frame_places import nearest, place_frames, place_listed


def test_affect_counts_as_a_row() -> None:
    found = label_affect(np.array([[0.5, -1.0], [-5, -5], [-5, 0.2], [1.01, 0], [np.nan, 0], [0, np.inf]]))
    assert found.labels.valid.tolist() == [[True, True]] + [[False, False]] * 5
    assert found.labels.values.dtype == np.float32
    assert found.labels.values.tolist() == [[0.5, -1.0]] + [[0.0, 0.0]] * 5
    assert found.odd.tolist() == [False, False, False, True, True, True]


def test_expressions_go_by_name() -> None:
    # the first challenges have seven classes, and any header may have another order
    names = ("happiness", *(name for name in BASIC_7 if name != "happiness"))
    found = label_expression(np.array([0.0, 1, -1, 7, 2.5, np.nan]), names, ABAW_8)
    assert found.labels.valid.tolist() == [True, True, False, False, False, False]
    assert [ABAW_8[at] for at in found.labels.values[:2]] == ["happiness", "neutral"]
    assert found.odd.tolist() == [False, False, False, True, True, True]
    assert found.oddity == "an expression that is none of 0 to 6, and not -1"
    seven = label_expression(np.array([7.0, 7, 0]), ABAW_8, BASIC_7)
    assert (seven.labels.valid.tolist(), dict(seven.left_out)) == ([False, False, True], {"other": 2})
    assert not seven.odd.any()


def test_units_go_by_name_and_one_by_one() -> None:
    names = ("AU12", "AU1", "AU20")
    found = label_units(np.array([[1.0, 0, 1], [-1, 1, 0], [0, 9, 0]]), names, ABAW_AUS)
    one, twelve = ABAW_AUS.index("AU1"), ABAW_AUS.index("AU12")
    assert found.labels.values[:, one].tolist() == [0, 1, 0]
    assert found.labels.valid[:, one].tolist() == [True, True, False]
    assert found.labels.values[:, twelve].tolist() == [1, 0, 0]
    assert found.labels.valid[:, twelve].tolist() == [True, False, True]
    # the file has nothing of the others
    assert found.labels.valid.sum() == 4
    assert found.odd.tolist() == [False, False, True]


GOOD = ("0", "1", "-5", "0.25", "1e-3", " 0.5")
ODD = (*GOOD, "", "x", "nan", "#1")


@pytest.mark.parametrize("cells", [GOOD, ODD], ids=["numbers", "anything"])
@pytest.mark.parametrize("seed", range(20))
def test_numbers_are_parsed_as_by_the_plain_twin(cells: tuple[str, ...], seed: int) -> None:
    rng = random.Random(seed)
    width = rng.choice((1, 2, 3))
    widths = (width,) if rng.random() < 0.5 else (1, 2, 3)
    lines = [",".join(rng.choices(cells, k=rng.choice(widths))) for _ in range(rng.randrange(9))]
    values, readable = parse_numbers(lines, width)
    plain, wanted = parse_numbers_ref(lines, width)
    assert readable.tolist() == wanted.tolist()
    np.testing.assert_array_equal(values, plain)


def test_lines_that_are_no_numbers() -> None:
    values, readable = parse_numbers(["1,2", "3", "4,x", "", "5,6"], 2)
    assert readable.tolist() == [True, False, False, False, True]
    assert np.isnan(values[~readable]).all()
    assert values[readable].tolist() == [[1, 2], [5, 6]]


def test_the_nearest_number() -> None:
    assert [nearest([2, 5, 9], wanted) for wanted in (0, 2, 3, 4, 7, 8, 20)] == [2, 2, 2, 5, 5, 9, 9]


@pytest.mark.parametrize("missing", ["keep", "drop"])
def test_pictures_of_frames(tmp_path: Path, missing: str) -> None:
    folder = FrameFolder(str(tmp_path), {1: "00001.jpg", 4: "4.jpg"})
    placed = place_frames(folder, [1, 2, 4, 6], missing)  # type: ignore[arg-type]
    assert placed.missing == (2, 6)
    if missing == "keep":
        assert [(n, path.name) for n, path in placed.frames] == [
            (1, "00001.jpg"), (2, "00001.jpg"), (4, "4.jpg"), (6, "4.jpg"),
        ]  # fmt: skip
        assert placed.kept == (0, 1, 2, 3)
    else:
        assert [(n, path.name) for n, path in placed.frames] == [(1, "00001.jpg"), (4, "4.jpg")]
        assert placed.kept == (0, 2)


def test_pictures_that_a_list_names(tmp_path: Path) -> None:
    assert place_listed(str(tmp_path), [1], ["00001.jpg"], "keep") is None
    for name in ("00001.jpg", "00002.jpg", "00007.jpg"):
        (tmp_path / name).touch()
    placed = place_listed(str(tmp_path), [1, 7], ["00001.jpg", "00007.jpg"], "keep")
    assert placed is not None
    assert [path.name for _, path in placed.frames] == ["00001.jpg", "00007.jpg"]
    # padded otherwise than the list says, and one that is not there
    placed = place_listed(str(tmp_path), [2, 6], ["2.jpg", "6.jpg"], "keep")
    assert placed is not None
    assert ([path.name for _, path in placed.frames], placed.missing) == (["00002.jpg", "00007.jpg"], (6,))
