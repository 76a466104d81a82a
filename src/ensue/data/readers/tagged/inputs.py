"""What a trained tagger reads: files and folders of any format, texts, lists, standard input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ensue.data.contract import Finding, Listener
from ensue.data.files import find_files, get_suffix, spool_stdin
from ensue.data.labelled import Example
from ensue.data.readers.lines import read_lines
from ensue.data.readers.tagged import TaggedReader, refuse_tables
from ensue.data.readers.tagged.columns import Layout
from ensue.data.readers.tagged.recognised import LOOKED_AT, Form, are_columns, guess_text_form
from ensue.data.readers.tagged.tokenizer import Tokenizer
from ensue.data.sentence_splitting import Cut, Word, split_sentences
from ensue.data.word_boundaries import UNSEGMENTED_MOSTLY, unsegmented_share
from ensue.errors import DataError

TOKENIZED_ENDINGS = {".conllu", ".conll", ".iob", ".jsonl", ".ndjson", ".tsv"}
"""Endings of files whose sentences are split into words already."""
CHOICES = "choose with --read text|lines|conllu|columns|tsv|jsonl"


@dataclass(frozen=True)
class Inputs:
    """How a trained tagger reads what it tags."""

    format: str
    """A format of training, "text", "lines", or "auto", which recognises any of them."""
    reader: Callable[[Path], TaggedReader]
    """The reader of a file of words, for the format."""
    encoding: str
    tags: Sequence[str]
    columns: Layout | None
    """Columns of the training data, if these have no names of their own."""
    tokenizer: Tokenizer | None
    """What was learned from the training data; None where texts are split by simple rules."""

    @property
    def cut(self) -> Cut | None:
        """What splits a stretch into words, if it was learned."""
        return self.tokenizer.words if self.tokenizer else None

    def read(self, data: Path | str | Sequence[Any], listener: Listener) -> Iterator[Example]:
        """Read the sentences of a file or folder, of a text, or of a list.

        A list has a sentence each: a text, or a list of words. Raises DataError if there are none.
        """
        if isinstance(data, Path):
            files = find_files([data])
            return (one for file in files for one in self._read_file(file, listener))
        if isinstance(data, str):
            return self._read_text(StringIO(data, newline=None), "the text", listener)
        return (
            Example({"words": self._get_words(one, f"sentence {number}")}, None, "", number)
            for number, one in enumerate(data, 1)
        )

    def read_stdin(self, listener: Listener) -> Iterator[Example]:
        """Read the standard input as a file is read."""
        with spool_stdin(listener) as (file, as_piped):
            for one in self._read_file(file, as_piped):
                yield replace(one, file="-")

    def _get_words(self, sentence: Any, where: str) -> list[str]:
        """Get the words of a sentence. Raises DataError if it has none, or is no sentence."""
        if isinstance(sentence, str):
            split = split_sentences(sentence.splitlines(), self.cut)
            words = [word.text for _, own in split for word in own]
        elif isinstance(sentence, Iterable) and not isinstance(sentence, bytes | Mapping):
            words = list(sentence)
        else:
            words = [sentence]
        if not words or not all(isinstance(word, str) and word.strip() for word in words):
            what = "it is neither a text nor a list of words"
            if all(isinstance(word, str) for word in words):
                what = "a word is empty" if words else "there is no word"
            raise DataError(what, where=where, hint='give "a text" or ["a", "list"]')
        return words

    def _read_file(self, file: Path, listener: Listener) -> Iterator[Example]:
        if self.format == "auto":
            first = (
                []
                if get_suffix(file) in TOKENIZED_ENDINGS
                else list(islice(read_lines(file, self.encoding), LOOKED_AT))
            )
            refuse_tables(file, [line for line in first if line.strip()])
            tokenized = get_suffix(file) in TOKENIZED_ENDINGS or are_columns(
                first, self.tags, self.columns
            )
        else:
            tokenized = self.format not in ("text", "lines")
        if tokenized:
            return self.reader(file).examples(listener)
        return self._read_text(read_lines(file, self.encoding), str(file), listener)

    def _read_text(self, lines: Iterable[str], where: str, listener: Listener) -> Iterator[Example]:
        rest = iter(lines)
        first = list(islice(rest, LOOKED_AT))
        form: Form = "lines" if self.format == "lines" else "text"
        if self.format == "auto":
            form = guess_text_form(first)
        sentences = self._split(chain(first, rest), form)
        if (one := next(sentences, None)) is None:
            raise DataError("there is no text", where=where, hint="give some words")
        listener.on_finding(Finding(where, self._describe(form), CHOICES))
        if (
            self.tokenizer is None
            and unsegmented_share("".join(first)[:100_000]) > UNSEGMENTED_MOSTLY
        ):
            what = (
                "its script has no spaces between words, so everything between two punctuation "
                "marks is read as one word"
            )
            hint = "split it into words first, and give it in columns, a word a line"
            listener.on_finding(Finding(where, what, hint))
        for line, words in chain([one], sentences):
            yield Example(
                {"words": [word.text for word in words]}, None, where, line, row={"written": words}
            )

    def _split(self, lines: Iterable[str], form: Form) -> Iterator[tuple[int, list[Word]]]:
        if form == "text":
            yield from split_sentences(lines, self.cut)
            return
        for number, line in enumerate(lines, 1):
            words = [word for _, own in split_sentences([line], self.cut) for word in own]
            if form == "lines" and words:
                yield number, words
            elif words:
                yield from ((number, own) for _, own in split_sentences([line], self.cut))

    def _describe(self, form: Form) -> str:
        words = "into words by ensue's own rules"
        if self.tokenizer:
            words = "into words as in the training data"
        if form == "lines":
            return f"read as one sentence a line, split {words}"
        if self.tokenizer:
            return f"read as plain text, split into sentences by ensue's own rules, and {words}"
        return "read as plain text, split into sentences and words by ensue's own rules"
