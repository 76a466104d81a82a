"""Layout of files with a word and its tag in columns: which columns they are, and which lines.

Columns separated by blanks: CoNLL-2000, CoNLL-2003, CoNLL-2012. By tabs: a word and a tag,
CoNLL-2009, GermEval 2014 (number, word, tag, tag). The layout is inferred from all lines together,
not from the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from typing import Any

from ensue.data.codecs.tag_schemes import OUTSIDE, split_tag
from ensue.data.contract import Finding
from ensue.data.tables.rows import count_columns
from ensue.errors import DataError, did_you_mean

KINDS = "conllu|columns|tsv|jsonl"
FOR_TRAINING = f"name the format with --set data.format={KINDS}"
FOR_USE = f"name the format with --read {KINDS}"
LOOKED_AT = 20_000
"""Maximum number of lines from which the layout is inferred."""
BLANKS = re.compile(r"[ \t]+")
"""Separator of columns; other white space, such as a no-break space, may be part of a word."""
DOCUMENT = re.compile(r"#(begin|end) document\b")
NOT_A_WORD = re.compile(r"\d+(-\d+|\.\d+)")
"""Number of a multiword token, or of a word that is not in the text."""
BRACKETS = re.compile(r"(?:\(([^()*\s]+))?\*?(\)?)")
"""A span begins, continues or ends; in columns with nested spans all tags stay unchanged."""
WORD_NAMES = ("token", "tokens", "word", "words", "form", "text")
TAG_NAMES = (
    "tag",
    "label",
    "ner",
    "pos",
    "chunk",
    "ner_tag",
    "pos_tag",
    "chunk_tag",
    "iob",
    "bio",
    "upos",
    "xpos",
)
HEADER = {
    *WORD_NAMES,
    *TAG_NAMES,
    *(f"{name}s" for name in TAG_NAMES),
    "id",
    "index",
    "sentence",
    "lemma",
    "sentence_id",
}
"""Names that the first line consists of if it is a header."""
GLOBAL = re.compile(r"#\s*global\.columns\s*=\s*(.*)")
"""Declaration of the column names in CoNLL-U Plus."""
NOTHING = {"_", "-"}
"""Values of a column that was not filled in."""
KNOWN = 1 << 18
"""Lines that are remembered."""
MIN_TAB_SHARE = 0.9
"""Share of lines with a tab from which on lines without one are errors."""


@dataclass(frozen=True)
class Layout:
    """Column layout of a file; columns are counted from 0."""

    by: str
    """Separator of columns: a tab, "blanks", or a line break if each line is one word."""
    count: int
    """Number of columns; 0 if it differs between sentences."""
    word: int
    tag: int
    number: int = -1
    """Column that numbers the words of a sentence; -1 for none."""
    header: bool = False
    """Whether the first line with words holds the column names."""
    brackets: bool = False
    """Whether spans are written as in CoNLL-2005 and CoNLL-2012.

    (PER*, *, *) stands for B-PER, I-PER, I-PER.
    """
    values: tuple[frozenset[str], ...] = ()
    """Values of each column, in lines that are certainly words."""

    def fields(self, line: str) -> list[str]:
        """Split a line into its columns."""
        return cut(line, self.by)

    def described(self, tagged: bool) -> str:
        """Describe the layout in words, with columns counted from 1."""
        if self.by == "\n":
            return "a word a line"
        if self.by == "\t" and (self.count, self.word, self.tag) == (2, 0, 1):
            return "a word and a tag by tab"
        by = "tab" if self.by == "\t" else "blanks"
        tag = f"column {self.tag + 1}" if self.tag >= 0 else "the last"
        where = f"the word in column {self.word + 1}" + f", the tag in {tag}" * tagged
        return f"columns by {by}, {where}"

    def to_json(self) -> dict[str, Any]:
        """Return what is needed to read other files alike, as JSON values."""
        return {
            name: value for name, value in asdict(self).items() if name not in ("values", "header")
        }

    def fits(self, other: Layout) -> bool:
        """Return whether another file has the same separator and number of columns."""
        return (self.by, self.count) == (other.by, other.count)


@dataclass(frozen=True)
class RequestedColumns:
    """Columns that the settings name, by number from 1 or by name; empty if not given."""

    word: str
    tag: str
    tagged: bool
    """Whether tags are required."""
    remembered: bool = False
    """Whether the columns refer to other files, on which a run was trained."""

    def for_file(self, names: Sequence[str], alike: bool) -> RequestedColumns:
        """Return the columns that apply to a file with these header names.

        `alike` says whether its layout is that of the files before it.
        """

        def holds(column: str) -> bool:
            if column in names or not (self.remembered or alike):
                return True
            if column.isdecimal():
                return not self.remembered or alike
            return bool(names) and not self.remembered

        return replace(
            self, **{field: "" for field in ("word", "tag") if not holds(getattr(self, field))}
        )


def cut(line: str, by: str) -> list[str]:
    """Split a line into columns.

    >>> cut("New York\\tB-LOC", "\\t"), cut("New   York ", "blanks"), cut("New York", "\\n")
    (['New York', 'B-LOC'], ['New', 'York'], ['New York'])
    """
    if by != "blanks":
        return line.strip(" ").split(by)
    line = line.strip(" \t")
    return BLANKS.split(line) if "\t" in line or "  " in line else line.split(" ")


def find_layout(
    lines: Sequence[str],
    by_tab: bool,
    requested: RequestedColumns,
    before: Layout | None,
    where: str,
) -> Layout:
    """Infer the column layout of a file from its first lines.

    `before` is the layout of files that were read before. Raises DataError for a column that does
    not exist.
    """
    names = _get_global_names(lines)
    sentences = [[line for line in block if not _is_document(line)] for block in blocks(lines)]
    certain = [
        words_only
        for block in sentences
        if (words_only := [line for line in block if not line.startswith("#")])
    ]
    certain = certain or [block for block in sentences if block]
    by = _find_separator([line for block in certain for line in block], by_tab, requested.tagged)
    rows = [[cut(line, by) for line in block] for block in certain]
    header = not names and bool(rows) and _is_header(rows, requested)
    if header:
        names, rows[0] = rows[0][0], rows[0][1:]
    rows = [block for block in rows if block]
    if not rows:
        return Layout(by, 0, 0, -1, header=header)
    least = min(len(fields) for block in rows for fields in block)
    number = _find_number_column(rows, least, 2 if requested.tagged else 1)
    differ = number >= 0 and all(len({len(fields) for fields in block}) == 1 for block in rows)
    count = 0 if differ and len({len(block[0]) for block in rows}) > 1 else len(rows[0][0])
    values = tuple(
        frozenset(fields[place] for block in rows for fields in block) for place in range(least)
    )
    found = Layout(by, count, 0, 0, number, header, values=values)
    alike = before is not None and before.fits(found)
    at = before if alike and not header else None
    requested = requested.for_file(names, alike)
    found = replace(found, number=at.number if at else number)
    word = _resolve(requested.word, names, where) if requested.word else None
    if word is None:
        word = at.word if at else _find_word_column(names, number)
    elif not requested.tagged and word >= least == 1:
        word = 0  # a file of words alone, with the settings of a file with columns
    tag = _resolve(requested.tag, names, where) if requested.tag and requested.tagged else None
    if tag is None:
        tag = at.tag if at else _find_tag_column(found, least, word)
    if requested.tagged and requested.tag and tag == word:
        flag_hint = "name another with --column"
        if not requested.word:
            flag_hint = "name the column of the words with --word"
        what = f"the word and its tag both are column {tag + 1}"
        raise DataError(what, where=where, hint=flag_hint)
    if requested.tagged and tag == word:
        tag = word - 1 if word else 1
    brackets = bool(requested.tagged) and tag < len(values) and _are_bracketed(values[tag])
    return replace(found, word=word, tag=tag, brackets=brackets)


def _are_bracketed(values: frozenset[str]) -> bool:
    # A file may hold no span, and no other tags are brackets and asterisks alone.
    return all(BRACKETS.fullmatch(value) for value in values) and any(
        "*" in v or "(" in v for v in values
    )


def blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines between blank lines, block by block."""
    return (
        list(block) for blank, block in groupby(lines, lambda line: not line.strip()) if not blank
    )


def _is_document(line: str) -> bool:
    return DOCUMENT.match(line) is not None or line.startswith("-DOCSTART-")


def _find_separator(lines: Sequence[str], by_tab: bool, tagged: bool) -> str:
    tabs = sum("\t" in line for line in lines)
    if by_tab or (lines and tabs >= MIN_TAB_SHARE * len(lines)):
        return "\t"
    alone = sum(len(cut(line, "blanks")) == 1 for line in lines)
    return "\n" if not tagged and lines and alone > len(lines) / 2 else "blanks"


def _get_global_names(lines: Iterable[str]) -> list[str]:
    found = next((match for line in lines if (match := GLOBAL.match(line))), None)
    return found.group(1).split() if found else []


def _is_header(rows: Sequence[Sequence[Sequence[str]]], requested: RequestedColumns) -> bool:
    fields = rows[0][0]
    given = {name for name in (requested.word, requested.tag) if name and not name.isdecimal()}
    plain = [field.strip().casefold() for field in fields]
    usual = (
        len(fields) > 1
        and set(plain) <= HEADER
        and bool(set(plain) & set(WORD_NAMES))
        and len(set(plain)) > 1
    )
    # A data frame without names is saved with counts; a tag "1" would occur again.
    last = [row[-1] for block in rows for row in block if row]
    saved = len(fields) > 1 and count_columns(fields) and last.count(fields[-1]) == 1
    return usual or saved or bool(given and given <= set(fields))


def _find_number_column(rows: Sequence[Sequence[Sequence[str]]], least: int, more: int) -> int:
    """Return the first column that counts the words of every sentence, or -1.

    At least `more` columns must follow it.
    """
    for place in range(least - more):
        counts = [
            [fields[place] for fields in block if not NOT_A_WORD.fullmatch(fields[place])]
            for block in rows
        ]
        if not all(field.isascii() and field.isdecimal() for own in counts for field in own):
            continue
        numbers = [[int(field[:9]) for field in own] for own in counts]
        steps = [after - before for own in numbers for before, after in pairwise(own)]
        restarts = {own[0] for own in numbers if own} <= {0, 1} and len(steps) + len(numbers) > 1
        if all(step == 1 for step in steps) and (restarts or len(steps) > 2):
            return place
    return -1


def _find_word_column(names: Sequence[str], number: int) -> int:
    plain = [name.casefold() for name in names]
    return next((plain.index(name) for name in WORD_NAMES if name in plain), number + 1)


def _find_tag_column(found: Layout, least: int, word: int) -> int:
    """Guess the tag column: the last one, except in formats that are known to differ."""
    # CoNLL-2009 and CoNLL-2012 have the gold part of speech at index 4, before predicted ones.
    if found.by == "\t" and found.number == 0 and least >= 14:
        return 4
    if found.number == 2 and least >= 11 and any("*" in value for value in found.values[5]):
        return 4
    last = found.count - 1
    # Lines of different lengths are an error, which the reader raises with the line.
    if last >= least:
        return last
    while last - 1 > word and found.values[last] <= NOTHING:
        last -= 1
    # Nested spans come with the outermost first, as in GermEval; an inner level has no types of
    # its own.
    while last - 1 > word and _are_inner(
        found.values[last], found.values[last - 1], found.number >= 0
    ):
        last -= 1
    return last


def _are_inner(inner: frozenset[str], outer: frozenset[str], numbered: bool) -> bool:
    spans = [{value for value in values if split_tag(value)[1]} for values in (inner, outer)]
    written = inner | outer == spans[0] | spans[1] | {OUTSIDE}
    return written and inner <= outer and bool(spans[1]) and (numbered or bool(spans[0]))


def _resolve(column: str, names: Sequence[str], where: str) -> int:
    if column in names:
        return names.index(column)
    if column.isascii() and column.isdecimal() and 0 < int(column[:9]) < 10_000:
        return int(column) - 1
    hint = "give its number, from 1, or the name that the first line has"
    if names:
        hint = did_you_mean(column, names)
    raise DataError(f"there is no column {column!r}", where=where, hint=hint)


class Columns:
    """Parse the lines of a file by its layout."""

    def __init__(self, layout: Layout, tagged: bool) -> None:
        self.layout, self.tagged = layout, tagged
        self.count, self.comments, self.header = layout.count, 0, layout.header
        self.known: dict[str, tuple[str, str]] = {}
        """Word and tag of lines that occurred; most lines of a large file occur often."""
        self.tags: dict[str, str] = {}
        self.inside = ""
        """Type of the open span, if spans are written with brackets."""

    def __call__(self, line: str, words: int, where: str) -> tuple[str, str] | None:
        """Return the word and tag of a line, or None for a line without a word.

        `words` is the number of words before it in its sentence. Raises DataError that names the
        place.
        """
        layout = self.layout
        if line[0] in "#-" and (
            _is_document(line) or (line.startswith("#") and not self._is_word(line, words))
        ):
            self.comments += line.startswith("#")
            return None
        if self.header:
            self.header = False
            return None
        fields = layout.fields(line)
        if layout.number >= 0 and NOT_A_WORD.fullmatch(fields[min(layout.number, len(fields) - 1)]):
            return None
        least = max(layout.word, layout.tag if self.tagged else 0, int(self.tagged)) + 1
        if not self.count or (not layout.count and not words):
            self.count = len(fields)
        if len(fields) != self.count or len(fields) < least:
            tag = "a word and its tag need" if self.tagged else "a word needs"
            need = f"{tag} {least}" if self.count < least else f"those before it have {self.count}"
            raise line_error(f"{columns(len(fields))}, and {need}", where, self.tagged)
        word, tag = fields[layout.word], fields[layout.tag] if self.tagged else ""
        if not word.strip() or (self.tagged and not tag.strip()):
            what = "a word or its tag is empty" if self.tagged else "a word is empty"
            hint = "write both" if self.tagged else "write it, or leave the line out"
            raise DataError(what, where=where, hint=hint)
        if layout.brackets and self.tagged:
            return word, self._as_iob(tag.strip(), words, where)
        tag = self.tags.setdefault(tag.strip(), tag.strip())
        if layout.count and not line.startswith("#") and len(self.known) < KNOWN:
            self.known[line] = word, tag
        return word, tag

    def _as_iob(self, tag: str, words: int, where: str) -> str:
        """Convert a tag with brackets to IOB2. Raises DataError for several at one word."""
        if (match := BRACKETS.fullmatch(tag)) is None:
            what = f"the tag {tag!r} is no single span in brackets, as those before it are"
            raise DataError(
                what, where=where, hint="give a word the begin of one span, such as (PER*"
            )
        begins, ends = match.groups()
        kind = begins or (self.inside if words else "")
        self.inside = "" if ends else kind
        return f"{'B' if begins else 'I'}-{kind}" if kind else OUTSIDE

    def _is_word(self, line: str, words: int) -> bool:
        """Return whether a line that begins with "#" is the word "#" rather than a comment.

        A word has as many columns as other lines, with values that other lines have too.
        """
        fields = self.layout.fields(line)
        if self.layout.by == "\n":
            return BLANKS.search(line.strip()) is None
        if self.layout.number == 0:
            return False
        if len(fields) != (self.count or len(fields)):
            # Within a sentence it is a word with missing columns, which the reader refuses.
            return words > 0
        alike = ("\t" in line) == (self.layout.by == "\t")
        values = self.layout.values
        others = [(field, values[at]) for at, field in enumerate(fields[1:], 1) if at < len(values)]
        known = any(field in there or field == "#" for field, there in others)
        return known or (alike and (words > 0 or not others))

    def findings(self, where: str) -> Iterator[Finding]:
        """Report the number of comment lines that were skipped."""
        if self.comments:
            some = f"{self.comments:,} comment line{'s' * (self.comments > 1)}"
            yield Finding(where, f"{some} (# ...) left out")


def line_error(has: str, where: str, tagged: bool) -> DataError:
    """Return the error for a line of a wrong number of columns."""
    hint = "correct the line" if tagged else f"correct the line, or {FOR_USE}"
    flag_hint = FOR_TRAINING if tagged else None
    return DataError(f"the line has {has}", where=where, hint=hint, flag_hint=flag_hint)


def columns(count: int) -> str:
    """Format a number of columns: "1 column", "2 columns"."""
    return f"{count} column{'s' * (count != 1)}"
