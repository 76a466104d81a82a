"""What a person asks a tagger about, and how the answer is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias, cast

from ensue.data.contract import Finding, Listener
from ensue.data.files import ending, file_meant, find_files, lines_piped
from ensue.data.labelled import Labelled
from ensue.data.readers.lines import lines_of
from ensue.data.readers.tagged.conllu import CONLLU
from ensue.data.sentences import sentences_of
from ensue.errors import DataError
from ensue.tasks.tag.model import TaggedSentence, TagModel

Reading: TypeAlias = Literal["auto", "text", "conllu", "columns", "tsv", "jsonl"]

FORMATS = {".conllu", ".conll", ".iob", ".jsonl", ".ndjson", ".tsv"}
"""Endings of files whose sentences are cut into words already."""
OWN_RULES = "cut into sentences and words by ensue's own rules"


def asked_about(model: TagModel, data: str, read: Reading, listener: Listener) -> Iterator[Labelled]:
    """Give the sentences of a file or folder, of the standard input (-), or of a text.

    Raises DataError if there are none.
    """
    if data == "-":
        return _of_text(lines_piped(), "-", listener)
    path = file_meant(data)
    if path is None:
        if Path(data).suffix and len(data.split()) == 1:
            raise DataError("there is no such file", where=data, mend="check the spelling, or give a text of two words")
        return _of_text(data.splitlines(), "the text", listener)
    files = find_files([path])
    if read == "text" or (read == "auto" and not {ending(file) for file in files} <= FORMATS):
        lines = ((str(file), lines_of(file, model.data.encoding)) for file in files)
        return (one for name, own in lines for one in _of_text(own, name, listener))
    return model.reader(files, False, read).examples(listener)


def _of_text(lines: Iterable[str], where: str, listener: Listener) -> Iterator[Labelled]:
    told = False
    for line, words in sentences_of(lines):
        if not told:
            mend = "if it is cut already, say how with --read conllu|columns|tsv|jsonl"
            listener.tell(Finding(where, f"plain text, {OWN_RULES}", mend))
            told = True
        spaces = [word.spaced for word in words]
        yield Labelled({"words": [word.text for word in words]}, None, where, line, row={"spaces": spaces})
    if not told:
        raise DataError("there is no text", where=where, mend="give some words")


def as_conllu(model: TagModel, number: int, told: TaggedSentence) -> str:
    """Write a sentence as CoNLL-U; of one that was read as CoNLL-U only the column of the tags is changed.

    Tags that belong into no column stand in the last, as Tag=...
    """
    lines = cast("list[str]", told.sentence.row.get("lines") or ())
    if not any(line.count("\t") == len(CONLLU) - 1 for line in lines):
        lines = _lines(number, told)
    tags, rows = iter(told.tags), []
    for line in lines:
        fields = line.split("\t")
        rows.append(_with_tag(model.column, fields, next(tags)) if fields[0].isdecimal() else line)
    return "\n".join(rows) + "\n\n"


def _lines(number: int, told: TaggedSentence) -> Iterator[str]:
    # The words of JSON Lines may hold what would break a line of CoNLL-U.
    words = [" ".join(word.split()) for word in told.words]
    spaces = told.sentence.row.get("spaces") or [True] * len(words)
    text = "".join(word + " " * spaced for word, spaced in zip(words, spaces, strict=True)).strip()
    yield from (f"# sent_id = {number}", f"# text = {text}")
    for place, (word, spaced) in enumerate(zip(words, spaces, strict=True), 1):
        misc = "_" if spaced or place == len(words) else "SpaceAfter=No"
        yield "\t".join([str(place), word, *["_"] * (len(CONLLU) - 3), misc])


def _with_tag(column: str, fields: list[str], tag: str) -> str:
    if column:
        fields[CONLLU.index(column)] = tag
    else:
        rest = fields[-1].partition("Tag=")[0].rstrip("|")
        fields[-1] = f"Tag={tag}" if rest in ("_", "") else f"{rest}|Tag={tag}"
    return "\t".join(fields)
