"""Cut a stream of text without splitting a word or a record."""

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


def collect_records(records: Iterable[str], size: int) -> Iterator[list[str]]:
    """Collect whole records into chunks of `size` characters or more; the last may be shorter."""
    pending: list[str] = []
    for record in records:
        pending.append(record)
        if sum(map(len, pending)) >= size:
            yield pending
            pending = []
    if pending:
        yield pending


def cut_text(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """Cut one long text into chunks of at most `size` characters, each before a blank."""
    pending = ""
    for text in texts:
        pending += text
        while len(pending) > size:
            place = find_last_blank(pending[:size]) or size
            yield [pending[:place]]
            pending = pending[place:]
    if pending:
        yield [pending]
