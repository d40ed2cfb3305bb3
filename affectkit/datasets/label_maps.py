"""From the words of an annotation to classes. Words are compared without case; a class is a name, never a number.

| map | classes and source |
|---|---|
| `annotated` | every word of the set's own table is a class |
| `three` | negative, positive, surprise: CASME II, SAMM and SMIC as in MEGC 2019, CAS(ME)^3 as its authors group it, \
MMEW and DFME by analogy |
| `four` | CAS(ME)^3: `three` and others |
| `five` | CASME II without fear and sadness; SAMM's five most frequent words |
| `seven` | CAS(ME)^3: its seven words; of expressions, neutral and the six basic ones |
| `eight` | `seven` expressions and contempt |
| `eleven` | MAFW: `eight`, anxiety, helplessness and disappointment |
| `basic` | the seven expressions, of sets that know no others |
| `compound` | eleven pairs of basic expressions of RAF-DB, fourteen of RAF-CE |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit.data.labels import BASIC_7, BASIC_8, COMPOUND_11, COMPOUND_14, MICRO_3, MICRO_5
from affectkit.spelling import SPELLED


@dataclass(frozen=True)
class LabelMap:
    """Words to classes.

    Attributes:
        classes: names, in the order of the label's index.
        words: class of each lower-case word; None for a word that is left out on purpose.
    """

    classes: tuple[str, ...]
    words: Mapping[str, str | None]

    def index(self, word: str) -> int | None:
        """Index of the word's class; None if the map leaves it out.

        Raises:
            KeyError: the map does not know the word.
        """
        if self.leaves_out(word):
            return None
        name = self.words[_plain(word)]
        return None if name is None else self.classes.index(name)

    def leaves_out(self, word: str) -> bool:
        """Whether the word is in no class on purpose: by the map, or as several words that are known, joined by `+`."""
        parts = _plain(word).split("+")
        if len(parts) > 1:
            return all(_plain(part) in self.words for part in parts)
        return self.words.get(parts[0], "") is None


def _plain(word: str) -> str:
    return word.strip().lower()


def find_map(dataset: str, name: str) -> LabelMap:
    """The map of a dataset by its name; KeyError if it has none of that name."""
    return _MAPS[dataset][name]


def _own(*classes: str, **spelled: str) -> LabelMap:
    """Every word is its own class; `spelled` are other words for one."""
    return LabelMap(classes, {**{name: name for name in classes}, **spelled})


def _grouped(classes: tuple[str, ...], out: str = "", **words: str) -> LabelMap:
    """Words by class, blanks between; `out` are the words that are left out."""
    known: dict[str, str | None] = {word: name for name, listed in words.items() for word in listed.split()}
    return LabelMap(classes, known | dict.fromkeys(out.split()))


def _basic(classes: tuple[str, ...], *out: str) -> LabelMap:
    """Expressions by name, in the spellings of lists; `out` are the words that are left out."""
    return LabelMap(classes, {name: name for name in classes} | dict(SPELLED) | dict.fromkeys(out))


_SAMM_5 = ("anger", "contempt", "happiness", "other", "surprise")
_SIX = ("happiness", "surprise", "anger", "disgust", "fear", "sadness")
_CASME3_7 = ("disgust", "surprise", "others", "fear", "anger", "sadness", "happiness")

_MAFW_11 = (*BASIC_8, "anxiety", "helplessness", "disappointment")

_MAPS: Mapping[str, Mapping[str, LabelMap]] = {
    "casme": {
        "annotated": _own(
            "tense", "disgust", "repression", "surprise", "happiness", "sadness", "fear", "contempt",
            tenseness="tense", sad="sadness",
        ),
    },
    "casme2": {
        "annotated": _own("happiness", "disgust", "repression", "surprise", "others", "sadness", "fear"),
        "five": _grouped(MICRO_5, out="fear sadness", **{name: name for name in MICRO_5}),
        # the official list has no clip of fear or sadness, though the challenge's text counts them as negative
        "three": _grouped(
            MICRO_3, out="others fear sadness", negative="disgust repression", positive="happiness", surprise="surprise"
        ),
    },
    "samm": {
        "annotated": _own(
            "anger", "other", "happiness", "surprise", "contempt", "disgust", "fear", "sadness", others="other"
        ),
        "five": _grouped(
            _SAMM_5, out="disgust fear sadness", anger="anger", contempt="contempt", happiness="happiness",
            other="other others", surprise="surprise",
        ),
        "three": _grouped(
            MICRO_3, out="other others", negative="anger contempt disgust fear sadness", positive="happiness",
            surprise="surprise",
        ),
    },
    "smic": {
        "three": _grouped(MICRO_3, negative="negative ne", positive="positive po", surprise="surprise sur"),
    },
    "mmew": {
        "annotated": _own(*_SIX, "others", repression="others"),
        "three": _grouped(
            MICRO_3, out="others repression", negative="anger disgust fear sadness", positive="happiness",
            surprise="surprise",
        ),
    },
    "cas-me-3": {
        "seven": _own(*_CASME3_7, sad="sadness", happy="happiness"),
        "four": _grouped(
            (*MICRO_3, "others"), negative="negative disgust fear anger sad sadness",
            positive="positive happy happiness", surprise="surprise", others="others",
        ),
        "three": _grouped(
            MICRO_3, out="others", negative="negative disgust fear anger sad sadness",
            positive="positive happy happiness", surprise="surprise",
        ),
    },
    "4dme": {
        "annotated": _own("positive", "negative", "surprise", "repression", "others"),
    },
    "dfme": {
        "annotated": _own("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"),
        "three": _grouped(
            MICRO_3, negative="anger contempt disgust fear sadness", positive="happiness", surprise="surprise"
        ),
    },
    "raf-db": {"basic": _own(*BASIC_7)},
    "raf-db-compound": {"compound": _own(*COMPOUND_11)},
    "raf-ce": {"compound": _own(*COMPOUND_14)},
    "affectnet": {
        "seven": _basic(BASIC_7, "contempt", "none", "uncertain", "no face"),
        "eight": _basic(BASIC_8, "none", "uncertain", "no face"),
    },
    "fer2013": {"basic": _own(*BASIC_7)},
    "fer-plus": {
        "seven": _basic(BASIC_7, "contempt", "unknown", "nf"),
        "eight": _basic(BASIC_8, "unknown", "nf"),
    },
    "dfew": {"basic": _basic(BASIC_7)},
    "ferv39k": {"basic": _basic(BASIC_7)},
    "mafw": {
        "seven": _basic(BASIC_7, *_MAFW_11[7:]),
        "eleven": _basic(_MAFW_11),
    },
}  # fmt: skip
