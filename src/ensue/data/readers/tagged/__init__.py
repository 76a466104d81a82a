"""Readers of sentences with a tag for every word, in the formats of treebanks and shared tasks.

CoNLL-U (universaldependencies.org/format.html) has ten columns separated by tabs, comments,
multiword tokens ("3-4") and empty nodes ("8.1"). Columns of CoNLL-2000 and CoNLL-2003 are separated
by blanks, with the word first and the tag last. The tsv format has a word and a tag separated by a
tab. A blank line ends a sentence in all three. JSON Lines hold a list of tokens and a list of tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ensue.data.contract import SILENT, Listener
from ensue.data.files import get_suffix
from ensue.data.labelled import Example, LabelledReader
from ensue.data.readers.lines import read_lines
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
from ensue.data.tables.rows import read_json_rows
from ensue.errors import DataError, SettingError
from ensue.settings import Flag

TagFormat: TypeAlias = Literal["conllu", "columns", "tsv", "jsonl"]

DESCRIBED: dict[TagFormat, str] = {
    "conllu": "CoNLL-U",
    "columns": "columns by blanks or by tab",
    "tsv": "a word and a tag by tab",
    "jsonl": "JSON Lines with a list of tokens and one of tags",
}

NAMED = ("word", "column", "tokens", "tags")
"""Settings that name columns of one format, or keys of another."""

ROWS_OF_CSV = 10
"""Minimum number of lines for recognising a CSV table by its commas."""


class TaggedSettings(PartFiles):
    """How sentences with a tag for every word are read and split."""

    format: Annotated[Literal["auto", "conllu", "columns", "tsv", "jsonl"], Flag()] = "auto"
    """File format; auto guesses it from the file's name and lines.

    conllu: CoNLL-U. columns: CoNLL-2000 and CoNLL-2003. tsv: a word and a tag. jsonl: JSON Lines.
    """
    column: Annotated[str, Flag()] = Field(default="", coerce_numbers_to_str=True)
    """Tag column: its number from 1, or its name in the header; CoNLL-U: upos by default.

    Without it, the column is guessed (mostly the last) and reported.
    """
    word: Annotated[str, Flag()] = Field(default="", coerce_numbers_to_str=True)
    """Word column: its number from 1, or its name in the header; CoNLL-U: form by default.

    Without it, the column is guessed and reported. It is mostly the first, or the one after the
    word numbers.
    """
    tokens: Annotated[str, Flag()] = "tokens"
    """JSON Lines: name of the list of words; `tokens` if a row lacks that name."""
    tags: Annotated[str, Flag()] = "tags"
    """JSON Lines: name of the list of tags.

    If a row lacks that name: `tags`, or the only list that could hold the tags.
    """
    names: tuple[str, ...] = ()
    """JSON Lines: names of integer tags, from 0; without them the integers are the tags."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_length: int = Field(default=2000, ge=1)
    """Maximum number of words in a sentence for training, validation and test."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the sentences for validation, drawn with the random seed."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the sentences for the test part, drawn with the random seed."""


class TaggedReader(LabelledReader):
    """Read one example a sentence: the field "words" of `content`, and a list of tags as `label`.

    For CoNLL-U and columns, `row["at"]` holds the indices of the lines that are words, and
    `row["lines"]` the lines; with tags, those of CoNLL-U alone. `before` is the layout of other
    files that these belong to. With `remembered`, the column settings refer to those other files.
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
            sentences = self._read_sentences(path, self._guess_format(path), listener)
            if (first := next(sentences, None)) is None:
                what = "there is no sentence in the file"
                raise DataError(what, where=str(path), hint="give one with words in it")
            yield first
            yield from sentences

    @property
    def format(self) -> TagFormat:
        """Format of the first file."""
        return self._guess_format(self.files[0])

    @cached_property
    def layout(self) -> Layout | None:
        """Column layout of the first file, or None if its format has fixed columns."""
        if self.format in ("columns", "tsv"):
            return self._find_layout(self.files[0], self.format)
        return None

    @property
    def described(self) -> str:
        """Description of how the first file is read."""
        return DESCRIBED[self.format] if self.layout is None else self.layout.described(self.tagged)

    def _guess_format(self, path: Path) -> TagFormat:
        if self.settings.format == "auto":
            return guess_format(path, self.settings.encoding)
        return self.settings.format

    def _find_layout(self, path: Path, kind: TagFormat) -> Layout:
        given = self.settings.word, self.settings.column if self.tagged else ""
        requested = RequestedColumns(*given, self.tagged, self.remembered)
        lines = list(islice(read_lines(path, self.settings.encoding), LOOKED_AT))
        before = self.before or (None if path == self.files[0] else self.layout)
        return find_layout(lines, kind == "tsv", requested, before, str(path))

    def _read_sentences(self, path: Path, kind: TagFormat, listener: Listener) -> Iterator[Example]:
        _refuse_unused(self.settings, kind, path)
        if kind in ("columns", "tsv"):
            layout = self._find_layout(path, kind)
            self._report_format(path, layout.described(self.tagged), listener)
            return self._read_lines(path, Columns(layout, self.tagged), listener)
        self._report_format(path, DESCRIBED[kind], listener)
        if kind == "jsonl":
            return self._read_json(path, listener)
        parser = Conllu(self.settings.word, self.settings.column, self.tagged)
        return self._read_lines(path, parser, listener)

    def _report_format(self, path: Path, described: str, listener: Listener) -> None:
        """Report how a file is read, unless the settings give all of it."""
        columns = described.startswith("columns")
        guessed = [one for one in ("word", "column") if columns and not getattr(self.settings, one)]
        if self.settings.format == "auto" or guessed:
            flags = " and ".join(f"--{one}" for one in guessed)
            others = f"choose others with {flags}, or " if guessed else ""
            flag_hint = (
                FOR_USE if not self.tagged else None if self.remembered else others + FOR_TRAINING
            )
            listener.report(path, f"read as {described}", flag_hint)

    def _read_json(self, path: Path, listener: Listener) -> Iterator[Example]:
        lists = JsonLists(self.settings, self.tagged)
        for number, row in read_json_rows(path, self.settings.encoding, None, listener):
            words, tags = lists(row, f"{path}:{number}")
            if words:
                yield Example({"words": words}, tags, str(path), number)
        for finding in lists.findings(str(path)):
            listener.on_finding(finding)

    def _read_lines(
        self, path: Path, parser: Conllu | Columns, listener: Listener
    ) -> Iterator[Example]:
        file, known = str(path), parser.known
        # Training needs the lines of CoNLL-U alone, for its tokenizer; they may take gigabytes.
        columns = parser.layout.count if isinstance(parser, Columns) else len(CONLLU)
        keep = not self.tagged or columns in (0, len(CONLLU))
        read = chain(read_lines(path, self.settings.encoding, None, listener), [""])
        lines, words, tags, at = _start_sentence()
        for number, line in enumerate(read, start=1):
            if line and not line.isspace():
                found = known.get(line) or parser(line, len(words), f"{file}:{number}")
                if found is not None:
                    words.append(found[0])
                    tags.append(found[1])
                    at.append(len(lines))
                lines.append(line)
            elif lines:
                if words:
                    row = {"at": range(len(at)) if len(at) == len(lines) else at}
                    row |= {"lines": lines} if keep else {}
                    label = tags if self.tagged else None
                    first = number - len(lines)
                    yield Example({"words": words}, label, file, first, row=row)
                lines, words, tags, at = _start_sentence()
        for finding in parser.findings(str(path)):
            listener.on_finding(finding)


def _refuse_unused(settings: TaggedSettings, kind: TagFormat, path: Path) -> None:
    """Raise SettingError for a column or a key that files of this format do not have."""
    for name in NAMED[:2] if kind == "jsonl" else NAMED[2:]:
        if getattr(settings, name) != TaggedSettings.model_fields[name].default:
            what = f"{path} is read as {DESCRIBED[kind]}, which has no {name}"
            raise SettingError(what, where=f"data.{name}", hint="leave it out")


def _start_sentence() -> tuple[list[str], list[str], list[str], list[int]]:
    return [], [], [], []


def make_companion_reader(
    before: tuple[str, Layout | None],
    files: Sequence[Path],
    settings: TaggedSettings,
    tagged: bool,
    remembered: bool = False,
) -> TaggedReader:
    """Build the reader of files that go with other files; `before` is the format of those.

    If the format differs, the column settings do not apply to these files.
    """
    kind, layout = before
    reader = TaggedReader(files, settings, tagged, layout, remembered)
    if reader.format == kind or (layout is not None and reader.format in ("columns", "tsv")):
        return reader
    plain = {name: TaggedSettings.model_fields[name].default for name in NAMED}
    return TaggedReader(files, settings.model_copy(update=plain), tagged)


def refuse_tables(path: Path, first: Sequence[str]) -> None:
    """Raise DataError for CSV tables and for a single JSON value; neither is a supported format.

    `first` holds lines without blank ones. A CSV table is recognised by its commas: several in each
    line, equally many in all, and none before a blank.
    """
    commas = {line.count(",") for line in first}
    rows = (
        len(first) >= ROWS_OF_CSV
        and len(commas) == 1
        and min(commas) > 1
        and not any(", " in one for one in first)
    )
    # Features in the columns of a file may be separated by commas: that is no CSV.
    columns = all(len(line.split()) > 1 for line in first)
    if get_suffix(path) == ".csv" or (rows and not columns):
        hint = "write it as .tsv: a word and its tag by tab, with a blank line after each sentence"
        raise DataError("CSV is not a format for tagged sentences", where=str(path), hint=hint)
    begin = "".join("".join(first[:2]).split())
    if begin.startswith("[{") or (begin.startswith('{"') and first[0].strip() == "{"):
        hint = "write it as JSON Lines: one object a line, each a sentence"
        what = "one list or object of JSON holds all sentences"
        raise DataError(what, where=str(path), hint=hint)


def guess_format(path: Path, encoding: str) -> TagFormat:
    """Guess the format of a file from its name, or else from its first lines."""
    by_name: dict[str, TagFormat] = {
        ".conllu": "conllu",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".tsv": "tsv",
    }
    if get_suffix(path) in by_name:
        return by_name[get_suffix(path)]
    first = [line for line in islice(read_lines(path, encoding), 100) if line.strip()]
    refuse_tables(path, first)
    words = [line.split("\t") for line in first if not line.startswith("#")]
    if words and all(line.lstrip().startswith("{") for line in first):
        return "jsonl"
    if any(len(fields) == len(CONLLU) and fields[0].isdecimal() for fields in words):
        return "conllu"
    return (
        "tsv" if words and sum(len(fields) == 2 for fields in words) > len(words) / 2 else "columns"
    )
