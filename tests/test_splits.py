"""Splits: nobody is in both halves, every sample is tested once, and what can't be split is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.protocols.splits import (
    Fold,
    check_disjoint,
    leave_one_database_out,
    leave_one_out,
    split_inner,
    split_subjects,
)

SUBJECTS = [f"s{number:02}" for number in np.random.default_rng(0).integers(0, 12, 90)]
DATABASES = ["a" if subject < "s05" else "b" for subject in SUBJECTS]


@pytest.mark.parametrize(
    ("folds", "count"),
    [
        (leave_one_out(SUBJECTS), 12),
        (leave_one_database_out(DATABASES, SUBJECTS), 2),
        (split_subjects(SUBJECTS, 5), 5),
        (split_subjects(SUBJECTS, 12), 12),
    ],
)
def test_every_sample_is_tested_once_and_never_by_who_knows_its_subject(folds: list[Fold], count: int) -> None:
    assert len(folds) == count
    assert sorted(index for fold in folds for index in fold.test) == list(range(len(SUBJECTS)))
    for fold in folds:
        assert fold.test
        check_disjoint(fold, SUBJECTS)
        assert sorted((*fold.train, *fold.test)) == list(range(len(SUBJECTS)))


def test_folds_have_names() -> None:
    assert [fold.name for fold in leave_one_out(["b", "a", "b"])] == ["a", "b"]
    assert leave_one_out(["b", "a", "b"])[1] == Fold("b", (1,), (0, 2))


def test_parts_are_of_about_one_size_and_depend_on_the_seed() -> None:
    sizes = [len(fold.test) for fold in split_subjects(SUBJECTS, 4)]
    assert max(sizes) - min(sizes) <= max(SUBJECTS.count(name) for name in SUBJECTS)
    assert split_subjects(SUBJECTS, 4, seed=3) == split_subjects(SUBJECTS, 4, seed=3)
    alike = [f"s{number}" for number in range(20)]
    assert split_subjects(alike, 4, seed=3) != split_subjects(alike, 4, seed=4)


def test_an_inner_split_stays_in_the_training_half() -> None:
    for fold in leave_one_out(SUBJECTS):
        inner = split_inner(fold, SUBJECTS, share=0.25, seed=1)
        assert sorted((*inner.train, *inner.test)) == list(fold.train)
        check_disjoint(inner, SUBJECTS)
        assert len({SUBJECTS[index] for index in inner.test}) == 3
    assert inner.name == "s11, inner"


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda: leave_one_out(["a", "a"]), "groups: 1 of them; leaving one out needs at least 2"),
        (lambda: split_subjects(SUBJECTS, 1), "folds: 1 for 12 subjects; give 2 to 12"),
        (lambda: split_subjects(SUBJECTS, 13), "folds: 13 for 12 subjects; give 2 to 12"),
        (lambda: split_inner(Fold("a", (0,), ()), SUBJECTS, share=1.0), "share: 1.0; give more than 0 and less than 1"),
        (
            lambda: split_inner(Fold("a", (0,), ()), SUBJECTS),
            "a: 1 subject to learn from; an inner split needs at least 2",
        ),
        (
            lambda: leave_one_database_out(["x", "y"], ["s1", "s1"]),
            "x: subject 's1' is in both halves; split by subject",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(split: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        split()
    assert str(caught.value) == message
