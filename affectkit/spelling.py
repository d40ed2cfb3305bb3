"""Whether two names of a class are one class spelled in two ways: `happy` and `Happiness`, `AU01` and `AU 1`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

# As lists of expressions spell them beside the names of the label sets.
SPELLED: Mapping[str, str] = MappingProxyType(
    {
        "angry": "anger",
        "disgusted": "disgust",
        "fearful": "fear",
        "happy": "happiness",
        "sad": "sadness",
        "surprised": "surprise",
    }
)
# As names of compounds do, and the two words of label sets for what is in none of their classes.
_ALSO = {
    "angrily": "anger",
    "disgustedly": "disgust",
    "fearfully": "fear",
    "happily": "happiness",
    "sadly": "sadness",
    "others": "other",
}
_WORDS = {**SPELLED, **_ALSO, **{word: word for word in (*SPELLED.values(), *_ALSO.values())}}
# The longest first: `fear` begins `fearfully`.
_WORD = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))
# AU1+2 is not AU12: between two digits, such a sign is no mere space.
_IGNORED = re.compile(r"[-_\s]|(?<!\d)[/|&+,]|[/|&+,](?!\d)|(?<!\d)0+(?=\d)")


def folded(name: str) -> str:
    """What all spellings of a name have in common; for comparing, not for showing.

    Case, what stands between words, leading zeros and how an accent is encoded do not count, and an expression is the
    same as noun, adjective or adverb. AU01 is AU1, and AU10 is not.
    """
    bare = _IGNORED.sub("", unicodedata.normalize("NFKC", name.casefold()))
    return _WORD.sub(lambda found: _WORDS[found[0]], bare)
