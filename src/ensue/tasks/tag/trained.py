"""A trained tagger with its codec: tag, evaluate, open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise, starmap
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.tagged import TaggedWordsCodec
from ensue.data.contract import SILENT, Listener
from ensue.data.dataset import Examples
from ensue.data.labelled import Example
from ensue.data.readers.tagged import TaggedReader, make_companion_reader
from ensue.data.readers.tagged.columns import Layout
from ensue.data.readers.tagged.conllu import tag_column
from ensue.data.readers.tagged.conllu_output import format_conllu
from ensue.data.readers.tagged.inputs import Inputs
from ensue.data.readers.tagged.tokenizer import Tokenizer
from ensue.data.tagged import compute_sentence_offsets, encode_tagged, load_codecs
from ensue.errors import DataError, in_python
from ensue.evaluation.tagging import CHANGES, make_truth, predict_tags
from ensue.models.contract import Predictor
from ensue.models.pool import Pool
from ensue.tasks.cached import CODEC
from ensue.tasks.contract import EvaluateMixin, Trained
from ensue.tasks.held import open_model
from ensue.tasks.in_memory import STDIN, as_examples, name_source
from ensue.tasks.results import Scored, find_scored_files
from ensue.tasks.tag import TagRequest
from ensue.tasks.tag.data import DATA
from ensue.tasks.tag.settings import TagSettings
from ensue.training.folder.run import Run

KNOWN_FIELDS = {"surface", "word", "vector"}
"""A word is known if one of these fields is above 0, the id of what is unknown."""
TaggedPart: TypeAlias = "tuple[Examples, Sequence[str]]"
"""Tagged sentences, and their tags by id."""
CHUNK = 2000
"""Sentences that are encoded at once; larger chunks delay the first answer."""


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence with its most likely tag sequence."""

    sentence: Example
    words: Sequence[str]
    tags: Sequence[str]
    probabilities: Sequence[float]
    """Marginal probability of each tag."""
    known: Sequence[bool]
    """Whether each word was in training (ignoring case), or has a vector."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        words = {"tokens": list(self.words), "tags": list(self.tags), "known": list(self.known)}
        return {
            "line": self.sentence.line,
            **words,
            "probabilities": [round(one, 6) for one in self.probabilities],
        }


@dataclass(eq=False)
class TagModel(EvaluateMixin, Trained):
    """A tagger, as `ensue.train("tag", ...)` and `ensue.open(run)` return it."""

    request, source = TagRequest, DATA

    run: Run
    model: Predictor | Pool
    codec: TaggedWordsCodec
    tags: Sequence[str]
    tokenizer: Tokenizer | None

    @property
    def column(self) -> str:
        """The column of CoNLL-U that holds the tags; empty for other formats."""
        return tag_column(self.data.column) if self.run.about["data"]["format"] == "conllu" else ""

    @cached_property
    def columns(self) -> Layout | None:
        """Layout of the columns of the data, if these have no names of their own."""
        columns = self.run.about["data"].get("columns")
        return Layout(**columns) if columns else None

    def reader(self, files: Sequence[Path], tagged: bool, kind: str | None = None) -> TaggedReader:
        """Read files as the training data was read, or as the format `kind`."""
        settings = self.data if kind is None else self.data.model_copy(update={"format": kind})
        before = self.run.about["data"]["format"], self.columns
        return make_companion_reader(before, files, settings, tagged, remembered=True)

    @in_python()
    def tag(self, sentences: str | Iterable[str | Sequence[str]]) -> list[list[str]]:
        """Predict the tags of sentences, each a list of words, or a text that is split into words.

        A single text is taken as a list of one. Raises DataError for a sentence without words.
        """
        answers = self.answer(TagRequest(), as_examples(sentences, "tag"))
        return [list(one.tags) for one in answers]

    def answer(
        self, request: TagRequest, data: Any = None, listener: Listener = SILENT
    ) -> Iterator[TaggedSentence]:
        """Tag the sentences of a file or folder (a Path), of a text, or of a list as `tag` takes.

        Raises DataError if there are none.
        """
        inputs = Inputs(
            request.read,
            lambda file: self.reader([file], False, request.read),
            self.data.encoding,
            self.tags,
            self.columns,
            self.tokenizer,
        )
        if isinstance(data, Path) and data == STDIN:
            return self.tag_examples(inputs.read_stdin(listener), listener, str(data))
        given = data if isinstance(data, Path | str) else as_examples(data, "tag")
        return self.tag_examples(inputs.read(given, listener), listener, name_source(data))

    def lines(self, answers: Iterable[TaggedSentence]) -> Iterator[str]:
        """Write tagged sentences as CoNLL-U."""
        return (
            format_conllu(number, one.sentence, one.tags, self.column)
            for number, one in enumerate(answers, 1)
        )

    def name_piped(self, first: bytes) -> str:
        """The reader recognises all formats in a text file."""
        return "data.txt"

    def tag_examples(
        self,
        sentences: Iterable[Example],
        listener: Listener = SILENT,
        source: str = "the data",
    ) -> Iterator[TaggedSentence]:
        """Tag sentences in chunks; at the end, warn `listener` if all their words are unknown."""
        rest, found = iter(sentences), Counter[bool]()
        while chunk := list(islice(rest, CHUNK)):
            for one in self._tag_chunk(chunk):
                # Punctuation and numbers are known in nearly any language.
                words = zip(one.words, one.known, strict=True)
                found.update(known for word, known in words if any(map(str.isalpha, word)))
                yield one
        count = found[False]
        if count and not found[True]:
            what = "its word was not in training"
            if count > 1:
                what = f"none of the {count:,} words was in training"
            hint = "tags are guesses by spelling and context; give text like the training data"
            listener.report(source, what, hint)

    def _tag_chunk(self, sentences: Sequence[Example]) -> Iterator[TaggedSentence]:
        # Without labels: those of the input may be tags that the model does not know.
        unlabelled = [replace(one, label=None) for one in sentences]
        examples = encode_tagged(unlabelled, self.codec, self.tags)
        probabilities = np.zeros(examples.offsets[-1], np.float32)
        ids = predict_tags(self.model, examples, probabilities)
        fields = KNOWN_FIELDS & examples.steps.keys()
        known = np.any([np.asarray(examples.steps[name]) > 0 for name in fields], axis=0)
        ends = pairwise(compute_sentence_offsets(examples).tolist())
        for sentence, place in zip(sentences, starmap(slice, ends), strict=True):
            words, tags = cast("Any", sentence.content)["words"], ids[place].tolist()
            values = probabilities[place].tolist(), known[place].tolist()
            yield TaggedSentence(sentence, words, [self.tags[one] for one in tags], *values)

    def read_part(self, paths: Sequence[Path], listener: Listener, **columns: Any) -> TaggedPart:
        """Read and encode tagged sentences. Raises DataError."""
        reader = self.reader(find_scored_files(self.run, paths, self.data, listener), True)
        sentences = list(reader.examples(listener))
        found = {tag for one in sentences for tag in one.label}
        if not found & {*self.tags}:
            what = f"none of its tags was in training; it was read as {reader.described}"
            hint = "give another file, or write this one as .tsv: word, tab, tag on each line"
            raise DataError(what, where=str(paths[0]), hint=hint)
        tags = [*self.tags, *sorted(found - {*self.tags})]
        return encode_tagged(sentences, self.codec, tags), tags

    def score(self, part: TaggedPart | None = None) -> Scored:
        """Compute the metrics on tagged sentences, or on the test part."""
        examples, tags = part or (self.parts["test"], self.parts.tags)
        truth, predicted = (
            make_truth(examples, tags, len(self.tags)),
            predict_tags(self.model, examples),
        )
        measured = truth.measure(predicted)
        return Scored(measured.metrics, measured.intervals, truth.details(predicted))


def open_tagger(run: Run, settings: TagSettings) -> TagModel:
    """Open the tagger of a run. Raises RunError where its files are damaged."""
    codec, tags, tokenizer = run.parse(CODEC, load_codecs)
    sizes = {**codec.shape.symbols, "target": len(tags)}

    def build(own: Any, arrays: Mapping[str, NDArray[Any]]) -> Predictor:
        return own.model.build(sizes, arrays.get("vectors"))

    def mix(models: Sequence[Any], arrays: Mapping[str, NDArray[Any]]) -> Pool:
        changes = np.zeros((len(tags) + 1, len(tags) + 1))
        return Pool(models, extra={CHANGES: changes} if CHANGES in arrays else None)

    model, _ = open_model(run, settings, build, mix)
    return TagModel(run, model, codec, tags, tokenizer)
