"""Split plain text into sentences of words by rules: those of English treebanks.

They are good enough for related languages. Words are runs of letters and digits; every other sign
is a word of its own. Exceptions are numbers ("1,000.5"), addresses, file names, #tags, emoticons,
runs of one sign ("..."), abbreviations with points ("U.S.") and English clitics ("do" + "n't",
"John" + "'s", "can" + "not"). A sentence ends after . ! ? or … before a blank and a word that does
not begin with a small letter. It also ends after the corresponding signs of Chinese and Japanese,
and at a blank line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from ensue.data.word_boundaries import join_marks

ABBREVIATED = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "vs",
        "no",
        "fig",
        "inc",
        "ltd",
        "co",
        "corp",
        "jr",
        "sr",
        "approx",
        "cf",
    ]
)
"""Abbreviations whose point does not end a sentence."""
TOKEN = re.compile(
    r"""(?:https?://|www\.)[^\s<>"']*[\w/]"""  # an address
    r"""|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"""
    r"""|(?<!\w)[:;=]-?[()DP](?!\w)"""  # an emoticon
    r"""|(?<!\w)[#@](?!\d)\w+"""
    r"""|[^\w\s](?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[^\w\s])+"""  # a sign and what modifies it
    r"|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    r"""|\d+(?:[.,:/]\d+)*(?:st|nd|rd|th|s)?(?!\w)"""
    r"""|(?:[^\W\d_]\.){2,}"""  # U.S.
    r"""|\w+?(?=n['\u2019]t\b)|n['\u2019]t\b|can(?=not\b)|(?:gon|wan)(?=na\b)|got(?=ta\b)"""
    r"""|[OD]['\u2019](?-i:[A-Z])\w+"""  # O'Brien
    r"""|\w+(?:\.(?-i:[a-z0-9])\w+)+"""  # the name of a file or a domain
    r"""|['\u2019](?:s|re|ve|ll|d|m)\b"""
    r"""|\w+(?:[\u05f3\u05f4\xb7]\w+)+"""  # Hebrew and Catalan have signs of their own within words
    r"""|\w+"""
    r"""|(\W)\1*""",
    re.VERBOSE | re.IGNORECASE,
)
ENDING = ".!?…\u0964\u0965\u061f\u06d4\u0589\u1362"
"""Signs that end a sentence before a blank: Latin, Indic, Arabic, Armenian and Ethiopic."""
WIDE = "\u3002\uff01\uff1f"
"""Signs of Chinese and Japanese that end a sentence, without a blank after them."""
CLOSING = frozenset("\"'\u201d\u2019)]\u00bb")


@dataclass(frozen=True)
class Word:
    """A word of a text, and whether a blank follows."""

    text: str
    spaced: bool
    token: str | None = None
    """Text of a token of several words, if it differs from this word.

    The token covers `words` words.
    """
    words: int = 1


Cut: TypeAlias = Callable[[str], Iterable[Word]]
"""Function that splits a text into words."""


def split_sentences(
    lines: Iterable[str], cut: Cut | None = None
) -> Iterator[tuple[int, list[Word]]]:
    """Yield each sentence, and the line on which its paragraph begins, from 1.

    `cut` splits into words instead of the rules.

    >>> [[word.text for word in words] for _,
    ...     words in split_sentences(["Don't go, Mr. Fox. It's 3.5", "miles."])]
    [['Do', "n't", 'go', ',', 'Mr.', 'Fox', '.'], ['It', "'s", '3.5', 'miles', '.']]
    """
    first, paragraph = 1, []
    for number, line in enumerate(chain(lines, [""]), 1):
        if line.strip():
            first = first if paragraph else number
            paragraph.append(line.strip())
            continue
        for sentence in _sentences(" ".join(paragraph), cut or split_words):
            yield first, sentence
        paragraph = []


def _sentences(paragraph: str, cut: Cut) -> Iterator[list[Word]]:
    sentence: list[Word] = []
    ending = False
    for word in cut(paragraph):
        last = sentence[-1] if sentence else word
        if ending and (last.spaced or last.text in WIDE) and not word.text[0].islower():
            yield sentence
            sentence, ending = [], False
        sentence.append(word)
        ending = word.text[0] in f"{ENDING}{WIDE}" or (ending and word.text in CLOSING)
    if sentence:
        yield sentence


def split_words(paragraph: str) -> Iterator[Word]:
    """Split a text into words by the rules."""
    found = [
        match for match in TOKEN.finditer(join_marks(paragraph)) if not match.group().isspace()
    ]
    texts = [paragraph[match.start() : match.end()] for match in found]
    place = 0
    while place < len(found):
        text, end = texts[place], found[place].end()
        abbreviated = text.lower() in ABBREVIATED or (
            len(text) == 1 and text.isupper() and _is_initial(paragraph, end)
        )
        if abbreviated and paragraph[end : end + 1] == "." and texts[place + 1] == ".":
            place, text, end = place + 1, f"{text}.", end + 1
        yield Word(text, paragraph[end : end + 1].isspace())
        place += 1


def _is_initial(paragraph: str, end: int) -> bool:
    """Return whether a letter is an initial, not the last word of a sentence.

    A name follows an initial, and "I" is none.
    """
    return re.match(r"\. [^\W\d_][\w.]", paragraph[end:]) is not None and paragraph[end - 1] != "I"
