"""Inputs of `ensue tag`: a file, a folder, a text or the standard input; output as CoNLL-U."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ensue.data.contract import Finding, Listener
from ensue.data.files import find_files, get_suffix, spool_stdin
from ensue.data.labelled import Example
from ensue.data.readers.lines import read_lines
from ensue.data.readers.tagged import refuse_tables
from ensue.data.readers.tagged.conllu import CONLLU
from ensue.data.readers.tagged.recognised import LOOKED_AT, Form, are_columns, guess_text_form
from ensue.data.sentence_splitting import Word, split_sentences
from ensue.data.word_boundaries import UNSEGMENTED_MOSTLY, unsegmented_share
from ensue.errors import DataError
from ensue.tasks.in_memory import STDIN, as_examples
from ensue.tasks.tag import InputFormat

if TYPE_CHECKING:
    from ensue.tasks.tag.trained import TaggedSentence, TagModel

TOKENIZED_ENDINGS = {".conllu", ".conll", ".iob", ".jsonl", ".ndjson", ".tsv"}
"""Endings of files whose sentences are split into words already."""
CHOICES = "choose with --read text|lines|conllu|columns|tsv|jsonl"


def read_inputs(
    model: TagModel, data: Any, read: InputFormat, listener: Listener
) -> Iterator[Example]:
    """Read the sentences of a file or folder, of the standard input, or of a text.

    A list has a sentence each: a text, or a list of words. Raises DataError if there are none.
    """
    if isinstance(data, Path) and data == STDIN:
        return _read_stdin(model, read, listener)
    if isinstance(data, Path):
        files = find_files([data])
        return (one for file in files for one in _read_file(model, file, read, listener))
    if isinstance(data, str):
        return _read_text(model, StringIO(data, newline=None), "the text", read, listener)
    given = enumerate(as_examples(data, "tag"), 1)
    return (
        Example({"words": _get_words(model, one, f"sentence {number}")}, None, "", number)
        for number, one in given
    )


def _get_words(model: TagModel, sentence: Any, where: str) -> list[str]:
    """Get the words of a sentence. Raises DataError if it has none, or is no sentence."""
    if isinstance(sentence, str):
        split = split_sentences(sentence.splitlines(), model.cut)
        words = [word.text for _, own in split for word in own]
    elif isinstance(sentence, Iterable) and not isinstance(sentence, bytes | Mapping):
        words = list(sentence)
    else:
        words = [sentence]
    if not words or not all(isinstance(word, str) and word.strip() for word in words):
        what = "there is no word" if not words else "it is neither a text nor a list of words"
        raise DataError(what, where=where, hint='give "a text" or ["a", "list"]')
    return words


def _read_file(
    model: TagModel, file: Path, read: InputFormat, listener: Listener
) -> Iterator[Example]:
    if read == "auto":
        first = (
            []
            if get_suffix(file) in TOKENIZED_ENDINGS
            else list(islice(read_lines(file, model.data.encoding), LOOKED_AT))
        )
        refuse_tables(file, [line for line in first if line.strip()])
        tokenized = get_suffix(file) in TOKENIZED_ENDINGS or are_columns(
            first, model.tags, model.columns
        )
    else:
        tokenized = read not in ("text", "lines")
    if tokenized:
        return model.reader([file], False, read).examples(listener)
    return _read_text(model, read_lines(file, model.data.encoding), str(file), read, listener)


def _read_stdin(model: TagModel, read: InputFormat, listener: Listener) -> Iterator[Example]:
    """Read the standard input as a file is read."""
    with spool_stdin(listener) as (file, as_piped):
        for one in _read_file(model, file, read, as_piped):
            yield replace(one, file="-")


def _read_text(
    model: TagModel, lines: Iterable[str], where: str, read: InputFormat, listener: Listener
) -> Iterator[Example]:
    rest = iter(lines)
    first = list(islice(rest, LOOKED_AT))
    form = guess_text_form(first) if read == "auto" else "lines" if read == "lines" else "text"
    sentences = _split(model, chain(first, rest), form)
    if (one := next(sentences, None)) is None:
        raise DataError("there is no text", where=where, hint="give some words")
    listener.on_finding(Finding(where, _describe(model, form), CHOICES))
    if model.tokenizer is None and unsegmented_share("".join(first)[:100_000]) > UNSEGMENTED_MOSTLY:
        what = (
            "its script has no spaces between words, so everything between two punctuation marks "
            "is read as one word"
        )
        hint = "split it into words first, and give it in columns, a word a line"
        listener.on_finding(Finding(where, what, hint))
    for line, words in chain([one], sentences):
        yield Example(
            {"words": [word.text for word in words]}, None, where, line, row={"written": words}
        )


def _split(model: TagModel, lines: Iterable[str], form: Form) -> Iterator[tuple[int, list[Word]]]:
    if form == "text":
        yield from split_sentences(lines, model.cut)
        return
    for number, line in enumerate(lines, 1):
        words = [word for _, own in split_sentences([line], model.cut) for word in own]
        if form == "lines" and words:
            yield number, words
        elif words:
            yield from ((number, own) for _, own in split_sentences([line], model.cut))


def _describe(model: TagModel, form: Form) -> str:
    words = "into words by ensue's own rules"
    if model.tokenizer:
        words = "into words as in the training data"
    if form == "lines":
        return f"read as one sentence a line, split {words}"
    if model.tokenizer:
        return f"read as plain text, split into sentences by ensue's own rules, and {words}"
    return "read as plain text, split into sentences and words by ensue's own rules"


def as_conllu(model: TagModel, number: int, tagged: TaggedSentence) -> str:
    """Write a sentence as CoNLL-U; input in CoNLL-U changes in the column of the tags alone.

    Tags that belong to no column are written to the last, MISC, as Tag=...
    """
    lines = cast("list[str]", tagged.sentence.row.get("lines") or ())
    if not any(line.count("\t") == len(CONLLU) - 1 for line in lines):
        lines = _make_lines(number, tagged)
    tags, rows = iter(tagged.tags), []
    for line in lines:
        fields = line.split("\t")
        rows.append(_with_tag(model.column, fields, next(tags)) if fields[0].isdecimal() else line)
    return "\n".join(rows) + "\n\n"


def _make_lines(number: int, tagged: TaggedSentence) -> Iterator[str]:
    # Words of JSON Lines may hold tabs and line breaks, which would break a line of CoNLL-U.
    words = [" ".join(word.split()) for word in tagged.words]
    written: Sequence[Word] = tagged.sentence.row.get("written") or [
        Word(word, True) for word in words
    ]
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
