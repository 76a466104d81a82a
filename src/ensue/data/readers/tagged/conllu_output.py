"""Write tagged sentences as CoNLL-U."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from ensue.data.labelled import Example
from ensue.data.readers.tagged.conllu import CONLLU
from ensue.data.sentence_splitting import Word


def format_conllu(number: int, sentence: Example, tags: Iterable[str], column: str) -> str:
    """Write a sentence as CoNLL-U; input in CoNLL-U changes in the `column` of the tags alone.

    Tags that belong to no column are written to the last, MISC, as Tag=...
    """
    lines = cast("list[str]", sentence.row.get("lines") or ())
    if not any(line.count("\t") == len(CONLLU) - 1 for line in lines):
        lines = _make_lines(number, sentence)
    remaining, rows = iter(tags), []
    for line in lines:
        fields = line.split("\t")
        rows.append(_with_tag(column, fields, next(remaining)) if fields[0].isdecimal() else line)
    return "\n".join(rows) + "\n\n"


def _make_lines(number: int, sentence: Example) -> Iterator[str]:
    # Words of JSON Lines may hold tabs and line breaks, which would break a line of CoNLL-U.
    words = [" ".join(word.split()) for word in cast("Any", sentence.content)["words"]]
    written: Sequence[Word] = sentence.row.get("written") or [Word(word, True) for word in words]
    remaining = 0
    """Words that follow of a multiword token, such as "du" for "de le"."""
    rows, text = [], ""
    for place, (word, own) in enumerate(zip(words, written, strict=True), 1):
        last = place + own.words - 1 if own.token is not None else place
        spaced = "_" if written[last - 1].spaced or last == len(words) else "SpaceAfter=No"
        if own.token is not None:
            rows.append(_format_row(f"{place}-{last}", own.token, spaced))
            remaining = own.words
        if not remaining or own.token is not None:
            text += (own.token or word) + " " * written[last - 1].spaced
        rows.append(_format_row(str(place), word, "_" if remaining else spaced))
        remaining = max(remaining - 1, 0)
    yield from (f"# sent_id = {number}", f"# text = {text.strip()}", *rows)


def _format_row(number: str, form: str, misc: str) -> str:
    return "\t".join([number, form, *["_"] * (len(CONLLU) - 3), misc])


def _with_tag(column: str, fields: list[str], tag: str) -> str:
    if column:
        fields[CONLLU.index(column)] = tag
    else:
        rest = fields[-1].partition("Tag=")[0].rstrip("|")
        fields[-1] = f"Tag={tag}" if rest in ("_", "") else f"{rest}|Tag={tag}"
    return "\t".join(fields)
