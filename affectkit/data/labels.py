"""Label sets by name, in the order in which their sources index them. Convert between sets by name, never by index.

| set | order and source |
|---|---|
| `BASIC_7` | neutral, then the six of Ekman; the order of the ABAW expression files without their last class |
| `BASIC_8` | `BASIC_7` and contempt, the classes of AffectNet (whose own files index them in another order) |
| `ABAW_8` | `BASIC_7` and other: header of the Aff-Wild2 expression files (ABAW 3 to 8) |
| `MICRO_3` | MEGC 2019 composite: 0 negative, 1 positive, 2 surprise |
| `MICRO_5` | CASME II without fear and sadness; `others` is spelled as in its table, and codes index them variously |
| `ABAW_AUS` | header of the Aff-Wild2 action unit files |
| `COMPOUND_7` | C-EXPR-DB, header of the ABAW compound files (6th and 7th) |
| `COMPOUND_11` | RAF-DB compound, ids 1 to 11 of its `list_patition_label.txt` |
| `COMPOUND_14` | RAF-CE, ids 0 to 13 of its `RAFCE_emolabel.txt`, as the owners' page lists them |
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BASIC_7: tuple[str, ...] = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
BASIC_8: tuple[str, ...] = (*BASIC_7, "contempt")
ABAW_8: tuple[str, ...] = (*BASIC_7, "other")

MICRO_3: tuple[str, ...] = ("negative", "positive", "surprise")
MICRO_5: tuple[str, ...] = ("happiness", "disgust", "repression", "surprise", "others")

ABAW_AUS: tuple[str, ...] = (
    "AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26",
)  # fmt: skip

COMPOUND_7: tuple[str, ...] = (
    "fearfully_surprised",
    "happily_surprised",
    "sadly_surprised",
    "disgustedly_surprised",
    "angrily_surprised",
    "sadly_fearful",
    "sadly_angry",
)
COMPOUND_11: tuple[str, ...] = (
    "happily_surprised",
    "happily_disgusted",
    "sadly_fearful",
    "sadly_angry",
    "sadly_surprised",
    "sadly_disgusted",
    "fearfully_angry",
    "fearfully_surprised",
    "angrily_surprised",
    "angrily_disgusted",
    "disgustedly_surprised",
)
COMPOUND_14: tuple[str, ...] = (
    "happily_surprised",
    "happily_disgusted",
    "sadly_fearful",
    "sadly_angry",
    "sadly_surprised",
    "sadly_disgusted",
    "fearfully_angry",
    "fearfully_surprised",
    "fearfully_disgusted",
    "angrily_surprised",
    "angrily_disgusted",
    "disgustedly_surprised",
    "happily_fearful",
    "happily_sad",
)
# Every compound of the three sets, with the pair of basic expressions that it is made of.
# A read-only view: a change here would change every map in the process.
COMPOUND_BASICS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "fearfully_surprised": ("fear", "surprise"),
        "happily_surprised": ("happiness", "surprise"),
        "sadly_surprised": ("sadness", "surprise"),
        "disgustedly_surprised": ("disgust", "surprise"),
        "angrily_surprised": ("anger", "surprise"),
        "sadly_fearful": ("sadness", "fear"),
        "sadly_angry": ("sadness", "anger"),
        "happily_disgusted": ("happiness", "disgust"),
        "sadly_disgusted": ("sadness", "disgust"),
        "fearfully_angry": ("fear", "anger"),
        "angrily_disgusted": ("anger", "disgust"),
        "fearfully_disgusted": ("fear", "disgust"),
        "happily_fearful": ("happiness", "fear"),
        "happily_sad": ("happiness", "sadness"),
    }
)
