"""What a person asks a tagger about, and how the answer is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeAlias, cast

from ensue.data.contract import Finding, Listener
from ensue.data.files import existing_path, find_files, get_suffix, refuse_undecoded, spool_stdin
from ensue.data.labelled import Example
from ensue.data.readers.lines import read_lines
from ensue.data.readers.tagged import refuse_tables
from ensue.data.readers.tagged.conllu import CONLLU
from ensue.data.readers.tagged.recognised import LOOKED_AT, Form, are_columns, guess_text_form
from ensue.data.sentence_splitting import Word, split_sentences
from ensue.data.word_boundaries import UNSEGMENTED_MOSTLY, unsegmented_share
from ensue.errors import DataError
from ensue.tasks.tag.trained import TaggedSentence, TagModel

Reading: TypeAlias = Literal["auto", "text", "lines", "conllu", "columns", "tsv", "jsonl"]

FORMATS = {".conllu", ".conll", ".iob", ".jsonl", ".ndjson", ".tsv"}
"""Endings of files whose sentences are cut into words already."""
CHOICES = "say how it is cut with --read text|lines|conllu|columns|tsv|jsonl"


def read_inputs(model: TagModel, data: str, read: Reading, listener: Listener) -> Iterator[Example]:
    """Give the sentences of a file or folder, of the standard input (-), or of a text.

    Raises DataError if there are none.
    """
    if data == "-":
        return _piped(model, read, listener)
    refuse_undecoded(data, "the text")
    path = existing_path(data)
    if path is None:
        if Path(data).suffix and len(data.split()) == 1:
            raise DataError(
                "there is no such file",
                where=data,
                hint="check the spelling, or give a text of two words",
            )
        return _of_text(model, StringIO(data, newline=None), "the text", read, listener)
    return (one for file in find_files([path]) for one in _of_file(model, file, read, listener))


def _of_file(model: TagModel, file: Path, read: Reading, listener: Listener) -> Iterator[Example]:
    if read == "auto":
        first = (
            []
            if get_suffix(file) in FORMATS
            else list(islice(read_lines(file, model.data.encoding), LOOKED_AT))
        )
        refuse_tables(file, [line for line in first if line.strip()])
        words = get_suffix(file) in FORMATS or are_columns(first, model.tags, model.columns)
    else:
        words = read not in ("text", "lines")
    if words:
        return model.reader([file], False, read).examples(listener)
    return _of_text(model, read_lines(file, model.data.encoding), str(file), read, listener)


def _piped(model: TagModel, read: Reading, listener: Listener) -> Iterator[Example]:
    """Read the standard input as a file is read."""
    with spool_stdin(listener) as (file, as_piped):
        for one in _of_file(model, file, read, as_piped):
            yield replace(one, file="-")


def _of_text(
    model: TagModel, lines: Iterable[str], where: str, read: Reading, listener: Listener
) -> Iterator[Example]:
    rest = iter(lines)
    first = list(islice(rest, LOOKED_AT))
    form = guess_text_form(first) if read == "auto" else "lines" if read == "lines" else "text"
    found = _sentences(model, chain(first, rest), form)
    if (one := next(found, None)) is None:
        raise DataError("there is no text", where=where, hint="give some words")
    listener.on_finding(Finding(where, _described(model, form), CHOICES))
    if model.tokenizer is None and unsegmented_share("".join(first)[:100_000]) > UNSEGMENTED_MOSTLY:
        what = (
            "its script puts no blanks between words, so what stands between two signs is "
            "taken for one word"
        )
        listener.on_finding(
            Finding(where, what, "cut it into words first, and give it in columns, a word a line")
        )
    for line, words in chain([one], found):
        yield Example(
            {"words": [word.text for word in words]}, None, where, line, row={"written": words}
        )


def _sentences(
    model: TagModel, lines: Iterable[str], form: Form
) -> Iterator[tuple[int, list[Word]]]:
    if form == "text":
        yield from split_sentences(lines, model.cut)
        return
    for number, line in enumerate(lines, 1):
        words = [word for _, own in split_sentences([line], model.cut) for word in own]
        if form == "lines" and words:
            yield number, words
        elif words:
            yield from ((number, own) for _, own in split_sentences([line], model.cut))


def _described(model: TagModel, form: Form) -> str:
    words = (
        "into words as in the training data"
        if model.tokenizer
        else "into words by ensue's own rules"
    )
    if form == "lines":
        return f"one sentence a line, cut {words}"
    if model.tokenizer:
        return f"plain text, cut into sentences by ensue's own rules, and {words}"
    return "plain text, cut into sentences and words by ensue's own rules"


def as_conllu(model: TagModel, number: int, told: TaggedSentence) -> str:
    """Write a sentence as CoNLL-U; of one that was read as CoNLL-U only the column of the tags is
    changed.

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
    written: Sequence[Word] = told.sentence.row.get("written") or [
        Word(word, True) for word in words
    ]
    inside = 0
    """Words to come of a token that stands otherwise in the text."""
    rows, text = [], ""
    for place, (word, own) in enumerate(zip(words, written, strict=True), 1):
        last = place + own.words - 1 if own.token is not None else place
        spaced = "_" if written[last - 1].spaced or last == len(words) else "SpaceAfter=No"
        if own.token is not None:
            rows.append(_row(f"{place}-{last}", own.token, spaced))
            inside = own.words
        if not inside or own.token is not None:
            text += (own.token or word) + " " * written[last - 1].spaced
        rows.append(_row(str(place), word, "_" if inside else spaced))
        inside = max(inside - 1, 0)
    yield from (f"# sent_id = {number}", f"# text = {text.strip()}", *rows)


def _row(number: str, form: str, misc: str) -> str:
    return "\t".join([number, form, *["_"] * (len(CONLLU) - 3), misc])


def _with_tag(column: str, fields: list[str], tag: str) -> str:
    if column:
        fields[CONLLU.index(column)] = tag
    else:
        rest = fields[-1].partition("Tag=")[0].rstrip("|")
        fields[-1] = f"Tag={tag}" if rest in ("_", "") else f"{rest}|Tag={tag}"
    return "\t".join(fields)
