"""Detection of the form of a file to be tagged: words in columns, one sentence a line, or prose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from ensue.data.readers.tagged.columns import Layout, RequestedColumns, blocks, cut, find_layout
from ensue.data.readers.tagged.conllu import CONLLU
from ensue.data.sentence_splitting import CLOSING, ENDING, WIDE, split_sentences

Form: TypeAlias = Literal["text", "lines", "paragraphs"]
"""Form of a text.

text: prose whose lines continue in the next. lines: one sentence a line. paragraphs: lines of
several sentences that end with the line.
"""

MIN_COLUMN_SHARE = 0.95
"""Share of lines that must look like words in columns; the reader reports the others."""
SINGLE_MIN = 0.8
"""Share of lines in which the rules find one sentence.

They find two where they do not know an abbreviation.
"""
LOOKED_AT = 1000
"""Maximum number of lines from which the form is inferred."""


def are_columns(
    lines: Sequence[str], tags: Collection[str] = (), before: Layout | None = None
) -> bool:
    """Return whether lines hold words in columns, CoNLL-U or JSON Lines rather than prose.

    `tags` are known tags, and `before` is the layout of related files.

    >>> (are_columns(["the\\tDET", "cat\\tNOUN", "", "a\\tDET"]),
    ...  are_columns(["the cat", "", "sat here"]))
    (True, False)
    """
    full = [line for line in lines if line.strip()]
    if not full:
        return False
    if all(line.lstrip().startswith("{") for line in full):
        return True
    if any(
        line.count("\t") == len(CONLLU) - 1 and line.partition("\t")[0].isdecimal() for line in full
    ):
        return True
    layout = find_layout(lines, False, RequestedColumns("", "", True), before, "")
    rows = [cut(line, layout.by) for line in full if not line.startswith("#")]
    several = len(list(blocks(lines))) > 1
    if not rows or not layout.count:
        return bool(rows) and layout.number >= 0
    usual, alike = Counter(map(len, rows)).most_common(1)[0]
    if alike < MIN_COLUMN_SHARE * len(rows):
        return False
    if usual == 1:  # a word a line
        signs = any(not any(map(str.isalnum, line)) for line in full)
        return (
            (several or signs)
            and len(rows) > 2
            and not any(len(cut(line, "blanks")) > 1 for line in full)
        )
    if (
        layout.by == "\t"
        or layout.number >= 0
        or (before is not None and layout.fits(before) and several)
    ):
        return True
    found = [row[min(layout.tag, usual - 1)] for row in rows if len(row) == usual]
    known = sum(tag in tags for tag in found)
    repeated = several and len(set(found)) < len(found) / 2
    return len(found) > 2 and (known > 0.8 * len(found) or repeated)


def guess_text_form(lines: Sequence[str]) -> Form:
    """Return how the sentences of a text are distributed over its lines.

    Prose that was wrapped breaks lines where the next word does not fit, after a comma, or before a
    small letter. Other lines are sentences, or paragraphs if many hold several sentences.

    >>> guess_text_form(["It rains.", "He goes home now.", "Why?"])
    'lines'
    """
    full = [line.strip() for line in lines if line.strip()]
    if len(full) < 2:
        return "text"
    if not any(len(line.split()) > 1 for line in full):
        return "lines"
    widest = max(map(len, full))
    pairs = [
        (one.strip(), other.strip())
        for one, other in pairwise(lines)
        if one.strip() and other.strip()
    ]
    open_ = [(one, other) for one, other in pairs if not _ends(one)]
    broken = sum(len(one) + 1 + len(other.split()[0]) > widest for one, other in open_)
    cased = sum(line[0].isupper() for line in full) > len(full) / 4
    goes_on = sum((cased and other[0].islower()) or one[-1] in ",;" for one, other in open_)
    finished = sum(map(_ends, full)) >= 0.8 * len(full)
    if not pairs or (not finished and (2 * broken >= len(open_) or 4 * goes_on > len(open_))):
        return "text"
    single = sum(len(list(split_sentences([line]))) == 1 for line in full) >= SINGLE_MIN * len(full)
    return "lines" if single else "paragraphs"


def _ends(line: str) -> bool:
    rest = line.rstrip("".join(CLOSING) + " ")
    return (rest or line)[-1] in f"{ENDING}{WIDE}"
