"""Where a stream of text may be cut so that words stay whole, and streams cut there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

BLANK_AFTER_WORD = re.compile(r"(?<=\S)[ \n]")


def before_last_blank(text: str) -> int:
    """Give the place before the last space or line break that follows something visible; 0 if there
    is none.

    No token of `words` or `subwords` reaches over such a place, so the text before it and the text
    from it on are encoded alike, together or apart.

    >>> before_last_blank("one two  three")
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
    """Give the same stream, cut only where `cut` says that it may be."""
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
