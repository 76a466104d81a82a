"""Sentences with a tag for every word, in the formats of treebanks and shared tasks.

CoNLL-U (universaldependencies.org/format.html): ten columns by tab, comments, words of several
tokens ("3-4"), empty nodes ("8.1"). Columns of CoNLL-2000 and CoNLL-2003: by blanks, the word
first, the tag last. A word and a tag by tab. A blank line ends a sentence in all three. JSON Lines
hold a list of tokens, and one of tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby, islice
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import ending
from ensue.data.labelled import Example, LabelledReader
from ensue.data.readers.lines import lines_of
from ensue.data.readers.named_parts import PartFiles
from ensue.data.readers.tagged.columns import (
    FOR_TRAINING,
    FOR_USE,
    LOOKED_AT,
    Columns,
    Layout,
    RequestedColumns,
    find_layout,
)
from ensue.data.readers.tagged.conllu import CONLLU, Conllu
from ensue.data.readers.tagged.lists import JsonLists
from ensue.data.tables.rows import json_rows
from ensue.errors import DataError

TagFormat: TypeAlias = Literal["conllu", "columns", "tsv", "jsonl"]

DESCRIBED: dict[TagFormat, str] = {
    "conllu": "CoNLL-U",
    "columns": "columns by blanks or by tab",
    "tsv": "a word and a tag by tab",
    "jsonl": "JSON Lines with a list of tokens and one of tags",
}


ROWS_OF_CSV = 10
"""Lines from which a table of CSV is known by its commas."""


class TaggedSettings(PartFiles):
    """How sentences with a tag for every word are read and split."""

    format: Literal["auto", "conllu", "columns", "tsv", "jsonl"] = "auto"
    """conllu, columns (CoNLL-2000, CoNLL-2003), tsv (a word and a tag), jsonl; auto tells it
    from name and lines."""
    column: str = Field(default="", coerce_numbers_to_str=True)
    """The column of the tags: one of CoNLL-U (upos if not given), or its number, from 1, or its
    name in the first line; else it is guessed, and told: mostly the last."""
    word: str = Field(default="", coerce_numbers_to_str=True)
    """The column of the words: its number, from 1, or its name in the first line; else it is
    guessed, and told: mostly the first, or that behind the numbers of the words. Of CoNLL-U it is
    form if not given."""
    tokens: str = "tokens"
    """jsonl: the name of the list of words; where there is none of it, `tokens`."""
    tags: str = "tags"
    """jsonl: the name of the list of tags; where there is none of it, `tags`, or the only one
    that could be meant."""
    names: tuple[str, ...] = ()
    """jsonl: the names of tags that are whole numbers, from 0 on; without them the numbers
    themselves are the tags."""
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    max_length: int = Field(default=2000, ge=1)
    """The most words that a sentence may have that is learned from, or chosen or reported on."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of the sentences on which choices are made, drawn by the seed."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of the sentences that is only reported, drawn by the seed."""


class TaggedReader(LabelledReader):
    """One example a sentence: `content` holds the field "words", `label` is the list of tags.

    Of CoNLL-U and columns, `row["lines"]` holds the lines as they stand in the file, and
    `row["at"]` says which of them are the words. `before` is how files with columns were read that
    belong to these; with `remembered`, what the settings say of columns was said of those.
    """

    def __init__(
        self,
        files: Sequence[Path],
        settings: TaggedSettings,
        tagged: bool,
        before: Layout | None = None,
        remembered: bool = False,
    ) -> None:
        self.files, self.settings, self.tagged, self.before = files, settings, tagged, before
        self.remembered = remembered

    def examples(self, listener: Listener = SILENT) -> Iterator[Example]:
        """Read all sentences. Raises DataError that names file and line."""
        for path in self.files:
            sentences = self._sentences(path, self._guess_format(path), listener)
            if (first := next(sentences, None)) is None:
                raise DataError(
                    "there is no sentence in the file",
                    where=str(path),
                    hint="give one with words in it",
                )
            yield first
            yield from sentences

    @property
    def format(self) -> TagFormat:
        """How the first file is read."""
        return self._guess_format(self.files[0])

    @cached_property
    def layout(self) -> Layout | None:
        """Where the columns of the first file stand, if it has some without names of their own."""
        return (
            self._layout_of(self.files[0], self.format)
            if self.format in ("columns", "tsv")
            else None
        )

    @property
    def described(self) -> str:
        """How the first file is read, in words."""
        return DESCRIBED[self.format] if self.layout is None else self.layout.described(self.tagged)

    def _guess_format(self, path: Path) -> TagFormat:
        return (
            guess_format(path, self.settings.encoding)
            if self.settings.format == "auto"
            else self.settings.format
        )

    def _layout_of(self, path: Path, kind: TagFormat) -> Layout:
        said = self.settings.word, self.settings.column if self.tagged else ""
        wanted = RequestedColumns(*said, self.tagged, self.remembered)
        lines = list(islice(lines_of(path, self.settings.encoding), LOOKED_AT))
        before = self.before or (None if path == self.files[0] else self.layout)
        return find_layout(lines, kind == "tsv", wanted, before, str(path))

    def _sentences(self, path: Path, kind: TagFormat, listener: Listener) -> Iterator[Example]:
        if kind == "jsonl":
            self._report_format(path, DESCRIBED[kind], listener)
            return self._of_json(path, listener)
        if kind == "conllu":
            self._report_format(path, DESCRIBED[kind], listener)
            return self._of_lines(
                path, Conllu(self.settings.word, self.settings.column, self.tagged), listener
            )
        layout = self._layout_of(path, kind)
        self._report_format(path, layout.described(self.tagged), listener)
        return self._of_lines(path, Columns(layout, self.tagged), listener)

    def _report_format(self, path: Path, described: str, listener: Listener) -> None:
        """Say how a file is read, unless all of it was said."""
        chosen = self.settings.word and self.settings.column
        if self.settings.format == "auto" or (described.startswith("columns") and not chosen):
            others = (
                "choose others with --word and --column, or "
                if described.startswith("columns")
                else ""
            )
            flag_hint = (
                FOR_USE if not self.tagged else None if self.remembered else others + FOR_TRAINING
            )
            listener.on_finding(Finding(str(path), f"read as {described}", flag_hint))

    def _of_json(self, path: Path, listener: Listener) -> Iterator[Example]:
        lists = JsonLists(self.settings, self.tagged)
        for number, row in json_rows(path, self.settings.encoding, None, listener):
            words, tags = lists(row, f"{path}:{number}")
            if words:
                yield Example({"words": words}, tags, str(path), number)
        for finding in lists.findings(str(path)):
            listener.on_finding(finding)

    def _of_lines(self, path: Path, way: Conllu | Columns, listener: Listener) -> Iterator[Example]:
        lines = enumerate(lines_of(path, self.settings.encoding, None, listener), start=1)
        for blank, block in groupby(lines, lambda line: not line[1].strip()):
            if blank:
                continue
            read, words, tags, at = list(block), [], [], []
            for place, (number, line) in enumerate(read):
                if (found := way(line, len(words), f"{path}:{number}")) is not None:
                    words.append(found[0])
                    tags.append(found[1])
                    at.append(place)
            if words:
                row = {"lines": [line for _, line in read], "at": at}
                yield Example(
                    {"words": words}, tags if self.tagged else None, str(path), read[0][0], row=row
                )
        for finding in way.findings(str(path)):
            listener.on_finding(finding)


def reader_beside(
    before: tuple[str, Layout | None],
    files: Sequence[Path],
    settings: TaggedSettings,
    tagged: bool,
    remembered: bool = False,
) -> TaggedReader:
    """Read files that belong to others, which were read `before` as a kind with a layout; where
    theirs is another kind, what was said of columns is not about them."""
    kind, layout = before
    reader = TaggedReader(files, settings, tagged, layout, remembered)
    if reader.format == kind or (layout is not None and reader.format in ("columns", "tsv")):
        return reader
    return TaggedReader(files, settings.model_copy(update={"column": "", "word": ""}), tagged)


def refuse_tables(path: Path, first: Sequence[str]) -> None:
    """Raise DataError for CSV and JSON as a whole, which are none of the formats; `first` are lines
    without blank ones.

    Lines of CSV are known by their commas: several in each, as many in all, and never one before a
    blank.
    """
    commas = {line.count(",") for line in first}
    rows = (
        len(first) >= ROWS_OF_CSV
        and len(commas) == 1
        and min(commas) > 1
        and not any(", " in one for one in first)
    )
    columns = all(
        len(line.split()) > 1 for line in first
    )  # whose features may stand between commas
    if ending(path) == ".csv" or (rows and not columns):
        hint = "write it as .tsv: a word and its tag by tab, with a blank line after each sentence"
        raise DataError(
            "a CSV table is none of the formats that hold tagged sentences",
            where=str(path),
            hint=hint,
        )
    begin = "".join("".join(first[:2]).split())
    if begin.startswith("[{") or (begin.startswith('{"') and first[0].strip() == "{"):
        hint = "write it as JSON Lines: one object a line, each a sentence"
        raise DataError(
            "one list or object of JSON holds all sentences", where=str(path), hint=hint
        )


def guess_format(path: Path, encoding: str) -> TagFormat:
    """Tell a format by the file's name, or else by its first lines."""
    by_name: dict[str, TagFormat] = {
        ".conllu": "conllu",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".tsv": "tsv",
    }
    if ending(path) in by_name:
        return by_name[ending(path)]
    first = [line for line in islice(lines_of(path, encoding), 100) if line.strip()]
    refuse_tables(path, first)
    words = [line.split("\t") for line in first if not line.startswith("#")]
    if words and all(line.lstrip().startswith("{") for line in first):
        return "jsonl"
    if any(len(fields) == len(CONLLU) and fields[0].isdecimal() for fields in words):
        return "conllu"
    return (
        "tsv" if words and sum(len(fields) == 2 for fields in words) > len(words) / 2 else "columns"
    )
