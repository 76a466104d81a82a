"""Word boundaries in any script: a combining mark belongs to the letter before it (UAX 29, WB4)."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

LETTER = "\u02d0"
"""Stand-in for marks in the search for words: `\\w` and `\\b` treat it as a letter without case."""

PREPENDED = frozenset([*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD])
"""Format characters that belong to the number after them, not to the text before."""

ZERO_WIDTH_SPACE = 0x200B
"""A format character that separates words."""

UNSEGMENTED_MOSTLY = 0.3
"""Share of letters of scripts without blanks above which they are more than foreign words."""

UNSEGMENTED = re.compile(
    "["
    "\u0e01-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff\u1950-\u19df\u1a20-\u1aad"  # Khmer, Tai Le, New Tai Lue, Tai Tham
    "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "]"
)
"""Characters of scripts without blanks between words.

Finding their word boundaries takes a dictionary (UAX 29).
"""


def join_marks(text: str) -> str:
    """Replace each mark after a letter by a letter, keeping the length of the text.

    A pattern of `\\w` and `\\b` then finds full words; its spans apply to the original text.

    >>> [match.span() for match in re.finditer(r"\\w+", join_marks("e\u0301t\u00e9 है"))]
    [(0, 4), (5, 7)]
    """
    if text.isascii():
        return text
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    mark = _is_mark()[points]
    if not mark.any():
        return text
    # Several marks may follow a letter: their base is the last character before them that is no
    # mark.
    base = np.maximum.accumulate(np.where(mark, 0, np.arange(len(points))))[mark]
    bases, which = np.unique(points[base], return_inverse=True)
    word = np.array([chr(point).isalnum() or chr(point) == "_" for point in bases.tolist()])
    points = points.copy()
    points[np.flatnonzero(mark)[word[which]]] = ord(LETTER)
    return points.tobytes().decode("utf-32-le", "surrogatepass")


def unsegmented_share(text: str) -> float:
    """Return the share of letters of scripts that put no blanks between words.

    >>> unsegmented_share("ab 中文")
    0.5
    """
    letters = sum(map(str.isalpha, text))
    return min(len(UNSEGMENTED.findall(text)) / letters, 1.0) if letters else 0.0


@cache
def _is_mark() -> NDArray[np.bool_]:
    """Return for each code point whether UAX 29 calls it Extend, Format or ZWJ."""
    found = np.zeros(0x110000, bool)
    # The planes in between have no marks, and scanning them would take a tenth of a second.
    for point in chain(range(0x80, 0x20000), range(0xE0000, 0xE1000)):
        found[point] = unicodedata.category(chr(point)) in ("Mn", "Mc", "Me", "Cf")
    found[[*PREPENDED, ZERO_WIDTH_SPACE]] = False
    return found
