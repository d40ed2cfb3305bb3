"""Names of classes that differ in spelling only."""

from __future__ import annotations

import pytest

from affectkit.data.labels import ABAW_8, ABAW_AUS, BASIC_8, COMPOUND_BASICS, MICRO_3
from affectkit.spelling import folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("happiness", "Happy"),
        ("happily_surprised", "Happily Surprised"),
        ("happily_surprised", "HappilySurprised"),
        ("happily_surprised", "Happy/Surprise"),
        ("fearfully_angry", "fearful+angry"),
        ("fear", "fearful"),
        ("other", "Others"),
        ("AU1", "AU 01"),
        ("col\u00e8re", "COLE\u0300RE"),
        ("AU1", "\uff21\uff35\uff11"),
    ],
)
def test_one_class_in_two_spellings(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("AU1", "AU10"),
        ("AU1+2", "AU12"),
        ("AU 4/5", "AU45"),
        ("AU10", "AU100"),
        ("sadness", "sadly_angry"),
        ("surprise", "happily_surprised"),
        ("colere", "col\u00e8re"),
        ("x<1", "x>1"),
    ],
)
def test_two_classes(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize("names", [(*BASIC_8, "other", *COMPOUND_BASICS), ABAW_8, ABAW_AUS, MICRO_3])
def test_classes_of_one_set_stay_apart(names: tuple[str, ...]) -> None:
    assert len({folded(name) for name in names}) == len(names)
