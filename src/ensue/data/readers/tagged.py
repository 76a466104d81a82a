"""Sentences with a tag for every word, in the formats of treebanks and shared tasks.

CoNLL-U (universaldependencies.org/format.html): ten columns by tab, comments, words of several tokens ("3-4"), empty
nodes ("8.1"). Columns of CoNLL-2000 and CoNLL-2003: by blanks, the word first, the tag last.
A word and a tag by tab. A blank line ends a sentence in all three. JSON Lines hold a list of tokens, and one of tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
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
FOR_TRAINING = "name the format with --set data.kind=conllu|columns|tsv|jsonl"
FOR_USE = "name the format with --read conllu|columns|tsv|jsonl"
COLUMN = re.compile(r"[2-9]|[1-9][0-9]{1,3}")
NOT_A_WORD = re.compile(r"\d+(-\d+|\.\d+)")


class TaggedSettings(Settings):
    """How sentences with a tag for every word are read and split."""

    kind: Literal["auto", "conllu", "columns", "tsv", "jsonl"] = "auto"
    """conllu, columns (CoNLL-2000, CoNLL-2003), tsv (a word and a tag), jsonl; auto tells it from name and lines."""
    column: str = ""
    """Where the tag stands: a column of CoNLL-U (upos if not given), or the number of one of the columns, from 1 (else
    the last)."""
    tokens: str = "tokens"
    """jsonl: the name of the list of words; where there is none of it, `tokens`."""
    tags: str = "tags"
    """jsonl: the name of the list of tags; where there is none of it, `tags`."""
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    longest: int = Field(default=2000, ge=1)
    """The most words that a sentence may have that is learned from, or chosen or reported on."""
    tune: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of the sentences on which choices are made, drawn by the seed."""
    test: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of the sentences that is only reported, drawn by the seed."""
    valid_file: str = ""
    """A file on which choices are made, in place of the share `tune`."""
    test_file: str = ""
    """A file that is only reported, in place of the share `test`."""


class TaggedReader(LabelledReader):
    """One example a sentence: `content` holds the field "words", `label` is the list of tags.

    Of CoNLL-U and columns, `row["lines"]` holds the lines as they stand in the file.
    """

    def __init__(self, files: Sequence[Path], settings: TaggedSettings, tagged: bool) -> None:
        self.files, self.settings, self.tagged = files, settings, tagged

    def examples(self, listener: Listener = SILENT) -> Iterator[Labelled]:
        """Read all sentences. Raises DataError that names file and line."""
        for path in self.files:
            kind = self._kind_of(path)
            if self.settings.kind == "auto":
                option = FOR_TRAINING if self.tagged else FOR_USE
                listener.tell(Finding(str(path), f"read as {DESCRIBED[kind]}", option))
            sentences = self._sentences(path, kind, listener)
            if (first := next(sentences, None)) is None:
                raise DataError("there is no sentence in the file", where=str(path), mend="give one with words in it")
            yield first
            yield from sentences

    @property
    def kind(self) -> Kind:
        """How the first file is read."""
        return self._kind_of(self.files[0])

    def _kind_of(self, path: Path) -> Kind:
        return guess_kind(path, self.settings.encoding) if self.settings.kind == "auto" else self.settings.kind

    def _sentences(self, path: Path, kind: Kind, listener: Listener) -> Iterator[Labelled]:
        if kind == "jsonl":
            return self._of_json(path, listener)
        column = self.settings.column if self.tagged else ""
        if kind == "conllu":
            return self._of_lines(path, _Conllu(column or "upos", self.tagged), listener)
        return self._of_lines(path, _Columns(column, "\t" if kind == "tsv" else None, self.tagged), listener)

    def _of_json(self, path: Path, listener: Listener) -> Iterator[Labelled]:
        settings = self.settings
        for number, row in json_rows(path, settings.encoding, None, listener):
            where = f"{path}:{number}"
            words = _strings(row, settings.tokens, "tokens", where)
            tags = _strings(row, settings.tags, "tags", where) if self.tagged else None
            if tags is not None and len(words) != len(tags):
                what = f"there are {len(words)} tokens and {len(tags)} tags"
                raise DataError(what, where=where, mend="give every token one tag")
            if words:
                yield Labelled({"words": words}, tags, str(path), number)

    def _of_lines(self, path: Path, way: Way, listener: Listener) -> Iterator[Labelled]:
        lines = enumerate(lines_of(path, self.settings.encoding, None, listener), start=1)
        for blank, block in groupby(lines, lambda line: not line[1].strip()):
            if blank:
                continue
            read, words, tags = list(block), [], []
            for number, line in read:
                if (found := way(line, len(words), f"{path}:{number}")) is not None:
                    words.append(found[0])
                    tags.append(found[1])
            if words:
                row = {"lines": [line for _, line in read]}
                yield Labelled({"words": words}, tags if self.tagged else None, str(path), read[0][0], row=row)


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
            what = f"the line has {columns(len(fields))} by tab, and CoNLL-U has 10"
            mend = "mend the line" if self.tagged else f"mend the line, or {FOR_USE}"
            raise DataError(what, where=where, mend=mend, option=FOR_TRAINING if self.tagged else None)
        if not fields[0].isdecimal():
            if NOT_A_WORD.fullmatch(fields[0]):
                return None
            mend = "number the words of each sentence from 1"
            raise DataError(f"{fields[0]!r:.60} is not the number of a word", where=where, mend=mend)
        if fields[0] != str(words + 1):
            what = f"word {fields[0]} stands after word {words}"
            mend = "put a blank line before each sentence, and number its words from 1"
            raise DataError(what, where=where, mend=mend)
        if not fields[1].strip():
            raise DataError(f"word {fields[0]} is empty", where=where, mend="write the word, or leave the line out")
        tag = fields[self.at]
        # In other columns "_" says something of a word: that it has no features.
        if self.tagged and self.column == "upos" and tag in ("_", ""):
            tag = fields[-1].partition("Tag=")[2]  # as `ensue tag` writes tags that belong into no column
            if not tag:
                raise DataError(f"{fields[1]!r:.60} has no {self.column}", where=where, mend="tag it, or leave it out")
        return fields[1], tag


class _Columns:
    def __init__(self, column: str, by: str | None, tagged: bool) -> None:
        if column and not COLUMN.fullmatch(column):
            mend = "give the number of the column, 2 or more, for the first has the words"
            raise SettingError(f"there is no column {column!r} with tags", where="data.column", mend=mend)
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
            need = f"a word and its tag need {least}" if len(fields) < least else f"those before it have {self.count}"
            what = f"the line has {columns(len(fields))}, and {need}"
            raise DataError(what, where=where, mend="mend the line", option=FOR_TRAINING)
        if not fields[0].strip() or not fields[self.at].strip():
            raise DataError("a word or its tag is empty", where=where, mend="write both")
        return fields[0], fields[self.at]


def columns(count: int) -> str:
    """Count columns in words."""
    return f"{count} column{'s' * (count != 1)}"


def guess_kind(path: Path, encoding: str) -> Kind:
    """Tell a format by the file's name, or else by its first lines."""
    by_name: dict[str, Kind] = {".conllu": "conllu", ".jsonl": "jsonl", ".ndjson": "jsonl", ".tsv": "tsv"}
    if ending(path) in by_name:
        return by_name[ending(path)]
    first = [line for line in islice(lines_of(path, encoding), 100) if line.strip()]
    words = [line.split("\t") for line in first if not line.startswith("#")]
    if words and all(line.lstrip().startswith("{") for line in first):
        return "jsonl"
    if any(len(fields) == len(CONLLU) and fields[0].isdecimal() for fields in words):
        return "conllu"
    return "tsv" if words and sum(len(fields) == 2 for fields in words) > len(words) / 2 else "columns"


def _strings(row: dict[str, Any], name: str, what: str, where: str) -> list[str]:
    name = name if name in row else what
    if name not in row:
        said, option = f"there is no {name!r}", f"name the list with --{what} NAME"
        raise DataError(
            f"{said}, but {', '.join(row) or 'nothing'}", where=where, mend=f"call it {what}", option=option
        )
    values = row[name]
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        mend = 'write it as ["a", "b"]'
        raise DataError(f"{name!r} is not a list of words", where=where, mend=mend)
    return values
