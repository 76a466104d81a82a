"""Sentences with a tag for every word, in the formats of treebanks and shared tasks.

CoNLL-U (universaldependencies.org/format.html): ten columns by tab, comments, words of several tokens ("3-4"), empty
nodes ("8.1"). Columns of CoNLL-2000 and CoNLL-2003: by blanks, the word first, the tag last.
A word and a tag by tab. A blank line ends a sentence in all three. JSON Lines hold a list of tokens, and one of tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import ending
from ensue.data.labelled import Labelled, LabelledReader
from ensue.data.readers.lines import lines_of
from ensue.data.readers.rows import json_rows
from ensue.errors import DataError, SettingError, did_you_mean
from ensue.settings import Settings

Kind: TypeAlias = Literal["conllu", "columns", "tsv", "jsonl"]

DESCRIBED: dict[Kind, str] = {
    "conllu": "CoNLL-U",
    "columns": "columns by blanks, the word first",
    "tsv": "a word and a tag by tab",
    "jsonl": "JSON Lines with a list of tokens and one of tags",
}
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
LONGEST_LINE = 1_000_000
"""Characters."""
NOT_A_WORD = re.compile(r"\d+(-\d+|\.\d+)")


class TaggedSettings(Settings):
    """How sentences with a tag for every word are read and split."""

    kind: Literal["auto", "conllu", "columns", "tsv", "jsonl"] = "auto"
    """conllu, columns (CoNLL-2000, CoNLL-2003), tsv (a word and a tag), jsonl; auto tells it from name and lines."""
    column: str = ""
    """Where the tag stands: a column of CoNLL-U (upos if not given), or the number of one of the columns, from 1 (else
    the last)."""
    tokens: str = "tokens"
    """jsonl: the name of the list of words."""
    tags: str = "tags"
    """jsonl: the name of the list of tags."""
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    longest: int = Field(default=2000, ge=1)
    """The most words that a sentence may have."""
    tune: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of the sentences on which choices are made, drawn by the seed."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of the sentences that is only reported, drawn by the seed."""
    valid_file: str = ""
    """A file on which choices are made, in place of the share `tune`."""
    test_file: str = ""
    """A file that is only reported, in place of the share `test`."""

    def build(self, files: Sequence[Path], tagged: bool = True) -> TaggedReader:
        """Make the reader of these files; not `tagged`, it reads words alone."""
        return TaggedReader(files, self, tagged)


@dataclass
class Sentence:
    """What was read of a sentence so far."""

    line: int
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """All its lines as they stand in the file."""


class TaggedReader(LabelledReader):
    """One example a sentence: `content` holds the field "words", `label` is the list of tags.

    Of CoNLL-U and columns, `row["lines"]` holds the lines as they stand in the file.
    """

    def __init__(self, files: Sequence[Path], settings: TaggedSettings, tagged: bool) -> None:
        self.files, self.settings, self.tagged = files, settings, tagged

    def examples(self, listener: Listener = SILENT) -> Iterator[Labelled]:
        """Read all sentences. Raises DataError that names file and line."""
        for path in self.files:
            count = 0
            for sentence in self._sentences(path, listener):
                count += 1
                label = sentence.tags if self.tagged else None
                yield Labelled(
                    {"words": sentence.words}, label, str(path), sentence.line, row={"lines": sentence.lines}
                )
            if not count:
                raise DataError("there is no sentence in the file", where=str(path), mend="give one with words in it")

    @property
    def kind(self) -> Kind:
        """How the first file is read."""
        return self._kind_of(self.files[0])

    def _kind_of(self, path: Path) -> Kind:
        return guess_kind(path, self.settings.encoding) if self.settings.kind == "auto" else self.settings.kind

    def _sentences(self, path: Path, listener: Listener) -> Iterator[Sentence]:
        kind = self._kind_of(path)
        if self.settings.kind == "auto":
            mend = "choose another with --set data.kind=conllu|columns|tsv|jsonl"
            listener.tell(Finding(str(path), f"read as {DESCRIBED[kind]}", mend))
        if kind == "jsonl":
            return self._of_json(path, listener)
        return self._of_lines(path, self._way(kind, path), listener)

    def _of_json(self, path: Path, listener: Listener) -> Iterator[Sentence]:
        settings = self.settings
        for number, row in json_rows(path, settings.encoding, LONGEST_LINE, listener):
            where = f"{path}:{number}"
            words = _strings(row, settings.tokens, "tokens", where)
            tags = _strings(row, settings.tags, "tags", where) if self.tagged else []
            if self.tagged and len(words) != len(tags):
                what = f"there are {len(words)} tokens and {len(tags)} tags"
                raise DataError(what, where=where, mend="give every token one tag")
            self._refuse_longer(len(words), where)
            if words:
                yield Sentence(number, words, tags)

    def _of_lines(self, path: Path, way: Way, listener: Listener) -> Iterator[Sentence]:
        sentence: Sentence | None = None
        lines = lines_of(path, self.settings.encoding, LONGEST_LINE, listener)
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                if sentence and sentence.words:
                    yield sentence
                sentence = None
                continue
            sentence = sentence or Sentence(number)
            sentence.lines.append(line)
            if (found := way(line, len(sentence.words), f"{path}:{number}")) is not None:
                sentence.words.append(found[0])
                sentence.tags.append(found[1])
                self._refuse_longer(len(sentence.words), f"{path}:{sentence.line}")
        if sentence and sentence.words:
            yield sentence

    def _refuse_longer(self, words: int, where: str) -> None:
        if words > self.settings.longest:
            what = f"the sentence that begins here has more than {self.settings.longest:,} words"
            mend = "is a blank line missing after it? Else give --set data.longest=N"
            raise DataError(what, where=where, mend=mend)

    def _way(self, kind: Kind, path: Path) -> Way:
        if kind == "conllu":
            return _Conllu(self.settings.column or "upos", self.tagged)
        return _Columns(self.settings.column, "\t" if kind == "tsv" else None, self.tagged)


Way: TypeAlias = Callable[[str, int, str], "tuple[str, str] | None"]
"""Gives the word and the tag of a line, after so many words of its sentence; None for a line without a word.

The place is named in errors.
"""


class _Conllu:
    def __init__(self, column: str, tagged: bool) -> None:
        if column not in CONLLU[2:]:
            mend = did_you_mean(column, CONLLU[2:])
            raise SettingError(f"CoNLL-U has no column {column!r} with tags", where="data.column", mend=mend)
        self.column, self.at, self.tagged = column, CONLLU.index(column), tagged

    def __call__(self, line: str, words: int, where: str) -> tuple[str, str] | None:
        if line.startswith("#"):
            return None
        fields = line.split("\t")
        if len(fields) != len(CONLLU):
            what = f"the line has {len(fields)} columns by tab, and CoNLL-U has 10"
            raise DataError(what, where=where, mend="mend the line, or give --set data.kind=columns|tsv")
        if not fields[0].isdecimal():
            if NOT_A_WORD.fullmatch(fields[0]):
                return None
            mend = "number the words of each sentence from 1"
            raise DataError(f"{fields[0]!r:.60} is not the number of a word", where=where, mend=mend)
        if int(fields[0]) != words + 1:
            what = f"word {fields[0]} stands after word {words}"
            mend = "put a blank line before each sentence, and number its words from 1"
            raise DataError(what, where=where, mend=mend)
        # In other columns "_" says something of a word: that it has no features.
        if self.tagged and self.column == "upos" and fields[self.at] in ("_", ""):
            raise DataError(f"{fields[1]!r:.60} has no {self.column}", where=where, mend="tag it, or leave it out")
        return fields[1], fields[self.at]


class _Columns:
    def __init__(self, column: str, by: str | None, tagged: bool) -> None:
        if column and not (column.isdecimal() and int(column) > 0):
            mend = "give the number of the column, from 1"
            raise SettingError(f"there is no column {column!r}", where="data.column", mend=mend)
        self.at = int(column) - 1 if column else -1
        self.by, self.tagged, self.count = by, tagged, 0

    def __call__(self, line: str, words: int, where: str) -> tuple[str, str] | None:
        fields = line.split(self.by)
        if fields[0] == "-DOCSTART-":
            return None
        if not self.tagged:
            return fields[0], ""
        least = max(2, self.at + 1)
        self.count = self.count or max(len(fields), least)
        if len(fields) != self.count:
            few = f"column{'s' * (len(fields) != 1)}"
            what = f"the line has {len(fields)} {few}, and those before it have {self.count}"
            if len(fields) < least:
                what = f"the line has {len(fields)} {few}, and a word and its tag need {least}"
            mend = "mend the line, or name the format with --set data.kind=conllu|columns|tsv|jsonl"
            raise DataError(what, where=where, mend=mend)
        if not fields[0].strip() or not fields[self.at].strip():
            raise DataError("a word or its tag is empty", where=where, mend="write both")
        return fields[0], fields[self.at]


def guess_kind(path: Path, encoding: str) -> Kind:
    """Tell a format by the file's name, or else by its first lines."""
    by_name: dict[str, Kind] = {".conllu": "conllu", ".jsonl": "jsonl", ".ndjson": "jsonl", ".tsv": "tsv"}
    if ending(path) in by_name:
        return by_name[ending(path)]
    first = [line for line in islice(lines_of(path, encoding, LONGEST_LINE), 100) if line.strip()]
    words = [line.split("\t") for line in first if not line.startswith("#")]
    if words and all(line.lstrip().startswith("{") for line in first):
        return "jsonl"
    if any(len(fields) == len(CONLLU) and fields[0].isdecimal() for fields in words):
        return "conllu"
    return "tsv" if words and sum(len(fields) == 2 for fields in words) > len(words) / 2 else "columns"


def _strings(row: dict[str, Any], name: str, what: str, where: str) -> list[str]:
    if name not in row:
        mend = f"name the list with --{what} NAME: there are {', '.join(map(repr, row)) or 'none'}"
        raise DataError(f"there is no {name!r}", where=where, mend=mend)
    values = row[name]
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        mend = 'write it as ["a", "b"]'
        raise DataError(f"{name!r} is not a list of words", where=where, mend=mend)
    return values
