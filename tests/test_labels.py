"""Label sets: sizes, orders and pairs as their sources have them."""

from __future__ import annotations

import pytest

from affectkit.data import labels


def test_abaw_order_is_the_header_of_the_expression_files() -> None:
    header = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    assert ",".join(labels.ABAW_8) == header.lower()


def test_basic_sets_share_their_first_seven() -> None:
    assert labels.BASIC_8[:7] == labels.ABAW_8[:7] == labels.BASIC_7
    assert labels.BASIC_8[7:] == ("contempt",)
    assert labels.ABAW_8[7:] == ("other",)


def test_micro_orders() -> None:
    assert labels.MICRO_3 == ("negative", "positive", "surprise")
    assert labels.MICRO_5 == ("happiness", "disgust", "repression", "surprise", "others")


def test_action_units_are_the_header_of_the_au_files() -> None:
    assert ",".join(labels.ABAW_AUS) == "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"


def test_compound_7_is_the_header_of_the_challenge_files() -> None:
    header = (
        "Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,Angrily_Surprised,"
        "Sadly_Fearful,Sadly_Angry"
    )
    assert ",".join(labels.COMPOUND_7) == header.lower()


def test_compound_11_is_raf_db_in_the_order_of_its_ids() -> None:
    # C-EXPR index to RAF-DB id, as both files have them
    ids = {0: 8, 1: 1, 2: 5, 3: 11, 4: 9, 5: 3, 6: 4}
    for index, raf in ids.items():
        assert labels.COMPOUND_11[raf - 1] == labels.COMPOUND_7[index]
    assert len(set(labels.COMPOUND_11)) == 11
    assert set(labels.COMPOUND_7) < set(labels.COMPOUND_11) < set(labels.COMPOUND_BASICS)


def test_compound_14_is_raf_ce_in_the_order_of_its_ids() -> None:
    # C-EXPR index to RAF-CE id, as both files have them
    ids = {0: 7, 1: 0, 2: 4, 3: 11, 4: 9, 5: 2, 6: 3}
    for index, raf in ids.items():
        assert labels.COMPOUND_14[raf] == labels.COMPOUND_7[index]
    assert len(set(labels.COMPOUND_14)) == 14
    assert set(labels.COMPOUND_11) < set(labels.COMPOUND_14) == set(labels.COMPOUND_BASICS)


def test_no_two_compounds_have_the_same_basics() -> None:
    pairs = {frozenset(pair) for pair in labels.COMPOUND_BASICS.values()}
    assert len(pairs) == len(labels.COMPOUND_BASICS)
    assert all(len(pair) == 2 for pair in pairs)


@pytest.mark.parametrize("compound", labels.COMPOUND_14)
def test_a_compound_names_its_two_basics(compound: str) -> None:
    stems = {"fear": "fear", "happiness": "happ", "sadness": "sad", "disgust": "disgust", "anger": "ang"}
    first, second = labels.COMPOUND_BASICS[compound]
    adverb, adjective = compound.split("_")
    assert adverb.startswith(stems[first])
    assert adjective.startswith({"surprise": "surprise", **stems}[second])
    assert {first, second} < set(labels.BASIC_7)


def test_the_map_of_basics_can_not_be_changed() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        labels.COMPOUND_BASICS["happily_sad"] = ("happiness", "sadness")  # type: ignore[index]
