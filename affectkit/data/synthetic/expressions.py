"""Which action units make an expression, and where it lies in valence and arousal. A convention, not a finding.

| expression | action units here | after |
|---|---|---|
| happiness, sadness, surprise, anger | 6 12; 1 4 15; 1 2 5 26; 4 5 7 23 | the prototypes in use with EMFACS |
| fear | 1 2 4 5 20 25 | the same, with parted lips for 26, and without 7 |
| disgust | 9 10 17 | Du, Tao and Martinez, PNAS 2014, as public loaders of their data list it |
| compounds | as below | the same list; the names are those of affectkit.data.labels |

People do not follow prototypes, least of all in micro-expressions. Valence and arousal follow no annotation: each
expression has a place on the circumplex, reached at intensity 5 and approached in proportion to the mean intensity.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BASIC_UNITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anger": ("AU4", "AU5", "AU7", "AU23"),
        "disgust": ("AU9", "AU10", "AU17"),
        "fear": ("AU1", "AU2", "AU4", "AU5", "AU20", "AU25"),
        "happiness": ("AU6", "AU12"),
        "sadness": ("AU1", "AU4", "AU15"),
        "surprise": ("AU1", "AU2", "AU5", "AU26"),
    }
)
COMPOUND_UNITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "happily_surprised": ("AU1", "AU2", "AU12", "AU25"),
        "happily_disgusted": ("AU10", "AU12", "AU25"),
        "sadly_fearful": ("AU1", "AU4", "AU15", "AU25"),
        "sadly_angry": ("AU4", "AU7", "AU15"),
        "sadly_surprised": ("AU1", "AU4", "AU25", "AU26"),
        "sadly_disgusted": ("AU4", "AU10"),
        "fearfully_angry": ("AU4", "AU20", "AU25"),
        "fearfully_surprised": ("AU1", "AU2", "AU5", "AU20", "AU25"),
        "angrily_surprised": ("AU4", "AU25", "AU26"),
        "angrily_disgusted": ("AU4", "AU10", "AU17"),
        "disgustedly_surprised": ("AU1", "AU2", "AU5", "AU10"),
    }
)
# (valence, arousal) at intensity 5.
CIRCUMPLEX: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "neutral": (0.0, 0.0),
        "anger": (-0.6, 0.7),
        "disgust": (-0.7, 0.3),
        "fear": (-0.6, 0.8),
        "happiness": (0.8, 0.5),
        "sadness": (-0.7, -0.4),
        "surprise": (0.1, 0.8),
    }
)
# Of the MEGC 2019 composite (affectkit.data.labels.MICRO_3).
MICRO_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "anger": "negative",
        "disgust": "negative",
        "fear": "negative",
        "happiness": "positive",
        "sadness": "negative",
        "surprise": "surprise",
    }
)


def units_of(expression: str) -> tuple[str, ...]:
    """The action units of a basic or compound expression; none of `neutral`."""
    return {**BASIC_UNITS, **COMPOUND_UNITS, "neutral": ()}[expression]


def micro_class_of(expression: str) -> str:
    """Class in three of a basic or compound expression; `others` for a compound of two classes."""
    from affectkit.data.labels import COMPOUND_BASICS

    classes = {MICRO_CLASSES[part] for part in COMPOUND_BASICS.get(expression, (expression,))}
    return classes.pop() if len(classes) == 1 else "others"


def place_of(expression: str) -> tuple[float, float]:
    """(valence, arousal) at intensity 5; a compound lies midway between its two basics."""
    from affectkit.data.labels import COMPOUND_BASICS

    parts = COMPOUND_BASICS.get(expression, (expression,))
    valence, arousal = (sum(CIRCUMPLEX[part][axis] for part in parts) / len(parts) for axis in (0, 1))
    return valence, arousal
