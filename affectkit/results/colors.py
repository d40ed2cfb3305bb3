"""Colors of what is drawn: the same label, kind or track looks the same in every plot and video."""

from __future__ import annotations

import re
from collections.abc import Mapping

from affectkit.spelling import SPELLED

# Okabe and Ito's colors, which people with any color vision can tell apart, then darker ones.
TRACK_COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#5f4690",
    "#806000",
    "#1b4d3e",
    "#7d1f4a",
)
_LABEL_COLORS: Mapping[str, str] = {
    "neutral": "#8c8c8c",
    "anger": "#d55e00",
    "disgust": "#009e73",
    "fear": "#5f4690",
    "happiness": "#e69f00",
    "sadness": "#0072b2",
    "surprise": "#cc79a7",
    "contempt": "#806000",
    "valence": "#009e73",
    "arousal": "#d55e00",
}
KIND_COLORS: Mapping[str, str] = {
    "micro-expression": "#d55e00",
    "macro-expression": "#0072b2",
    "expression": "#009e73",
    "blink": "#7a7a7a",
    "other": "#5f4690",
}
_AU = re.compile(r"AU\d+", re.IGNORECASE)


def color_of(label: str, number: int) -> str:
    """The color of a target: always the same for the usual ones, else by its place."""
    name = label.rpartition(".")[2].lower()
    return _LABEL_COLORS.get(SPELLED.get(name, name)) or TRACK_COLORS[number % len(TRACK_COLORS)]


def is_action_units(columns: tuple[str, ...]) -> bool:
    """Whether all columns of an output are called as action units are."""
    return all(_AU.fullmatch(target_of(name)) for name in columns)


def target_of(column: str) -> str:
    """`happiness` of `expression.happiness`."""
    return column.partition(".")[2] or column
