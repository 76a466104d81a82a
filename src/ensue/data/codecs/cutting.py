"""Positions at which a stream of text may be cut without splitting a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

BLANK_AFTER_WORD = re.compile(r"(?<=\S)[ \n]")


def find_last_blank(text: str) -> int:
    """Return the position of the last blank after a visible character; 0 if there is none.

    A blank is a space or a line break. No token of `words` or `subwords` spans such a position. The
    texts on both sides are encoded alike, together or apart.

    >>> find_last_blank("one two  three")
    7
    """
    begin, size = len(text), 1000
    while begin:
        begin, size = max(0, begin - size), size * 4
        places = [match.start() for match in BLANK_AFTER_WORD.finditer(text, begin)]
        if places:
            return places[-1]
    return 0


def recut(texts: Iterable[str], cut: Callable[[str], int]) -> Iterator[str]:
    """Yield the same stream, cut only at positions that `cut` returns."""
    held: list[str] = []
    for text in texts:
        place = cut(text)
        if place:
            yield "".join([*held, text[:place]])
            held = []
        if place < len(text):
            held.append(text[place:])
    if held:
        yield "".join(held)
